"""What operand streams do, in a few numbers: toggle rates, zeros, spread of exponents.

Energy grows with how often bits change. These statistics are of consecutive operands of one lane,
and of their products; they need the codes alone, no simulation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from macsmith.model.formats import Format, Special
from numpy.typing import NDArray

__all__ = ["STATISTICS", "OperandStatistics", "operand_statistics"]

Codes = NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class OperandStatistics:
    """Statistics of pairs of operands that come after each other in one lane.

    Attributes
    ----------
    a_toggles, b_toggles
        Share of the code's bits that change from one operand to the next, 0 to 1.
    a_changes, b_changes
        Share of operands that differ from the one before.
    product_zeros
        Share of products that are 0.
    sign_changes
        Share of products, of those that are not 0, whose sign differs from that of the last.
    exponent_spread
        Standard deviation of the binary logarithm of the products that are not 0.
    product_toggles
        Share of a product's bits that change, the product in two's complement in units of the
        smallest one, as wide as the largest needs.
    sum_toggles
        The same of the running exact sum from step to step, as wide as the largest sum needs.
    """

    a_toggles: float
    b_toggles: float
    a_changes: float
    b_changes: float
    product_zeros: float
    sign_changes: float
    exponent_spread: float
    product_toggles: float
    sum_toggles: float


STATISTICS = tuple(field.name for field in fields(OperandStatistics))


@cache
def _values(fmt: Format) -> NDArray[np.float64]:
    """Value of each code; those that are no numbers count as 0."""
    found = [fmt.decode(code) for code in range(1 << fmt.bits)]
    return np.array([0.0 if isinstance(value, Special) else float(value) for value in found])


def _toggles(codes: Codes, bits: int) -> tuple[float, float]:
    changed = np.bitwise_xor(codes[..., 1:], codes[..., :-1]).astype(np.uint64)
    ones = np.bitwise_count(changed)
    return float(ones.mean()) / bits, float((changed != 0).mean())


def _flipped(words: NDArray[np.int64], bits: int) -> float:
    """Share of `bits` in which words of the last axis differ from those before them."""
    changed = np.bitwise_xor(words[..., 1:], words[..., :-1]) & np.int64((1 << bits) - 1)
    return float(np.bitwise_count(changed).mean()) / bits


def operand_statistics(
    a: Codes,
    b: Codes,
    a_format: Format,
    b_format: Format,
    lanes: int = 1,
    sum_products: int | None = None,
) -> OperandStatistics:
    """Statistics of operand streams.

    Parameters
    ----------
    a, b
        Codes, ``[..., products]`` in the order of the sum; product k goes to lane ``k % lanes``.
    a_format, b_format
        Of at most 16 bits.
    lanes
        Products of a step.
    sum_products
        Products after which a sum begins anew; None: one sum.

    Raises
    ------
    ValueError
        The shapes differ, or there are fewer than two steps.
    """
    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape, not {a.shape} and {b.shape}")
    steps = a.shape[-1] // lanes
    if steps < 2:
        raise ValueError(
            f"operand statistics: must have two steps of {lanes} products or more, not "
            f"{a.shape[-1]} products"
        )

    def by_lane(codes: Codes) -> Codes:
        used = codes[..., : steps * lanes].reshape(*codes.shape[:-1], steps, lanes)
        return np.swapaxes(used, -1, -2)

    a, b = by_lane(a), by_lane(b)
    a_toggles, a_changes = _toggles(a, a_format.bits)
    b_toggles, b_changes = _toggles(b, b_format.bits)
    products = _values(a_format)[a] * _values(b_format)[b]
    nonzero = products != 0
    both = nonzero[..., 1:] & nonzero[..., :-1]
    flips = (products[..., 1:] < 0) != (products[..., :-1] < 0)
    magnitudes = np.abs(products[nonzero])
    # in units of the smallest product, or of 2**-54 of the largest where that is more
    span = (a_format.max_integer * b_format.max_integer).bit_length()
    unit = a_format.least_exponent + b_format.least_exponent + max(span - 54, 0)
    bits = min(span, 54) + 1
    words = np.rint(np.ldexp(products, -unit)).astype(np.int64)
    length = steps if sum_products is None else max(sum_products // lanes, 2)
    totals = words.sum(axis=-2)[..., : steps // length * length or steps]
    totals = totals.reshape(*totals.shape[:-1], -1, min(length, steps)).cumsum(axis=-1)
    return OperandStatistics(
        a_toggles,
        b_toggles,
        a_changes,
        b_changes,
        float(1 - nonzero.mean()),
        float(flips[both].mean()) if both.any() else 0.0,
        float(np.log2(magnitudes).std()) if magnitudes.size else 0.0,
        _flipped(words, bits),
        _flipped(totals, min(bits + (length * lanes).bit_length(), 63)),
    )
