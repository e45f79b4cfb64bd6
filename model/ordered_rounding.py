"""The one rounding of posits, powers of four and signed digits, by definition.

Each format lists its magnitudes; a value goes to the nearer of its two neighbours, as the format
means near:

========  ==================================================================================
posit     sides change at the posit with one bit more; there the even code. Never to zero, and
          never beyond the largest number (Standard for Posit Arithmetic, 2022). Infinity and NaN
          become NaR
``r4eX``  in the middle, 2.5 * 4**n; there the even code. Saturates; NaN becomes 0
``binN``  at even integers, which go up: 0 becomes +1. Saturates; NaN becomes code 0
ternary   at 1/2, which goes to 0. Saturates; NaN becomes 0
========  ==================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from macsmith.model.formats import DigitFormat, OrderedFormat, PositFormat, Special

__all__ = ["Magnitude", "encode_ordered", "magnitudes"]


@dataclass(frozen=True)
class Magnitude:
    """One magnitude that values other than 0 round to.

    Attributes
    ----------
    value
        What it is.
    positive_code, negative_code
        Codes of either sign; the same for 0.
    boundary
        Where the next magnitude begins; None for the last.
    positive_goes_up, negative_goes_up
        Whether a value at the boundary goes to the next magnitude.
    """

    value: Fraction
    positive_code: int
    negative_code: int
    boundary: Fraction | None
    positive_goes_up: bool
    negative_goes_up: bool


@cache
def magnitudes(fmt: OrderedFormat) -> tuple[Magnitude, ...]:
    """All magnitudes of a format, ascending; without that of zero where nothing rounds to it."""
    found: list[Magnitude] = []
    if isinstance(fmt, DigitFormat):
        for integer in fmt.magnitudes:
            is_last = integer == fmt.max_integer
            limit = None if is_last else integer + Fraction(1, 2 if fmt.has_zero else 1)
            # toward positive: up in magnitude for positive values only
            up = not fmt.has_zero
            codes = fmt.code(integer), fmt.code(-integer)
            found.append(Magnitude(Fraction(integer), *codes, limit, up, False))
        return tuple(found)
    is_posit = isinstance(fmt, PositFormat)
    for code in range(int(is_posit), fmt.max_magnitude_code + 1):
        value = fmt.magnitude_value(code)
        if isinstance(fmt, PositFormat):
            boundary, negative_code = fmt.boundary(code), fmt.negated(code)
        else:
            boundary = (value + fmt.magnitude_value(code + 1)) / 2
            negative_code = code | (1 << fmt.exponent_bits) if code else 0
        last = code == fmt.max_magnitude_code
        odd = bool(code & 1)
        found.append(Magnitude(value, code, negative_code, None if last else boundary, odd, odd))
    return tuple(found)


def encode_ordered(fmt: OrderedFormat, value: Fraction | int | Special) -> int:
    """Code of `fmt` that `value` rounds to."""
    listed = magnitudes(fmt)
    if isinstance(value, Special):
        if value is Special.NAN or isinstance(fmt, PositFormat):
            return fmt.nan_code if isinstance(fmt, PositFormat) else 0
        last = listed[-1]
        return last.negative_code if value is Special.NEGATIVE_INFINITY else last.positive_code
    if value == 0:
        return 0 if isinstance(fmt, PositFormat) else listed[0].positive_code
    negative, x = value < 0, abs(Fraction(value))
    # the first magnitude whose boundary lies above x, or is x and keeps it
    low, high = 0, len(listed) - 1
    while low < high:
        middle = (low + high) // 2
        boundary = listed[middle].boundary
        assert boundary is not None
        goes_up = listed[middle].negative_goes_up if negative else listed[middle].positive_goes_up
        if x > boundary or (x == boundary and goes_up):
            low = middle + 1
        else:
            high = middle
    return listed[low].negative_code if negative else listed[low].positive_code
