"""A single MAC with valid/ready streams."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from macsmith.hw.block import Block, place
from macsmith.hw.convert import Convert, needs_conversion
from macsmith.hw.outer_step import OuterStep
from macsmith.hw.pipeline import delay, plan_cuts
from macsmith.hw.step import inner_step
from macsmith.model.accumulators import ChunkedAccumulator
from macsmith.model.config import Design, MacConfig
from macsmith.model.widths import mac_widths

__all__ = ["ChunkCounter", "Mac", "beats_per_chunk", "registers_output"]


def beats_per_chunk(config: MacConfig) -> int | None:
    """Beats after which a chunk ends; None without chunks."""
    if isinstance(config.accumulator, ChunkedAccumulator):
        return config.accumulator.length // config.lanes
    return None


def registers_output(design: Design) -> bool:
    """Whether there is a register behind the conversion to the result format.

    There is one where a pipelined design has a conversion, so that no path from the accumulator
    to the output port is longer than the rest.
    """
    return design.implementation.stages > 0 and needs_conversion(
        mac_widths(design.mac).last, design.mac.output_format
    )


class ChunkCounter(Block):
    """Tell which beat is its chunk's last.

    Parameters
    ----------
    beats
        Beats per chunk, at least 1.

    Members
    -------
    step : In(1)
        A beat passes in this cycle.
    last : In(1)
        It is the last of its sum, which ends the chunk too.
    chunk_end : Out(1)
        It is the last of its chunk; combinational in `last`.
    """

    step: Signal
    last: Signal
    chunk_end: Signal

    def __init__(self, beats: int) -> None:
        self.beats = beats
        super().__init__(
            f"chunk_counter_{beats}",
            {"step": In(1), "last": In(1), "chunk_end": Out(1)},
            is_clocked=beats > 1,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.beats == 1:
            m.d.comb += self.chunk_end.eq(1)
            return m
        count = Signal(range(self.beats))
        m.d.comb += self.chunk_end.eq(self.last | (count == self.beats - 1))
        with m.If(self.step):
            m.d.sync += count.eq(Mux(self.chunk_end, 0, count + 1))
        return m


class Mac(Block):
    """Sum products over beats until one is the last, then give one result.

    One beat per cycle, also from one sum to the next. The whole pipeline waits while a result is
    not taken.

    Parameters
    ----------
    design
        What is computed, and in how many stages.

    Members
    -------
    i_valid, i_ready : In(1), Out(1)
        A beat of operands passes when both are 1.
    i_a : In(lanes * config.a.bits)
    i_b : In(lanes * config.b.bits)
        Lane 0 in the lowest bits.
    i_last : In(1)
        The beat is the last of its sum.
    o_valid, o_ready : Out(1), In(1)
        A result passes when both are 1.
    o_data : Out(output_bits)
        Result code. `latency_cycles` after the sum's last beat has passed, if nothing waits.
    """

    i_valid: Signal
    i_ready: Signal
    i_a: Signal
    i_b: Signal
    i_last: Signal
    o_valid: Signal
    o_ready: Signal
    o_data: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        self.config = config = design.mac
        self.widths = mac_widths(config)
        self.cuts = plan_cuts(config, design.implementation.stages)
        self.registers_output = registers_output(design)
        super().__init__(
            "mac",
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_a": In(config.lanes * config.a.bits),
                "i_b": In(config.lanes * config.b.bits),
                "i_last": In(1),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(self.widths.output_bits),
            },
            is_clocked=True,
        )

    @property
    def latency_cycles(self) -> int:
        """Cycles from the one in which a sum's last beat passes to that of its result."""
        return (
            self.cuts.total + 1 + (self.widths.outer is not None) + self.registers_output
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        enable = Signal()
        m.d.comb += [enable.eq(~self.o_valid | self.o_ready), self.i_ready.eq(enable)]

        step = inner_step(self.config, self.cuts)
        place(m, platform, "step", step)
        cycles = self.cuts.total
        valid = delay(m, "valid", self.i_valid, cycles, enable, reset=True)
        last = delay(m, "last", self.i_last, cycles, enable)
        m.d.comb += [step.a.eq(self.i_a), step.b.eq(self.i_b)]
        if step.is_clocked:
            m.d.comb += step.enable.eq(enable)

        beats = beats_per_chunk(self.config)
        sum_ends: Value = last
        if beats is not None:
            counter = ChunkCounter(beats)
            place(m, platform, "chunk_counter", counter)
            m.d.comb += [
                counter.step.eq(self.i_valid & self.i_ready),
                counter.last.eq(self.i_last),
            ]
            sum_ends = delay(m, "chunk_end", counter.chunk_end, cycles, enable)

        partial_sum = Signal(self.widths.inner.bits)
        m.d.comb += step.partial_sum_i.eq(partial_sum)
        with m.If(enable & valid):
            m.d.sync += partial_sum.eq(Mux(sum_ends, 0, step.partial_sum_o))
        finished: Value = step.partial_sum_o
        is_finished: Value = valid & last
        if beats is not None:
            chunk_ends = valid & sum_ends
            finished, is_finished = self._add_chunk(m, platform, enable, finished, chunk_ends, last)

        result = Signal(self.widths.last.bits, reset_less=True)
        is_result = Signal()
        with m.If(enable):
            m.d.sync += is_result.eq(is_finished)
        with m.If(enable & is_finished):
            m.d.sync += result.eq(finished)

        convert = Convert(self.config, self.widths.last, self.config.output_format)
        place(m, platform, "convert", convert)
        m.d.comb += convert.partial_sum.eq(result)
        cycles = int(self.registers_output)
        m.d.comb += [
            self.o_data.eq(delay(m, "data", convert.code, cycles, enable)),
            self.o_valid.eq(delay(m, "data_valid", is_result, cycles, enable, reset=True)),
        ]
        return m

    def _add_chunk(
        self, m: Module, platform: Any, enable: Value, inner: Value, ends: Value, last: Value
    ) -> tuple[Value, Value]:
        """Hold a finished chunk for one cycle and add it while the next one begins."""
        chunk = Signal(self.widths.inner.bits, reset_less=True)
        chunk_valid = Signal()
        chunk_last = Signal(reset_less=True)
        outer = OuterStep(self.config)
        place(m, platform, "outer_step", outer)
        outer_sum = Signal(len(outer.partial_sum_i))
        with m.If(enable):
            m.d.sync += chunk_valid.eq(ends)
        with m.If(enable & ends):
            m.d.sync += [chunk.eq(inner), chunk_last.eq(last)]
        with m.If(enable & chunk_valid):
            m.d.sync += outer_sum.eq(Mux(chunk_last, 0, outer.partial_sum_o))
        m.d.comb += [outer.chunk.eq(chunk), outer.partial_sum_i.eq(outer_sum)]
        return outer.partial_sum_o, chunk_valid & chunk_last
