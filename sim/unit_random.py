"""Vectors of a unit by the million: random, but such that partial sums and products meet."""

import numpy as np
from macsmith.model import fast
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import FloatFormat
from macsmith.model.widths import PartialSumWidths, mac_widths
from macsmith.sim.random_words import chosen_words
from macsmith.sim.tile_groups import EXHAUSTIVE_BITS, Codes
from macsmith.sim.unit_stimulus import UnitStimulus, fixed_limit, reachable_codes
from numpy.typing import NDArray

__all__ = ["random_unit_vectors"]


def random_unit_vectors(design: Design, seed: int, count: int) -> UnitStimulus:
    """Vectors of a ``unit``: where A and B have up to 16 bits together, every pair of codes in
    turn (in each lane, in another order), else random codes; partial sums of all kinds.

    A third of the partial sums is random in all bits (integers: of random length), a third cancels
    the products but for a few of its last places, a third has an exponent near theirs (integers:
    the sum crosses a power of two, so that a carry runs far). Where pairs are random, one A in
    sixteen is zero.

    Parameters
    ----------
    seed
        Another one gives other vectors.
    count
        How many.
    """
    config = design.mac
    widths = mac_widths(config)
    rng = np.random.default_rng((seed, count))
    a, b = _operands(config, rng, count)
    with np.errstate(invalid="ignore", over="ignore"):
        products = (fast.decode(config.a, a) * fast.decode(config.b, b)).sum(axis=1)
    products = np.where(np.isfinite(products), products, 0.0)
    words = -(-widths.partial_sum_bits // 64)
    sums = np.zeros((count, words), dtype=np.uint64)
    _place(sums, 0, _partial_sums(config, widths.inner, rng, products))
    chunk_end = np.zeros(count, dtype=np.bool_)
    if widths.outer is not None:
        _place(sums, widths.inner.bits, _partial_sums(config, widths.outer, rng, products))
        chunk_end = rng.random(count) < 0.5
    random = chosen_words(design, count, seed) if config.random_bits else None
    return UnitStimulus(design, a, b, sums, chunk_end, 0, random)


def _operands(config: MacConfig, rng: np.random.Generator, count: int) -> tuple[Codes, Codes]:
    shape = (count, config.lanes)
    pair_bits = config.a.bits + config.b.bits
    if pair_bits > EXHAUSTIVE_BITS:
        a = rng.integers(0, 1 << config.a.bits, shape, dtype=np.uint32)
        a[rng.integers(0, 16, count) == 0] = 0
        return a, rng.integers(0, 1 << config.b.bits, shape, dtype=np.uint32)
    lanes = []
    for _ in range(config.lanes):
        # an odd factor visits all
        factor = int(rng.integers(0, 1 << pair_bits)) | 1
        start = int(rng.integers(0, 1 << pair_bits))
        steps = np.arange(count, dtype=np.uint64) * np.uint64(factor) + np.uint64(start)
        lanes.append((steps & np.uint64((1 << pair_bits) - 1)).astype(np.uint32))
    pairs = np.stack(lanes, axis=1)
    return pairs >> np.uint32(config.b.bits), pairs & np.uint32((1 << config.b.bits) - 1)


def _place(sums: NDArray[np.uint64], at: int, words: NDArray[np.uint64]) -> None:
    """OR numbers into wide ones from a bit on."""
    for index in range(words.shape[1]):
        word, shift = divmod(at + 64 * index, 64)
        sums[:, word] |= words[:, index] << np.uint64(shift)
        if shift and word + 1 < sums.shape[1]:
            sums[:, word + 1] |= words[:, index] >> np.uint64(64 - shift)


def _partial_sums(
    config: MacConfig,
    widths: PartialSumWidths,
    rng: np.random.Generator,
    products: NDArray[np.float64],
) -> NDArray[np.uint64]:
    kind = rng.integers(0, 3, len(products))
    if isinstance(widths.format, FloatFormat):
        return _float_sums(config, widths.format, rng, products, kind)[:, np.newaxis]
    return _fixed_sums(config, widths, rng, products, kind)


def _float_sums(
    config: MacConfig,
    fmt: FloatFormat,
    rng: np.random.Generator,
    products: NDArray[np.float64],
    kind: NDArray[np.int64],
) -> NDArray[np.uint64]:
    count, top = len(products), (1 << fmt.bits) - 1
    uniform = rng.integers(0, 1 << fmt.bits, count)
    spread = 1 << min(fmt.fraction_bits, 4)
    close = fast.encode(fmt, -products).astype(np.int64) + rng.integers(-spread, spread + 1, count)
    reach = fmt.fraction_bits + 3
    scale = np.ldexp(1 + rng.random(count), rng.integers(-reach, reach + 1, count))
    near = fast.encode(fmt, products * scale * rng.choice([-1.0, 1.0], count)).astype(np.int64)
    codes = np.where(kind == 0, uniform, np.where(kind == 1, np.clip(close, 0, top), near))
    return reachable_codes(config, fmt, codes.astype(np.uint32)).astype(np.uint64)


def _fixed_sums(
    config: MacConfig,
    widths: PartialSumWidths,
    rng: np.random.Generator,
    products: NDArray[np.float64],
    kind: NDArray[np.int64],
) -> NDArray[np.uint64]:
    """Two's complement of random length within what may stand before a step, flags above it."""
    count, words = len(products), -(-(widths.integer_bits + widths.flag_bits) // 64)
    limit = fixed_limit(config, widths)
    result = np.zeros((count, words), dtype=np.uint64)
    length = rng.integers(0, max(limit.bit_length(), 1), count)
    negative = rng.integers(0, 2, count).astype(np.bool_)
    for word in range(words):
        here = np.clip(length - 64 * word, 0, 64).astype(np.uint64)
        full = rng.integers(0, 1 << 64, count, dtype=np.uint64)
        # a shift by 64 is none
        result[:, word] = np.where(here == 0, 0, full >> (np.uint64(64) - np.maximum(here, 1)))
    result[negative] = ~result[negative]  # below limit.bit_length(): fits
    if limit < 1 << 62:
        units = np.clip(np.ldexp(products, -widths.lsb_exponent), -(2.0**62), 2.0**62)
        near = -units.astype(np.int64) + rng.integers(-3, 4, count)
        power = np.int64(1) << rng.integers(0, max(limit.bit_length(), 1), count)
        across = np.where(negative, -power, power) - (units * rng.random(count)).astype(np.int64)
        near = np.clip(np.where(kind == 2, across, near), -limit, limit)
        result[:, 0] = np.where(kind == 0, result[:, 0], near.view(np.uint64))
        for word in range(1, words):
            sign = (near >> 63).view(np.uint64)
            result[:, word] = np.where(kind == 0, result[:, word], sign)
    mask = (1 << widths.integer_bits) - 1
    for word in range(words):
        result[:, word] &= np.uint64(mask >> 64 * word & (2**64 - 1))
    if widths.flag_bits:
        flags = rng.integers(1, 1 << widths.flag_bits, (count, 1), dtype=np.uint64)
        flags[rng.random(count) >= 0.02] = 0
        _place(result, widths.integer_bits, flags)
    return result
