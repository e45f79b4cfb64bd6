"""Jobs to beats: which entries of A and B meet, and where sums end."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.data import View
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.dataflow import job_layout
from macsmith.model.accelerator import AcceleratorConfig

__all__ = ["Sequencer"]


class Sequencer(Block):
    """One beat a cycle, from one tile and from one job to the next.

    With several sums in rotation, a beat of B meets one of A for each sum in turn.

    Parameters
    ----------
    config
        The accelerator.

    Members
    -------
    job_valid, job_ready : In(1), Out(1)
        A job is taken away when its last beat is read.
    job : In
        A `job_layout`. Neither beats nor tiles are 0.
    can_read : In(1)
        Operands are there.
    advance : In(1)
        The array takes a beat, or there is none before it.
    read : Out(1)
        The entries at the addresses are read in this cycle.
    a_address, b_address : Out
    release_a, release_b : Out(1)
        Of the banks, with the last beat of a job.
    beat_valid, beat_last, tile_last : Out(1)
        The entries that were read are before the array; they end a sum; the last of a tile.
    """

    job_valid: Signal
    job_ready: Signal
    job: Signal
    can_read: Signal
    advance: Signal
    read: Signal
    a_address: Signal
    b_address: Signal
    release_a: Signal
    release_b: Signal
    beat_valid: Signal
    beat_last: Signal
    tile_last: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.layout = job_layout(config)
        super().__init__(
            "sequencer",
            {
                "job_valid": In(1),
                "job_ready": Out(1),
                "job": In(self.layout.size),
                "can_read": In(1),
                "advance": In(1),
                "read": Out(1),
                "a_address": Out((config.a_depth - 1).bit_length()),
                "b_address": Out((config.b_depth - 1).bit_length()),
                "release_a": Out(1),
                "release_b": Out(1),
                "beat_valid": Out(1),
                "beat_last": Out(1),
                "tile_last": Out(1),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        job = View(self.layout, self.job)
        # counted from 1, so that they are compared with what the packet says
        beat, row, column = (
            Signal.like(field, init=1, name=name)
            for name, field in (
                ("beat", job.beats),
                ("row", job.row_tiles),
                ("column", job.column_tiles),
            )
        )
        row_start = Signal.like(self.a_address)
        ends_beat, ends_sums, ends_tile = Signal(), Signal(), Signal()
        ends_row, ends_job = Signal(), Signal()
        m.d.comb += [
            self.read.eq(self.job_valid & self.can_read & self.advance),
            ends_beat.eq(1),
            ends_sums.eq(beat == job.beats),
            ends_tile.eq(ends_sums & ends_beat),
            ends_row.eq(ends_tile & (column == job.column_tiles)),
            ends_job.eq(ends_row & (row == job.row_tiles)),
            self.job_ready.eq(self.read & ends_job),
            self.release_a.eq(self.job_ready & job.release_a),
            self.release_b.eq(self.job_ready & job.release_b),
        ]
        with m.If(self.advance):
            m.d.sync += self.beat_valid.eq(self.read)
        if self.config.sums > 1:
            turn = Signal(range(self.config.sums))
            m.d.comb += ends_beat.eq(turn == self.config.sums - 1)
            with m.If(self.read):
                m.d.sync += turn.eq(Mux(ends_beat, 0, turn + 1))
        with m.If(self.read):
            m.d.sync += [
                self.beat_last.eq(ends_sums & job.last),
                self.tile_last.eq(ends_tile & job.last),
                self.a_address.eq(self.a_address + 1),
            ]
            with m.If(ends_beat):
                m.d.sync += [
                    beat.eq(Mux(ends_sums, 1, beat + 1)),
                    self.b_address.eq(self.b_address + 1),
                ]
            with m.If(ends_tile):
                # the next column's tile has the same rows of A
                m.d.sync += [column.eq(column + 1), self.a_address.eq(row_start)]
            with m.If(ends_row):
                m.d.sync += [
                    column.eq(1),
                    row.eq(row + 1),
                    row_start.eq(self.a_address + 1),
                    self.a_address.eq(self.a_address + 1),
                    self.b_address.eq(0),
                ]
            with m.If(ends_job):
                m.d.sync += [row.eq(1), row_start.eq(0), self.a_address.eq(0)]
        return m
