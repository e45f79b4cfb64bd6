"""The accumulating core of a MAC: step, partial sums, and chunks."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.block import Block
from macsmith.hw.block_step import scale_members
from macsmith.hw.carry_save import PropagateCarries
from macsmith.hw.chain_step import ChainStep
from macsmith.hw.latency import (
    columns_per_element,
    keeps_carries,
    outer_cycles,
    propagate_cycles,
    shares_outer,
    step_cycles,
)
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.read_out import read_out, start_state
from macsmith.hw.step import inner_step, outer_step
from macsmith.hw.sum_loop import close_loop
from macsmith.hw.word_widths import finished_bits
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths

__all__ = ["Core"]


class Core(Block):
    """Accumulate beats; say when a sum is finished.

    The feed-forward part of the step is cut into the design's stages; the loop through the
    partial sum takes one cycle. A finished chunk waits in a register and is added to the outer sum
    while the next one begins, in as many stages.

    Parameters
    ----------
    design
        What is computed, and in how many stages.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    valid : In(1)
        There is a beat.
    a, b : In
        Codes of all lanes; B of all columns that the element serves.
    last : In(1)
        The beat is the last of its sum; where the outer adder is shared, of its chunk.
    chunk_end : In(1)
        Only with an outer adder: it is the last of its chunk.
    a_scale, b_scale : In
        Only with block formats, of those operands that have one: scales of the block that ends
        with the beat.
    random : In(config.random_bits)
        Only with stochastic rounding: the word of the beat that `steps` speaks of.
    steps : Out(1)
        Only with stochastic rounding: a beat, that which was taken `step_cycles` enabled cycles
        before, is added to the partial sum in this cycle.
    finished : Out(columns * finished_bits)
        For each column: partial sum with all beats up to a last one; where the outer adder is
        shared, of the chunk that ends with it. An inner sum is as it is kept: see
        `macsmith.hw.read_out`.
    is_finished : Out(1)
        `finished` is that in this cycle only, `macsmith.hw.latency.core_latency_cycles` enabled
        cycles after the last beat.
    """

    enable: Signal
    valid: Signal
    a: Signal
    b: Signal
    last: Signal
    chunk_end: Signal
    a_scale: Signal
    b_scale: Signal
    random: Signal
    steps: Signal
    finished: Signal
    is_finished: Signal

    def __init__(self, design: Design) -> None:
        self.config = config = design.mac
        self.widths = mac_widths(config)
        self.architecture = resolve_architecture(config, design.implementation)
        self.design = design
        columns = columns_per_element(design)
        members = {
            "enable": In(1),
            "valid": In(1),
            "a": In(config.lanes * config.a.bits),
            "b": In(columns * config.lanes * config.b.bits),
            "last": In(1),
            "finished": Out(columns * finished_bits(design)),
            "is_finished": Out(1),
        }
        self.is_chunked = self.widths.outer is not None and not shares_outer(design)
        if self.is_chunked:
            members["chunk_end"] = In(1)
        members |= scale_members(config)
        if config.random_bits:
            members |= {"random": In(config.random_bits), "steps": Out(1)}
        super().__init__("core", members, is_clocked=True)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cycles, sums = step_cycles(self.design), self.design.implementation.interleave
        feed = self.design.implementation.stages
        inner_random_bits = self.config.random_bits_of(self.widths.inner.accumulator)
        keeps_inner = not self.config.is_block_a_step
        step_block = inner_step(self.config, self.architecture)
        late = tuple(
            name
            for name in ("partial_sum_i", "is_first", *(["random"] if inner_random_bits else []))
            if keeps_inner and name in step_block.signature.members
        )
        step = pipelined(step_block, cycles, late, feed)
        place_enabled(m, platform, "step", step, self.enable)
        m.d.comb += [step.a.eq(self.a), step.b.eq(self.b)]
        valid = delay(m, "valid_delayed", self.valid, cycles, self.enable, reset=True)
        last = delay(m, "last_delayed", self.last, cycles, self.enable)
        sum_ends = last
        if self.is_chunked:
            sum_ends = delay(m, "chunk_end_delayed", self.chunk_end, cycles, self.enable)

        if self.config.random_bits:
            m.d.comb += self.steps.eq(self.enable & valid)
        if inner_random_bits:
            # the step is one that rounds, pipelined or not
            m.d.comb += getattr(step, "random").eq(self.random[:inner_random_bits])  # noqa: B009

        if isinstance(step_block, ChainStep) and step_block.restarts:
            self._restart(m, step, valid, sum_ends)
            return m
        if keeps_inner:
            close_loop(
                m,
                "partial_sum",
                getattr(step, "partial_sum_i"),  # noqa: B009 - the step is no BlockSum
                step.partial_sum_o,
                sums=sums,
                enable=self.enable,
                adds=valid,
                ends=sum_ends,
                empty=start_state(self.config, self.architecture),
            )
        inner: Value = step.partial_sum_o
        ends: Value = valid & sum_ends
        if self.architecture.loop == "carrysave":
            inner, ends, last = self._propagated(m, platform, inner, ends, last)
        if self.is_chunked:
            self._add_chunk(m, platform, inner, ends, last)
        else:
            words: Value = Const(0, 0)
            if self.widths.outer is not None:  # the chunk of a shared outer adder
                words = self._chunk_word(
                    m, self.config.random_bits_of(self.widths.outer.accumulator)
                )
            m.d.comb += [self.finished.eq(Cat(inner, words)), self.is_finished.eq(ends)]
        return m

    def _restart(self, m: Module, step: Block, valid: Value, sum_ends: Value) -> None:
        """A sum that stays where it is until the next one's first beat takes its place."""
        is_first = Signal(init=1)
        before: Signal = getattr(step, "partial_sum_i")  # noqa: B009 - a `ChainStep` or a `Pipelined`
        after: Signal = getattr(step, "partial_sum_o")  # noqa: B009
        partial_sum = Signal(len(before), reset_less=True)
        with m.If(self.enable & valid):
            m.d.sync += [partial_sum.eq(after), is_first.eq(sum_ends)]
        m.d.comb += [
            before.eq(partial_sum),
            getattr(step, "is_first").eq(is_first),  # noqa: B009
            self.finished.eq(partial_sum),
            self.is_finished.eq(
                delay(m, "is_finished", valid & sum_ends, 1, self.enable, reset=True)
            ),
        ]

    def _chunk_word(self, m: Module, bits: int) -> Value:
        """The outer bits of the word of a chunk's last step, when the chunk is finished."""
        if not bits:
            return Const(0, 0)
        late = 1 + propagate_cycles(self.design) if keeps_carries(self.design) else 0
        return delay(m, "late_word", self.random[-bits:], late, self.enable)

    def _propagated(
        self, m: Module, platform: Any, inner: Value, ends: Value, last: Value
    ) -> tuple[Value, Value, Value]:
        """A finished carry-save sum as one number, some cycles later, and its flags."""
        cycles = propagate_cycles(self.design)
        kept = Signal(len(inner), name="carry_save_sum", reset_less=True)
        with m.If(self.enable & ends):
            m.d.sync += kept.eq(inner)
        propagate = pipelined(PropagateCarries(self.config, cycles + 1), cycles)
        place_enabled(m, platform, "propagate", propagate, self.enable)
        m.d.comb += propagate.partial_sum.eq(kept)
        return (
            propagate.total,
            delay(m, "propagated", ends, 1 + cycles, self.enable, reset=True),
            delay(m, "propagated_last", last, 1 + cycles, self.enable),
        )

    def _add_chunk(self, m: Module, platform: Any, inner: Value, ends: Value, last: Value) -> None:
        chunk = Signal(len(inner), reset_less=True)
        chunk_valid = Signal()
        chunk_last = Signal(reset_less=True)
        cycles, sums = outer_cycles(self.design), self.design.implementation.interleave
        outer = pipelined(outer_step(self.config), cycles, ("partial_sum_i",), cycles - (sums - 1))
        place_enabled(m, platform, "outer_step", outer, self.enable)
        for name in scale_members(self.config):
            # a scale goes along with its block: through the step's stages, then beside its sum
            scale = getattr(self, name)
            late_scale = delay(m, f"late_{name}", scale, step_cycles(self.design), self.enable)
            kept = Signal(len(scale), name=f"block_{name}", reset_less=True)
            with m.If(self.enable & ends):
                m.d.sync += kept.eq(late_scale)
            m.d.comb += getattr(outer, name).eq(kept)
        if "random" in outer.signature.members:
            # the outer bits of the word of the chunk's last step go with the chunk
            outer_random: Signal = getattr(outer, "random")  # noqa: B009 - not of a block's scale
            chunk_random = Signal(len(outer_random), reset_less=True)
            word = self._chunk_word(m, len(outer_random))
            with m.If(self.enable & ends):
                m.d.sync += chunk_random.eq(word)
            m.d.comb += outer_random.eq(chunk_random)
        with m.If(self.enable):
            m.d.sync += chunk_valid.eq(ends)
        with m.If(self.enable & ends):
            m.d.sync += [chunk.eq(inner), chunk_last.eq(last)]
        adds = delay(m, "adds", chunk_valid, cycles, self.enable, reset=True)
        is_last = delay(m, "is_last", chunk_last, cycles, self.enable)
        close_loop(
            m,
            "outer_sum",
            outer.partial_sum_i,
            outer.partial_sum_o,
            sums=sums,
            enable=self.enable,
            adds=adds,
            ends=is_last,
        )
        m.d.comb += [
            outer.chunk.eq(read_out(m, platform, "read_out", self.design, chunk, self.enable)),
            self.finished.eq(outer.partial_sum_o),
            self.is_finished.eq(adds & is_last),
        ]
