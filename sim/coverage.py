"""Whether a stimulus met what it had to meet: bins of operands, events in sums, and streams.

A bin is required or excluded by derivation from the design (`macsmith.sim.reachability`); what is
counted is what was really played. A required bin that stayed empty fails the check.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import Format
from macsmith.sim.expected import words_to_int
from macsmith.sim.operands import OPERAND_CLASSES, classify_codes, corner_codes
from macsmith.sim.random_words import RandomWords
from macsmith.sim.reachability import required_events
from macsmith.sim.stimulus import Stimulus
from macsmith.sim.sum_lengths import chunk_steps, longest_sum_steps, max_steps
from macsmith.sim.tile_groups import ALL_CODES_BITS, EXHAUSTIVE_BITS, Codes, TileGroup
from macsmith.sim.trace import sum_tracer
from macsmith.sim.unit_stimulus import UnitStimulus
from numpy.typing import NDArray

__all__ = [
    "Bin",
    "Coverage",
    "cross_bins",
    "operand_bins",
    "pair_bin",
    "stimulus_coverage",
    "stream_bins",
    "unit_coverage",
]

#: Steps of the sums that are traced once all required events were met (the directed sums always
#: are), and at most.
TRACED_STEPS = 2000
MOST_TRACED_STEPS = 20_000


@dataclass(frozen=True)
class Bin:
    """One thing to meet: how often it was, and whether it must be. An excluded bin has a reason."""

    name: str
    hits: int
    is_required: bool
    reason: str = ""


@dataclass(frozen=True)
class Coverage:
    """The bins of one check."""

    bins: tuple[Bin, ...]

    @property
    def required(self) -> int:
        """Number of bins that must fill."""
        return sum(each.is_required for each in self.bins)

    @property
    def filled(self) -> int:
        """Number of those that did."""
        return sum(each.is_required and each.hits > 0 for each in self.bins)

    @property
    def missing(self) -> list[str]:
        """Required bins that stayed empty."""
        return [each.name for each in self.bins if each.is_required and not each.hits]

    @property
    def excluded(self) -> dict[str, str]:
        """Bins that need not fill and did not, with the reason."""
        return {
            each.name: each.reason for each in self.bins if not each.is_required and not each.hits
        }

    def to_dict(self) -> dict[str, object]:
        """Counts, missing and excluded bins, and the hits of every bin, ready for JSON."""
        return {
            "bins_required": self.required,
            "bins_filled": self.filled,
            "bins_missing": self.missing,
            "bins_excluded": self.excluded,
            "bins": {each.name: each.hits for each in self.bins},
        }


def _classes_of(fmt: Format) -> NDArray[np.bool_]:
    """Which operand classes a format has: every one is among its corner codes."""
    present = np.zeros(len(OPERAND_CLASSES), dtype=np.bool_)
    present[classify_codes(fmt, np.array(corner_codes(fmt), dtype=np.uint32))] = True
    return present


def operand_bins(config: MacConfig, a: Codes, b: Codes) -> Iterator[Bin]:
    """Classes of operands, all codes of small formats, and every bit of every port.

    `a` and `b` have the positions (row and lane, column and lane) on the last axis.
    """
    for side, fmt, codes in (("a", config.a, a), ("b", config.b, b)):
        counts = np.bincount(classify_codes(fmt, codes).reshape(-1), minlength=len(OPERAND_CLASSES))
        present = _classes_of(fmt)
        for index, name in enumerate(OPERAND_CLASSES):
            yield Bin(
                f"operand {side}: {name}",
                int(counts[index]),
                bool(present[index]),
                f"{fmt.name} has none",
            )
        if fmt.bits <= ALL_CODES_BITS:
            seen = np.unique(codes)
            yield Bin(f"operand {side}: all codes", int(len(seen) == 1 << fmt.bits), True)
        ones = np.bitwise_or.reduce(codes, axis=0)
        zeros = np.bitwise_and.reduce(codes, axis=0)
        all_bits = (1 << fmt.bits) - 1
        yield Bin(
            f"operand {side}: every bit of every position both 0 and 1",
            int(bool((ones == all_bits).all() and (zeros == 0).all())),
            True,
        )


def cross_bins(config: MacConfig, a: Codes, b: Codes) -> Iterator[Bin]:
    """Classes of A with classes of B in one product; `a` and `b` are flat, pair by pair."""
    count = len(OPERAND_CLASSES)
    crossed = classify_codes(config.a, a).astype(np.int64) * count + classify_codes(config.b, b)
    hits = np.bincount(crossed, minlength=count * count)
    for i in np.flatnonzero(_classes_of(config.a)):
        for j in np.flatnonzero(_classes_of(config.b)):
            name = f"product: {OPERAND_CLASSES[i]} times {OPERAND_CLASSES[j]}"
            yield Bin(name, int(hits[i * count + j]), True)


def pair_bin(config: MacConfig, a: Codes, b: Codes, *, quick: bool) -> Iterator[Bin]:
    """Whether every operand pair was a product."""
    bits = config.a.bits + config.b.bits
    if bits > EXHAUSTIVE_BITS:
        yield Bin("product: every operand pair", 0, False, f"2**{bits} pairs are too many")
        return
    seen = np.zeros(1 << bits, dtype=np.bool_)
    seen[a << np.uint32(config.b.bits) | b] = True
    yield Bin(
        "product: every operand pair", int(seen.all()), not quick, "a quick check takes a sample"
    )


def _all_pairs(group: TileGroup) -> tuple[Codes, Codes]:
    """All products of a group, flat."""
    shape = (*group.a.shape[:3], group.b.shape[2], group.a.shape[3])
    a = np.broadcast_to(group.a[:, :, :, np.newaxis], shape)
    b = np.broadcast_to(group.b[:, :, np.newaxis], shape)
    return a.reshape(-1), b.reshape(-1)


def _shuffled_pairs(a: Codes, b: Codes, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Products one by one, in random order."""
    for index in rng.permutation(len(a)):
        yield int(a[index]), int(b[index])


def _event_bins(config: MacConfig, met: dict[str, int]) -> Iterator[Bin]:
    """Bins of the events in sums."""
    derived = required_events(config)
    for name in sorted(derived.required):
        yield Bin(name, met.get(name, 0), True)
    for name, reason in sorted(derived.excluded.items()):
        yield Bin(name, met.get(name, 0), False, reason)
    for name in sorted(met.keys() - derived.required - derived.excluded.keys()):
        yield Bin(name, met[name], False, "not derived")


def _product_events(config: MacConfig, pairs: Iterable[tuple[int, int]]) -> dict[str, int]:
    """Events of products alone, until all required ones were met."""
    tracer = sum_tracer(config)
    wanted = {name for name in required_events(config).required if name.startswith("product: ")}
    met: dict[str, int] = {}
    for pair in pairs:
        if wanted <= met.keys():
            break
        for event in tracer.product_events(pair):
            met[event] = met.get(event, 0) + 1
    return met


def _trace(stimulus: Stimulus, *, seed: int) -> dict[str, int]:
    """Events of the directed sums, of a sample of all others, and of more until all are met."""
    config = stimulus.design.mac
    tracer = sum_tracer(config)
    required = required_events(config).required
    rng = np.random.default_rng(seed)
    met: dict[str, int] = {}

    def add(events: Iterable[str]) -> None:
        for event in events:
            met[event] = met.get(event, 0) + 1

    def trace_sum(
        group: TileGroup, tile: int, row: int, column: int, random: RandomWords | None
    ) -> None:
        products = np.stack((group.a[tile, :, row], group.b[tile, :, column]), axis=2)
        steps = [[(a, b) for a, b in step] for step in products.tolist()]
        add(tracer.trace(steps, None if random is None else random.tolist()))

    for index, group in enumerate(stimulus.groups):
        if group.focus is not None:
            words = stimulus.group_words(index)
            for tile in range(group.tiles):
                for row, column in group.focus[tile]:
                    random = None if words is None else words[tile]
                    if random is not None and random.ndim > 1:
                        random = random[:, row, column]
                    trace_sum(group, tile, int(row), int(column), random)
    if config.product is not None:
        single = [_all_pairs(group) for group in stimulus.groups if group.steps == 1]
        a, b = (np.concatenate([pair[side] for pair in single]) for side in (0, 1))
        add(_product_events(config, _shuffled_pairs(a, b, rng)))
    traced = 0
    implementation = stimulus.design.implementation
    for position in rng.permutation(len(stimulus.order)):
        if traced >= TRACED_STEPS and (required <= met.keys() or traced >= MOST_TRACED_STEPS):
            break
        group, tile = stimulus.locate(int(position))
        if group.focus is not None or group.steps > TRACED_STEPS:
            continue
        row = int(rng.integers(implementation.rows))
        column = int(rng.integers(implementation.columns))
        trace_sum(group, tile, row, column, stimulus.tile_words(int(position), row, column))
        traced += group.steps
    return met


def _length_bins(stimulus: Stimulus, *, quick: bool) -> Iterator[Bin]:
    """Lengths of sums, in steps."""
    config = stimulus.design.mac
    limit = max_steps(config)
    lengths = stimulus.steps

    def bin_of(name: str, steps: int, hits: NDArray[np.bool_], reason: str) -> Bin:
        return Bin(name, int(hits.sum()), limit is None or steps <= limit, reason)

    too_long = f"a sum has at most {limit} steps"
    yield bin_of("sum: one step", 1, lengths == 1, too_long)
    yield bin_of("sum: two steps", 2, lengths == 2, too_long)
    if (chunk := chunk_steps(config)) is not None:
        if chunk > 1:
            yield bin_of(
                "sum: one step short of a chunk", chunk - 1, lengths == chunk - 1, too_long
            )
        yield bin_of("sum: exactly one chunk", chunk, lengths == chunk, too_long)
        yield bin_of("sum: one step over a chunk", chunk + 1, lengths == chunk + 1, too_long)
        several = (lengths >= 2 * chunk) & (lengths % chunk == 0)
        yield bin_of("sum: several whole chunks", 2 * chunk, several, too_long)
        partial = (lengths > 2 * chunk) & (lengths % chunk != 0)
        if chunk > 1:
            yield bin_of("sum: several chunks, the last partial", 2 * chunk + 1, partial, too_long)
    if limit is not None:
        yield Bin(
            "sum: as long as the accumulator is built for",
            int((lengths == limit).sum()),
            longest_sum_steps(stimulus.design, quick=quick) is not None,
            f"{limit} steps are too many to try",
        )


def stimulus_coverage(stimulus: Stimulus, *, seed: int, quick: bool) -> list[Bin]:
    """Bins of operands, products, sums and events of a stream stimulus."""
    config = stimulus.design.mac
    a, b, _ = stimulus.beats()
    bins = list(operand_bins(config, a.reshape(len(a), -1), b.reshape(len(b), -1)))
    short = [_all_pairs(group) for group in stimulus.groups if group.steps <= 3]
    flat_a, flat_b = (np.concatenate([pair[side] for pair in short]) for side in (0, 1))
    bins += cross_bins(config, flat_a, flat_b)
    bins += pair_bin(config, flat_a, flat_b, quick=quick)
    bins += _length_bins(stimulus, quick=quick)
    bins += _event_bins(config, _trace(stimulus, seed=seed))
    return bins


def unit_coverage(stimulus: UnitStimulus, *, seed: int, quick: bool) -> list[Bin]:
    """Bins of operands, products and events of a unit's vectors."""
    config = stimulus.design.mac
    bins = list(operand_bins(config, stimulus.a, stimulus.b))
    flat_a, flat_b = stimulus.a.reshape(-1), stimulus.b.reshape(-1)
    bins += cross_bins(config, flat_a, flat_b)
    bins += pair_bin(config, flat_a, flat_b, quick=quick)
    tracer = sum_tracer(config)
    derived = required_events(config)
    met: dict[str, int] = {}
    rng = np.random.default_rng(seed)
    directed = np.arange(stimulus.count - stimulus.directed, stimulus.count)
    others = rng.permutation(stimulus.count - stimulus.directed)
    # a unit does not read a result
    wanted = {name for name in derived.required if not name.startswith("output: ")}
    if config.product is not None:
        met.update(_product_events(config, _shuffled_pairs(flat_a, flat_b, rng)))
    for index, vector in enumerate(np.concatenate((directed, others)).tolist()):
        if index >= len(directed) + TRACED_STEPS and (
            wanted <= met.keys() or index >= len(directed) + MOST_TRACED_STEPS
        ):
            break
        partial_sum = words_to_int(stimulus.partial_sums[vector])
        products = list(zip(stimulus.a[vector].tolist(), stimulus.b[vector].tolist(), strict=True))
        _, events = tracer.step(
            partial_sum,
            products,
            chunk_end=bool(stimulus.chunk_end[vector]),
            random=None if stimulus.random is None else int(stimulus.random[vector]),
        )
        for event in events:
            met[event] = met.get(event, 0) + 1
    bins += [each for each in _event_bins(config, met) if not each.name.startswith("output: ")]
    return bins


def stream_bins(design: Design, counters: dict[str, int], *, was_reset: bool) -> list[Bin]:
    """Bins of what happened on the streams, from the harness's counters."""
    is_stream = design.implementation.form == "stream"
    reason = "a unit has no streams"
    names = {
        "stream: input stalled": "input_stall_cycles",
        "stream: input paused": "input_gap_cycles",
        "stream: output stalled": "output_stall_cycles",
    }
    bins = [Bin(name, counters.get(key, 0), is_stream, reason) for name, key in names.items()]
    # an array takes last beats no faster than its rows leave, so sums of one step have pauses
    limit = max_steps(design.mac)
    has_pauses = design.implementation.rows > 1 and limit is not None and limit < 2
    bins.append(
        Bin(
            "stream: sums back to back",
            counters.get("back_to_back_sums", 0),
            is_stream and not has_pauses,
            "sums of one step wait for the rows of results" if is_stream else reason,
        )
    )
    bins.append(Bin("stream: reset in the middle of a sum", int(was_reset), is_stream, reason))
    return bins
