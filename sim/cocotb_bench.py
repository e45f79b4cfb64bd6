"""The cocotb test: plays a job's beats into the harness and compares what comes out.

Runs in the Python inside the simulation. The job is a file that ``MACSMITH_BENCH_JOB`` names, the
outcome goes to the file that ``MACSMITH_BENCH_OUTCOME`` names. Four parts: `Driver` hands over
batches, `Monitor` collects results, the model is the job's list of expected results, and `Checker`
compares.
"""

import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, Timer
from macsmith.sim.bench_job import (
    FULL_RATE,
    MAX_MISMATCHES,
    BenchJob,
    BenchOutcome,
    Bits,
    batch_length,
    rows_to_ints,
)
from macsmith.sim.harness import COUNTERS, IDLE_LIMIT_CYCLES

_ASCII_ZERO = ord("0")


def _to_text(bits: Bits) -> str:
    """Bits, least significant first, as the text cocotb writes to a vector."""
    return (bits[::-1] + _ASCII_ZERO).astype(np.uint8).tobytes().decode("ascii")


def _from_text(text: str) -> Bits:
    """The bits of a vector's text, least significant first."""
    return (np.frombuffer(text.encode("ascii"), dtype=np.uint8) & np.uint8(1))[::-1]


class Monitor:
    """Collects the results that the harness holds after a batch."""

    def __init__(self, dut: Any, result_bits: int) -> None:
        self._dut = dut
        self._result_bits = result_bits
        self.rows: list[Bits] = []
        self.count = 0

    def collect(self) -> int:
        """Take the results of the batch that just ended; return how many."""
        count = int(self._dut.result_count.value)
        if count:
            bits = _from_text(str(self._dut.results.value))
            self.rows.append(bits[: count * self._result_bits].reshape(count, self._result_bits))
            self.count += count
        return count

    def take(self) -> Bits:
        """All results since the last call."""
        rows = self.rows
        self.rows = []
        self.count = 0
        if not rows:
            return np.zeros((0, self._result_bits), dtype=np.uint8)
        return np.concatenate(rows)


class Driver:
    """Hands batches of beats to the harness."""

    def __init__(self, dut: Any, job: BenchJob, monitor: Monitor) -> None:
        self._dut = dut
        self._batch_beats = job.batch_beats
        self._beat_bits = job.beats.shape[1]
        self._monitor = monitor
        self._attention = RisingEdge(dut.attention)
        self._calm = FallingEdge(dut.attention)

    async def reset(self) -> None:
        """Reset harness and design."""
        self._dut.go.value = 0
        self._dut.beat_count.value = 0
        self._dut.rst.value = 1
        await ClockCycles(self._dut.clk, 2)
        self._dut.rst.value = 0
        await FallingEdge(self._dut.clk)

    def counters(self) -> dict[str, int]:
        """Present values of the harness's counters."""
        value = int(self._dut.counters.value)
        return {name: value >> (32 * index) & 0xFFFFFFFF for index, name in enumerate(COUNTERS)}

    async def _run(self, is_new: int, is_drain: int) -> bool:
        """One run of the harness; whether there were handshakes until its end."""
        self._dut.is_new.value = is_new
        self._dut.is_drain.value = is_drain
        self._dut.go.value = 1
        await self._attention
        self._monitor.collect()
        is_idle = self.counters()["idle_cycles"] > IDLE_LIMIT_CYCLES
        self._dut.go.value = 0
        await self._calm
        return not is_idle

    async def play(self, beats: Bits, valid_rate: int, ready_rate: int) -> bool:
        """Play one batch of at most `batch_beats`; False if the design stopped taking beats."""
        count = len(beats)
        padded = np.zeros((self._batch_beats, self._beat_bits), dtype=np.uint8)
        padded[:count] = beats
        self._dut.beats.value = _to_text(padded.reshape(-1))
        self._dut.beat_count.value = count
        self._dut.valid_rate.value = valid_rate
        self._dut.ready_rate.value = ready_rate
        before = self.counters()["accepted_beats"]
        is_new = 1
        while self.counters()["accepted_beats"] - before < count:
            if not await self._run(is_new, 0):
                return False
            is_new = 0
        return True

    async def play_all(self, beats: Bits, valid_rate: int, ready_rate: int) -> bool:
        """Play any number of beats at one pair of rates; False as `play`."""
        for start in range(0, len(beats), self._batch_beats):
            batch = beats[start : start + self._batch_beats]
            if not await self.play(batch, valid_rate, ready_rate):
                return False
        return True

    async def drain(self) -> None:
        """Take results until none has come for a long time."""
        self._dut.beat_count.value = 0
        self._dut.ready_rate.value = FULL_RATE
        while await self._run(1, 1):
            pass


class Checker:
    """Compares results with the expected ones."""

    def __init__(self, expected: Bits, outcome: BenchOutcome) -> None:
        self._expected = expected
        self._outcome = outcome

    def check(self, results: Bits) -> None:
        """Compare all results; a missing or surplus one is a problem of its own."""
        expected, outcome = self._expected, self._outcome
        count = min(len(results), len(expected))
        wrong = np.flatnonzero((results[:count] != expected[:count]).any(axis=1))
        outcome.results = count
        outcome.mismatch_count = len(wrong)
        shown = wrong[:MAX_MISMATCHES]
        outcome.mismatches = [
            (int(index), f"{value:x}")
            for index, value in zip(shown, rows_to_ints(results[shown]), strict=True)
        ]
        if len(results) != len(expected) and not outcome.problem:
            outcome.problem = f"{len(expected)} results were expected, {len(results)} came"


@cocotb.test()
async def plays_all_beats(dut: Any) -> None:
    """The whole job: reset in mid-sum, latency probe, then every beat with its pauses."""
    job = BenchJob.read(Path(os.environ["MACSMITH_BENCH_JOB"]))
    outcome = BenchOutcome()
    monitor = Monitor(dut, job.expected.shape[1])
    driver = Driver(dut, job, monitor)
    for port in ("rst", "go", "is_new", "is_drain", "valid_rate", "ready_rate", "beat_count"):
        getattr(dut, port).value = 0
    dut.beats.value = "0" * (job.batch_beats * job.beats.shape[1])
    Clock(dut.clk, 2, "step").start(start_high=False)
    await Timer(1, "step")
    await driver.reset()

    if job.reset_beats:
        # results pile up behind a closed output, or a sum is left unfinished; a reset must forget
        # them: nothing may come out, and the sums that follow must start from zero
        for ready_rate in (0, FULL_RATE):
            await driver.play_all(job.beats[: job.reset_beats], FULL_RATE, ready_rate)
            await driver.reset()
            monitor.take()
            await driver.drain()
            outcome.results_after_reset += len(monitor.take())
            await driver.reset()

    at = 0
    if job.probe_beats:
        await driver.play_all(job.beats[: job.probe_beats], FULL_RATE, FULL_RATE)
        await driver.drain()
        outcome.latency_cycles = driver.counters()["latency_cycles"]
        at = job.probe_beats

    batch = 0
    batch_beats = batch_length(len(job.beats) - at, job.batch_beats, len(job.rates))
    while at < len(job.beats):
        rates = job.rates[batch % len(job.rates)]
        before = driver.counters()
        beats = job.beats[at : at + batch_beats]
        finished = await driver.play(beats, *rates)
        after = driver.counters()
        if rates == (FULL_RATE, FULL_RATE):
            outcome.full_rate_beats += after["accepted_beats"] - before["accepted_beats"]
            outcome.full_rate_stall_cycles += (
                after["input_stall_cycles"] - before["input_stall_cycles"]
            )
        if not finished:
            taken = after["accepted_beats"] - before["accepted_beats"]
            outcome.problem = (
                f"the design took no beat for {IDLE_LIMIT_CYCLES} cycles, after {at + taken} "
                f"of {len(job.beats)}"
            )
            break
        at += len(beats)
        batch += 1
    await driver.drain()
    outcome.counters = driver.counters()
    Checker(job.expected, outcome).check(monitor.take())
    outcome.write(Path(os.environ["MACSMITH_BENCH_OUTCOME"]))
    assert not outcome.problem, outcome.problem
    assert outcome.mismatch_count == 0, f"{outcome.mismatch_count} results differ"
