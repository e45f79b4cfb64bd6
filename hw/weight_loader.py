"""The next pass's B into a weight-stationary array, while the present one is at work."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.data import View
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.dataflow import job_layout
from macsmith.model.accelerator import AcceleratorConfig

__all__ = ["WeightLoader"]


class WeightLoader(Block):
    """Reads the beats of a pass, the last one first; each moves down to its row.

    A beat that is read goes to row 0 while those before it move on: of n beats, row r takes what
    comes from above from the r-th on, counted from 0. So each row has its own after the n-th::

        read      2   1   0
        row 0     2   1   0
        row 1         2   1
        row 2             2

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
    job_begins : Out(1)
        Its first entry is read. It is told only when `has_room`.
    has_room : In(1)
    can_read : In(1)
        There is a full bank.
    swaps : In(1)
        The rows take over the next beats, from this cycle on as A comes by.
    read : Out(1)
    address : Out
        The entry is read in this cycle.
    release : Out(1)
        Of the bank.
    move : Out(rows)
        With the entry, one enabled cycle after `read`: rows that take the next beat from above.
    is_full : Out(1)
        The next beats are there, or read in time for a beat of A that is read in this cycle.
    """

    enable: Signal
    job_valid: Signal
    job_ready: Signal
    job: Signal
    job_begins: Signal
    has_room: Signal
    can_read: Signal
    swaps: Signal
    read: Signal
    address: Signal
    release: Signal
    move: Signal
    is_full: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.layout = job_layout(config)
        super().__init__(
            "weight_loader",
            {
                "enable": In(1),
                "job_valid": In(1),
                "job_ready": Out(1),
                "job": In(self.layout.size),
                "job_begins": Out(1),
                "has_room": In(1),
                "can_read": In(1),
                "swaps": In(1),
                "read": Out(1),
                "address": Out((config.b_depth - 1).bit_length()),
                "release": Out(1),
                "move": Out(config.rows),
                "is_full": Out(1),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = self.config.rows
        job = View(self.layout, self.job)
        column = Signal.like(job.column_tiles, init=1, name="column")
        done = Signal.like(job.beats, name="beats_done")  # of this sum, in passes before
        left = Signal.like(job.beats, name="beats_left")
        first = Signal.like(self.address, name="first_address")  # of the pass
        index = Signal(range(max(rows, 2)))
        last_index = Signal.like(index)
        has_begun = Signal()  # the job
        ends_sum, ends_pass, ends_job = Signal(), Signal(), Signal()
        can_begin = Signal()
        m.d.comb += [
            left.eq(job.beats - done),
            ends_sum.eq(left <= rows),
            last_index.eq(Mux(ends_sum, left - 1, rows - 1)),
            can_begin.eq((index != 0) | ~self.is_full | self.swaps),
            self.read.eq(
                self.enable
                & self.job_valid
                & self.can_read
                & can_begin
                & (has_begun | self.has_room)
            ),
            self.job_begins.eq(self.read & ~has_begun),
            self.address.eq(first + last_index - index),
            ends_pass.eq(index == last_index),
            ends_job.eq(self.read & ends_pass & ends_sum & (column == job.column_tiles)),
            self.job_ready.eq(ends_job),
            self.release.eq(ends_job & job.release_b),
        ]
        with m.If(self.enable):
            m.d.sync += self.move.eq(0)
        with m.If(self.read):
            m.d.sync += [
                has_begun.eq(1),
                index.eq(Mux(ends_pass, 0, index + 1)),
                self.move.eq((2 << index) - 1),
            ]
        with m.If(self.enable & self.swaps):
            m.d.sync += self.is_full.eq(0)
        with m.If(self.read & ends_pass):
            m.d.sync += [
                self.is_full.eq(1),
                first.eq(self.address + index + 1),
                done.eq(Mux(ends_sum, 0, done + rows)),
            ]
            with m.If(ends_sum):
                m.d.sync += column.eq(column + 1)
        with m.If(ends_job):
            m.d.sync += [column.eq(1), first.eq(0), has_begun.eq(0)]
        return m
