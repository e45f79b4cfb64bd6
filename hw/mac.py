"""A single MAC with valid/ready streams."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.block_step import scale_members
from macsmith.hw.chunk_counter import ChunkCounter, beats_per_chunk
from macsmith.hw.convert import Convert
from macsmith.hw.core import Core
from macsmith.hw.latency import convert_cycles, read_out_cycles, step_cycles
from macsmith.hw.lfsr import RandomWords, random_members
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.read_out import read_out
from macsmith.hw.sum_loop import waits_for_turn
from macsmith.model.design import Design
from macsmith.model.random_source import lfsr_of
from macsmith.model.widths import mac_widths

__all__ = ["Mac"]


class Mac(Block):
    """Sum products over beats until one is the last, then give one result.

    One beat per cycle, also from one sum to the next. The whole pipeline waits while a result is
    not taken. With several sums in rotation, beats belong to them in turn, counted from the reset;
    the beat after a pause waits until its sum is at hand. A pipelined design that converts its
    result has as many stages there too.

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
    i_a_scale, i_b_scale : In
        Only with block formats, of those operands that have one: scales of the block that ends
        with the beat; they mean nothing in other beats.
    i_random : In(random_bits)
        Only with stochastic rounding and ``lfsr=port``: the random word of the beat.
    o_random : Out(random_bits)
        Only with stochastic rounding and a shift register inside: the word that the next beat to
        be added is added with, that which waits to be added in this cycle if there is one.
    o_valid, o_ready : Out(1), In(1)
        A result passes when both are 1.
    o_data : Out(output_bits)
        Result code, `macsmith.hw.latency.latency_cycles` after the sum's last beat if nothing
        waits.
    """

    i_valid: Signal
    i_ready: Signal
    i_a: Signal
    i_b: Signal
    i_last: Signal
    i_a_scale: Signal
    i_b_scale: Signal
    i_random: Signal
    o_random: Signal
    o_valid: Signal
    o_ready: Signal
    o_data: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        self.config = config = design.mac
        self.widths = mac_widths(config)
        members = {
            "i_valid": In(1),
            "i_ready": Out(1),
            "i_a": In(config.lanes * config.a.bits),
            "i_b": In(config.lanes * config.b.bits),
            "i_last": In(1),
            **scale_members(config, "i_"),
            **random_members(design),
            "o_valid": Out(1),
            "o_ready": In(1),
            "o_data": Out(self.widths.output_bits),
        }
        super().__init__("mac", members, is_clocked=True)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        enable = Signal()
        core = Core(self.design)
        place(m, platform, "core", core)
        sums = self.design.implementation.interleave
        waits: Value = Const(0) if sums == 1 else waits_for_turn(m, sums, enable, self.i_valid)
        m.d.comb += [
            enable.eq(~self.o_valid | self.o_ready),
            self.i_ready.eq(enable & ~waits),
            core.enable.eq(enable),
            core.valid.eq(self.i_valid & ~waits),
            core.a.eq(self.i_a),
            core.b.eq(self.i_b),
            core.last.eq(self.i_last),
        ]
        for name in scale_members(self.config):
            m.d.comb += getattr(core, name).eq(getattr(self, f"i_{name}"))
        if self.design.implementation.lfsr == "port":
            m.d.comb += core.random.eq(
                delay(m, "random", self.i_random, step_cycles(self.design), enable)
            )
        elif self.config.random_bits:
            source = RandomWords(lfsr_of(self.config.random_bits))
            place(m, platform, "random_words", source)
            m.d.comb += [
                source.advance.eq(core.steps),
                core.random.eq(source.word),
                self.o_random.eq(source.word),
            ]
        beats = beats_per_chunk(self.config)
        if beats is not None:
            counter = ChunkCounter(beats, sums)
            place(m, platform, "chunk_counter", counter)
            if sums > 1 and beats > 1:
                m.d.comb += counter.enable.eq(enable)
            m.d.comb += [
                counter.step.eq(self.i_valid & ~waits & enable),
                counter.last.eq(self.i_last),
                core.chunk_end.eq(counter.chunk_end),
            ]

        result = Signal(len(core.finished), reset_less=True)
        is_result = Signal()
        with m.If(enable):
            m.d.sync += is_result.eq(core.is_finished)
        with m.If(enable & core.is_finished):
            m.d.sync += result.eq(core.finished)

        finished: Value = result
        if self.widths.outer is None:
            finished = read_out(m, platform, "read_out", self.design, result, enable)
        cycles = convert_cycles(self.design)
        convert = pipelined(
            Convert(self.config, self.widths.last, self.config.output_format), cycles
        )
        place_enabled(m, platform, "convert", convert, enable)
        m.d.comb += [
            convert.partial_sum.eq(finished),
            self.o_data.eq(convert.code),
            self.o_valid.eq(
                delay(
                    m,
                    "data_valid",
                    is_result,
                    cycles + read_out_cycles(self.design),
                    enable,
                    reset=True,
                )
            ),
        ]
        return m
