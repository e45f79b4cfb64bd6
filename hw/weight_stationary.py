"""The weight-stationary dataflow: B stays in the elements, partial sums move down.

In a pass each row r of the array holds one beat of B, of all columns. Rows of A come one a cycle;
a partial sum enters above, takes up one beat in each row, and leaves below for its accumulator
buffer, from which the next pass takes it. So a sum takes up its beats in their order, as in any
other array, and its bits are the same. In the drawing, delays are in cycles::

    sums               buffer 0 | 1 | 2
    next B               0    1    2
                         |    |    |
    A row 0    0 --------+----+----+
    A row 1    1 --------+----+----+
    A row 2    2 --------+----+----+
                         |    |    |
    sums, results      buffer 0 | 1 | 2     results brought in line by 3, 2, 1
"""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from macsmith.hw.block import place
from macsmith.hw.dataflow import Dataflow
from macsmith.hw.latency import latency_cycles
from macsmith.hw.pipeline import delay
from macsmith.hw.row_streamer import RowStreamer
from macsmith.hw.skew import Skew
from macsmith.hw.weight_column import WeightColumn
from macsmith.hw.weight_element import CONTROL_BITS, WeightRow
from macsmith.hw.weight_loader import WeightLoader
from macsmith.hw.word_widths import operand_bits
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.widths import mac_widths

__all__ = ["WeightStationary"]


class WeightStationary(Dataflow):
    """A loader of B and a streamer of A around an array, and accumulator buffers at its edge.

    All stands still while a row of results is not taken. Parameters and members are those of
    `macsmith.hw.dataflow.Dataflow`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(config, "weight_stationary")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        loader, streamer = WeightLoader(self.config), RowStreamer(self.config)
        place(m, platform, "loader", loader)
        place(m, platform, "streamer", streamer)
        enable = Signal()
        m.d.comb += [
            enable.eq(~self.o_valid | self.o_ready),
            loader.enable.eq(enable),
            loader.job_valid.eq(self.job_valid),
            loader.job.eq(self.job),
            self.job_ready.eq(loader.job_ready),
            loader.can_read.eq(self.b_can_read),
            loader.swaps.eq(streamer.swaps),
            self.b_read.eq(loader.read),
            self.b_address.eq(loader.address),
            self.release_b.eq(loader.release),
            streamer.enable.eq(enable),
            streamer.can_read.eq(self.a_can_read),
            streamer.is_full.eq(loader.is_full),
            self.a_read.eq(streamer.read),
            self.a_address.eq(streamer.address),
            self.release_a.eq(streamer.release),
        ]
        self._pass_jobs(m, loader, streamer)
        self._place_array(m, platform, loader, streamer, enable)
        return m

    def _pass_jobs(self, m: Module, loader: WeightLoader, streamer: RowStreamer) -> None:
        """A job goes to the streamer when its B begins to be loaded, at most one ahead."""
        present, following = Signal.like(self.job), Signal.like(self.job)
        count = Signal(range(3))
        m.d.comb += [
            loader.has_room.eq(count != 2),
            streamer.job_valid.eq(count != 0),
            streamer.job.eq(present),
        ]
        left = Signal.like(count)
        m.d.comb += left.eq(count - streamer.job_ready)
        m.d.sync += count.eq(left + loader.job_begins)
        with m.If(streamer.job_ready):
            m.d.sync += present.eq(following)
        with m.If(loader.job_begins):
            m.d.sync += following.eq(self.job)
            with m.If(left == 0):
                m.d.sync += present.eq(self.job)

    def _place_array(
        self,
        m: Module,
        platform: Any,
        loader: WeightLoader,
        streamer: RowStreamer,
        enable: Value,
    ) -> None:
        config, design = self.config, self.config.design
        a_bits, b_bits = operand_bits(design)
        sum_bits = mac_widths(design.mac).inner.bits
        rows, columns = config.rows, config.columns
        # A, and what it tells its row: late by the row. The next B moves in all rows at once.
        words: list[Value] = [
            Cat(self.a_entry.word_select(row, a_bits), streamer.adds[row], streamer.swap)
            for row in range(rows)
        ]
        a = self._skewed(m, platform, "skew_a", words, list(range(rows)), enable)
        entries = [self.b_entry.word_select(column, b_bits) for column in range(columns)]
        b: Value = Cat(*self._skewed(m, platform, "skew_b", entries, list(range(columns)), enable))
        edges = [WeightColumn(config) for _ in range(columns)]
        for column, edge in enumerate(edges):
            place(m, platform, f"column_{column}", edge)
            before = edges[column - 1].control_o if column else streamer.sum_control
            m.d.comb += [edge.enable.eq(enable), edge.control_i.eq(before)]
        sums: Value = Cat(*(edge.sum_o for edge in edges))
        for row in range(rows):
            elements = WeightRow(design)
            place(m, platform, f"row_{row}", elements)
            m.d.comb += [
                elements.enable.eq(enable),
                elements.a.eq(a[row][:a_bits]),
                elements.control.eq(Cat(a[row][a_bits:], loader.move[row])[:CONTROL_BITS]),
                elements.b_i.eq(b),
                elements.sum_i.eq(sums),
            ]
            b, sums = elements.b_o, elements.sum_o
        for column, edge in enumerate(edges):
            m.d.comb += edge.sum_i.eq(sums.word_select(column, sum_bits))

        codes: list[Value] = [edge.code for edge in edges]
        delays = [columns - column for column in range(columns)]
        latency = latency_cycles(design)
        is_result = delay(m, "is_result", streamer.gives_result, latency, enable, reset=True)
        m.d.comb += [
            self.takes_beat.eq(enable & streamer.sum_control[0]),
            self.ends_tile.eq(enable & streamer.tile_last),
            self.is_busy.eq(streamer.job_valid | streamer.sum_control[0]),
            self.o_data.eq(Cat(*self._skewed(m, platform, "align", codes, delays, enable))),
            self.o_valid.eq(is_result),
            self.o_last.eq(delay(m, "is_tile_last", streamer.tile_last, latency, enable)),
        ]

    @staticmethod
    def _skewed(
        m: Module, platform: Any, name: str, words: list[Value], delays: list[int], enable: Value
    ) -> list[Value]:
        """Words, each late by its delay."""
        skew = Skew(len(words[0]), tuple(delays))
        place(m, platform, name, skew)
        if skew.is_clocked:
            m.d.comb += skew.enable.eq(enable)
        m.d.comb += skew.i.eq(Cat(*words))
        return [skew.o.word_select(index, len(words[0])) for index in range(len(words))]
