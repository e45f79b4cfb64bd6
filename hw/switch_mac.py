"""A single MAC of several modes with its streams, and how it reads its sums out."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.convert import Convert
from macsmith.hw.latency import convert_cycles
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.switch_core import SwitchCore, switch_chunk_end
from macsmith.hw.switch_step import own_sum, select
from macsmith.model.design import Design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

__all__ = ["SwitchConvert", "SwitchMac"]


class SwitchConvert(Block):
    """Read the present mode's sum out in its result format; combinational.

    Parameters
    ----------
    design
        What is computed in each mode.

    Members
    -------
    mode : In
    partial_sum : In
        The last accumulator's, in the common layout.
    code : Out(output_bits)
        The result in the lowest bits, zeros above.
    """

    mode: Signal
    partial_sum: Signal
    code: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        self.widths = switch_widths(design.modes)
        super().__init__(
            "switch_convert",
            {
                "mode": In(self.widths.mode_bits),
                "partial_sum": In(self.widths.last.bits),
                "code": Out(self.widths.output_bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        codes: list[Value] = []
        converters: dict[object, Value] = {}
        for index, config in enumerate(self.design.modes):
            last = mac_widths(config).last
            fmt = config.output_format
            key: object = (last.format, fmt) if last.format is not None else index
            if key not in converters:
                convert = Convert(config, last, fmt)
                place(m, platform, f"convert_{index}", convert)
                m.d.comb += convert.partial_sum.eq(
                    own_sum(self.widths.last, index, self.partial_sum)
                )
                converters[key] = convert.code
            code = converters[key]
            codes.append(Cat(code, Const(0, self.widths.output_bits - len(code))))
        m.d.comb += self.code.eq(codes[0] if len(converters) == 1 else select(self.mode, codes))
        return m


class SwitchMac(Block):
    """A single MAC whose mode is switched from sum to sum. As `macsmith.hw.mac.Mac`, with a mode.

    Parameters
    ----------
    design
        What is computed in each mode, and in how many stages.

    Members
    -------
    i_valid, i_ready, i_a, i_b, i_last, o_valid, o_ready, o_data
        As those of `macsmith.hw.mac.Mac`, in the common layouts.
    i_mode : In
        Mode of the beat, the same in all beats of a sum.
    """

    i_valid: Signal
    i_ready: Signal
    i_mode: Signal
    i_a: Signal
    i_b: Signal
    i_last: Signal
    o_valid: Signal
    o_ready: Signal
    o_data: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        self.widths = switch_widths(design.modes)
        super().__init__(
            "switch_mac",
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_mode": In(self.widths.mode_bits),
                "i_a": In(self.widths.lanes * self.widths.a_slot_bits),
                "i_b": In(self.widths.lanes * self.widths.b_slot_bits),
                "i_last": In(1),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(self.widths.output_bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        enable = Signal()
        core = SwitchCore(self.design)
        place(m, platform, "core", core)
        m.d.comb += [
            enable.eq(~self.o_valid | self.o_ready),
            self.i_ready.eq(enable),
            core.enable.eq(enable),
            core.valid.eq(self.i_valid),
            core.mode.eq(self.i_mode),
            core.a.eq(self.i_a),
            core.b.eq(self.i_b),
            core.last.eq(self.i_last),
        ]
        if self.widths.outer is not None:
            m.d.comb += core.chunk_end.eq(
                switch_chunk_end(m, self.design, self.i_mode, self.i_last, self.i_valid & enable)
            )

        result = Signal(self.widths.last.bits, reset_less=True)
        result_mode = Signal(self.widths.mode_bits, reset_less=True)
        is_result = Signal()
        with m.If(enable):
            m.d.sync += is_result.eq(core.is_finished)
        with m.If(enable & core.is_finished):
            m.d.sync += [result.eq(core.finished), result_mode.eq(core.finished_mode)]

        cycles = convert_cycles(self.design)
        convert = pipelined(SwitchConvert(self.design), cycles)
        place_enabled(m, platform, "convert", convert, enable)
        m.d.comb += [
            convert.mode.eq(result_mode),
            convert.partial_sum.eq(result),
            self.o_data.eq(convert.code),
            self.o_valid.eq(delay(m, "data_valid", is_result, cycles, enable, reset=True)),
        ]
        return m
