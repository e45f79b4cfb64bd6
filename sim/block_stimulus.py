"""What a design of block formats is fed with: operands and scales, beat by beat.

A unit gets vectors, a MAC sums of blocks; both have the directed sums of
`macsmith.sim.block_sums`, all operand pairs, all scale pairs, and random blocks whose magnitudes
lie close, so that they interact. In beats that end no block the scales are noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from macsmith.model import fast
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import FloatFormat
from macsmith.model.widths import mac_widths
from macsmith.sim.block_sums import (
    ZERO_PRODUCT,
    PlainBlock,
    add_block,
    directed_block_sums,
)
from macsmith.sim.expected import Words
from macsmith.sim.operands import random_codes
from macsmith.sim.sum_lengths import chunk_steps, max_steps, sum_lengths
from macsmith.sim.tile_groups import Codes
from macsmith.sim.unit_stimulus import int_words, operand_vectors
from numpy.typing import NDArray

__all__ = ["BlockStimulus", "block_expected", "make_block_stimulus"]

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class BlockStimulus:
    """Beats in playing order.

    Parameters
    ----------
    a, b
        (beats, lanes) codes.
    scales
        (beats, n) codes of the scales of A and B, of those that have one.
    ends
        (beats): of a stream whether the beat is its sum's last, of a unit whether it ends a block.
    partial_sums
        (beats, words) before each vector of a unit; None for a stream.
    reset_beats
        As of `macsmith.sim.bench_job.BenchJob`.
    """

    design: Design
    a: Codes
    b: Codes
    scales: Codes
    ends: Flags
    partial_sums: Words | None
    reset_beats: int = 0

    @property
    def count(self) -> int:
        """Number of beats."""
        return len(self.a)

    @property
    def product_count(self) -> int:
        """All products."""
        return int(self.a.size)

    @property
    def steps(self) -> NDArray[np.int64]:
        """Beats of each sum."""
        last = np.flatnonzero(self.ends)
        return np.diff(last, prepend=-1).astype(np.int64)

    @property
    def block_ends(self) -> Flags:
        """Which beats end a block."""
        chunk = chunk_steps(self.design.mac)
        assert chunk is not None
        if chunk == 1:
            return np.ones(self.count, dtype=np.bool_)
        if self.partial_sums is not None:
            return self.ends
        starts = np.cumsum(self.steps) - self.steps
        within = np.arange(self.count) - np.repeat(starts, self.steps)
        return np.asarray(self.ends | (within % chunk == chunk - 1))


@dataclass(frozen=True)
class _Sums:
    """Sums of one length: codes (sums, steps, lanes) and scales (sums, steps, n)."""

    a: Codes
    b: Codes
    scales: Codes


def _noise(config: MacConfig, rng: np.random.Generator, shape: tuple[int, ...]) -> Codes:
    """Any scales at all."""
    sides = [rng.integers(0, 1 << fmt.bits, shape) for fmt in config.scales]
    return np.stack(sides, axis=-1).astype(np.uint32)


def _near_scales(
    config: MacConfig, rng: np.random.Generator, centre: NDArray[np.float64], shape: tuple[int, ...]
) -> Codes:
    """Scales near a centre in 0..1; one in 32 is any."""
    sides = []
    # as often as not the scales nearly cancel, so that products stay within the accumulator
    opposite = np.where(rng.random(centre.shape) < 0.5, 1 - centre, centre)
    for fmt, middle in zip(config.scales, (centre, opposite), strict=False):
        top = (1 << fmt.bits) - 1
        step = 1 << (fmt.fraction_bits if isinstance(fmt, FloatFormat) else 0)
        near = np.rint(middle * top).astype(np.int64) + step * rng.integers(-2, 3, shape)
        near += rng.integers(0, step, shape)
        rare = rng.random(shape) < 1 / 32
        sides.append(np.where(rare, rng.integers(0, top + 1, shape), np.clip(near, 0, top)))
    return np.stack(sides, axis=-1).astype(np.uint32)


def _unit_scales(config: MacConfig) -> list[int]:
    """Plain scales, near the middle of their formats."""
    return [(1 << fmt.bits) // 2 - 1 for fmt in config.scales]


def _all_scales(config: MacConfig, rng: np.random.Generator, most: int) -> Codes:
    """All pairs of scales, or `most` of them, among which is every code of either."""
    bits = [fmt.bits for fmt in config.scales]
    total = sum(bits)
    if total <= 16 and 1 << total <= most:
        pairs = rng.permutation(1 << total)
    else:
        pairs = rng.integers(0, 1 << total, most)
    first = pairs & ((1 << bits[0]) - 1)
    if len(bits) == 1:
        return first[:, np.newaxis].astype(np.uint32)
    second = pairs >> bits[0]
    for side, codes in zip(bits, (first, second), strict=True):
        if side <= 10:
            every = rng.permutation(1 << side)
            codes[: len(every)] = every[: len(codes)]
    return np.stack((first, second), axis=-1).astype(np.uint32)


def _random_operands(
    config: MacConfig, rng: np.random.Generator, shape: tuple[int, ...]
) -> tuple[Codes, Codes]:
    """Operands with close exponents."""
    centre = rng.random((shape[0], *(1,) * (len(shape) - 1)))
    a, b = (random_codes(fmt, rng, shape, centre, 1) for fmt in (config.a, config.b))
    return a, b


def _blocks_as_sum(config: MacConfig, blocks: list[PlainBlock], rng: np.random.Generator) -> _Sums:
    """A sum of blocks, each padded with products of zero."""
    chunk = chunk_steps(config)
    assert chunk is not None
    assert config.block is not None
    shape = (len(blocks) * chunk, config.lanes)
    codes = np.full((len(blocks), config.block, 2), ZERO_PRODUCT, dtype=np.uint32)
    scales = _noise(config, rng, (1, shape[0]))
    for index, block in enumerate(blocks):
        at = rng.permutation(config.block)[: len(block.products)]
        codes[index, at] = block.products
        scales[0, (index + 1) * chunk - 1] = block.scales
    steps = codes.reshape(1, *shape, 2)
    return _Sums(steps[..., 0], steps[..., 1], scales)


def _stream_sums(config: MacConfig, rng: np.random.Generator, *, quick: bool) -> Iterator[_Sums]:
    """All sums of a stream."""
    limit = max_steps(config)
    a, b = operand_vectors(config, rng, quick=quick)
    steps = 1 if limit is None or limit >= 1 else limit
    plain = np.broadcast_to(np.array(_unit_scales(config)), (len(a), steps, len(config.scales)))
    yield _Sums(a[:, np.newaxis], b[:, np.newaxis], plain.astype(np.uint32))
    every = _all_scales(config, rng, 2000 if quick else 1 << 16)
    a, b = _random_operands(config, rng, (len(every), 1, config.lanes))
    yield _Sums(a, b, every[:, np.newaxis])
    for blocks in directed_block_sums(config):
        if limit is None or len(blocks) * (chunk_steps(config) or 1) <= limit:
            yield _blocks_as_sum(config, blocks, rng)
    lengths = sum_lengths(config, quick=quick)
    for length in lengths:
        count = max(2, min(1000, (3000 if quick else 30000) // len(lengths) // length))
        shape = (count, length)
        a, b = _random_operands(config, rng, (*shape, config.lanes))
        yield _Sums(a, b, _near_scales(config, rng, rng.random((count, 1)), shape))


def _stream_stimulus(design: Design, rng: np.random.Generator, *, quick: bool) -> BlockStimulus:
    config = design.mac
    sums = [
        (group.a[index], group.b[index], group.scales[index])
        for group in _stream_sums(config, rng, quick=quick)
        for index in range(len(group.a))
    ]
    order = rng.permutation(len(sums)).tolist()
    lengths = np.array([len(each[0]) for each in sums])
    # the first sum is short, to measure latency; in the second, a long one, comes a reset
    short, long = int(lengths.argmin()), int(lengths.argmax())
    rest = [index for index in order if index not in (short, long)]
    sums = [sums[index] for index in (short, long, *rest)]
    a, b, scales = (np.concatenate([each[side] for each in sums]) for side in range(3))
    ends = np.zeros(len(a), dtype=np.bool_)
    steps = np.array([len(each[0]) for each in sums])
    ends[np.cumsum(steps) - 1] = True
    reset_beats = int(steps[0] + max(steps[1] - 1, 1))
    return BlockStimulus(design, a, b, scales, ends, None, reset_beats)


def _close_partial_sums(
    config: MacConfig, rng: np.random.Generator, a: Codes, b: Codes, scales: Codes
) -> list[int]:
    """Outer partial sums close to the negative of what the block adds, corners and random ones."""
    outer = mac_widths(config).outer
    assert outer is not None
    count, words = len(a), -(-mac_widths(config).partial_sum_bits // 64)
    zeros = np.zeros((count, words) if words > 1 else count, dtype=np.uint64)
    after = fast.step(config, zeros, a, b, True, None, scales).reshape(count, -1)
    shift = mac_widths(config).inner_state_bits
    sums: list[int] = []
    for index in range(count):
        reached = int.from_bytes(after[index].tobytes(), "little") >> shift
        kind = int(rng.integers(0, 8))
        if outer.format is not None:
            sign = 1 << outer.format.magnitude_bits
            near = (reached ^ sign) + int(rng.integers(-3, 4))
            choices = [0, sign, outer.format.max_magnitude_code, int(rng.integers(0, 2 * sign))]
        else:
            mask = (1 << outer.integer_bits) - 1
            near = (-reached + int(rng.integers(-3, 4))) & mask
            number = int.from_bytes(rng.bytes(-(-outer.integer_bits // 8)), "little")
            flags = int(rng.integers(1, 1 << outer.flag_bits)) if outer.flag_bits else 0
            choices = [0, 1, flags << outer.integer_bits, number >> int(rng.integers(0, 8)) & mask]
        number = choices[kind] if kind < 4 else near
        sums.append(number % (1 << outer.bits))
    return sums


def _unit_stimulus(design: Design, rng: np.random.Generator, *, quick: bool) -> BlockStimulus:
    config = design.mac
    widths = mac_widths(config)
    parts: list[tuple[Codes, Codes, Codes]] = []
    a, b = operand_vectors(config, rng, quick=quick)
    centre = rng.random(len(a))
    parts.append((a, b, _near_scales(config, rng, centre, (len(a),))))
    every = _all_scales(config, rng, 2000 if quick else 1 << 16)
    parts.append((*_random_operands(config, rng, (len(every), config.lanes)), every))
    a, b, scales = (np.concatenate([part[side] for part in parts]) for side in range(3))
    outer = _close_partial_sums(config, rng, a, b, scales)
    inner = [0] * len(a)
    ends = np.ones(len(a), dtype=np.bool_)
    if widths.inner_state_bits:
        # what is kept of a block is what its products can have come to
        largest = config.block or 1
        limit = (largest - config.lanes) * widths.term.max_integer
        mask = (1 << widths.inner.integer_bits) - 1
        sizes = rng.integers(0, limit.bit_length() + 1, len(a)).tolist()
        inner = [int(rng.integers(-1, 2)) * (limit >> size) & mask for size in sizes]
        ends = rng.random(len(a)) < 0.75
    directed = list(_directed_vectors(config, rng))
    numbers = [
        high << widths.inner_state_bits | low for high, low in zip(outer, inner, strict=True)
    ]
    numbers += [before << widths.inner_state_bits for before, *_ in directed]
    words = -(-widths.partial_sum_bits // 64)
    return BlockStimulus(
        design,
        np.concatenate([a, *(each.a[0] for _, each in directed)]),
        np.concatenate([b, *(each.b[0] for _, each in directed)]),
        np.concatenate([scales, *(each.scales[0] for _, each in directed)]),
        np.concatenate((ends, np.ones(len(directed), dtype=np.bool_))),
        int_words(numbers, words),
    )


def _directed_vectors(config: MacConfig, rng: np.random.Generator) -> Iterator[tuple[int, _Sums]]:
    """Blocks of the directed sums that fit in one step, each with the outer sum before it."""
    seen: set[tuple[int, PlainBlock]] = set()
    for blocks in directed_block_sums(config):
        partial_sum = 0
        for block in blocks:
            if (partial_sum, block) not in seen:
                seen.add((partial_sum, block))
                products = block.products[: config.lanes]
                codes = np.full((1, 1, config.lanes, 2), ZERO_PRODUCT, dtype=np.uint32)
                codes[0, 0, rng.permutation(config.lanes)[: len(products)]] = products
                scales = np.array([[block.scales]], dtype=np.uint32)
                yield partial_sum, _Sums(codes[..., 0], codes[..., 1], scales)
            partial_sum = add_block(config, partial_sum, block)


def make_block_stimulus(design: Design, *, seed: int = 1, quick: bool = False) -> BlockStimulus:
    """Everything a design of block formats is checked with; the same seed gives the same beats."""
    rng = np.random.default_rng(seed)
    if design.implementation.form == "unit":
        return _unit_stimulus(design, rng, quick=quick)
    return _stream_stimulus(design, rng, quick=quick)


def block_expected(stimulus: BlockStimulus) -> tuple[Words, Words]:
    """What must come out, and the state after each beat, from the fast golden model.

    Returns
    -------
    expected : (results, words)
        Next partial sums of a unit's vectors, results of a stream's sums.
    states : (beats, words)
        Partial sums after each beat.
    """
    config = stimulus.design.mac
    widths = mac_widths(config)
    words = -(-widths.partial_sum_bits // 64)

    def step(before: Words, beats: NDArray[np.int64]) -> Words:
        after = fast.step(
            config,
            before if words > 1 else before[:, 0],
            stimulus.a[beats],
            stimulus.b[beats],
            stimulus.block_ends[beats],
            None,
            stimulus.scales[beats],
        )
        return after.reshape(len(beats), words)

    if stimulus.partial_sums is not None:
        after = step(stimulus.partial_sums, np.arange(stimulus.count))
        return after, after
    states = np.zeros((stimulus.count, words), dtype=np.uint64)
    steps = stimulus.steps
    starts = np.cumsum(steps) - steps
    state = np.zeros((len(steps), words), dtype=np.uint64)
    for index in range(int(steps.max())):
        active = np.flatnonzero(steps > index)
        state[active] = step(state[active], starts[active] + index)
        states[starts[active] + index] = state[active]
    results = fast.result(config, state if words > 1 else state[:, 0])
    return results.reshape(len(steps), -1), states
