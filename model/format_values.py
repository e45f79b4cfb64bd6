"""Values of a format: how each is written, in which runs of equal spacing they lie, how many."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise

from macsmith.model.formats import DigitFormat, Format, IntFormat, OrderedFormat
from macsmith.model.ordered_rounding import magnitudes
from macsmith.model.rounding import Overflow, Rounding, encode, floor_log2

__all__ = ["Binade", "binades", "count_values", "value_text"]


def value_text(value: Fraction) -> str:
    """An exact value as short text: a decimal where that is short, else ``odd * 2^exponent``."""
    if value.denominator == 1 and abs(value.numerator) < 10**7:
        return str(value.numerator)
    exponent = 1 - value.denominator.bit_length()
    odd = value.numerator
    if exponent == 0:  # a large integer
        exponent = (odd & -odd).bit_length() - 1
        odd >>= exponent
    decimal = f"{float(value):.10g}"
    is_exact = Fraction(decimal) == value
    if not is_exact:
        decimal = f"{float(value):.6g}"
    if odd in (1, -1):
        power = f"{'-' if odd < 0 else ''}2^{exponent}"
        return f"{power} {'=' if is_exact else '≈'} {decimal}"
    return decimal if is_exact else f"{odd} * 2^{exponent} ≈ {decimal}"


@dataclass(frozen=True)
class Binade:
    """Positive values of one spacing: from `first` to `last`, `count` of them."""

    first: Fraction
    last: Fraction
    count: int
    spacing: Fraction
    is_subnormal: bool


def binades(fmt: Format) -> list[Binade]:
    """The positive values of a format as runs of equal spacing, largest first.

    An integer format is one run. Where the values of a posit's or another listed format's power of
    two are alone, the spacing is that to the next one.
    """
    if isinstance(fmt, OrderedFormat):
        return _listed_runs(fmt)
    if isinstance(fmt, IntFormat):
        count = fmt.max_code_integer
        return [Binade(fmt.smallest, fmt.max, count, fmt.smallest, False)]
    runs = []
    for field in range((fmt.max_magnitude_code >> fmt.fraction_bits) + 1):
        low = max(field << fmt.fraction_bits, int(fmt.has_zero))
        high = min(((field + 1) << fmt.fraction_bits) - 1, fmt.max_magnitude_code)
        if low > high:
            continue  # field 0 of a format without fraction bits holds nothing but zero
        exponent = max(field - fmt.has_subnormals, 0) + fmt.least_exponent
        runs.append(
            Binade(
                fmt.magnitude_value(low),
                fmt.magnitude_value(high),
                high - low + 1,
                Fraction(2) ** exponent,
                field == 0 and fmt.has_subnormals,
            )
        )
    return runs[::-1]


def _listed_runs(fmt: OrderedFormat) -> list[Binade]:
    values = [each.value for each in magnitudes(fmt) if each.value]
    if isinstance(fmt, DigitFormat):
        spacing = Fraction(1 if fmt.has_zero else 2)
        return [Binade(values[0], values[-1], len(values), spacing, False)]
    runs = []
    for _, group in groupby(range(len(values)), key=lambda index: floor_log2(values[index])):
        indices = list(group)
        first, last = indices[0], indices[-1]
        low = max(min(first, len(values) - 2), 0)
        spacing = values[low + 1] - values[low] if len(values) > 1 else values[0]
        runs.append(Binade(values[first], values[last], len(indices), spacing, False))
    return runs[::-1]


def count_values(fmt: Format, edges: list[Fraction]) -> list[int]:
    """How many positive values lie in each interval ``(edges[i], edges[i + 1]]``.

    `edges` ascend from 0 or more. Works by codes, which are in the order of their values, so
    that the widest formats take no longer.
    """
    if isinstance(fmt, OrderedFormat):
        values = [each.value for each in magnitudes(fmt) if each.value]
        listed = [bisect_right(values, edge) for edge in edges]
        return [high - low for low, high in pairwise(listed)]
    ranks = [
        encode(fmt, edge, Rounding.TOWARD_ZERO, Overflow.SATURATE)
        if fmt.min <= edge
        else -1  # below a format without zero
        for edge in edges
    ]
    return [high - low for low, high in pairwise(ranks)]
