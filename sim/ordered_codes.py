"""Codes of formats that list their values: posits, powers of four, signed digits.

The counterpart of `macsmith.sim.operands` for formats without a float's or an integer's fields.
"""

from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import numpy as np
from macsmith.model import fast
from macsmith.model.formats import DigitFormat, OrderedFormat, PositFormat
from macsmith.model.ordered_rounding import Magnitude, magnitudes
from numpy.typing import NDArray

__all__ = [
    "between",
    "negated_ordered",
    "ordered_corners",
    "ordered_events",
    "ordered_powers",
    "random_ordered",
]


def negated_ordered(fmt: OrderedFormat, code: int) -> int:
    """Code of the negative of a finite code's value."""
    if isinstance(fmt, PositFormat):
        return fmt.negated(code)
    if isinstance(fmt, DigitFormat):
        return fmt.code(-fmt.integer(code))
    value = fmt.decode(code)
    return 0 if value == 0 else code ^ (1 << fmt.exponent_bits)


@cache
def _values(fmt: OrderedFormat) -> list[Fraction]:
    return [each.value for each in magnitudes(fmt)]


@cache
def ordered_powers(fmt: OrderedFormat) -> dict[int, int]:
    """Exponent to the positive code whose value is two to that exponent."""
    found: dict[int, int] = {}
    for each in magnitudes(fmt):
        ratio = each.value.numerator * each.value.denominator
        if ratio and ratio & (ratio - 1) == 0:
            exponent = each.value.numerator.bit_length() - each.value.denominator.bit_length()
            found[exponent] = each.positive_code
    return found


@cache
def ordered_corners(fmt: OrderedFormat) -> tuple[int, ...]:
    """Codes at the edges, of both signs: zeros, the smallest and largest, those around 1 and each
    power of 16, and the special one; all codes where there are few."""
    if fmt.bits <= 5:
        return tuple(range(1 << fmt.bits))
    listed = magnitudes(fmt)
    values = _values(fmt)
    chosen = {0, 1, 2, len(listed) - 2, len(listed) - 1}
    for exponent in ordered_powers(fmt):
        if exponent % 4 == 0:
            at = values.index(Fraction(2) ** exponent)
            chosen |= {at - 1, at, at + 1}
    codes = [0, 1 << (fmt.bits - 1)]  # a posit's zero and NaR
    for at in sorted(chosen):
        if 0 <= at < len(listed):
            codes += [listed[at].positive_code, listed[at].negative_code]
    return tuple(dict.fromkeys(codes))


def random_ordered(
    fmt: OrderedFormat,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    centre: NDArray[np.float64],
    spread: int,
) -> NDArray[np.uint32]:
    """Random finite codes; parameters as of `macsmith.sim.operands.random_codes`."""
    if isinstance(fmt, DigitFormat):
        return rng.integers(0, 1 << fmt.bits, shape).astype(np.uint32)
    least, most = min(ordered_powers(fmt)), max(ordered_powers(fmt))
    offset = rng.integers(-spread, spread + 1, shape)
    exponent = np.clip(
        np.rint(least + centre * (most - least)).astype(np.int64) + offset, least, most
    )
    values = np.ldexp(1 + rng.random(shape), exponent) * rng.choice([-1.0, 1.0], shape)
    return fast.encode(fmt, values).astype(np.uint32)


def between(fmt: OrderedFormat, value: Fraction) -> Magnitude | None:
    """The largest magnitude that is not above |value|; None below the smallest."""
    at = bisect_right(_values(fmt), abs(value)) - 1
    return magnitudes(fmt)[at] if at >= 0 else None


def ordered_events(fmt: OrderedFormat, exact: Fraction) -> Iterator[str]:
    """Names of what rounding an exact value meets, as of `macsmith.sim.trace.rounding_events`."""
    if exact == 0:
        yield "exact"
        return
    x = abs(exact)
    if x > fmt.max:
        yield "overflow"
        return
    if x < fmt.smallest:
        yield "underflow"
    lower = between(fmt, exact)
    if lower is None:
        return
    if lower.boundary is None or x == lower.value:
        yield "exact"
    elif x != lower.boundary:
        yield "below half" if x < lower.boundary else "above half"
    else:
        goes_up = lower.negative_goes_up if exact < 0 else lower.positive_goes_up
        yield "tie above odd" if goes_up else "tie above even"
