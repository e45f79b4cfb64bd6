"""The terms of a sum, exactly: what a code stands for, their sum, and its one rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format, Special
from macsmith.model.rounding import Rounding, encode, floor_log2

__all__ = [
    "NAN_TERM",
    "Term",
    "decode_term",
    "exact_sum",
    "round_term",
    "signed_infinity",
    "significand_exponent",
]


@dataclass(frozen=True)
class Term:
    """A value with a sign, because zero has one too.

    `exponent` is what a finite product of floats is aligned by: the sum of its operands' exponents,
    which of subnormals is that of the smallest binade.
    """

    value: Fraction | Special
    negative: bool
    exponent: int = 0


def decode_term(fmt: Format, code: int) -> Term:
    """What a code stands for, with the sign of its zeros."""
    return Term(fmt.decode(code), fmt.is_negative(code))


def signed_infinity(negative: bool) -> Term:
    """Infinity with a sign."""
    return Term(Special.NEGATIVE_INFINITY if negative else Special.POSITIVE_INFINITY, negative)


NAN_TERM = Term(Special.NAN, False)


def significand_exponent(fmt: Format, value: Fraction | Special) -> int:
    """Exponent of a finite float's significand: that of the smallest binade for subnormals."""
    if not isinstance(fmt, FloatFormat) or isinstance(value, Special) or not value:
        return 0
    return max(floor_log2(abs(value)), fmt.min_normal_exponent)


def round_term(config: MacConfig, fmt: Format, term: Term) -> int:
    """Code of a term, rounded as the configuration rounds; a zero keeps its sign."""
    return encode(
        fmt,
        term.value,
        config.rounding,
        config.overflow_of(fmt),
        negative_zero=term.negative,
    )


def exact_sum(terms: Sequence[Term], rounding: Rounding) -> Term:
    """Exact sum; infinities of both signs give NaN.

    A sum of zero is -0 if every term is a zero with that sign; if the signs differ or numbers
    cancel it is +0, or -0 when rounding down (IEEE 754-2019, 6.3).
    """
    specials = {term.value for term in terms if isinstance(term.value, Special)}
    if len(specials) > 1 or Special.NAN in specials:
        return NAN_TERM
    if specials:
        return signed_infinity(specials.pop() is Special.NEGATIVE_INFINITY)
    total = sum((Fraction(term.value) for term in terms), Fraction(0))  # type: ignore[arg-type]
    if total:
        return Term(total, total < 0)
    signs = {term.negative for term in terms}
    if len(signs) == 1 and all(term.value == 0 for term in terms):
        return Term(total, signs.pop())
    return Term(total, rounding is Rounding.DOWN)
