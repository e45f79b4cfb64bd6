"""An accelerator behind a serial line."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.accelerator import Accelerator
from macsmith.hw.block import Block, place
from macsmith.hw.frame import FrameReceiver, FrameSender
from macsmith.hw.frame_server import FrameServer
from macsmith.hw.uart import UartReceiver, UartSender
from macsmith.model.accelerator import AcceleratorConfig

__all__ = ["AcceleratorUart"]


class AcceleratorUart(Block):
    """Accelerator, frames and a UART.

    Parameters
    ----------
    config
        The accelerator.
    divisor
        Clock cycles of a bit on the line, at least 4.

    Members
    -------
    rx, tx : In(1), Out(1)
        The line from and to the host.
    """

    rx: Signal
    tx: Signal

    def __init__(self, config: AcceleratorConfig, divisor: int) -> None:
        self.config, self.divisor = config, divisor
        super().__init__("accelerator_uart", {"rx": In(1), "tx": Out(1)}, is_clocked=True)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        uart_in, uart_out = UartReceiver(self.divisor), UartSender(self.divisor)
        receiver, sender, server = FrameReceiver(), FrameSender(), FrameServer()
        accelerator = Accelerator(self.config)
        for name, block in (
            ("uart_receiver", uart_in),
            ("uart_sender", uart_out),
            ("receiver", receiver),
            ("sender", sender),
            ("server", server),
            ("accelerator", accelerator),
        ):
            place(m, platform, name, block)
        m.d.comb += [
            uart_in.line.eq(self.rx),
            receiver.valid.eq(uart_in.valid),
            receiver.data.eq(uart_in.data),
            server.frame_valid.eq(receiver.frame_valid),
            server.frame_words.eq(receiver.frame_words),
            receiver.frame_taken.eq(server.frame_taken),
            receiver.address.eq(server.frame_address),
            server.frame_word.eq(receiver.word),
            sender.start.eq(server.send),
            sender.words.eq(server.send_words),
            server.send_busy.eq(sender.is_busy),
            sender.write_enable.eq(server.answer_enable),
            sender.write_address.eq(server.answer_address),
            sender.write_data.eq(server.answer_word),
            uart_out.valid.eq(sender.valid),
            uart_out.data.eq(sender.data),
            sender.ready.eq(uart_out.ready),
            self.tx.eq(uart_out.line),
            accelerator.i_valid.eq(server.push_valid),
            accelerator.i_data.eq(server.push_data),
            server.push_ready.eq(accelerator.i_ready),
            server.pull_valid.eq(accelerator.o_valid),
            server.pull_data.eq(accelerator.o_data),
            accelerator.o_ready.eq(server.pull_ready),
            accelerator.register_address.eq(server.register_address),
            accelerator.register_write.eq(server.register_write),
            accelerator.register_read.eq(server.register_read),
            accelerator.register_data_i.eq(server.register_data_i),
            server.register_data_o.eq(accelerator.register_data_o),
        ]
        return m
