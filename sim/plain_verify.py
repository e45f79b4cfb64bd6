"""Playing a design of one mode without block formats, and comparing it with the golden model."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from macsmith.model.design import Design
from macsmith.model.formats import Special
from macsmith.model.widths import mac_widths
from macsmith.sim.bench import run_bench, stream_job, unit_job
from macsmith.sim.bench_job import BenchOutcome
from macsmith.sim.checks import SPOT_PRODUCTS, Findings, common_checks, stream_checks
from macsmith.sim.coverage import stimulus_coverage, unit_coverage
from macsmith.sim.expected import Words, expected_results, spot_check, words_to_int
from macsmith.sim.failures import command_line, describe_partial_sum, describe_result, hex_codes
from macsmith.sim.products import product_kit
from macsmith.sim.random_words import RandomWords
from macsmith.sim.stimulus import Stimulus, make_stimulus
from macsmith.sim.unit_stimulus import (
    UnitStimulus,
    make_unit_stimulus,
    unit_expected,
    unit_spot_check,
)

__all__ = ["run_plain", "stream_failures", "unit_failures"]


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


def run_plain(
    design: Design,
    sources: Sequence[Path],
    directory: Path,
    manifest: Mapping[str, Any],
    *,
    seed: int,
    quick: bool,
) -> Findings:
    """Play a design's vectors or sums and compare with the golden model."""
    line = command_line(design, seed=seed, quick=quick)
    if design.implementation.form == "unit":
        unit = make_unit_stimulus(design, seed=seed, quick=quick)
        expected = unit_expected(unit)
        spots = unit_spot_check(unit, expected, seed=seed, products=SPOT_PRODUCTS)
        outcome = run_bench(design, sources, directory, unit_job(unit, expected), seed=seed)
        bins = unit_coverage(unit, seed=seed, quick=quick)
        checks = common_checks(outcome, unit.count, unit.product_count, spots)
        return outcome, checks, bins, unit_failures(unit, expected, outcome, line)
    stimulus = make_stimulus(design, seed=seed, quick=quick)
    expected = expected_results(stimulus)
    spots = spot_check(stimulus, expected, seed=seed, products=SPOT_PRODUCTS)
    outcome = run_bench(design, sources, directory, stream_job(stimulus, expected), seed=seed)
    bins = stimulus_coverage(stimulus, seed=seed, quick=quick)
    results = expected.shape[0] * expected.shape[1]
    checks = common_checks(outcome, results, stimulus.product_count, spots)
    checks += stream_checks(stimulus, outcome, manifest)
    return outcome, checks, bins, stream_failures(stimulus, expected, outcome, line)
