"""What a unit is fed with: operands, a partial sum, and whether a chunk ends."""

from dataclasses import dataclass

import numpy as np
from macsmith.model import fast, golden
from macsmith.model.accumulators import ChunkedAccumulator, IntAccumulator, IntOverflow
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import Format
from macsmith.model.widths import MacWidths, PartialSumWidths, mac_widths
from macsmith.sim.directed import directed_sums
from macsmith.sim.expected import Words, words_to_int
from macsmith.sim.operands import class_codes, corner_codes, random_codes
from macsmith.sim.random_words import RandomWords, chosen_words
from macsmith.sim.tile_groups import ALL_CODES_BITS, EXHAUSTIVE_BITS, Codes
from macsmith.sim.trace import sum_tracer
from numpy.typing import NDArray

__all__ = [
    "UnitStimulus",
    "int_words",
    "make_unit_stimulus",
    "operand_vectors",
    "unit_expected",
    "unit_spot_check",
]


@dataclass(frozen=True)
class UnitStimulus:
    """Vectors of a unit: A and B codes (vectors, lanes), partial sums (vectors, words), and chunk
    ends (vectors). `directed` is the number of the last vectors that follow the directed sums;
    `random` are the random words (vectors), None if nothing is random."""

    design: Design
    a: Codes
    b: Codes
    partial_sums: Words
    chunk_end: NDArray[np.bool_]
    directed: int
    random: RandomWords | None = None

    @property
    def count(self) -> int:
        """Number of vectors."""
        return len(self.a)

    @property
    def product_count(self) -> int:
        """All products."""
        return int(self.a.size)


def int_words(numbers: list[int], words: int) -> Words:
    packed = b"".join(number.to_bytes(8 * words, "little") for number in numbers)
    return np.frombuffer(packed, dtype="<u8").reshape(len(numbers), words).astype(np.uint64)


def fixed_limit(config: MacConfig, widths: PartialSumWidths) -> int:
    """Largest magnitude, in units, of a partial sum that may stand before a step."""
    half = 1 << (widths.integer_bits - 1)
    accumulator = widths.accumulator
    if isinstance(accumulator, IntAccumulator) and accumulator.overflow is not IntOverflow.FORBID:
        return half - 1
    bound = mac_widths(config)
    if widths is bound.inner:
        return max(half - 1 - config.lanes * bound.term.max_integer, 0)
    # outer: the greatest chunk must still fit
    chunk_terms = widths.max_terms or 1
    return max((half - 1) // chunk_terms * (chunk_terms - 1), 0)


def reachable_codes(config: MacConfig, fmt: Format, codes: Codes) -> Codes:
    """Float inner sums, with 0 for those that a fixed-point outer accumulator has no bits for:
    sums of products are multiples of its unit, and specials only those that can arise."""
    outer = mac_widths(config).outer
    if outer is None or outer.format is not None:
        return codes
    values = fast.decode(fmt, codes)
    finite = np.where(np.isfinite(values), values, 0.0)
    units = np.ldexp(finite, -outer.lsb_exponent)
    is_kept = units == np.rint(units)
    is_kept &= ~np.isnan(values) | (outer.flag_bits > 0)
    is_kept &= ~np.isinf(values) | (outer.flag_bits == 2)
    return np.where(is_kept, codes, 0).astype(np.uint32)


def _partial_sums(
    config: MacConfig,
    widths: PartialSumWidths,
    rng: np.random.Generator,
    products: NDArray[np.float64],
) -> list[int]:
    """Partial sums of one accumulator, one for each vector: zero, corners, random, and close to
    the negative of the vector's products."""
    count = len(products)
    kind = rng.integers(0, 8, count)
    finite = np.where(np.isfinite(products), products, 0.0)
    if widths.code_format is not None:
        fmt = widths.code_format
        corners = np.array(corner_codes(fmt), dtype=np.uint32)
        chosen = corners[rng.integers(0, len(corners), count)]
        close = fast.encode(fmt, -finite).astype(np.int64) + rng.integers(-2, 3, count)
        close = np.clip(close, 0, (1 << fmt.bits) - 1).astype(np.uint32)
        centre = rng.random(count)
        result = np.where(kind == 0, 0, chosen)
        result = np.where(kind >= 2, random_codes(fmt, rng, (count,), centre, 1), result)
        result = np.where(kind >= 5, close, result)
        return [int(code) for code in reachable_codes(config, fmt, result)]
    limit = fixed_limit(config, widths)
    mask = (1 << widths.integer_bits) - 1
    bits = limit.bit_length()
    unit = 2.0**-widths.lsb_exponent if abs(widths.lsb_exponent) < 1000 else 1.0
    numbers = []
    for index in range(count):
        if kind[index] == 0:
            number = 0
        elif kind[index] == 1:
            number = int(rng.choice([1, -1, 2, -2])) if rng.random() < 0.5 else limit
        elif kind[index] == 4 and bits:
            # the sum crosses a power of two: a carry runs far
            power = int(rng.choice([1, -1])) << int(rng.integers(0, bits))
            number = power - int(finite[index] * unit * rng.random())
        elif kind[index] < 5:
            length = int(rng.integers(1, bits + 1)) if bits else 0
            raw = int.from_bytes(rng.bytes(length // 8 + 1), "little") & ((1 << length) - 1)
            number = -raw if rng.random() < 0.5 else raw
        else:
            number = -int(finite[index] * unit) + int(rng.integers(-2, 3))
        number = min(max(number, -limit), limit)
        flags = (
            int(rng.integers(1, 1 << widths.flag_bits))
            if rng.random() < 0.02 and (widths.flag_bits)
            else 0
        )
        numbers.append(flags << widths.integer_bits | (number & mask))
    return numbers


def operand_vectors(
    config: MacConfig, rng: np.random.Generator, *, quick: bool
) -> tuple[Codes, Codes]:
    """Operand vectors: all pairs where there are few, corners, and random ones."""
    lanes = config.lanes
    parts_a: list[Codes] = []
    parts_b: list[Codes] = []
    if config.a.bits + config.b.bits <= EXHAUSTIVE_BITS:
        pairs = rng.permutation(1 << (config.a.bits + config.b.bits)).astype(np.uint32)
        if quick:
            pairs = pairs[:2000]
        # close magnitudes side by side, so that the lanes of a step interact
        pairs = np.resize(pairs, -(-len(pairs) // lanes) * lanes)
        with np.errstate(invalid="ignore"):  # infinity times 0
            values = np.abs(
                fast.decode(config.a, pairs >> np.uint32(config.b.bits))
                * fast.decode(config.b, pairs & np.uint32((1 << config.b.bits) - 1))
            )
        if lanes > 1:
            pairs = pairs[np.argsort(np.nan_to_num(values, nan=np.inf), kind="stable")]
        pairs = pairs.reshape(-1, lanes)
        repeats = 1 if quick else max(1, min(4, 400_000 // len(pairs)))
        for _ in range(repeats):
            turned = rng.permuted(pairs, axis=1)
            parts_a.append(turned >> np.uint32(config.b.bits))
            parts_b.append(turned & np.uint32((1 << config.b.bits) - 1))
    # one product of every two classes, the other lanes zero
    crossed = [(x, y) for x in class_codes(config.a) for y in class_codes(config.b)]
    for side, parts in ((0, parts_a), (1, parts_b)):
        codes = np.zeros((len(crossed), lanes), dtype=np.uint32)
        codes[np.arange(len(crossed)), np.arange(len(crossed)) % lanes] = [
            pair[side] for pair in crossed
        ]
        parts.append(codes)
    small = [1 << fmt.bits for fmt in (config.a, config.b) if fmt.bits <= ALL_CODES_BITS]
    for fmt, parts in ((config.a, parts_a), (config.b, parts_b)):
        if small:
            every = rng.permutation(max(small)) % (1 << fmt.bits)
            filled = np.resize(every, -(-len(every) // lanes) * lanes)
            parts.append(filled.reshape(-1, lanes).astype(np.uint32))
    count = 1000 if quick else 20000
    for fmt, parts in ((config.a, parts_a), (config.b, parts_b)):
        corners = np.array(corner_codes(fmt), dtype=np.uint32)
        parts.append(corners[rng.integers(0, len(corners), (count // 4, lanes))])
        parts.append(random_codes(fmt, rng, (count, lanes), rng.random((count, 1)), 1))
    return np.concatenate(parts_a), np.concatenate(parts_b)


def _directed_vectors(config: MacConfig) -> list[tuple[int, list[tuple[int, int]], bool]]:
    """Every step of the directed sums: partial sum before it, products, chunk end."""
    tracer = sum_tracer(config)
    chunk = (
        config.accumulator.length // config.lanes
        if isinstance(config.accumulator, ChunkedAccumulator)
        else None
    )
    seen: dict[tuple[int, tuple[tuple[int, int], ...], bool], None] = {}
    for steps in directed_sums(config):
        partial_sum = 0
        for index, products in enumerate(steps):
            is_end = chunk is not None and ((index + 1) % chunk == 0 or index + 1 == len(steps))
            seen[partial_sum, tuple(products), is_end] = None
            partial_sum, _ = tracer.step(
                partial_sum, products, chunk_end=is_end, random=tracer.middle_word
            )
    return [(before, list(products), is_end) for before, products, is_end in seen]


def _swept_sums(config: MacConfig, widths: MacWidths) -> list[int]:
    """Every code of a float accumulator of up to 16 bits, to which products of 0 are added."""
    fmt = widths.inner.code_format
    if fmt is None or fmt.bits > EXHAUSTIVE_BITS:
        return []
    codes = reachable_codes(config, fmt, np.arange(1 << fmt.bits, dtype=np.uint32))
    return [int(code) for code in codes]


def make_unit_stimulus(design: Design, *, seed: int = 1, quick: bool = False) -> UnitStimulus:
    """Everything a unit is checked with; the same seed gives the same vectors.

    Raises
    ------
    ValueError
        The design is no unit.
    """
    if design.implementation.form != "unit":
        raise ValueError(f"{design.text}: a unit stimulus is for the form unit")
    config = design.mac
    widths = mac_widths(config)
    rng = np.random.default_rng(seed)
    a, b = operand_vectors(config, rng, quick=quick)
    with np.errstate(invalid="ignore", over="ignore"):
        products = (fast.decode(config.a, a) * fast.decode(config.b, b)).sum(axis=1)
    inner = _partial_sums(config, widths.inner, rng, products)
    numbers = inner
    chunk_end = np.zeros(len(a), dtype=np.bool_)
    if widths.outer is not None:
        outer = _partial_sums(config, widths.outer, rng, products)
        numbers = [high << widths.inner.bits | low for high, low in zip(outer, inner, strict=True)]
        chunk_end = rng.random(len(a)) < 0.5
    if not quick:
        swept = _swept_sums(config, widths)
        zeros = np.zeros((len(swept), config.lanes), dtype=np.uint32)
        a, b, numbers = np.concatenate((a, zeros)), np.concatenate((b, zeros)), numbers + swept
        chunk_end = np.concatenate((chunk_end, np.zeros(len(swept), np.bool_)))
    directed = _directed_vectors(config)
    codes = np.array([products for _, products, _ in directed], dtype=np.uint32)
    codes = codes.reshape(len(directed), config.lanes, 2)
    words = -(-widths.partial_sum_bits // 64)
    numbers += [before for before, _, _ in directed]
    count = len(a) + len(directed)
    return UnitStimulus(
        design,
        np.concatenate((a, codes[:, :, 0])),
        np.concatenate((b, codes[:, :, 1])),
        int_words(numbers, words),
        np.concatenate((chunk_end, np.array([is_end for _, _, is_end in directed], np.bool_))),
        len(directed),
        chosen_words(design, count, seed) if config.random_bits else None,
    )


def unit_expected(stimulus: UnitStimulus) -> Words:
    """Next partial sums (vectors, words), from the fast golden model."""
    config = stimulus.design.mac
    partial_sums = stimulus.partial_sums
    if partial_sums.shape[1] == 1:
        partial_sums = partial_sums[:, 0]
    after = fast.step(
        config, partial_sums, stimulus.a, stimulus.b, stimulus.chunk_end, stimulus.random
    )
    return after.reshape(stimulus.count, -1)


def unit_spot_check(stimulus: UnitStimulus, expected: Words, *, seed: int, products: int) -> int:
    """Recompute some vectors with the definitional golden model.

    Parameters
    ----------
    expected
        What `unit_expected` gave.
    products
        How many products to spend on it, roughly.

    Returns
    -------
    int
        Vectors recomputed.

    Raises
    ------
    RuntimeError
        The two golden models differ: a bug in macsmith, not in the design.
    """
    config = stimulus.design.mac
    count = max(1, products // config.lanes)
    chosen = np.random.default_rng(seed).permutation(stimulus.count)[:count]
    for vector in chosen.tolist():
        before = words_to_int(stimulus.partial_sums[vector])
        a, b = stimulus.a[vector].tolist(), stimulus.b[vector].tolist()
        is_end = bool(stimulus.chunk_end[vector])
        random = None if stimulus.random is None else int(stimulus.random[vector])
        wanted = golden.step(config, before, a, b, chunk_end=is_end, random=random)
        got = words_to_int(expected[vector])
        if wanted != got:
            raise RuntimeError(
                f"{stimulus.design.text}: the golden models differ, definition {wanted:#x}, "
                f"fast {got:#x}, for partial sum {before:#x}, a={a} b={b} chunk_end={is_end} "
                f"random={random}"
            )
    return len(chosen)
