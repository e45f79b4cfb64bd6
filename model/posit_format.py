"""Posits: what each code stands for.

Names are one grammar, ``posit{N}[es{E}]``; ``posit<N,E>`` is read too. Without ``es`` it is 2, as
the Posit Standard (2022) has it.

Bit layout of a positive code, most significant bit first; a negative one is its two's complement::

    | 0 | regime: r equal bits and one of the other kind | exponent: E bits | fraction |

The value is ``2**(k * 2**E + exponent) * (1 + fraction)`` where k is ``r - 1`` for a regime of ones
and ``-r`` for one of zeros. What the regime leaves no place for, exponent bits from below included,
is 0. Code 0 is zero, and a sign bit alone is NaR (not a real), the only special.

Sources: Gustafson and Yonemoto, Beating Floating Point at its Own Game, 2017 (any E); Standard for
Posit Arithmetic (2022), which fixes E = 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from macsmith.model.special import Special

__all__ = ["POSIT_BITS", "POSIT_EXPONENT_BITS", "PositFormat"]

POSIT_BITS = range(4, 17)
POSIT_EXPONENT_BITS = range(4)
_STANDARD_EXPONENT_BITS = 2


@dataclass(frozen=True)
class PositFormat:
    """A posit format.

    Parameters
    ----------
    bits
        Width of a code, 4..16.
    exponent_bits
        Width E of the exponent field where nothing cuts it off, 0..3.

    Raises
    ------
    ValueError
        A width is outside its range.
    """

    bits: int
    exponent_bits: int = _STANDARD_EXPONENT_BITS

    def __post_init__(self) -> None:
        for what, width, widths in (
            ("width", self.bits, POSIT_BITS),
            ("exponent width", self.exponent_bits, POSIT_EXPONENT_BITS),
        ):
            if width not in widths:
                raise ValueError(
                    f"posit{self.bits}es{self.exponent_bits}: {what} must be {widths[0]} to "
                    f"{widths[-1]} bits, not {width}"
                )

    # -- what all formats tell ------------------------------------------------------------------
    @property
    def is_signed(self) -> bool:
        """True: every posit but zero and NaR has a negative."""
        return True

    @property
    def has_nan(self) -> bool:
        """True: NaR counts as NaN."""
        return True

    @property
    def has_infinity(self) -> bool:
        """False: infinities become NaR."""
        return False

    @property
    def has_specials(self) -> bool:
        """True: NaR is one."""
        return True

    @property
    def has_negative_zero(self) -> bool:
        """False: there is one zero."""
        return False

    @property
    def fraction_bits(self) -> int:
        """Width of the fraction beside the shortest regime: the most that there is."""
        return max(self.bits - 3 - self.exponent_bits, 0)

    @property
    def precision(self) -> int:
        """Most significand bits, hidden bit included."""
        return self.fraction_bits + 1

    @property
    def max_exponent(self) -> int:
        """Exponent of the largest number; that of the smallest is its negative."""
        return (self.bits - 2) << self.exponent_bits

    @property
    def least_exponent(self) -> int:
        """All values are multiples of ``2**least_exponent``, the smallest number."""
        return -self.max_exponent

    @property
    def max_integer(self) -> int:
        """Largest magnitude in units of ``2**least_exponent``."""
        return 1 << (2 * self.max_exponent)

    @property
    def nan_code(self) -> int:
        """Code of NaR."""
        return 1 << (self.bits - 1)

    @property
    def max_magnitude_code(self) -> int:
        """Code of the largest number; codes 0..this are the numbers from 0 up in order."""
        return self.nan_code - 1

    @property
    def max(self) -> Fraction:
        """Largest number (maxpos)."""
        return Fraction(1 << self.max_exponent)

    @property
    def min(self) -> Fraction:
        """Least (most negative) number."""
        return -self.max

    @property
    def smallest(self) -> Fraction:
        """Smallest positive number (minpos)."""
        return 1 / self.max

    # -- values ---------------------------------------------------------------------------------
    def magnitude_value(self, magnitude_code: int) -> Fraction:
        """Value of a code whose sign bit is 0."""
        return _positive_value(magnitude_code, self.bits, self.exponent_bits)

    def boundary(self, magnitude_code: int) -> Fraction:
        """Value between this magnitude and the next where rounding changes sides: that of the
        posit which has one bit more, a 1, at its end. A value there goes to the even code."""
        return _positive_value(2 * magnitude_code + 1, self.bits + 1, self.exponent_bits)

    def negated(self, code: int) -> int:
        """Code of the negative: the two's complement. That of NaR is NaR."""
        return -code & ((1 << self.bits) - 1)

    def is_negative(self, code: int) -> bool:
        """Whether the value of a code is below zero; NaR is not."""
        return code > self.nan_code

    def decode(self, code: int) -> Fraction | Special:
        """Exact value of a code; NaR is `Special.NAN`.

        Raises
        ------
        ValueError
            `code` is outside ``0 .. 2**bits - 1``.
        """
        if not 0 <= code < 1 << self.bits:
            raise ValueError(f"{self.name}: code must be 0 to {(1 << self.bits) - 1}, not {code}")
        if code == self.nan_code:
            return Special.NAN
        if self.is_negative(code):
            return -self.magnitude_value(self.negated(code))
        return self.magnitude_value(code)

    @cached_property
    def name(self) -> str:
        """Canonical name; `parse_format` gives this very format back."""
        return f"posit{self.bits}es{self.exponent_bits}"

    def __str__(self) -> str:
        return self.name


def _positive_value(code: int, bits: int, exponent_bits: int) -> Fraction:
    """Value of a posit code of any width whose sign bit is 0."""
    if code == 0:
        return Fraction(0)
    text = f"{code:0{bits - 1}b}"
    run = len(text) - len(text.lstrip(text[0]))
    regime = run - 1 if text[0] == "1" else -run
    rest = text[run + 1 :]
    exponent = int(rest[:exponent_bits].ljust(exponent_bits, "0") or "0", 2)
    fraction = rest[exponent_bits:]
    significand = 1 + Fraction(int(fraction or "0", 2), 1 << len(fraction))
    return Fraction(2) ** ((regime << exponent_bits) + exponent) * significand
