"""Output-stationary systolic array: each processing element keeps one sum of a tile.

Operands of one k arrive together and are skewed at the edges, so that they meet in the element of
row r and column c at the right time. Results leave down the columns, one row a cycle, through one
conversion per column at the edge, and are brought in line again. For row 0 to come first, B moves
from the last row to row 0: row 0 is nearest the edge where results leave. In the drawing, delays
are in cycles::

          B     0    1    2
                |    |    |
    A row 2  0 -+----+----+
    A row 1  1 -+----+----+
    A row 0  2 -+----+----+
                |    |    |
    results     2    1    0
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.chunk_counter import ChunkCounter, beats_per_chunk
from macsmith.hw.convert import Convert
from macsmith.hw.drain import Drain
from macsmith.hw.latency import (
    columns_per_element,
    convert_cycles,
    drain_start_cycles,
    edge_cycles,
    outer_cycles,
    shares_outer,
)
from macsmith.hw.lfsr import RandomWords, element_seed, random_members
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.processing_element import control_bits, has_own_words, rows_block
from macsmith.hw.read_out import read_out
from macsmith.hw.shared_outer import SharedOuter
from macsmith.hw.skew import Skew
from macsmith.hw.switch_core import switch_chunk_end
from macsmith.hw.switch_mac import SwitchConvert
from macsmith.hw.word_widths import finished_bits, operand_bits, scale_bits
from macsmith.model.design import Design
from macsmith.model.random_source import lfsr_of
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

__all__ = ["SystolicArray"]


def _scale_ports(design: Design) -> dict[str, Any]:
    """Signature members of the scales of all rows, and of all columns."""
    a_bits, b_bits = scale_bits(design)
    rows, columns = design.implementation.rows, design.implementation.columns
    members = {"i_a_scale": rows * a_bits, "i_b_scale": columns * b_bits}
    return {name: In(bits) for name, bits in members.items() if bits}


class SystolicArray(Block):
    """Matrix product of tiles: R rows of A by C columns of B, K beats a tile, K given by `i_last`.

    One beat per cycle; the last beats of two tiles are at least R cycles apart, which a tile of R
    beats or more never notices. Where one outer adder serves a column, so are the last beats of
    two chunks, which only a short last chunk notices. Results come out while the next tile is
    computed. The whole array waits while a row of results is not taken.

    Parameters
    ----------
    design
        What is computed, rows, columns, stages.

    Members
    -------
    i_valid, i_ready : In(1), Out(1)
        A beat passes when both are 1. `i_ready` depends on `i_last`.
    i_a : In(rows * lanes * config.a.bits)
        Row 0 in the lowest bits.
    i_b : In(columns * lanes * config.b.bits)
        Column 0 in the lowest bits.
    i_mode : In
        Only of a switchable design, all of whose ports are in the common layouts
        (`macsmith.model.switch`): mode of the beat, the same in all beats of a tile.
    i_last : In(1)
        The beat is the last of its tile.
    i_a_scale, i_b_scale : In
        Only with block formats, of those operands that have one: scales of the rows (columns), row
        (column) 0 in the lowest bits, of the block that ends with the beat.
    i_random : In(random_bits)
        Only with stochastic rounding and ``lfsr=port``: the random word of the beat, which all
        elements add it with.
    o_random : Out(random_bits)
        Only with stochastic rounding and one shift register inside: the word of the next beat that
        passes, that of this cycle if one does.
    o_valid, o_ready : Out(1), In(1)
        A row of results passes when both are 1.
    o_data : Out(columns * output_bits)
        Column 0 in the lowest bits; rows in ascending order.
    """

    i_valid: Signal
    i_ready: Signal
    i_mode: Signal
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
        implementation = design.implementation
        a_bits, b_bits = operand_bits(design)
        output_bits, mode_bits = mac_widths(design.mac).output_bits, 0
        if design.is_switchable:
            common = switch_widths(design.modes)
            output_bits, mode_bits = common.output_bits, common.mode_bits
        self.rows, self.columns = implementation.rows, implementation.columns
        self.together = columns_per_element(design)
        self.widths = mac_widths(design.mac)
        super().__init__(
            "systolic_array",
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                **({"i_mode": In(mode_bits)} if mode_bits else {}),
                "i_a": In(self.rows * a_bits),
                "i_b": In(self.columns * b_bits),
                "i_last": In(1),
                **_scale_ports(design),
                **random_members(design),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(self.columns * output_bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        mac = self.design.mac
        rows, columns = self.rows, self.columns
        elements_of_row = columns // self.together
        enable = Signal()
        passes = Signal()
        ends = Signal()  # what the elements sum ends with this beat: a tile, or a chunk of one
        is_shared = shares_outer(self.design)
        drain = Drain(
            rows,
            elements_of_row,
            drain_start_cycles(self.design),
            edge_cycles(self.design),
            adds_chunks=is_shared,
        )
        place(m, platform, "drain", drain)
        m.d.comb += [
            enable.eq(~self.o_valid | self.o_ready),
            self.i_ready.eq(enable & ~(ends & drain.is_busy)),
            passes.eq(self.i_valid & self.i_ready),
            drain.enable.eq(enable),
            drain.last.eq(passes & ends),
            self.o_valid.eq(drain.valid),
        ]

        control: list[Value] = [passes, ends]
        beats = beats_per_chunk(mac)
        m.d.comb += ends.eq(self.i_last)
        if beats is not None and self.design.is_switchable:
            control.append(switch_chunk_end(m, self.design, self.i_mode, self.i_last, passes))
        elif beats is not None:
            counter = ChunkCounter(beats)
            place(m, platform, "chunk_counter", counter)
            m.d.comb += [counter.step.eq(passes), counter.last.eq(self.i_last)]
            if is_shared:
                m.d.comb += [ends.eq(counter.chunk_end), drain.last_of_tile.eq(self.i_last)]
            else:
                control.append(counter.chunk_end)
        if self.design.implementation.lfsr == "port":
            control.append(self.i_random)
        elif mac.random_bits and not has_own_words(self.design):
            source = RandomWords(lfsr_of(mac.random_bits))
            place(m, platform, "random_words", source)
            m.d.comb += [source.advance.eq(passes), self.o_random.eq(source.word)]
            control.append(source.word)
        if self.design.is_switchable:
            control.append(self.i_mode)
        a_bits, b_bits = operand_bits(self.design)
        # rows count from the far end here, where B enters: the last row is the first
        far_first = range(rows - 1, -1, -1)
        a_scale_bits, b_scale_bits = scale_bits(self.design)
        a_words = [self.i_a.word_select(row, a_bits) for row in far_first]
        if a_scale_bits:
            scales = [self.i_a_scale.word_select(row, a_scale_bits) for row in far_first]
            a_words = [Cat(*pair) for pair in zip(a_words, scales, strict=True)]
        a = self._skewed(m, platform, "skew_a", a_words, range(rows), enable)
        controls = self._control_skewed(m, Cat(*control), enable)
        b_bits *= self.together
        b_words = [self.i_b.word_select(index, b_bits) for index in range(elements_of_row)]
        if b_scale_bits:
            scales = [self.i_b_scale.word_select(index, b_scale_bits) for index in range(columns)]
            b_words = [Cat(*pair) for pair in zip(b_words, scales, strict=True)]
        b = self._skewed(m, platform, "skew_b", b_words, range(elements_of_row), enable)

        elements = rows_block(self.design, rows)
        place(m, platform, "rows", elements)
        m.d.comb += [
            elements.enable.eq(enable),
            elements.a.eq(Cat(*a)),
            elements.control.eq(
                Cat(*(Cat(drain.shift[index], controls[index]) for index in range(rows)))
            ),
            elements.b_i.eq(Cat(*b)),
            elements.result_i.eq(0),
        ]
        if has_own_words(self.design):
            lfsr = lfsr_of(mac.random_bits)
            apart = lfsr.words_apart(rows * columns)
            seeds = [
                Const(element_seed(lfsr, (row * columns + column) * apart), lfsr.degree)
                for row in far_first
                for column in range(columns)
            ]
            m.d.comb += elements.seeds.eq(Cat(*seeds))
        results = elements.result_o

        codes: list[Value] = []
        for column in range(columns):
            if self.design.is_switchable:
                codes.append(self._switched(m, platform, column, results, enable))
                continue
            convert = pipelined(
                Convert(mac, self.widths.last, mac.output_format), convert_cycles(self.design)
            )
            place_enabled(m, platform, f"convert_{column}", convert, enable)
            finished: Value = results.word_select(column, finished_bits(self.design))
            shared_random_bits = 0
            if is_shared:
                shared_random_bits = mac.random_bits_of(mac.last_accumulator)
            chunk_random = finished[len(finished) - shared_random_bits :]
            finished = finished[: len(finished) - shared_random_bits]
            if is_shared or self.widths.outer is None:
                finished = read_out(
                    m, platform, f"read_out_{column}", self.design, finished, enable
                )
            if is_shared:
                outer = SharedOuter(mac, rows, outer_cycles(self.design))
                place(m, platform, f"outer_{column}", outer)
                m.d.comb += [
                    outer.enable.eq(enable),
                    outer.valid.eq(drain.edge_valid[column // self.together]),
                    outer.last.eq(drain.edge_last[column // self.together]),
                    outer.chunk.eq(finished),
                ]
                if shared_random_bits:
                    m.d.comb += outer.random.eq(chunk_random)
                finished = outer.finished
            m.d.comb += convert.partial_sum.eq(finished)
            codes.append(convert.code)
        # columns of one element are alike
        delays = [elements_of_row - column // self.together for column in range(columns)]
        m.d.comb += self.o_data.eq(
            Cat(*self._skewed(m, platform, "align_results", codes, delays, enable))
        )
        return m

    def _switched(
        self, m: Module, platform: Any, column: int, results: Value, enable: Value
    ) -> Value:
        """A column's result in the mode that goes with it."""
        convert = pipelined(SwitchConvert(self.design), convert_cycles(self.design))
        place_enabled(m, platform, f"convert_{column}", convert, enable)
        finished = results.word_select(column, finished_bits(self.design))
        bits = len(convert.partial_sum)
        m.d.comb += [
            convert.partial_sum.eq(finished[:bits]),
            convert.mode.eq(finished[bits:]),
        ]
        return convert.code

    @staticmethod
    def _skewed(
        m: Module,
        platform: Any,
        name: str,
        words: list[Value],
        delays: Sequence[int],
        enable: Value,
    ) -> list[Value]:
        """Words, each late by its delay."""
        skew = Skew(len(words[0]), tuple(delays))
        place(m, platform, name, skew)
        m.d.comb += [skew.enable.eq(enable), skew.i.eq(Cat(*words))]
        return [skew.o.word_select(index, len(words[0])) for index in range(len(words))]

    def _control_skewed(self, m: Module, control: Value, enable: Value) -> list[Value]:
        """Control of each row, one cycle later from row to row."""
        width = control_bits(self.design) - 1
        taps = [control]
        for index in range(1, self.rows):
            register = Signal(width, name=f"control_{index}")
            with m.If(enable):
                m.d.sync += register.eq(taps[-1])
            taps.append(register)
        return taps
