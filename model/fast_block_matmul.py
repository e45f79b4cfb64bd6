"""Matrix products of block formats by matrix products of their blocks.

The sum of a block's products is one float64 matrix product, exact in any order as every partial sum
fits in 53 bits; its product with the scales is exact for the same reason. The addition to the
partial sum is made in float64 and, where it is not exact, rounded to odd by the error that Knuth's
TwoSum gives, after which any rounding to p <= 51 bits is right (Boldo and Melquiond 2008).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from macsmith.model.config import MacConfig
from macsmith.model.fast_conversion import quantise
from macsmith.model.formats import FloatFormat, Format
from macsmith.model.rounding import Overflow, Rounding
from macsmith.model.widths import mac_widths

__all__ = ["has_exact_blocks", "sum_blocks"]

Values = npt.NDArray[np.float64]

_PRECISION = 53
#: Rows of the result at a time: their partial sums stay in a cache.
_ROWS = 64


def _significand_bits(fmt: Format) -> int:
    return fmt.precision if isinstance(fmt, FloatFormat) else fmt.max_integer.bit_length()


def has_exact_blocks(config: MacConfig) -> bool:
    """Whether `sum_blocks` gives the bits of the definition."""
    widths = mac_widths(config)
    if config.block is None or widths.outer is None or widths.block is None:
        return False
    fmt = widths.outer.format
    largest = config.block * widths.term.max_integer
    bits = largest.bit_length() + sum(_significand_bits(scale) for scale in config.scales)
    low = widths.block.lsb_exponent
    high = widths.block.max_integer.bit_length() + low
    return (
        isinstance(fmt, FloatFormat)
        and fmt.has_subnormals
        and fmt.has_negative_zero
        and fmt.precision + 2 <= _PRECISION
        and bits <= _PRECISION
        and low > -900
        and high < 900
        # a directed rounding gives zero sums another sign
        and config.rounding in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY, Rounding.TOWARD_ZERO)
        and config.overflow_of(fmt) in (Overflow.SATURATE, Overflow.INFINITY, Overflow.NAN)
        and (fmt.has_nan or not widths.block.has_nan)
    )


def _add_to_odd(a: Values, b: Values) -> Values:
    """``a + b`` rounded to odd."""
    total = a + b
    back = total - a
    error = (a - (total - back)) + (b - back)
    bits = total.view(np.int64)
    # toward zero where the error points there, then odd where there is one
    inexact = error != 0
    inexact &= np.isfinite(total)
    shrinks = inexact & ((error < 0) != (total < 0))
    odd: Values = ((bits - shrinks) | inexact).view(np.float64)
    return odd


def sum_blocks(
    config: MacConfig, a: Values, b: Values, a_factors: Values | None, b_factors: Values | None
) -> Values:
    """Outer partial sums of a matrix product.

    Parameters
    ----------
    a, b
        ``[M, K]`` and ``[K, N]`` values of the elements.
    a_factors, b_factors
        ``[M, blocks]`` and ``[blocks, N]`` values of the scales, of those operands that have one.

    Returns
    -------
    float64 array
        ``[M, N]``, each a value of the outer accumulator's format.
    """
    outer = mac_widths(config).outer
    assert outer is not None
    assert outer.format is not None
    assert config.block is not None
    fmt, length = outer.format, config.block
    sums = np.zeros((a.shape[0], b.shape[1]))
    with np.errstate(invalid="ignore", over="ignore"):
        for first in range(0, a.shape[0], _ROWS):
            rows = slice(first, first + _ROWS)
            part: Any = sums[rows]
            for index in range(-(-a.shape[1] // length)):
                columns = slice(index * length, (index + 1) * length)
                block = a[rows, columns] @ b[columns]
                if a_factors is not None:
                    block *= a_factors[rows, index, np.newaxis]
                if b_factors is not None:
                    block *= b_factors[index]
                block += 0.0  # a fixed-point sum has one zero
                part = quantise(
                    fmt, _add_to_odd(part, block), config.rounding, config.overflow_of(fmt)
                )
            sums[rows] = part
    return sums
