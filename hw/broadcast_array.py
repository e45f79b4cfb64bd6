"""Array whose operands reach all elements of a row or a column in the same cycle.

Elements hand no operands on, nothing is skewed at the edges, and all elements finish a tile
together; results then leave down the columns, one row a cycle, as those of
`macsmith.hw.array.SystolicArray` do, but in line at once. That saves the registers for it: on an
FPGA each takes a logic cell. The wires are as long as the array, which bounds its clock.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.chunk_counter import ChunkCounter, beats_per_chunk
from macsmith.hw.convert import Convert
from macsmith.hw.core import Core
from macsmith.hw.latency import columns_per_element, convert_cycles, edge_cycles
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.read_out import read_out
from macsmith.hw.word_widths import finished_bits, operand_bits
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths

__all__ = ["BroadcastArray"]


class BroadcastElement(Block):
    """A MAC and the register that its result waits in; or the MACs of two columns
    (`macsmith.hw.latency.columns_per_element`).

    Parameters
    ----------
    design
        What is computed, and in how many stages.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    a, b, valid, last, chunk_end : In
        As of `macsmith.hw.core.Core`.
    result_i : In(columns * finished_bits(design))
        Result register of the element above, which comes here whenever the own sum does not.
    result_o : Out(columns * finished_bits(design))
    is_finished : Out(1)
        `result_o` is the own sum from the next enabled cycle on.
    """

    enable: Signal
    a: Signal
    b: Signal
    valid: Signal
    last: Signal
    chunk_end: Signal
    result_i: Signal
    result_o: Signal
    is_finished: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        columns = columns_per_element(design)
        a_bits, b_bits = operand_bits(design)
        bits = columns * finished_bits(design)
        members = {
            "enable": In(1),
            "a": In(a_bits),
            "b": In(columns * b_bits),
            "valid": In(1),
            "last": In(1),
            "result_i": In(bits),
            "result_o": Out(bits),
            "is_finished": Out(1),
        }
        if mac_widths(design.mac).outer is not None:
            members["chunk_end"] = In(1)
        super().__init__("broadcast_element", members, is_clocked=True)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        core = Core(self.design)
        place(m, platform, "core", core)
        result = Signal.like(self.result_i, name="result", reset_less=True)
        with m.If(self.enable):
            m.d.sync += result.eq(Mux(core.is_finished, core.finished, self.result_i))
        m.d.comb += [
            core.enable.eq(self.enable),
            core.a.eq(self.a),
            core.b.eq(self.b),
            core.valid.eq(self.valid),
            core.last.eq(self.last),
            self.result_o.eq(result),
            self.is_finished.eq(core.is_finished),
        ]
        if "chunk_end" in core.signature.members:
            m.d.comb += core.chunk_end.eq(self.chunk_end)
        return m


class BroadcastArray(Block):
    """Matrix product of tiles: R rows of A by C columns of B, K beats a tile, K given by `i_last`.

    One beat per cycle; the last beats of two tiles are at least R cycles apart. Results come out
    while the next tile is computed. The whole array waits while a row of results is not taken.

    Parameters
    ----------
    design
        What is computed, rows, columns, stages; one mode, nothing rounded at random.

    Members
    -------
    i_valid, i_ready, i_a, i_b, i_last, o_valid, o_ready, o_data
        As of `macsmith.hw.array.SystolicArray`.
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
        self.rows, self.columns = design.implementation.rows, design.implementation.columns
        self.together = columns_per_element(design)
        self.widths = mac_widths(design.mac)
        a_bits, b_bits = operand_bits(design)
        super().__init__(
            "broadcast_array",
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_a": In(self.rows * a_bits),
                "i_b": In(self.columns * b_bits),
                "i_last": In(1),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(self.columns * self.widths.output_bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        enable, passes, finishes = Signal(), Signal(), Signal()
        # a tile's results take `rows` cycles at the edge; so many must lie between last beats
        pause = Signal(max((self.rows - 1).bit_length(), 1))
        left = Signal(range(self.rows + 1))  # rows of results that are still in the elements
        m.d.comb += [
            self.o_valid.eq(
                delay(m, "valid", left != 0, edge_cycles(self.design), enable, reset=True)
            ),
            enable.eq(~self.o_valid | self.o_ready),
            self.i_ready.eq(enable & ~(self.i_last & (pause != 0))),
            passes.eq(self.i_valid & self.i_ready),
        ]
        with m.If(enable):
            m.d.sync += [
                pause.eq(
                    Mux(passes & self.i_last, self.rows - 1, Mux(pause == 0, 0, pause - 1)),
                ),
                left.eq(Mux(finishes, self.rows, Mux(left == 0, 0, left - 1))),
            ]
        chunk_end: Value | None = None
        beats = beats_per_chunk(self.design.mac)
        if beats is not None:
            counter = ChunkCounter(beats)
            place(m, platform, "chunk_counter", counter)
            m.d.comb += [counter.step.eq(passes), counter.last.eq(self.i_last)]
            chunk_end = counter.chunk_end

        a_bits, b_bits = operand_bits(self.design)
        above: list[Value] = [Const(0)] * (self.columns // self.together)
        # results move towards row 0, so that it comes first
        for row in range(self.rows - 1, -1, -1):
            for index, result in enumerate(above):
                element = BroadcastElement(self.design)
                place(m, platform, f"element_{row}_{index}", element)
                m.d.comb += [
                    element.enable.eq(enable),
                    element.a.eq(self.i_a.word_select(row, a_bits)),
                    element.b.eq(self.i_b.word_select(index, self.together * b_bits)),
                    element.valid.eq(passes),
                    element.last.eq(self.i_last),
                    element.result_i.eq(result),
                ]
                if chunk_end is not None:
                    m.d.comb += element.chunk_end.eq(chunk_end)
                if row == index == 0:
                    m.d.comb += finishes.eq(element.is_finished)
                above[index] = element.result_o
        m.d.comb += self.o_data.eq(Cat(*self._codes(m, platform, Cat(*above), enable)))
        return m

    def _codes(self, m: Module, platform: Any, results: Value, enable: Value) -> list[Value]:
        """The results of one row as codes, column 0 first."""
        mac = self.design.mac
        codes: list[Value] = []
        for column in range(self.columns):
            convert = pipelined(
                Convert(mac, self.widths.last, mac.output_format), convert_cycles(self.design)
            )
            place_enabled(m, platform, f"convert_{column}", convert, enable)
            finished: Value = results.word_select(column, finished_bits(self.design))
            if self.widths.outer is None:
                finished = read_out(
                    m, platform, f"read_out_{column}", self.design, finished, enable
                )
            m.d.comb += convert.partial_sum.eq(finished)
            codes.append(convert.code)
        return codes
