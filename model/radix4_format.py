"""Powers of four: a sign and an exponent, no fraction.

Names are one grammar, ``r4e{X}[b{bias}][odd]``. A code is ``| sign | exponent: X bits |``; field 0
is zero, field F stands for ``4**(F - bias)``, twice as much in an ``odd`` format. Products are
powers of two, so that a multiplier is an adder of exponents.

Source: Sun et al., Ultra-Low Precision 4-bit Training of Deep Neural Networks, NeurIPS 2020: FP4
with 1 sign bit, 3 exponent bits and no fraction in radix 4, and two-phase rounding, which quantises
one tensor twice, to even phases 4**n and to odd ones 2 * 4**n.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from macsmith.model.special import NumbersOnly, Special

__all__ = ["RADIX4_EXPONENT_BITS", "Radix4Format"]

RADIX4_EXPONENT_BITS = range(1, 5)


@dataclass(frozen=True)
class Radix4Format(NumbersOnly):
    """A signed power-of-four format.

    Parameters
    ----------
    exponent_bits
        Width X of the exponent field, 1..4.
    bias
        Field that stands for 1; None takes ``2**(X-1)``, the middle of the fields that are not 0.
    is_odd
        All values are twice as large: the other phase of two-phase rounding.

    Raises
    ------
    ValueError
        The width or the bias is outside its range.
    """

    exponent_bits: int
    bias: int = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    is_odd: bool = False

    def __post_init__(self) -> None:
        if self.exponent_bits not in RADIX4_EXPONENT_BITS:
            raise ValueError(
                f"r4e{self.exponent_bits}: exponent width must be {RADIX4_EXPONENT_BITS[0]} to "
                f"{RADIX4_EXPONENT_BITS[-1]} bits, not {self.exponent_bits}"
            )
        if self.bias is None:
            object.__setattr__(self, "bias", self.default_bias)
        if not -64 <= self.bias <= 64:
            raise ValueError(f"r4e{self.exponent_bits}: bias must be -64 to 64, not {self.bias}")

    # -- what all formats tell ------------------------------------------------------------------
    @property
    def default_bias(self) -> int:
        """The bias that the name without a ``b`` suffix stands for."""
        return 1 << (self.exponent_bits - 1)

    @property
    def bits(self) -> int:
        """Width of a code, sign included."""
        return 1 + self.exponent_bits

    @property
    def is_signed(self) -> bool:
        """True: there is a sign bit."""
        return True

    @property
    def fraction_bits(self) -> int:
        """No fraction."""
        return 0

    def exponent(self, field: int) -> int:
        """Exponent, of 2, that an exponent field other than 0 stands for."""
        return 2 * (field - self.bias) + self.is_odd

    @property
    def max_magnitude_code(self) -> int:
        """Code of the largest number; codes 0..this are the numbers from 0 up in order."""
        return (1 << self.exponent_bits) - 1

    @property
    def least_exponent(self) -> int:
        """All values are multiples of ``2**least_exponent``, the smallest number."""
        return self.exponent(1)

    @property
    def max_integer(self) -> int:
        """Largest magnitude in units of ``2**least_exponent``."""
        return 1 << (2 * (self.max_magnitude_code - 1))

    @property
    def max(self) -> Fraction:
        """Largest number."""
        return self.magnitude_value(self.max_magnitude_code)

    @property
    def min(self) -> Fraction:
        """Least (most negative) number."""
        return -self.max

    @property
    def smallest(self) -> Fraction:
        """Smallest positive number."""
        return self.magnitude_value(1)

    # -- values ---------------------------------------------------------------------------------
    def magnitude_value(self, magnitude_code: int) -> Fraction:
        """Value of a code without its sign, also beyond the largest number."""
        return Fraction(2) ** self.exponent(magnitude_code) if magnitude_code else Fraction(0)

    def is_negative(self, code: int) -> bool:
        """Whether the value of a code is below zero."""
        return code > 1 << self.exponent_bits

    def decode(self, code: int) -> Fraction | Special:
        """Exact value of a code; ValueError if it is outside ``0 .. 2**bits - 1``."""
        if not 0 <= code < 1 << self.bits:
            raise ValueError(f"{self.name}: code must be 0 to {(1 << self.bits) - 1}, not {code}")
        value = self.magnitude_value(code & self.max_magnitude_code)
        return -value if self.is_negative(code) else value

    @cached_property
    def name(self) -> str:
        """Canonical name; `parse_format` gives this very format back."""
        bias = "" if self.bias == self.default_bias else f"b{self.bias}".replace("-", "m")
        return f"r4e{self.exponent_bits}{bias}{'odd' if self.is_odd else ''}"

    def __str__(self) -> str:
        return self.name
