"""The accumulating core of a switchable design: step, partial sums, and chunks."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.chunk_counter import beats_per_chunk
from macsmith.hw.latency import outer_cycles, step_cycles
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.switch_step import SwitchOuterStep, select
from macsmith.hw.switch_unit import switch_step
from macsmith.model.design import Design
from macsmith.model.switch import switch_widths

__all__ = ["SwitchCore", "switch_chunk_end"]


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
