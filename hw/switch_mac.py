"""Switchable designs as they are emitted: the unit, and the single MAC with its streams."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.block import Block, place
from macsmith.hw.convert import Convert
from macsmith.hw.core import beats_per_chunk
from macsmith.hw.latency import convert_cycles, outer_cycles, step_cycles
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.switch_fixed import SwitchFixedStep, can_share_fixed
from macsmith.hw.switch_float import SwitchFloatStep, can_share_float
from macsmith.hw.switch_step import SeparateSteps, SwitchOuterStep, own_sum, select
from macsmith.model.design import Design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

__all__ = [
    "SwitchConvert",
    "SwitchCore",
    "SwitchMac",
    "SwitchUnit",
    "shared_step",
    "switch_chunk_end",
    "switch_step",
]

SwitchStep = SeparateSteps | SwitchFixedStep | SwitchFloatStep


def shared_step(design: Design) -> str:
    """What the modes of a switchable design share: ``datapath`` or ``ports``.

    One datapath is less than one for each mode wherever it can be built: in ASAP7 by
    ``smallest-fa`` 0.60 to 0.92 of the sum of the single steps, by ``fastest`` 0.66 to 0.88
    (`docs/hardware.md`). The forms for FPGAs are those of the single designs.

    Raises
    ------
    ValueError
        A common datapath is asked for and cannot be built.
    """
    implementation = design.implementation
    modes = design.modes
    can_share = (can_share_fixed(modes) or can_share_float(modes)) and all(
        resolve_architecture(mode, implementation).fpga == "none" for mode in modes
    )
    if implementation.share == "datapath" and not can_share:
        raise ValueError(
            f"{design.text}: share=datapath needs sums in fixed point that neither wrap nor clip, "
            "or one product a step into the same float format, and products that are not rounded: "
            "leave it out"
        )
    return "datapath" if can_share and implementation.share != "ports" else "ports"


def switch_step(design: Design) -> SwitchStep:
    """The step of a switchable design: one for all modes where they have enough in common."""
    modes = design.modes
    architectures = tuple(resolve_architecture(mode, design.implementation) for mode in modes)
    if shared_step(design) == "ports":
        return SeparateSteps(modes, architectures)
    if not can_share_fixed(modes):
        asked = design.implementation.multiply
        return SwitchFloatStep(modes, "array" if asked == "auto" else asked)
    # the mode with the largest products decides how they are added
    sizes = [mac_widths(mode).term.max_integer for mode in modes]
    return SwitchFixedStep(modes, architectures[sizes.index(max(sizes))])


def switch_chunk_end(m: Module, design: Design, mode: Value, last: Value, passes: Value) -> Value:
    """Whether the beat is its chunk's last: chunks of all modes have as many products, but modes
    may have several a lane."""
    beats = [beats_per_chunk(each) or 1 for each in design.modes]
    count = Signal(range(max(beats)), name="chunk_count")
    chunk_end = Signal(name="chunk_end")
    is_full = select(mode, [count == each - 1 for each in beats])
    m.d.comb += chunk_end.eq(last | is_full)
    with m.If(passes):
        m.d.sync += count.eq(Mux(chunk_end, 0, count + 1))
    return chunk_end


class SwitchUnit(Block):
    """One whole step of a switchable design, to be embedded in other hardware; combinational.

    Parameters
    ----------
    design
        What is computed in each mode, and how it is built.

    Members
    -------
    mode : In
        Of this step.
    a, b : In
        Slots of all lanes.
    chunk_end : In(1)
        Only with chunked accumulators: this step is its chunk's last.
    partial_sum_i, partial_sum_o : In, Out
        Laid out as `macsmith.model.switch` says; all 0 to begin with.
    """

    mode: Signal
    a: Signal
    b: Signal
    chunk_end: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        self.widths = switch_widths(design.modes)
        members = {
            "mode": In(self.widths.mode_bits),
            "a": In(self.widths.lanes * self.widths.a_slot_bits),
            "b": In(self.widths.lanes * self.widths.b_slot_bits),
            "partial_sum_i": In(self.widths.partial_sum_bits),
            "partial_sum_o": Out(self.widths.partial_sum_bits),
        }
        if self.widths.outer is not None:
            members["chunk_end"] = In(1)
        super().__init__("switch_unit", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        inner_bits = self.widths.inner.bits
        step = switch_step(self.design)
        place(m, platform, "step", step)
        m.d.comb += [
            step.mode.eq(self.mode),
            step.a.eq(self.a),
            step.b.eq(self.b),
            step.partial_sum_i.eq(self.partial_sum_i[:inner_bits]),
        ]
        if self.widths.outer is None:
            m.d.comb += self.partial_sum_o.eq(step.partial_sum_o)
            return m
        before = self.partial_sum_i[inner_bits:]
        outer = SwitchOuterStep(self.design.modes)
        place(m, platform, "outer_step", outer)
        m.d.comb += [
            outer.mode.eq(self.mode),
            outer.chunk.eq(step.partial_sum_o),
            outer.partial_sum_i.eq(before),
            self.partial_sum_o.eq(
                Cat(
                    Mux(self.chunk_end, 0, step.partial_sum_o)[:inner_bits],
                    Mux(self.chunk_end, outer.partial_sum_o, before),
                )
            ),
        ]
        return m


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


class SwitchCore(Block):
    """Accumulate beats; say when a sum is finished. As `macsmith.hw.core.Core`, with a mode.

    Parameters
    ----------
    design
        What is computed in each mode, and in how many stages.

    Members
    -------
    enable, valid, a, b, last, chunk_end, finished, is_finished
        As those of `macsmith.hw.core.Core`, in the common layouts.
    mode : In
        Of the beat.
    finished_mode : Out
        Of the sum that is finished.
    """

    enable: Signal
    valid: Signal
    mode: Signal
    a: Signal
    b: Signal
    last: Signal
    chunk_end: Signal
    finished: Signal
    finished_mode: Signal
    is_finished: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        self.widths = switch_widths(design.modes)
        members = {
            "enable": In(1),
            "valid": In(1),
            "mode": In(self.widths.mode_bits),
            "a": In(self.widths.lanes * self.widths.a_slot_bits),
            "b": In(self.widths.lanes * self.widths.b_slot_bits),
            "last": In(1),
            "finished": Out(self.widths.last.bits),
            "finished_mode": Out(self.widths.mode_bits),
            "is_finished": Out(1),
        }
        if self.widths.outer is not None:
            members["chunk_end"] = In(1)
        super().__init__("core", members, is_clocked=True)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cycles = step_cycles(self.design)
        step = pipelined(switch_step(self.design), cycles, ("partial_sum_i",))
        place_enabled(m, platform, "step", step, self.enable)
        m.d.comb += [step.mode.eq(self.mode), step.a.eq(self.a), step.b.eq(self.b)]
        mode = delay(m, "mode_delayed", self.mode, cycles, self.enable)
        valid = delay(m, "valid_delayed", self.valid, cycles, self.enable, reset=True)
        last = delay(m, "last_delayed", self.last, cycles, self.enable)
        sum_ends = last
        if self.widths.outer is not None:
            sum_ends = delay(m, "chunk_end_delayed", self.chunk_end, cycles, self.enable)

        partial_sum = Signal(self.widths.inner.bits)
        m.d.comb += step.partial_sum_i.eq(partial_sum)
        with m.If(self.enable & valid):
            m.d.sync += partial_sum.eq(Mux(sum_ends, 0, step.partial_sum_o))
        if self.widths.outer is not None:
            self._add_chunk(m, platform, step.partial_sum_o, mode, valid & sum_ends, last)
        else:
            m.d.comb += [
                self.finished.eq(step.partial_sum_o),
                self.finished_mode.eq(mode),
                self.is_finished.eq(valid & last),
            ]
        return m

    def _add_chunk(
        self, m: Module, platform: Any, inner: Value, mode: Value, ends: Value, last: Value
    ) -> None:
        chunk = Signal(self.widths.inner.bits, reset_less=True)
        chunk_mode = Signal(self.widths.mode_bits, reset_less=True)
        chunk_valid = Signal()
        chunk_last = Signal(reset_less=True)
        cycles = outer_cycles(self.design)
        outer = pipelined(SwitchOuterStep(self.design.modes), cycles, ("partial_sum_i",))
        place_enabled(m, platform, "outer_step", outer, self.enable)
        outer_sum = Signal(len(outer.partial_sum_i))
        with m.If(self.enable):
            m.d.sync += chunk_valid.eq(ends)
        with m.If(self.enable & ends):
            m.d.sync += [chunk.eq(inner), chunk_mode.eq(mode), chunk_last.eq(last)]
        adds = delay(m, "adds", chunk_valid, cycles, self.enable, reset=True)
        is_last = delay(m, "is_last", chunk_last, cycles, self.enable)
        with m.If(self.enable & adds):
            m.d.sync += outer_sum.eq(Mux(is_last, 0, outer.partial_sum_o))
        m.d.comb += [
            outer.mode.eq(chunk_mode),
            outer.chunk.eq(chunk),
            outer.partial_sum_i.eq(outer_sum),
            self.finished.eq(outer.partial_sum_o),
            self.finished_mode.eq(delay(m, "added_mode", chunk_mode, cycles, self.enable)),
            self.is_finished.eq(adds & is_last),
        ]


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
