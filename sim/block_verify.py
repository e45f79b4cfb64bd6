"""The check of a design of block formats: operands, scales, and what blocks do to partial sums."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from macsmith.model import golden
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths
from macsmith.sim.bench import RATES, result_rows, run_bench
from macsmith.sim.bench_job import FULL_RATE, BenchJob, BenchOutcome, bit_rows
from macsmith.sim.block_stimulus import BlockStimulus, block_expected, make_block_stimulus
from macsmith.sim.block_sums import block_events, required_block_events, scale_class, scale_classes
from macsmith.sim.block_tiles import arrange_tiles, tiles_job
from macsmith.sim.checks import SPOT_PRODUCTS, Findings, common_checks, stream_checks
from macsmith.sim.coverage import Bin, cross_bins, operand_bins, pair_bin
from macsmith.sim.expected import Words, words_to_int
from macsmith.sim.failures import (
    command_line,
    describe_partial_sum,
    describe_result,
    hex_codes,
)
from macsmith.sim.harness import beat_layout
from macsmith.sim.sum_lengths import chunk_steps
from macsmith.sim.tile_groups import ALL_CODES_BITS

__all__ = ["block_coverage", "run_blocks"]

#: Blocks that are traced beyond the directed ones, at most.
_TRACED_BLOCKS = 3000


def block_job(stimulus: BlockStimulus, expected: Words) -> BenchJob:
    """The job that plays a stimulus; `expected` are (results, words)."""
    design = stimulus.design
    layout, mac, widths = beat_layout(design), design.mac, mac_widths(design.mac)
    count = stimulus.count
    scales = [bit_rows(stimulus.scales[:, side], fmt.bits) for side, fmt in enumerate(mac.scales)]
    ends = stimulus.ends.astype(np.uint8)[:, np.newaxis]
    columns = [
        bit_rows(stimulus.a, mac.a.bits).reshape(count, -1),
        bit_rows(stimulus.b, mac.b.bits).reshape(count, -1),
    ]
    is_unit = stimulus.partial_sums is not None
    if stimulus.partial_sums is not None:
        columns.append(result_rows(stimulus.partial_sums, widths.partial_sum_bits))
        columns += [ends, *scales] if mac.has_chunk_end else scales
    else:
        columns += [*scales, ends]
    bits = widths.partial_sum_bits if is_unit else widths.output_bits
    return BenchJob(
        beats=np.concatenate(columns, axis=1),
        expected=result_rows(expected, bits),
        probe_beats=0 if is_unit else int(stimulus.steps[0]),
        reset_beats=stimulus.reset_beats,
        results_per_sum=1,
        rates=((FULL_RATE, FULL_RATE),) if is_unit else RATES,
        batch_beats=layout.batch_beats,
        results_per_batch=layout.results_per_batch,
    )


def _beats_of(stimulus: BlockStimulus, index: int) -> slice:
    """Beats of a result: a vector of a unit, a sum of a stream."""
    if stimulus.partial_sums is not None:
        return slice(index, index + 1)
    end = int(np.cumsum(stimulus.steps)[index])
    return slice(end - int(stimulus.steps[index]), end)


def _block_scales(stimulus: BlockStimulus, beats: slice) -> list[tuple[int, ...]]:
    ends = stimulus.block_ends[beats]
    return [tuple(row) for row in stimulus.scales[beats][ends].tolist()]


def block_failures(
    stimulus: BlockStimulus, expected: Words, outcome: BenchOutcome, line: str
) -> list[str]:
    """A line for each of the first wrong results."""
    design = stimulus.design
    failures = []
    for index, text in outcome.mismatches:
        beats = _beats_of(stimulus, index)
        a, b = stimulus.a[beats].reshape(-1).tolist(), stimulus.b[beats].reshape(-1).tolist()
        what, before = "sum", ""
        describe: Callable[[Design, int], str] = describe_result
        if stimulus.partial_sums is not None:
            what, describe = "vector", describe_partial_sum
            words = words_to_int(stimulus.partial_sums[index])
            before = f" partial sum {describe_partial_sum(design, words)}"
            before += " chunk_end" * bool(stimulus.ends[index] and design.mac.has_chunk_end)
        scales = [hex_codes(list(row)) for row in _block_scales(stimulus, beats)]
        failures.append(
            f"{line}: {what} {index}: a={hex_codes(a)} b={hex_codes(b)} scales "
            f"{' '.join(scales)}{before}; expected "
            f"{describe(design, words_to_int(expected[index]))}, got "
            f"{describe(design, int(text, 16))}"
        )
    return failures


def _by_element(design: Design, expected: Words, outcome: BenchOutcome) -> BenchOutcome:
    """The wrong rows of an array as the wrong sums in them."""
    columns, bits = design.implementation.columns, mac_widths(design.mac).output_bits
    found = []
    for row, text in outcome.mismatches:
        for column in range(columns):
            got = int(text, 16) >> column * bits & ((1 << bits) - 1)
            index = row * columns + column
            if got != words_to_int(expected[index]):
                found.append((index, f"{got:x}"))
    return replace(outcome, mismatches=found)


def block_spot_check(stimulus: BlockStimulus, expected: Words, *, seed: int, products: int) -> int:
    """Recompute some results by the definition; returns how many.

    Raises
    ------
    RuntimeError
        The two golden models differ: a bug in macsmith, not in the design.
    """
    design, config = stimulus.design, stimulus.design.mac
    checked = spent = 0
    for index in np.random.default_rng(seed).permutation(len(expected)).tolist():
        if spent >= products:
            break
        beats = _beats_of(stimulus, index)
        a, b = stimulus.a[beats].reshape(-1).tolist(), stimulus.b[beats].reshape(-1).tolist()
        if stimulus.partial_sums is not None:
            wanted = golden.step(
                config,
                words_to_int(stimulus.partial_sums[index]),
                a,
                b,
                chunk_end=bool(stimulus.ends[index]),
                scales=stimulus.scales[index].tolist(),
            )
        elif len(a) > products // 4:
            continue
        else:
            wanted = golden.dot(config, a, b, scales=_block_scales(stimulus, beats))
        got = words_to_int(expected[index])
        if wanted != got:
            raise RuntimeError(
                f"{design.text}: the golden models differ, definition {wanted:#x}, fast {got:#x}, "
                f"for a={a} b={b} scales={_block_scales(stimulus, beats)}"
            )
        checked += 1
        spent += len(a)
    return checked


def _scale_bins(stimulus: BlockStimulus) -> Iterator[Bin]:
    """Classes, codes and bits of scales that end a block, and classes of both together."""
    config = stimulus.design.mac
    scales = stimulus.scales[stimulus.block_ends]
    sides = [name for name in "ab" if getattr(config, f"{name}_scale") is not None]
    classes = []
    for index, (side, fmt) in enumerate(zip(sides, config.scales, strict=True)):
        codes = scales[:, index]
        names = [scale_class(fmt, code) for code in range(1 << fmt.bits)]
        classes.append(np.array(names)[codes])
        for name in scale_classes(fmt):
            yield Bin(f"scale {side}: {name}", int((classes[-1] == name).sum()), True)
        if fmt.bits <= ALL_CODES_BITS:
            yield Bin(f"scale {side}: all codes", int(len(np.unique(codes)) == 1 << fmt.bits), True)
        all_bits = (1 << fmt.bits) - 1
        toggles = np.bitwise_or.reduce(codes) == all_bits and np.bitwise_and.reduce(codes) == 0
        yield Bin(f"scale {side}: every bit both 0 and 1", int(toggles), True)
    if len(classes) == 2:
        for first in scale_classes(config.scales[0]):
            for second in scale_classes(config.scales[1]):
                hits = int(((classes[0] == first) & (classes[1] == second)).sum())
                yield Bin(f"scales: {first} times {second}", hits, True)


def _traced_blocks(stimulus: BlockStimulus, rng: np.random.Generator) -> list[int]:
    """Beats that end a block: all of the directed vectors or short sums, and a sample."""
    ends = np.flatnonzero(stimulus.block_ends)
    return [int(beat) for beat in rng.permutation(ends)]


def block_coverage(stimulus: BlockStimulus, states: Words, *, seed: int, quick: bool) -> list[Bin]:
    """Bins of operands, scales, and what blocks met; `states` are partial sums after each beat."""
    config = stimulus.design.mac
    bins = list(operand_bins(config, stimulus.a, stimulus.b))
    flat_a, flat_b = stimulus.a.reshape(-1), stimulus.b.reshape(-1)
    bins += cross_bins(config, flat_a, flat_b)
    bins += pair_bin(config, flat_a, flat_b, quick=quick)
    bins += _scale_bins(stimulus)
    required = required_block_events(config)
    met: dict[str, int] = {}
    rng = np.random.default_rng(seed)
    for traced, beat in enumerate(_traced_blocks(stimulus, rng)):
        if traced >= _TRACED_BLOCKS and required <= met.keys():
            break
        for event in _events_at(stimulus, states, beat):
            met[event] = met.get(event, 0) + 1
    bins += [Bin(name, met.get(name, 0), True) for name in sorted(required)]
    bins += [Bin(name, met[name], False, "not derived") for name in sorted(met.keys() - required)]
    if stimulus.partial_sums is None:
        bins += _length_bins(stimulus)
    return bins


def _events_at(stimulus: BlockStimulus, states: Words, beat: int) -> set[str]:
    """Events of the block that ends with a beat."""
    config = stimulus.design.mac
    widths = mac_widths(config)
    chunk = chunk_steps(config)
    assert chunk is not None
    if stimulus.partial_sums is not None:
        before = words_to_int(stimulus.partial_sums[beat])
        if before & ((1 << widths.inner_state_bits) - 1):
            return set()  # a block that began before this vector
        first = beat
    else:
        starts = np.cumsum(stimulus.steps) - stimulus.steps
        start = int(starts[np.searchsorted(starts, beat, side="right") - 1])
        first = start + (beat - start) // chunk * chunk
        before = words_to_int(states[first - 1]) if first > start else 0
    a, b = stimulus.a[first : beat + 1].reshape(-1), stimulus.b[first : beat + 1].reshape(-1)
    products = list(zip(a.tolist(), b.tolist(), strict=True))
    scales = stimulus.scales[beat].tolist()
    return block_events(config, before >> widths.inner_state_bits, products, scales)


def _length_bins(stimulus: BlockStimulus) -> Iterator[Bin]:
    """Lengths of sums, in beats."""
    chunk = chunk_steps(stimulus.design.mac)
    assert chunk is not None
    steps = stimulus.steps
    yield Bin("sum: exactly one block", int((steps == chunk).sum()), True)
    yield Bin(
        "sum: several whole blocks", int(((steps > chunk) & (steps % chunk == 0)).sum()), True
    )
    if chunk > 1:
        yield Bin("sum: less than a block", int((steps < chunk).sum()), True)
        partial = (steps > chunk) & (steps % chunk != 0)
        yield Bin("sum: several blocks, the last partial", int(partial.sum()), True)


def run_blocks(
    design: Design,
    sources: Sequence[Path],
    directory: Path,
    manifest: Mapping[str, Any],
    *,
    seed: int,
    quick: bool,
) -> Findings:
    """Play a design's vectors or sums and compare with the golden model.

    Returns
    -------
    outcome, checks, bins, failures
        As `macsmith.sim.verify.verify_sources` makes a result of them.
    """
    line = command_line(design, seed=seed, quick=quick)
    stimulus = make_block_stimulus(design, seed=seed, quick=quick)
    tiles = arrange_tiles(stimulus) if design.implementation.is_array else None
    if tiles is not None:
        stimulus = tiles.sums
    expected, states = block_expected(stimulus)
    spots = block_spot_check(stimulus, expected, seed=seed, products=SPOT_PRODUCTS)
    job = block_job(stimulus, expected) if tiles is None else tiles_job(tiles, expected)
    outcome = run_bench(design, sources, directory, job, seed=seed)
    bins = block_coverage(stimulus, states, seed=seed, quick=quick)
    checks = common_checks(outcome, len(job.expected), stimulus.product_count, spots)
    if tiles is not None:
        checks += stream_checks(stimulus, outcome, manifest, (design, tiles.steps))
        outcome = _by_element(design, expected, outcome)
    elif stimulus.partial_sums is None:
        checks += stream_checks(stimulus, outcome, manifest)
    return outcome, checks, bins, block_failures(stimulus, expected, outcome, line)
