"""Aligned accumulators: terms cut to a window under the largest of them, then summed exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from macsmith.model.accumulators import AlignedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.exact_terms import (
    Term,
    decode_term,
    exact_sum,
    round_term,
    significand_exponent,
)
from macsmith.model.formats import Special
from macsmith.model.rounding import Rounding, encode, floor_log2, round_to_multiple

__all__ = [
    "AlignedSum",
    "accumulate_aligned",
    "align",
    "aligned_code",
    "aligned_partial_sum",
    "round_aligned",
]


@dataclass(frozen=True)
class AlignedSum:
    """Terms of one step, aligned to the largest exponent among them.

    `exponent` is that one, None if all terms are zero; `terms` are what is left of each; `total` is
    their exact sum.
    """

    exponent: int | None
    terms: tuple[Fraction, ...]
    total: Fraction


def align(accumulator: AlignedAccumulator, terms: Sequence[Term]) -> AlignedSum:
    """Align finite terms: each keeps `fraction_bits` below the largest exponent.

    Zeros do not count for the largest exponent, which is at least `min_exponent`. A term may have
    two bits left of its point (the significands of products lie below 4).
    """
    exponents = [term.exponent for term in terms if term.value]
    if not exponents:
        return AlignedSum(None, (Fraction(0),) * len(terms), Fraction(0))
    exponent = max(exponents)
    if accumulator.min_exponent is not None:
        exponent = max(exponent, accumulator.min_exponent)
    unit = Fraction(2) ** (exponent - accumulator.fraction_bits)
    rounding = Rounding.NEAREST_EVEN if accumulator.rounds_terms else Rounding.TOWARD_ZERO
    kept = tuple(round_to_multiple(Fraction(term.value), unit, rounding) for term in terms)  # type: ignore[arg-type]
    return AlignedSum(exponent, kept, sum(kept, Fraction(0)))


def round_aligned(config: MacConfig, accumulator: AlignedAccumulator, total: Fraction) -> int:
    """Code of an aligned sum: `kept_bits` below its leading bit (or the smallest binade's), in the
    configuration's rounding. Overflow follows its policy in every rounding. A sum of 0 is positive;
    one that is rounded to 0 keeps its sign."""
    fmt, negative = accumulator.format, total < 0
    if total and accumulator.kept_bits < fmt.fraction_bits:
        exponent = max(floor_log2(abs(total)), fmt.min_normal_exponent)
        unit = Fraction(2) ** (exponent - accumulator.kept_bits)
        total = round_to_multiple(total, unit, config.rounding)
    beyond = fmt.magnitude_value(fmt.max_magnitude_code + 1)
    # to odd: where the largest code is even, what lies above it goes to the next, odd one
    goes_beyond = config.rounding is Rounding.TO_ODD and not fmt.max_magnitude_code & 1
    if abs(total) >= beyond or (goes_beyond and abs(total) > fmt.max):
        overflow = config.overflow_of(fmt)
        return encode(fmt, -beyond if negative else beyond, overflow=overflow)
    return round_term(config, fmt, Term(total, negative))


def aligned_code(config: MacConfig, accumulator: AlignedAccumulator, terms: Sequence[Term]) -> int:
    """Code of the rounded sum of terms that are aligned to each other."""
    if any(isinstance(term.value, Special) for term in terms):
        return round_term(config, accumulator.format, exact_sum(terms, config.rounding))
    return round_aligned(config, accumulator, align(accumulator, terms).total)


def aligned_partial_sum(accumulator: AlignedAccumulator, bits: int) -> Term:
    """A partial sum as a term that is aligned."""
    term = decode_term(accumulator.format, bits)
    return Term(term.value, term.negative, significand_exponent(accumulator.format, term.value))


def accumulate_aligned(
    config: MacConfig, accumulator: AlignedAccumulator, bits: int, terms: Sequence[Term]
) -> int:
    """Add the terms of one step to an aligned partial sum: aligned with it, or (late) to each other
    only, and their rounded sum then to it, to nearest even."""
    fmt, before = accumulator.format, aligned_partial_sum(accumulator, bits)
    if not accumulator.is_late:
        return aligned_code(config, accumulator, [*terms, before])
    code = aligned_code(config, accumulator, terms)
    total = exact_sum([before, decode_term(fmt, code)], Rounding.NEAREST_EVEN)
    return encode(
        fmt,
        total.value,
        Rounding.NEAREST_EVEN,
        config.overflow_of(fmt),
        negative_zero=total.negative,
    )
