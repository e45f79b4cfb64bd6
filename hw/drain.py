"""When the results of an array leave it."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.pipeline import delay

__all__ = ["Drain"]


class Drain(Block):
    """When rows shift their results out, and when results are at the port.

    Parameters
    ----------
    rows, columns
        Of the array.
    cycles_to_start
        Enabled cycles from the beat that finishes a tile to the first result at the edge of
        column 0.
    edge_cycles
        Cycles that a result spends there, in an outer adder and in its conversion.
    adds_chunks
        What leaves the rows is chunks, which are added at the edge: only a tile's last chunk gives
        results.

    Members
    -------
    enable : In(1)
    last : In(1)
        A beat that finishes a tile, or a chunk, passes; these are at least `rows` enabled cycles
        apart.
    last_of_tile : In(1)
        Only with chunks: that beat finishes its tile too.
    shift : Out(rows)
        For the first element of each row, the row nearest the edge in the top bit: element r (from
        the far end) shifts r times.
    edge_valid, edge_last : Out(columns)
        Only with chunks: a chunk is at the edge of that column in this cycle; its tile's last.
    valid : Out(1)
        A row of results is at the port, behind the delay of `columns` cycles of the last column.
    is_busy : Out(1)
        A last beat must not pass in this cycle.
    """

    enable: Signal
    last: Signal
    last_of_tile: Signal
    shift: Signal
    edge_valid: Signal
    edge_last: Signal
    valid: Signal
    is_busy: Signal

    def __init__(
        self,
        rows: int,
        columns: int,
        cycles_to_start: int,
        edge_cycles: int,
        *,
        adds_chunks: bool = False,
    ) -> None:
        self.rows, self.columns, self.cycles_to_start = rows, columns, cycles_to_start
        self.edge_cycles = edge_cycles
        self.adds_chunks = adds_chunks
        members = {
            "enable": In(1),
            "last": In(1),
            "shift": Out(rows),
            "valid": Out(1),
            "is_busy": Out(1),
        }
        if adds_chunks:
            members |= {
                "last_of_tile": In(1),
                "edge_valid": Out(columns),
                "edge_last": Out(columns),
            }
        super().__init__("drain", members, is_clocked=True)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # registered here and once more in the elements
        start = delay(m, "start", self.last, self.cycles_to_start - 2, self.enable, reset=True)
        shift = Signal(self.rows)
        with m.If(self.enable):
            # all but the farthest row begin at once, and stop one after the other
            m.d.sync += shift.eq(
                Mux(start, Const((1 << self.rows) - 2, self.rows), Cat(Const(0, 1), shift))
            )
        m.d.comb += self.shift.eq(shift)

        # a tile's results take `rows` cycles at the edge; so many must lie between last beats
        pause = Signal(max((self.rows - 1).bit_length(), 1))
        left = Signal.like(pause)
        with m.If(self.enable):
            if self.rows > 1:
                m.d.sync += [
                    pause.eq(Mux(self.last, self.rows - 1, Mux(pause == 0, 0, pause - 1))),
                    left.eq(Mux(start, self.rows - 1, Mux(left == 0, 0, left - 1))),
                ]
        m.d.comb += self.is_busy.eq(pause != 0)
        at_edge = start | (left != 0)
        if self.adds_chunks:
            at_edge = self._pass_chunks(m, start, at_edge)
        # two cycles as for `shift`, one for each column but the first, one behind the conversion
        m.d.comb += self.valid.eq(
            delay(
                m,
                "valid_delayed",
                at_edge,
                self.columns + 2 + self.edge_cycles,
                self.enable,
                reset=True,
            )
        )
        return m

    def _pass_chunks(self, m: Module, start: Value, at_edge: Value) -> Value:
        """Tell each column's adder of its chunks; returns where `at_edge` gives results."""
        started_last = delay(
            m, "start_of_last", self.last_of_tile, self.cycles_to_start - 2, self.enable
        )
        held = Signal(reset_less=True)
        is_last = Signal()
        with m.If(self.enable & start):
            m.d.sync += held.eq(started_last)
        m.d.comb += is_last.eq(Mux(start, started_last, held))
        edge_valid: list[Value] = []
        edge_last: list[Value] = []
        valid = delay(m, "edge_valid_0", at_edge, 2, self.enable, reset=True)
        last = delay(m, "edge_last_0", is_last, 2, self.enable)
        for column in range(self.columns):
            if column:
                valid = delay(m, f"edge_valid_{column}", valid, 1, self.enable, reset=True)
                last = delay(m, f"edge_last_{column}", last, 1, self.enable)
            edge_valid.append(valid)
            edge_last.append(last)
        m.d.comb += [self.edge_valid.eq(Cat(*edge_valid)), self.edge_last.eq(Cat(*edge_last))]
        return at_edge & is_last
