"""What a run of the bench shows: checks of results, of the streams' protocol, of stated latency."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from macsmith.model.design import Design
from macsmith.sim.bench import RATES
from macsmith.sim.bench_job import FULL_RATE, BenchOutcome, batch_length
from macsmith.sim.block_stimulus import BlockStimulus
from macsmith.sim.coverage import Bin
from macsmith.sim.harness import beat_layout
from macsmith.sim.stimulus import Stimulus
from macsmith.sim.sum_lengths import chunk_steps
from numpy.typing import NDArray

__all__ = ["SPOT_PRODUCTS", "Check", "Findings", "common_checks", "stream_checks"]

#: Products that are computed a second time by the definitional golden model.
SPOT_PRODUCTS = 2000


@dataclass(frozen=True)
class Check:
    """One thing that was checked: how many of it, and whether all were right."""

    name: str
    count: int
    passed: bool
    detail: str = ""


#: What playing a design's stimulus gives: outcome of the bench, checks, coverage bins, a line for
#: each of the first wrong results.
Findings = tuple[BenchOutcome, list[Check], list[Bin], list[str]]


def common_checks(
    outcome: BenchOutcome, expected_count: int, products: int, spots: int
) -> list[Check]:
    """Checks of results, which every form has."""
    detail = outcome.problem
    if outcome.mismatch_count:
        detail = f"{outcome.mismatch_count} of {outcome.results} differ" + (
            f"; {detail}" if detail else ""
        )
    passed = outcome.mismatch_count == 0 and outcome.results == expected_count and not detail
    return [
        Check("results compared", outcome.results, passed and outcome.results > 0, detail),
        Check("products in them", products, products > 0),
        Check("results recomputed by the definition", spots, spots > 0),
    ]


def _full_rate_allowance(
    design: Design,
    steps: NDArray[np.int64],
    interval_cycles: int,
    chunk_interval_cycles: int,
) -> int:
    """Input stalls that the interval between last beats explains, in the batches that run without
    pauses: what each sum is shorter than the interval, or its last chunk than that of chunks, and
    once in a batch what the one before left behind."""
    # the probe, which is the first tile, is played by itself
    batch_beats = batch_length(
        int(steps.sum() - steps[0]), beat_layout(design).batch_beats, len(RATES)
    )
    batches = (np.cumsum(steps) - 1 - steps[0]) // batch_beats
    is_full = np.array([rates == (FULL_RATE, FULL_RATE) for rates in RATES])
    counted = is_full[batches % len(RATES)]
    counted[0] = False
    chunk = chunk_steps(design.mac)
    if chunk is not None and chunk_interval_cycles > 1:
        interval_cycles, steps = chunk_interval_cycles, (steps - 1) % chunk + 1
    shorter = int(np.maximum(interval_cycles - steps, 0)[counted].sum())
    return shorter + interval_cycles * len(np.unique(batches[counted]))


def _turn_allowance(stimulus: Stimulus | BlockStimulus) -> int:
    """Input stalls that a rotation of sums explains: at the start of each batch without pauses the
    first beat may wait for its sum's turn."""
    implementation = stimulus.design.implementation
    if implementation.interleave == 1 or not isinstance(stimulus, Stimulus):
        return 0
    beats = len(stimulus.rotation.source) - int(stimulus.steps[0])
    most = beat_layout(stimulus.design).batch_beats
    batches = -(-beats // batch_length(beats, most, len(RATES)))
    full = [index for index, rates in enumerate(RATES) if rates == (FULL_RATE, FULL_RATE)]
    return (implementation.interleave - 1) * sum(
        index % len(RATES) in full for index in range(batches)
    )


def stream_checks(
    stimulus: Stimulus | BlockStimulus,
    outcome: BenchOutcome,
    manifest: Mapping[str, Any],
    mixed: tuple[Design, NDArray[np.int64]] | None = None,
) -> list[Check]:
    """Checks of the streams' protocol, of the reset, and of the stated latency.

    `mixed`: the switchable design that `stimulus` is a mode of, and beats of all sums as played.
    """
    design, steps = mixed or (stimulus.design, stimulus.steps)
    counters = outcome.counters
    breaches = counters.get("dropped_valid", 0) + counters.get("changed_data", 0)
    checks = [
        Check(
            "output beats held until taken",
            counters.get("output_stall_cycles", 0),
            breaches == 0,
            f"{counters.get('dropped_valid', 0)} dropped, {counters.get('changed_data', 0)} changed"
            if breaches
            else "",
        ),
        Check(
            "resets in the middle of a sum",
            2,
            outcome.results_after_reset == 0,
            f"{outcome.results_after_reset} results came after a reset"
            if outcome.results_after_reset
            else "",
        ),
    ]
    if "latency_cycles" in manifest:
        stated = int(manifest["latency_cycles"])
        checks.append(
            Check(
                "latency as stated",
                1,
                outcome.latency_cycles == stated,
                f"{stated} cycles stated, {outcome.latency_cycles} measured",
            )
        )
    interval = int(manifest.get("interval_cycles", 1))
    if stimulus.design.implementation.is_array and "interval_cycles" not in manifest:
        return checks
    stalls = outcome.full_rate_stall_cycles
    chunk_interval = int(manifest.get("chunk_interval_cycles", 1))
    allowed = 0
    if interval > 1:
        allowed = _full_rate_allowance(design, steps, interval, chunk_interval)
    allowed += _turn_allowance(stimulus)
    checks.append(
        Check(
            "beats at full rate",
            outcome.full_rate_beats,
            stalls <= allowed and outcome.full_rate_beats > 0,
            f"{stalls} stall cycles, {allowed} explained by the interval of {interval}",
        )
    )
    return checks
