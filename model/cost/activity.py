"""What operand streams do, in a few numbers: toggle rates of the words on their way to the sum.

Energy grows with how often bits change. These statistics are of consecutive steps of one MAC:
its operands, their significands' product, that product at its place, and the sum with its carries.
They need codes and the model of the accumulator, no netlist.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from macsmith.model.accumulators import AlignedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.cost.words import (
    Codes,
    Reals,
    Significands,
    States,
    chunk_steps,
    exponents_of,
    flipped,
    mixed,
    run_states,
    significands,
)
from macsmith.model.widths import mac_widths
from numpy.typing import NDArray

__all__ = ["STATISTICS", "OperandStatistics", "operand_statistics"]

#: Bits beyond which the low places of a fixed-point word are not followed.
_WIDEST = 60

Signs = NDArray[np.int64]


@dataclass(frozen=True)
class OperandStatistics:
    """Statistics of steps that come after each other, means over lanes.

    Toggles are shares of a word's bits that change from one step to the next, 0 to 1; where a word
    is *mixed*, as many of its bits rise as fall (both counted), so that carries meet.

    Attributes
    ----------
    a_toggles, b_toggles
        Of the operands' codes.
    partial_toggles, partial_mixed
        Of the partial products, one bit of a significand times one of the other.
    significand_toggles, significand_mixed
        Of the product of the significands.
    exponent_toggles, moved_toggles
        Of the sum of the exponents, in as many bits as its range needs: all, and those in steps
        before or after which the product is not 0.
    sign_changes
        Share of products whose sign differs from that of the last.
    product_changes
        Share of products that differ from the one before.
    placed_toggles, product_toggles, product_mixed
        Of the product at its place in fixed point (with aligned accumulators: under the largest
        exponent), its magnitude, and that inverted where the product is negative (-0 too); of
        integers the product in two's complement.
    ripple_toggles
        Of where the 1 is carried on that makes the inverted magnitude a negative number.
    total_toggles, total_mixed
        Of the sum of all lanes' products, in two's complement.
    carry_toggles, sum_toggles
        Of the carries where that total meets the partial sum, and of what comes out.
    aligned_toggles
        Of both operands of that addition: the mean.
    distance_toggles, normalise_toggles
        Of the distance of their exponents, and of the result's from the larger; 0 in fixed point.
    state_toggles, state_changes
        Of the accumulator's bits, and share of steps in which they change.
    """

    a_toggles: float
    b_toggles: float
    partial_toggles: float
    partial_mixed: float
    significand_toggles: float
    significand_mixed: float
    exponent_toggles: float
    moved_toggles: float
    sign_changes: float
    product_changes: float
    placed_toggles: float
    product_toggles: float
    product_mixed: float
    ripple_toggles: float
    total_toggles: float
    total_mixed: float
    carry_toggles: float
    sum_toggles: float
    aligned_toggles: float
    distance_toggles: float
    normalise_toggles: float
    state_toggles: float
    state_changes: float


STATISTICS = tuple(field.name for field in fields(OperandStatistics))


def operand_statistics(
    mac: MacConfig,
    a: Codes,
    b: Codes,
    sum_products: int | None = None,
    scales: Codes | None = None,
) -> OperandStatistics:
    """Statistics of operand streams in a MAC.

    Parameters
    ----------
    mac
        Formats, lanes and accumulator.
    a, b
        Codes, ``[streams, products]`` (or of one stream, ``[products]``) in the order of the sum;
        product k goes to lane ``k % lanes``.
    sum_products
        Products after which a sum begins anew; None: one sum.
    scales
        Of block formats: ``[streams, steps, n]``; None: scales of 1.

    Raises
    ------
    ValueError
        The shapes differ, or there are fewer than two steps.
    """
    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape, not {a.shape} and {b.shape}")
    lanes = mac.lanes
    steps = a.shape[-1] // lanes
    if steps < 2:
        raise ValueError(
            f"operand statistics: must have two steps of {lanes} products or more, not "
            f"{a.shape[-1]} products"
        )
    # [streams, steps, lanes]
    a, b = (codes.reshape(-1, a.shape[-1])[:, : steps * lanes] for codes in (a, b))
    a, b = (codes.reshape(len(codes), steps, lanes) for codes in (a, b))
    length = steps + 1 if sum_products is None else max(sum_products // lanes, 2)
    of_a, of_b = significands(mac.a, a), significands(mac.b, b)
    found = _of_operands(mac, a, b, of_a, of_b)
    states = run_states(mac, a, b, length, scales)
    products = of_a.values * of_b.values
    found |= _of_products(products, of_a, of_b)
    # a product of magnitudes is negated by its complement, even where it is 0
    is_complement = of_a.is_magnitude and of_b.is_magnitude
    signs = of_a.signs ^ of_b.signs if is_complement else np.zeros_like(of_a.signs)
    inner = mac_widths(mac).inner
    if inner.format is not None:
        top = of_a.precision + of_b.precision - 2
        tops = of_a.exponents + of_b.exponents + top
        found |= _of_float_sum(mac, products, signs, states, tops)
    else:
        found |= _of_fixed_sum(mac, products, signs, length)
    found["state_toggles"] = flipped(states.words, states.bits)
    found["state_changes"] = float((np.diff(states.words, axis=1) != 0).any(axis=-1).mean())
    return OperandStatistics(**found)


def _of_operands(
    mac: MacConfig, a: Codes, b: Codes, of_a: Significands, of_b: Significands
) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, fmt, codes in (("a", mac.a, a), ("b", mac.b, b)):
        found[f"{name}_toggles"] = flipped(codes, fmt.bits)
    # bits of the outer product that differ: those of the one, of the other, less both twice
    ones = [
        np.bitwise_count(word.astype(np.uint64)).astype(np.int64)
        for word in (of_a.words, of_b.words)
    ]
    kept = [
        np.bitwise_count((word[:, 1:] & word[:, :-1]).astype(np.uint64)).astype(np.int64)
        for word in (of_a.words, of_b.words)
    ]
    whole = ones[0] * ones[1]
    changed = whole[:, 1:] + whole[:, :-1] - 2 * kept[0] * kept[1]
    partials = of_a.bits * of_b.bits
    found["partial_toggles"] = float(changed.mean()) / partials
    fewest = np.minimum(whole[:, 1:], whole[:, :-1]) - kept[0] * kept[1]
    found["partial_mixed"] = 2.0 * float(fewest.mean()) / partials
    exponents = of_a.exponents + of_b.exponents
    bits = max(int(exponents.max() - exponents.min()), 0).bit_length()
    bits = max(bits, (of_a.exponent_range + of_b.exponent_range).bit_length())
    found["exponent_toggles"] = flipped(exponents - exponents.min(), bits) if bits else 0.0
    is_there = (of_a.integers != 0) & (of_b.integers != 0)
    seen = np.where(is_there[:, 1:] | is_there[:, :-1], exponents[:, 1:] ^ exponents[:, :-1], 0)
    found["moved_toggles"] = float(np.bitwise_count(seen).mean()) / max(bits, 1)
    return found


def _of_products(products: Reals, of_a: Significands, of_b: Significands) -> dict[str, float]:
    magnitudes = np.abs(of_a.integers * of_b.integers)
    signs = of_a.signs ^ of_b.signs
    return {
        "significand_toggles": flipped(magnitudes, of_a.precision + of_b.precision),
        "significand_mixed": mixed(magnitudes, of_a.precision + of_b.precision),
        "sign_changes": float((signs[:, 1:] != signs[:, :-1]).mean()),
        "product_changes": float((products[:, 1:] != products[:, :-1]).mean()),
    }


def _of_fixed_sum(mac: MacConfig, products: Reals, signs: Signs, length: int) -> dict[str, float]:
    """Words of a sum in fixed point, that begins anew after `length` steps and every chunk."""
    widths = mac_widths(mac)
    span, bits = widths.product.max_integer.bit_length(), widths.inner.integer_bits
    lost = max(bits - _WIDEST, span - _WIDEST, 0)
    words = _integers(products, widths.product.lsb_exponent + lost)
    found = _of_placed(words, signs, span - lost)
    bits = max(bits - lost, 2) if bits else span + length.bit_length() + 1 - lost
    chunk = chunk_steps(mac) or length
    totals = words.sum(axis=-1)
    before, after = np.zeros_like(totals), np.zeros_like(totals)
    running = np.zeros(len(totals), dtype=np.int64)
    in_sum = 0
    for step in range(totals.shape[1]):
        before[:, step] = running
        running = running + totals[:, step]
        after[:, step] = running
        in_sum += 1
        if in_sum % chunk == 0 or in_sum == length:
            running = np.zeros_like(running)
        in_sum = 0 if in_sum == length else in_sum
    lane_bits = min(span - lost + 1 + (mac.lanes - 1).bit_length(), bits)
    return found | {
        "total_toggles": flipped(totals, lane_bits),
        "total_mixed": mixed(totals, lane_bits),
        "carry_toggles": flipped(totals ^ before ^ after, bits),
        "sum_toggles": flipped(after, bits),
        "aligned_toggles": (flipped(totals, bits) + flipped(before, bits)) / 2,
        "distance_toggles": 0.0,
        "normalise_toggles": 0.0,
    }


def _of_float_sum(
    mac: MacConfig, products: Reals, signs: Signs, states: States, tops_of: NDArray[np.int64]
) -> dict[str, float]:
    """Words of a sum in a float format: what is added is placed under the larger exponent."""
    fmt = mac_widths(mac).inner.format
    assert fmt is not None
    width = mac_widths(mac)
    before = states.values[:, :-1]
    held = np.maximum(exponents_of(before), fmt.least_exponent + fmt.fraction_bits)
    totals = products.sum(axis=-1)
    accumulator = width.inner.accumulator
    if isinstance(accumulator, AlignedAccumulator):
        places = int(accumulator.fraction_bits)
        ends = np.maximum(exponents_of(products).max(-1), width.product.lsb_exponent)
        tops = np.maximum(ends, held)
        placed = np.trunc(np.ldexp(products, (places - tops)[..., np.newaxis])).astype(np.int64)
        found = _of_placed(placed, signs, places + 2)
        lane_bits = places + 2 + mac.lanes.bit_length()
        lane_totals = placed.sum(axis=-1)
    else:
        span = width.product.max_integer.bit_length()
        lost = max(span - _WIDEST + 6, 0)
        words = _integers(products, width.product.lsb_exponent + lost)
        found = _of_placed(words, signs, span - lost)
        lane_bits = span - lost + 1 + (mac.lanes - 1).bit_length()
        lane_totals = words.sum(axis=-1)
        places = fmt.fraction_bits + 3
        ends = np.maximum(exponents_of(totals), width.product.lsb_exponent)
        if mac.lanes == 1:  # by the exponents' fields, even where the product is 0
            ends = tops_of[..., 0] + width.product.lsb_exponent
        tops = np.maximum(ends, held)
    bits = places + 3
    addend = np.trunc(np.ldexp(totals, places - tops)).astype(np.int64)
    augend = np.trunc(np.ldexp(before, places - tops)).astype(np.int64)
    result = addend + augend
    distances = ends - held if mac.lanes == 1 else held
    distance_bits = fmt.exponent_bits + 1
    fallen = np.clip(places - exponents_of(result.astype(np.float64)), -2, places + 2)
    if mac.lanes == 1:
        sides = signs[..., 0] ^ (before < 0)
        addend_seen = np.abs(addend) ^ -sides
        found["ripple_toggles"] = flipped(_ripples(np.abs(addend), sides), bits)
    else:
        addend_seen = addend
    return found | {
        "total_toggles": flipped(lane_totals, lane_bits),
        "total_mixed": mixed(lane_totals, lane_bits),
        "carry_toggles": flipped(addend ^ augend ^ result, bits),
        "sum_toggles": flipped(result, bits),
        "aligned_toggles": (flipped(addend_seen, bits) + flipped(np.abs(augend), bits)) / 2,
        "distance_toggles": flipped(distances, distance_bits),
        "normalise_toggles": flipped(fallen, places.bit_length() + 1),
    }


def _integers(values: Reals, unit: int) -> NDArray[np.int64]:
    return np.trunc(np.ldexp(values, -unit)).astype(np.int64)


def _ripples(magnitudes: NDArray[np.int64], signs: Signs) -> NDArray[np.int64]:
    """Where the 1 that makes a complement a negative number is carried on: all places of a 0."""
    return np.where(signs > 0, ~magnitudes & (magnitudes - 1), 0)


def _of_placed(words: NDArray[np.int64], signs: Signs, bits: int) -> dict[str, float]:
    # of numbers in two's complement there are no signs, and the words stay as they are
    magnitudes = np.where(signs > 0, -words, words)
    negated = magnitudes ^ -signs
    return {
        "placed_toggles": flipped(np.abs(words), max(bits, 1)),
        "product_toggles": flipped(negated, max(bits, 1) + 1),
        "product_mixed": mixed(negated, max(bits, 1) + 1),
        "ripple_toggles": flipped(_ripples(np.abs(words), signs), max(bits, 1) + 1),
    }
