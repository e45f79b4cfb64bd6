"""The check of a design: its emitted Verilog, under cocotb, against the golden model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from macsmith.model.design import Design
from macsmith.model.formats import Special
from macsmith.model.widths import mac_widths
from macsmith.sim.bench import RATES, run_bench, stream_job, unit_job
from macsmith.sim.bench_job import FULL_RATE, BenchOutcome
from macsmith.sim.coverage import Bin, Coverage, stimulus_coverage, stream_bins, unit_coverage
from macsmith.sim.expected import Words, expected_results, spot_check, words_to_int
from macsmith.sim.failures import command_line, describe_partial_sum, describe_result, hex_codes
from macsmith.sim.harness import beat_layout
from macsmith.sim.products import product_kit
from macsmith.sim.random_words import RandomWords
from macsmith.sim.stimulus import Stimulus, chunk_steps, make_stimulus
from macsmith.sim.unit_stimulus import (
    UnitStimulus,
    make_unit_stimulus,
    unit_expected,
    unit_spot_check,
)
from macsmith.sim.verilator import tool_versions
from numpy.typing import NDArray

if TYPE_CHECKING:
    from macsmith.hw.emit import GeneratedDesign
    from macsmith.sim.block_stimulus import BlockStimulus

__all__ = [
    "SPOT_PRODUCTS",
    "Check",
    "VerifyResult",
    "common_checks",
    "stream_checks",
    "stream_failures",
    "unit_failures",
    "verify",
    "verify_sources",
]

#: Products that are computed a second time by the definitional golden model.
SPOT_PRODUCTS = 2000


@dataclass(frozen=True)
class Check:
    """One thing that was checked: how many of it, and whether all were right."""

    name: str
    count: int
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class VerifyResult:
    """What a check of a design found.

    Parameters
    ----------
    design
        Design text.
    checks
        Each with its count.
    coverage
        Bins required and filled, and those excluded by derivation.
    failures
        One line each: the command that repeats the check, operands, expected and got.
    counters
        Cycles, stalls and the like, from the bench.
    directory
        Where bench, logs and ``result.json`` are.
    """

    design: str
    seed: int
    quick: bool
    checks: tuple[Check, ...]
    coverage: Coverage
    failures: tuple[str, ...]
    counters: Mapping[str, int]
    latency_cycles: int | None
    versions: Mapping[str, str]
    directory: Path = field(default=Path(), compare=False)

    @property
    def passed(self) -> bool:
        """Whether every check passed and every required bin filled."""
        return all(check.passed for check in self.checks)

    @property
    def vectors(self) -> int:
        """Results that were compared with the golden model."""
        return next(check.count for check in self.checks if check.name == "results compared")

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "design": self.design,
            "passed": self.passed,
            "seed": self.seed,
            "quick": self.quick,
            "checks": [asdict(check) for check in self.checks],
            "coverage": self.coverage.to_dict(),
            "failures": list(self.failures),
            "counters": dict(self.counters),
            "latency_cycles": self.latency_cycles,
            "versions": dict(self.versions),
        }


def _exact_sum(design: Design, a: list[int], b: list[int]) -> str:
    """Sum of all products without any rounding of sums, as text."""
    kit = product_kit(design.mac)
    values = [kit.term(pair).value for pair in zip(a, b, strict=True)]
    specials = sorted({value.value for value in values if isinstance(value, Special)})
    total = sum((value for value in values if not isinstance(value, Special)), Fraction(0))
    return " + ".join([str(total), *specials])


def _random_text(words: RandomWords | None) -> str:
    """Random words in a failure line; nothing where nothing is random."""
    return "" if words is None else f" random={hex_codes([int(word) for word in words])}"


def stream_failures(
    stimulus: Stimulus, expected: Words, outcome: BenchOutcome, line: str
) -> list[str]:
    """A line for each of the first wrong results."""
    design = stimulus.design
    rows, columns = expected.shape[1:3]
    bits = mac_widths(design.mac).output_bits
    failures = []
    for index, text in outcome.mismatches:
        result, row = divmod(index, rows)
        position = int(stimulus.rotation.completed[result])
        got_beat = int(text, 16)
        for column in range(columns):
            got = got_beat >> (column * bits) & ((1 << bits) - 1)
            wanted = words_to_int(expected[position, row, column])
            if got == wanted:
                continue
            group, tile = stimulus.locate(position)
            a, b = group.sum_operands(tile, row, column)
            where = f" row {row} column {column}" if design.implementation.is_array else ""
            failures.append(
                f"{line}: sum {position}{where} ({group.name}): a={hex_codes(a)} "
                f"b={hex_codes(b)}{_random_text(stimulus.tile_words(position, row, column))} exact "
                f"{_exact_sum(design, a, b)}; expected "
                f"{describe_result(design, wanted)}, got {describe_result(design, got)}"
            )
            break
    return failures


def unit_failures(
    stimulus: UnitStimulus, expected: Words, outcome: BenchOutcome, line: str
) -> list[str]:
    """A line for each of the first wrong vectors."""
    design = stimulus.design
    failures = []
    for index, text in outcome.mismatches:
        before = words_to_int(stimulus.partial_sums[index])
        chunk_end = " chunk_end" if stimulus.chunk_end[index] else ""
        random = _random_text(None if stimulus.random is None else stimulus.random[[index]])
        failures.append(
            f"{line}: vector {index}: a={hex_codes(stimulus.a[index].tolist())} "
            f"b={hex_codes(stimulus.b[index].tolist())} partial sum "
            f"{describe_partial_sum(design, before)}{chunk_end}"
            f"{random}; expected "
            f"{describe_partial_sum(design, words_to_int(expected[index]))}, got "
            f"{describe_partial_sum(design, int(text, 16))}"
        )
    return failures


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
    batch_beats = beat_layout(design).batch_beats
    # the probe, which is the first tile, is played by itself
    batches = (np.cumsum(steps) - 1 - steps[0]) // batch_beats
    is_full = np.array([rates == (FULL_RATE, FULL_RATE) for rates in RATES])
    counted = is_full[batches % len(RATES)]
    counted[0] = False
    chunk = chunk_steps(design.mac)
    if chunk is not None and chunk_interval_cycles > 1:
        interval_cycles, steps = chunk_interval_cycles, (steps - 1) % chunk + 1
    shorter = int(np.maximum(interval_cycles - steps, 0)[counted].sum())
    return shorter + interval_cycles * len(np.unique(batches[counted]))


def _turn_allowance(stimulus: "Stimulus | BlockStimulus") -> int:
    """Input stalls that a rotation of sums explains: at the start of each batch without pauses the
    first beat may wait for its sum's turn."""
    implementation = stimulus.design.implementation
    if implementation.interleave == 1 or not isinstance(stimulus, Stimulus):
        return 0
    beats = len(stimulus.rotation.source) - int(stimulus.steps[0])
    batches = -(-beats // beat_layout(stimulus.design).batch_beats)
    full = [index for index, rates in enumerate(RATES) if rates == (FULL_RATE, FULL_RATE)]
    return (implementation.interleave - 1) * sum(
        index % len(RATES) in full for index in range(batches)
    )


def stream_checks(
    stimulus: "Stimulus | BlockStimulus",
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


def verify_sources(
    design: Design,
    sources: Sequence[Path],
    directory: Path,
    *,
    seed: int = 1,
    quick: bool = False,
    manifest: Mapping[str, Any] | None = None,
) -> VerifyResult:
    """Check Verilog that claims to be a design.

    Parameters
    ----------
    sources
        Files with the module `design.id` and all it needs.
    directory
        For bench, logs and ``result.json``.
    seed, quick
        See `verify`.
    manifest
        What the design states of itself; its ``latency_cycles`` is checked.

    Raises
    ------
    ToolError, MissingToolError
        The simulation could not be built or run.
    """
    directory.mkdir(parents=True, exist_ok=True)
    line = command_line(design, seed=seed, quick=quick)
    bins: list[Bin]
    if design.is_switchable:
        from macsmith.sim.switch_verify import run_switchable  # it builds on this module

        outcome, checks, bins, failures = run_switchable(
            design, sources, directory, manifest or {}, seed=seed, quick=quick
        )
        latency = outcome.latency_cycles
    elif design.mac.block is not None:
        from macsmith.sim.block_verify import run_blocks  # it builds on this module

        outcome, checks, bins, failures = run_blocks(
            design, sources, directory, manifest or {}, seed=seed, quick=quick
        )
        latency = outcome.latency_cycles
    elif design.implementation.form == "unit":
        unit = make_unit_stimulus(design, seed=seed, quick=quick)
        expected = unit_expected(unit)
        spots = unit_spot_check(unit, expected, seed=seed, products=SPOT_PRODUCTS)
        outcome = run_bench(design, sources, directory, unit_job(unit, expected), seed=seed)
        bins = unit_coverage(unit, seed=seed, quick=quick)
        failures = unit_failures(unit, expected, outcome, line)
        checks = common_checks(outcome, unit.count, unit.product_count, spots)
        latency = None
    else:
        stimulus = make_stimulus(design, seed=seed, quick=quick)
        expected = expected_results(stimulus)
        spots = spot_check(stimulus, expected, seed=seed, products=SPOT_PRODUCTS)
        outcome = run_bench(design, sources, directory, stream_job(stimulus, expected), seed=seed)
        bins = stimulus_coverage(stimulus, seed=seed, quick=quick)
        failures = stream_failures(stimulus, expected, outcome, line)
        checks = common_checks(
            outcome, expected.shape[0] * expected.shape[1], stimulus.product_count, spots
        )
        checks += stream_checks(stimulus, outcome, manifest or {})
        latency = outcome.latency_cycles
    bins += stream_bins(design, outcome.counters, was_reset=latency is not None)
    coverage = Coverage(tuple(bins))
    missing = coverage.missing
    checks.append(
        Check(
            "coverage bins filled",
            coverage.filled,
            not missing,
            f"{len(missing)} of {coverage.required} empty: {'; '.join(missing)}" if missing else "",
        )
    )
    failures += [
        f"{line}: {check.name}: {check.detail}"
        for check in checks
        if not check.passed and not (check.name == "results compared" and failures)
    ]
    result = VerifyResult(
        design=design.text,
        seed=seed,
        quick=quick,
        checks=tuple(checks),
        coverage=coverage,
        failures=tuple(failures),
        counters=outcome.counters,
        latency_cycles=latency,
        versions=tool_versions(),
        directory=directory,
    )
    report = json.dumps(result.to_dict(), indent=1)
    (directory / "result.json").write_text(report + "\n", encoding="utf-8")
    return result


def verify(
    design: Design,
    build_dir: Path = Path("build"),
    *,
    seed: int = 1,
    quick: bool = False,
    generated: "GeneratedDesign | None" = None,
) -> VerifyResult:
    """Check a design's emitted Verilog against the golden model.

    Parameters
    ----------
    design
        Single MAC, array, or unit.
    build_dir
        Artefacts go to ``<build_dir>/<design id>/verify/``.
    seed
        Of every random choice: the same seed repeats the very same check.
    quick
        A sample instead of all operand pairs, and shorter sums.
    generated
        What `macsmith.hw.emit.generate` returned; emitted anew by default.

    Returns
    -------
    VerifyResult
        `passed` tells; a failing check is no exception.

    Raises
    ------
    ValueError
        The design cannot be built.
    ToolError, MissingToolError
        A tool failed or is not installed.
    """
    build_dir = Path(build_dir)
    if generated is None:
        from macsmith.hw.emit import generate
        from macsmith.sim.vectors import golden_vectors

        generated = generate(
            design, build_dir / design.id / "generate", vectors=golden_vectors(design)
        )
    return verify_sources(
        design,
        [generated.verilog],
        build_dir / design.id / "verify",
        seed=seed,
        quick=quick,
        manifest=generated.manifest,
    )
