"""The check of a switchable design: every mode against its own golden model, mixed sum by sum."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from macsmith.model.design import Design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths
from macsmith.sim.bench import run_bench
from macsmith.sim.bench_job import BenchOutcome
from macsmith.sim.checks import SPOT_PRODUCTS, Findings, common_checks, stream_checks
from macsmith.sim.coverage import Bin, stimulus_coverage, unit_coverage
from macsmith.sim.expected import spot_check
from macsmith.sim.failures import command_line
from macsmith.sim.plain_verify import stream_failures, unit_failures
from macsmith.sim.switch_stimulus import (
    MixedStreams,
    MixedUnits,
    change_bins,
    mixed_steps,
    mixed_stream_job,
    mixed_streams,
    mixed_unit_job,
    mixed_units,
)
from macsmith.sim.unit_stimulus import unit_spot_check

__all__ = ["run_switchable"]


def _of_mode(stimulus: MixedUnits | MixedStreams, mode: int, outcome: BenchOutcome) -> BenchOutcome:
    """The outcome with the mismatches of a mode, numbered as in its own stimulus."""
    mixture, design = stimulus.mixture, stimulus.design
    widths = switch_widths(design.modes)
    rows = design.implementation.rows
    bits = mac_widths(design.modes[mode]).output_bits
    is_unit = isinstance(stimulus, MixedUnits)
    mismatches = []
    for index, text in outcome.mismatches:
        item, row = divmod(index, rows)
        if int(mixture.mode[item]) != mode:
            continue
        if is_unit:
            text = f"{widths.own(mode, int(text, 16)):x}"
        elif design.implementation.is_array:  # columns are as wide as the widest mode's
            got = int(text, 16)
            codes = [
                got >> column * widths.output_bits & ((1 << bits) - 1)
                for column in range(design.implementation.columns)
            ]
            text = f"{sum(code << column * bits for column, code in enumerate(codes)):x}"
        mismatches.append((int(mixture.index[item]) * rows + row, text))
    return replace(outcome, mismatches=mismatches)


def _mode_line(design: Design, mode: int, line: str) -> str:
    names = design.text.partition(":")[0].split("+")
    return f"{line}: mode {mode} ({names[mode]})"


def _failures(stimulus: MixedUnits | MixedStreams, outcome: BenchOutcome, line: str) -> list[str]:
    """A line for each of the first wrong results."""
    design = stimulus.design
    failures: list[str] = []
    for mode in range(len(design.modes)):
        own, told = _of_mode(stimulus, mode, outcome), _mode_line(design, mode, line)
        expected = stimulus.expected[mode]
        if isinstance(stimulus, MixedUnits):
            failures += unit_failures(stimulus.parts[mode], expected, own, told)
        else:
            failures += stream_failures(stimulus.parts[mode], expected, own, told)
    if outcome.mismatches and not failures:
        index, text = outcome.mismatches[0]
        item = index // design.implementation.rows
        told = _mode_line(design, int(stimulus.mixture.mode[item]), line)
        failures.append(f"{told}: bits above the mode's own result are wrong: 0x{text}")
    return failures


def _mode_bins(design: Design, mode: int, bins: Sequence[Bin]) -> list[Bin]:
    name = design.text.partition(":")[0].split("+")[mode]
    return [replace(each, name=f"mode {mode} ({name}): {each.name}") for each in bins]


def run_switchable(
    design: Design,
    sources: Sequence[Path],
    directory: Path,
    manifest: Mapping[str, Any],
    *,
    seed: int,
    quick: bool,
) -> Findings:
    """Play every mode's vectors, mixed, and compare with the golden models of the single designs.

    Returns
    -------
    outcome, checks, bins, failures
        As `macsmith.sim.verify.verify_sources` makes a result of them.
    """
    line = command_line(design, seed=seed, quick=quick)
    bins: list[Bin] = []
    stimulus: MixedUnits | MixedStreams
    if design.implementation.form == "unit":
        stimulus = mixed_units(design, seed=seed, quick=quick)
        spots = sum(
            unit_spot_check(part, expected, seed=seed, products=SPOT_PRODUCTS)
            for part, expected in zip(stimulus.parts, stimulus.expected, strict=True)
        )
        job = mixed_unit_job(stimulus, seed=seed)
        for mode, unit in enumerate(stimulus.parts):
            bins += _mode_bins(design, mode, unit_coverage(unit, seed=seed, quick=quick))
    else:
        stimulus = mixed_streams(design, seed=seed, quick=quick)
        spots = sum(
            spot_check(part, expected, seed=seed, products=SPOT_PRODUCTS)
            for part, expected in zip(stimulus.parts, stimulus.expected, strict=True)
        )
        job = mixed_stream_job(stimulus, seed=seed)
        for mode, stream in enumerate(stimulus.parts):
            bins += _mode_bins(design, mode, stimulus_coverage(stream, seed=seed, quick=quick))
    bins += change_bins(design, stimulus.mixture)
    outcome = run_bench(design, sources, directory, job, seed=seed)
    products = sum(part.product_count for part in stimulus.parts)
    results = len(stimulus.mixture.mode) * design.implementation.rows
    checks = common_checks(outcome, results, products, spots)
    if isinstance(stimulus, MixedStreams):
        played = mixed_steps(stimulus)
        checks += stream_checks(stimulus.parts[0], outcome, manifest, (design, played))
    return outcome, checks, bins, _failures(stimulus, outcome, line)
