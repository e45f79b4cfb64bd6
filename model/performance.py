"""Cycles of a matrix product on an accelerator, predicted from its schedule.

The streams are taken to be always ready: a word of packets and a word of results a cycle. What the
hardware does is followed tile by tile: words into banks, beats into the array, rows out of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from macsmith.model.accelerator import JOBS, AcceleratorConfig, Packet, RunFlag
from macsmith.model.tiling import Load, Run, Schedule

__all__ = ["Prediction", "predict"]

#: Cycles from the second word of a RUN to its first read, and from a read to the array.
_JOB_CYCLES = 2
_READ_CYCLES = 1
#: Cycles from a row that enters the queue of results to its first word.
_QUEUE_CYCLES = 2


@dataclass(frozen=True)
class Prediction:
    """Cycles and work of a product.

    `cycles` from the first word in to the last word out, as the register CYCLES counts them;
    `beats` that the array takes; `macs` products added, padding included; `useful_macs` without.
    `fill_cycles` pass before the first beat, `drain_cycles` after the last one.
    """

    cycles: int
    fill_cycles: int
    drain_cycles: int
    beats: int
    macs: int
    useful_macs: int

    @property
    def wait_cycles(self) -> int:
        """Cycles between the first and the last beat in which the array takes none: operands are
        still being loaded, or results have no room to leave."""
        return self.cycles - self.fill_cycles - self.drain_cycles - self.beats

    @property
    def utilisation(self) -> float:
        """Useful products per cycle, as a share of what the array can do."""
        return self.useful_macs / (self.cycles * self.macs // self.beats)


@dataclass
class _Array:
    """Time in the array stands still while a row of results waits; `stopped` is for how long."""

    config: AcceleratorConfig
    latency_cycles: int
    stopped: int = 0
    last_beat: int = -1  # newest beat taken, in the array's time
    last_end: int = -(1 << 40)  # newest last beat of a tile
    rows_due: deque[int] = field(default_factory=deque)  # in the array's time
    sent: deque[int] = field(default_factory=deque)  # when rows' first words left, newest last
    end: int = 0  # when the newest word left

    def leave(self, until: int) -> None:
        """Rows that leave the array up to a time of the array."""
        words, depth = self.config.result_words, self.config.result_depth
        while self.rows_due and self.rows_due[0] <= until:
            enters = self.rows_due.popleft() + self.stopped
            if len(self.sent) == depth:
                room = self.sent.popleft()
                if enters < room:
                    self.stopped += room - enters
                    enters = room
            start = max(enters + _QUEUE_CYCLES, self.end + 1)
            self.sent.append(start)
            self.end = start + words - 1

    def not_before(self, earliest: int, ready: int) -> int:
        """The first time of the array that is neither before `earliest` nor, as a cycle, before
        `ready`."""
        self.leave(max(earliest, ready - self.stopped))
        return max(earliest, ready - self.stopped)

    def run(self, packet: Run, ready: int) -> dict[Packet, int]:
        """Compute a job; the cycles in which the last entries of A and B are read."""
        end = 0
        for _ in range(packet.row_tiles * packet.column_tiles):
            is_last = RunFlag.LAST in packet.flags
            end = self.tile(ready + _READ_CYCLES, packet.beats, is_last=is_last)
        return dict.fromkeys((Packet.LOAD_A, Packet.LOAD_B), end - _READ_CYCLES)

    def tile(self, ready: int, beats: int, *, is_last: bool) -> int:
        """Take a tile's beats, the first not before cycle `ready`; the cycle of the last one."""
        sums = self.config.sums
        start = max(self.last_beat + 1, ready - self.stopped)
        # after a pause the next beat waits until its sum's turn has come
        start += (self.last_beat + 1 - start) % sums
        end = start + beats * sums - 1
        if is_last:
            end = max(end, self.last_end + self.config.tile_rows)
        self.leave(end)
        if start < ready - self.stopped:  # cannot be: waiting only makes `stopped` grow
            raise AssertionError("time ran backwards")
        self.last_beat = end
        if is_last:
            self.last_end = end
            first = end - (sums - 1) + self.latency_cycles
            self.rows_due.extend(range(first, first + self.config.tile_rows))
        return end + self.stopped


@dataclass
class _Passes:
    """Passes through a weight-stationary array: reads of B and of A, in the array's time."""

    array: _Array
    loaded: int = -1  # newest entry of B read
    began: int = -(1 << 40)  # newest pass: its first entry of A read
    ended: int = -1  # and its last one
    goes_on: bool = False  # the job before did not finish its sums
    first: int = -1  # entry of A read of all, in cycles

    def run(self, packet: Run, ready: dict[Packet, int]) -> dict[Packet, int]:
        """Compute a job; the cycles in which the last entries of A and B are read."""
        config, array = self.array.config, self.array
        is_last = RunFlag.LAST in packet.flags
        for _ in range(packet.column_tiles):
            for first in range(0, packet.beats, config.rows):
                count = min(config.rows, packet.beats - first)
                earliest = max(self.loaded + 1, self.began)
                load = array.not_before(earliest, ready[Packet.LOAD_B])
                self.loaded = load + count - 1
                loaded_real = self.loaded + array.stopped
                earliest = max(self.ended, self.loaded) + 1
                if first or self.goes_on:
                    earliest = max(earliest, self.began + config.pass_interval_cycles)
                self.began = array.not_before(earliest, ready[Packet.LOAD_A])
                self.ended = self.began + packet.row_tiles - 1
                if self.first < 0:
                    self.first = self.began + array.stopped
                if is_last and first + count == packet.beats:
                    due = self.began + _READ_CYCLES + array.latency_cycles
                    array.rows_due.extend(range(due, due + packet.row_tiles))
                array.leave(self.ended)
            self.goes_on = not is_last
        return {Packet.LOAD_A: self.ended + array.stopped, Packet.LOAD_B: loaded_real}


def predict(schedule: Schedule, latency_cycles: int) -> Prediction:
    """Cycles of a product.

    Parameters
    ----------
    schedule
        Of the product.
    latency_cycles
        Of the array, from a tile's last beat to its first row of results
        (`macsmith.hw.latency.latency_cycles`).
    """
    config = schedule.config
    array = _Array(config, latency_cycles)
    passes = _Passes(array)
    now = 0  # the cycle in which the next word of a packet can be taken
    beats, first_beat, end = 0, 0, 0
    words = {Packet.LOAD_A: config.a_entry_words, Packet.LOAD_B: config.b_entry_words}
    # when each bank that was filled can be read, and when each that was given free can be filled
    filled: dict[Packet, deque[int]] = {packet: deque() for packet in words}
    freed: dict[Packet, deque[int]] = {packet: deque([0, 0]) for packet in words}
    jobs: deque[int] = deque()  # cycles in which earlier jobs leave the queue
    for packet in schedule.packets:
        if isinstance(packet, Load):
            first = max(now + 1, freed[packet.packet].popleft())
            now = first + packet.entries(config) * words[packet.packet]
            filled[packet.packet].append(now)
            continue
        if len(jobs) == JOBS + 1:
            now = max(now, jobs.popleft())
        second = now + 1
        now = second + 1
        ready = {load: max(second + _JOB_CYCLES, bank[0]) for load, bank in filled.items()}
        is_first = not beats
        if config.is_weight_stationary:
            read = passes.run(packet, ready)
            first_read = passes.first
        else:
            read = array.run(packet, max(ready.values()))
            first_read = max(ready.values())
        if is_first:
            first_beat = first_read + _READ_CYCLES
        end = read[Packet.LOAD_A] + _READ_CYCLES
        beats += packet.row_tiles * packet.column_tiles * config.a_tile_entries(packet.beats)
        jobs.append(read[Packet.LOAD_B])
        for flag, load in (
            (RunFlag.RELEASE_A, Packet.LOAD_A),
            (RunFlag.RELEASE_B, Packet.LOAD_B),
        ):
            if flag in packet.flags:
                filled[load].popleft()
                freed[load].append(read[load] + 1)
    array.leave(1 << 60)
    products = config.rows * config.columns * config.lanes
    return Prediction(
        cycles=array.end + 1,
        fill_cycles=first_beat,
        drain_cycles=array.end - end,
        beats=beats,
        macs=beats * products,
        useful_macs=schedule.m * schedule.k * schedule.n,
    )
