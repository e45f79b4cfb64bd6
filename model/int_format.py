"""Integer and fixed-point formats: what each code stands for.

Names are one grammar, ``[u]int{N}[sym|wrap][q{F}]``; ``[u]q{M}.{F}[sym|wrap]`` is read too, with M
bits left of the binary point beside the sign. Source of INT8 with 6 fraction bits: OCP Microscaling
v1.0; of Qm.n: Texas Instruments (Arm counts the sign among M).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from macsmith.model.special import NumbersOnly, Special

__all__ = ["INT_BITS", "IntFormat"]

INT_BITS = range(2, 17)


@dataclass(frozen=True)
class IntFormat(NumbersOnly):
    """A two's-complement or unsigned integer format, with an optional binary point.

    Parameters
    ----------
    bits
        Width of a code, 2..16.
    is_signed
        Two's complement if true.
    is_symmetric
        Only for signed: rounding never gives the most negative code. That code still decodes to
        its two's-complement value, so hardware stays exact on every input.
    fraction_bits
        Binary digits right of the point: value = integer * 2**-fraction_bits (MXINT8 has 6).
    wraps
        Rounding keeps the low bits of an integer out of range, instead of the nearest code.
    """

    bits: int
    is_signed: bool = True
    is_symmetric: bool = False
    fraction_bits: int = 0
    wraps: bool = False

    def __post_init__(self) -> None:
        if self.bits not in INT_BITS:
            raise ValueError(
                f"{'' if self.is_signed else 'u'}int{self.bits}: width must be "
                f"{INT_BITS.start} to {INT_BITS.stop - 1} bits, not {self.bits}"
            )
        if self.is_symmetric and not self.is_signed:
            raise ValueError(f"uint{self.bits}: an unsigned format cannot be symmetric")
        if self.is_symmetric and self.wraps:
            raise ValueError(
                f"int{self.bits}: must be either symmetric or wrap: what wraps gives every code"
            )
        if not 0 <= self.fraction_bits <= 32:
            raise ValueError(
                f"int{self.bits}: fraction must be 0 to 32 bits, not {self.fraction_bits}"
            )

    @property
    def least_exponent(self) -> int:
        """All values are multiples of ``2**least_exponent``."""
        return -self.fraction_bits

    @property
    def max_integer(self) -> int:
        """Largest magnitude of any code in units of ``2**least_exponent`` (the most negative
        code included, symmetric or not)."""
        return 1 << (self.bits - 1) if self.is_signed else (1 << self.bits) - 1

    @property
    def max_code_integer(self) -> int:
        """Integer of the largest code that rounding gives."""
        return (1 << (self.bits - self.is_signed)) - 1

    @property
    def min_code_integer(self) -> int:
        """Integer of the least code that rounding gives."""
        if not self.is_signed:
            return 0
        return -(1 << (self.bits - 1)) + self.is_symmetric

    @property
    def max(self) -> Fraction:
        """Largest value."""
        return Fraction(self.max_code_integer, 1 << self.fraction_bits)

    @property
    def min(self) -> Fraction:
        """Least value that rounding gives."""
        return Fraction(self.min_code_integer, 1 << self.fraction_bits)

    @property
    def smallest(self) -> Fraction:
        """Smallest positive value."""
        return Fraction(1, 1 << self.fraction_bits)

    def is_negative(self, code: int) -> bool:
        """Whether the value of a code is below zero."""
        return self.is_signed and bool(code >> (self.bits - 1))

    def decode(self, code: int) -> Fraction | Special:
        """Exact value of a code; ValueError if it is outside ``0 .. 2**bits - 1``."""
        if not 0 <= code < 1 << self.bits:
            raise ValueError(f"{self.name}: code must be 0 to {(1 << self.bits) - 1}, not {code}")
        integer = code - (1 << self.bits) if self.is_negative(code) else code
        return Fraction(integer, 1 << self.fraction_bits)

    @cached_property
    def name(self) -> str:
        """Canonical name; `parse_format` gives this very format back."""
        return (
            f"{'' if self.is_signed else 'u'}int{self.bits}"
            f"{'sym' if self.is_symmetric else 'wrap' if self.wraps else ''}"
            f"{f'q{self.fraction_bits}' if self.fraction_bits else ''}"
        )

    def __str__(self) -> str:
        return self.name
