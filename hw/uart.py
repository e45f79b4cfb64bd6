"""Asynchronous serial line: 8 bits, no parity, one stop bit, lowest bit first."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block

__all__ = ["UartReceiver", "UartSender"]

_BITS = 10  # start, data, stop


class UartReceiver(Block):
    """Bytes from a line; a byte without its stop bit is dropped.

    Parameters
    ----------
    divisor
        Clock cycles of a bit, at least 4.

    Members
    -------
    line : In(1)
        From a pin; synchronised here.
    valid : Out(1)
        `data` is a byte that came in, for one cycle.
    data : Out(8)
    """

    line: Signal
    valid: Signal
    data: Signal

    def __init__(self, divisor: int) -> None:
        if divisor < 4:
            raise ValueError(f"a bit of a serial line must take at least 4 cycles, not {divisor}")
        self.divisor = divisor
        super().__init__(
            "uart_receiver", {"line": In(1), "valid": Out(1), "data": Out(8)}, is_clocked=True
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        synchronised = Signal(2, init=3)
        level = synchronised[1]
        timer = Signal(range(2 * self.divisor))
        bits_left = Signal(range(_BITS + 1))
        shift = Signal(8, reset_less=True)
        m.d.sync += [synchronised.eq(Cat(self.line, synchronised)), self.valid.eq(0)]
        with m.If(bits_left == 0):
            # sampled in the middle of bits: half a bit into the start bit, then every bit
            m.d.sync += timer.eq(self.divisor // 2 - 1)
            with m.If(~level):
                m.d.sync += bits_left.eq(_BITS)
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [
                timer.eq(self.divisor - 1),
                bits_left.eq(bits_left - 1),
                shift.eq(Cat(shift[1:], level)),
            ]
            with m.If((bits_left == _BITS) & level):  # a glitch, no start bit
                m.d.sync += bits_left.eq(0)
            with m.If(bits_left == 1):
                m.d.sync += [self.valid.eq(level), self.data.eq(shift)]
        return m


class UartSender(Block):
    """Bytes to a line.

    Parameters
    ----------
    divisor
        Clock cycles of a bit.

    Members
    -------
    valid, ready : In(1), Out(1)
    data : In(8)
    line : Out(1)
        1 while nothing is sent.
    """

    valid: Signal
    ready: Signal
    data: Signal
    line: Signal

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__(
            "uart_sender",
            {"valid": In(1), "ready": Out(1), "data": In(8), "line": Out(1)},
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        timer = Signal(range(self.divisor))
        bits_left = Signal(range(_BITS + 1))
        shift = Signal(_BITS - 1, init=(1 << (_BITS - 1)) - 1)
        level = Signal(init=1)
        m.d.comb += self.line.eq(level)
        m.d.comb += self.ready.eq((bits_left == 0) & (timer == 0))
        m.d.sync += timer.eq(Mux(timer == 0, 0, timer - 1))
        with m.If(self.ready & self.valid):
            m.d.sync += [
                level.eq(0),
                shift.eq(Cat(self.data, Const(1, 1))),
                bits_left.eq(_BITS - 1),
                timer.eq(self.divisor - 1),
            ]
        with m.Elif((timer == 0) & (bits_left != 0)):
            m.d.sync += [
                level.eq(shift[0]),
                shift.eq(Cat(shift[1:], Const(1, 1))),
                bits_left.eq(bits_left - 1),
                timer.eq(self.divisor - 1),
            ]
        return m
