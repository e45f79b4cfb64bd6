"""Binary and ternary numbers: digits of -1 and +1, or of -1, 0 and +1.

Names are ``bin{N}`` and ``ternary``. A ``bin{N}`` code is N digits of weight 2**i, each a bit, 1
for +1 and 0 for -1; the values are the odd integers from ``-(2**N - 1)`` to ``2**N - 1``, and there
is no zero. A ``ternary`` code is two bits::

    | sign | is not zero |      00 and 10 are 0, 01 is 1, 11 is -1

Sources: Courbariaux et al., Binarized Neural Networks, 2016 (bin1; 0 rounds to +1); Sun et al.,
Multi-Precision Quantized Neural Networks via Encoding Decomposition of {-1,+1}, AAAI 2019 (bin{N}).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from macsmith.model.special import NumbersOnly, Special

__all__ = ["DIGITS", "DigitFormat"]

DIGITS = range(1, 9)


@dataclass(frozen=True)
class DigitFormat(NumbersOnly):
    """A number of signed digits.

    Parameters
    ----------
    digits
        How many, 1..8, of the weights 1, 2, 4, ...
    has_zero
        Whether a digit can be 0 (ternary, of which there is one digit).

    Raises
    ------
    ValueError
        The number of digits is out of range.
    """

    digits: int = 1
    has_zero: bool = False

    def __post_init__(self) -> None:
        if self.digits not in DIGITS:
            raise ValueError(
                f"bin{self.digits}: digits must be {DIGITS[0]} to {DIGITS[-1]}, not {self.digits}"
            )
        if self.has_zero and self.digits != 1:
            raise ValueError(f"ternary: must have 1 digit, not {self.digits}")

    # -- what all formats tell ------------------------------------------------------------------
    @property
    def bits(self) -> int:
        """Width of a code."""
        return 2 if self.has_zero else self.digits

    @property
    def is_signed(self) -> bool:
        """True: half of the digits are negative."""
        return True

    @property
    def fraction_bits(self) -> int:
        """No bits are right of the binary point."""
        return 0

    @property
    def least_exponent(self) -> int:
        """All values are integers."""
        return 0

    @property
    def max_integer(self) -> int:
        """Largest magnitude."""
        return (1 << self.digits) - 1

    @property
    def max(self) -> Fraction:
        """Largest value."""
        return Fraction(self.max_integer)

    @property
    def min(self) -> Fraction:
        """Least value."""
        return -self.max

    @property
    def smallest(self) -> Fraction:
        """Smallest positive value."""
        return Fraction(1)

    # -- values ---------------------------------------------------------------------------------
    def integer(self, code: int) -> int:
        """Value of a code."""
        if self.has_zero:
            return (code & 1) * (1 - (code & 2))
        return 2 * code - self.max_integer

    def code(self, integer: int) -> int:
        """Code of a value that the format has."""
        if self.has_zero:
            return (integer & 1) | 2 * (integer < 0)
        return (integer + self.max_integer) >> 1

    @property
    def magnitudes(self) -> range:
        """Magnitudes of the values, ascending."""
        return range(2) if self.has_zero else range(1, self.max_integer + 1, 2)

    def is_negative(self, code: int) -> bool:
        """Whether the value of a code is below zero."""
        return self.integer(code) < 0

    def decode(self, code: int) -> Fraction | Special:
        """Exact value of a code; ValueError if it is outside ``0 .. 2**bits - 1``."""
        if not 0 <= code < 1 << self.bits:
            raise ValueError(f"{self.name}: code must be 0 to {(1 << self.bits) - 1}, not {code}")
        return Fraction(self.integer(code))

    @cached_property
    def name(self) -> str:
        """Canonical name; `parse_format` gives this very format back."""
        return "ternary" if self.has_zero else f"bin{self.digits}"

    def __str__(self) -> str:
        return self.name
