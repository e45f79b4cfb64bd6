"""Rows of A through a weight-stationary array, pass by pass."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.data import View
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.dataflow import job_layout
from macsmith.hw.weight_column import sum_control_layout
from macsmith.model.accelerator import AcceleratorConfig

__all__ = ["RowStreamer"]


class RowStreamer(Block):
    """One row of A a cycle, from one pass and from one job to the next.

    A pass that goes on with sums waits until those of the pass before are back in their buffer.

    Parameters
    ----------
    config
        The accelerator.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    job_valid, job_ready : In(1), Out(1)
        A job is taken away when its last entry is read.
    job : In
        A `job_layout`.
    can_read : In(1)
        There is a full bank.
    is_full : In(1)
        The next beats of B are there.
    swaps : Out(1)
        They become the present ones with the entry that is read in this cycle.
    read : Out(1)
    address : Out
        The entry is read in this cycle.
    release : Out(1)
        Of the bank.
    sum_control : Out
        A `sum_control_layout`, with the entry, one enabled cycle after `read`; so are the others.
    adds : Out(rows)
        Rows of the array that have a beat of B.
    swap : Out(1)
        It is the first entry of a pass.
    gives_result : Out(1)
        The row's sum is finished with it.
    tile_last : Out(1)
        That is the last one of a column tile.
    """

    enable: Signal
    job_valid: Signal
    job_ready: Signal
    job: Signal
    can_read: Signal
    is_full: Signal
    swaps: Signal
    read: Signal
    address: Signal
    release: Signal
    sum_control: Signal
    adds: Signal
    swap: Signal
    gives_result: Signal
    tile_last: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.layout = job_layout(config)
        super().__init__(
            "row_streamer",
            {
                "enable": In(1),
                "job_valid": In(1),
                "job_ready": Out(1),
                "job": In(self.layout.size),
                "can_read": In(1),
                "is_full": In(1),
                "swaps": Out(1),
                "read": Out(1),
                "address": Out((config.a_depth - 1).bit_length()),
                "release": Out(1),
                "sum_control": Out(sum_control_layout(config).size),
                "adds": Out(config.rows),
                "swap": Out(1),
                "gives_result": Out(1),
                "tile_last": Out(1),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, wait = self.config.rows, self.config.pass_interval_cycles
        job = View(self.layout, self.job)
        row = Signal.like(job.row_tiles, init=1, name="row")
        column = Signal.like(job.column_tiles, init=1, name="column")
        done = Signal.like(job.beats, name="beats_done")  # of this sum and job, in passes before
        left = Signal.like(job.beats, name="beats_left")
        goes_on = Signal()  # the job before did not finish its sums
        is_first = Signal()  # pass of its sums
        begins_pass, ends_pass = Signal(), Signal()
        ends_column, ends_job, ends_sum = Signal(), Signal(), Signal()
        age = Signal(range(wait + 1), init=wait)  # cycles since a pass began, as far as they matter
        m.d.comb += [
            left.eq(job.beats - done),
            is_first.eq((done == 0) & ~goes_on),
            begins_pass.eq(row == 1),
            ends_pass.eq(row == job.row_tiles),
            ends_column.eq(left <= rows),
            ends_sum.eq(ends_column & job.last),
            self.read.eq(
                self.enable
                & self.job_valid
                & (~begins_pass | (self.is_full & self.can_read & (is_first | (age == wait))))
            ),
            self.swaps.eq(self.read & begins_pass),
            ends_job.eq(self.read & ends_pass & ends_column & (column == job.column_tiles)),
            self.job_ready.eq(ends_job),
            self.release.eq(ends_job & job.release_a),
        ]
        with m.If(self.enable):
            m.d.sync += age.eq(Mux(self.swaps, 1, Mux(age == wait, wait, age + 1)))
        with m.If(self.read):
            m.d.sync += [row.eq(row + 1), self.address.eq(self.address + 1)]
        with m.If(self.read & ends_pass):
            m.d.sync += [row.eq(1), done.eq(Mux(ends_column, 0, done + rows))]
            with m.If(ends_column):
                m.d.sync += [column.eq(column + 1), self.address.eq(0), goes_on.eq(~job.last)]
        with m.If(ends_job):
            m.d.sync += column.eq(1)
        with m.If(self.enable):
            m.d.sync += [
                self.adds.eq(Cat(left > index for index in range(rows))),
                self.swap.eq(self.swaps),
                self.gives_result.eq(self.read & ends_sum),
                self.tile_last.eq(self.read & ends_sum & ends_pass),
            ]
        self._control_sums(m, (row - 1)[: len(row)], is_first, ends_pass, ends_sum)
        return m

    def _control_sums(
        self, m: Module, row: Value, is_first: Value, ends_pass: Value, ends_sum: Value
    ) -> None:
        """Where sums are kept, begin, and go from the inner to the outer ones."""
        layout = sum_control_layout(self.config)
        control = View(layout, Signal(layout.size, name="control"))
        passes = self.config.passes_per_chunk
        m.d.comb += [control.valid.eq(self.read), control.row.eq(row), control.starts.eq(is_first)]
        if passes is not None:
            at = Signal(range(max(passes, 2)), name="pass_of_chunk")
            has_chunk = Signal()  # of this sum, before
            m.d.comb += [
                control.starts.eq(at == 0),
                control.ends_chunk.eq(ends_sum | (at == passes - 1)),
                control.starts_outer.eq(~has_chunk),
            ]
            with m.If(self.read & ends_pass):
                m.d.sync += [
                    at.eq(Mux(control.ends_chunk, 0, at + 1)),
                    has_chunk.eq(~ends_sum & (has_chunk | control.ends_chunk)),
                ]
        with m.If(self.enable):
            m.d.sync += self.sum_control.eq(control.as_value())
