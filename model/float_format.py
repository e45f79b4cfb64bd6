"""Binary floating-point formats: what each code stands for.

Names are one grammar, ``[u]e{X}m{Y}[b{bias}][ieee|fn|fnuz|in|inuz|f][ns|nz]``.

Bit layout of a code, most significant bit first::

    | sign | biased exponent (X bits) | fraction (Y bits) |     no sign where the name begins with u

Sources: OCP OFP8 v1.0 (E4M3, E5M2), OCP Microscaling v1.0 (E2M1, E2M3, E3M2), IEEE 754-2019
(FP16, FP32), Agrawal et al. ARITH 2019 (DLFloat16), Sun et al. NeurIPS 2019 (1-4-3, 1-5-2),
Wang et al. NeurIPS 2018 (1-6-9), LLVM/ml_dtypes (the ``fn`` and ``fnuz`` encodings), IEEE P3109
interim report v4.0 (``inuz``, and unsigned ``in``), OCP Microscaling v1.0 (E8M0).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property

from macsmith.model.format_names import ALIASES
from macsmith.model.special import Special

__all__ = [
    "BARE_SPECIALS",
    "MAX_EXPONENT_BITS",
    "MAX_FRACTION_BITS",
    "FloatFormat",
    "FloatSpecials",
]

MAX_EXPONENT_BITS = 8
MAX_FRACTION_BITS = 23


class FloatSpecials(Enum):
    """Which codes of a floating-point format are no finite numbers.

    ``IEEE``: the largest exponent field holds infinity (fraction 0) and NaN (the rest); a format
    without fraction bits has only one such code a sign, and it is NaN.
    ``FN``: no infinity; all-ones exponent and fraction is NaN (OCP E4M3).
    ``FNUZ``: no infinity and no negative zero, whose code is the only NaN; the default bias is
    one larger.
    ``IN``: all ones is NaN, the code below it infinity (unsigned extended formats of P3109).
    ``INUZ``: as FNUZ, but all ones is infinity (signed extended formats of P3109).
    ``FINITE``: every code is a finite number (OCP E2M1, E2M3, E3M2).
    """

    IEEE = "ieee"
    FN = "fn"
    FNUZ = "fnuz"
    IN = "in"
    INUZ = "inuz"
    FINITE = "f"


# Bare names that do not stand for IEEE-like specials: the OCP formats.
BARE_SPECIALS = {
    "e4m3": FloatSpecials.FN,
    "e5m2": FloatSpecials.IEEE,
    "e2m1": FloatSpecials.FINITE,
    "e2m3": FloatSpecials.FINITE,
    "e3m2": FloatSpecials.FINITE,
    # scales: NVFP4's, and the one that keeps its name in the literature
    "ue4m3": FloatSpecials.FN,
    "ue5m3": FloatSpecials.FN,
}
_NO_NEGATIVE_ZERO = (FloatSpecials.FNUZ, FloatSpecials.INUZ)


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format.

    Parameters
    ----------
    exponent_bits
        Width X of the exponent field, 1..8.
    fraction_bits
        Width Y of the stored fraction, 0..23.
    specials
        Which codes are infinity or NaN.
    bias
        Exponent bias; None takes ``2**(X-1) - 1``, or one more for FNUZ and INUZ.
    has_subnormals
        True: exponent field 0 has no hidden bit and the scale of field 1. False: exponent field 0
        is one more normal binade, except that fraction 0 is zero (the rule of DLFloat).
    is_signed
        Whether codes begin with a sign bit.
    has_zero
        False: code 0 is the smallest power of two, not zero. Only without sign and subnormals
        (E8M0).

    Raises
    ------
    ValueError
        A width or the bias is outside its range, no code is left for a number, or the parts do
        not go together.
    """

    exponent_bits: int
    fraction_bits: int
    specials: FloatSpecials = FloatSpecials.IEEE
    bias: int = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    has_subnormals: bool = True
    is_signed: bool = True
    has_zero: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.exponent_bits <= MAX_EXPONENT_BITS:
            raise ValueError(
                f"e{self.exponent_bits}m{self.fraction_bits}: exponent width must be 1 to "
                f"{MAX_EXPONENT_BITS} bits, not {self.exponent_bits}"
            )
        if not 0 <= self.fraction_bits <= MAX_FRACTION_BITS:
            raise ValueError(
                f"e{self.exponent_bits}m{self.fraction_bits}: fraction width must be 0 to "
                f"{MAX_FRACTION_BITS} bits, not {self.fraction_bits}"
            )
        if self.bias is None:
            object.__setattr__(self, "bias", self.default_bias)
        if not -256 <= self.bias <= 512:
            raise ValueError(
                f"e{self.exponent_bits}m{self.fraction_bits}: bias must be -256 to 512, "
                f"not {self.bias}"
            )
        what = f"{'' if self.is_signed else 'u'}e{self.exponent_bits}m{self.fraction_bits}"
        if self.specials in _NO_NEGATIVE_ZERO and not self.is_signed:
            raise ValueError(
                f"{what}: an unsigned format has no negative zero to stand for NaN: its specials "
                f"must be ieee, fn, in or f, not {self.specials.value}"
            )
        if not self.has_zero and (self.is_signed or self.has_subnormals):
            raise ValueError(f"{what}: a format without zero must have no sign and no subnormals")
        if self.max_magnitude_code < self.has_zero:
            raise ValueError(
                f"{what}{self.specials.value}: must have a finite number other than 0, but all "
                f"other codes are special; {what}f has none of those"
            )

    # -- widths -------------------------------------------------------------------------------
    @property
    def bits(self) -> int:
        """Width of a code, sign included."""
        return self.is_signed + self.exponent_bits + self.fraction_bits

    @property
    def precision(self) -> int:
        """Significand width, hidden bit included."""
        return self.fraction_bits + 1

    @property
    def default_bias(self) -> int:
        """The bias the name without a ``b`` suffix stands for."""
        ieee_bias = (1 << (self.exponent_bits - 1)) - 1
        return ieee_bias + (self.specials in _NO_NEGATIVE_ZERO)

    @property
    def magnitude_bits(self) -> int:
        """Width of a code without its sign."""
        return self.exponent_bits + self.fraction_bits

    # -- specials -----------------------------------------------------------------------------
    @property
    def has_infinity(self) -> bool:
        """Whether some code is infinity."""
        if self.specials is FloatSpecials.IEEE:
            return self.fraction_bits > 0
        return self.specials in (FloatSpecials.IN, FloatSpecials.INUZ)

    @property
    def has_nan(self) -> bool:
        """Whether some code is NaN."""
        return self.specials is not FloatSpecials.FINITE

    @property
    def has_specials(self) -> bool:
        """Whether some code is no finite number."""
        return self.has_nan

    @property
    def has_negative_zero(self) -> bool:
        """Whether the code with only the sign bit set is a zero."""
        return self.is_signed and self.specials not in _NO_NEGATIVE_ZERO

    @property
    def nan_code(self) -> int:
        """Code that an operation writes for NaN: positive and quiet. ValueError if none."""
        if self.specials is FloatSpecials.FINITE:
            raise ValueError(f"{self.name} has no NaN")
        if self.specials in _NO_NEGATIVE_ZERO:
            return 1 << self.magnitude_bits
        all_ones = (1 << self.magnitude_bits) - 1
        if self.specials is FloatSpecials.IEEE and self.fraction_bits > 0:
            # fraction 100..0: the quiet bit alone, as IEEE 754 recommends and ml_dtypes writes
            return all_ones ^ ((1 << (self.fraction_bits - 1)) - 1)
        return all_ones

    @property
    def infinity_code(self) -> int:
        """Code of positive infinity. ValueError if the format has none."""
        if not self.has_infinity:
            raise ValueError(f"{self.name} has no infinity")
        all_ones = (1 << self.magnitude_bits) - 1
        if self.specials is FloatSpecials.INUZ:
            return all_ones
        if self.specials is FloatSpecials.IN:
            return all_ones - 1
        return all_ones - ((1 << self.fraction_bits) - 1)

    @property
    def max_magnitude_code(self) -> int:
        """Code of the largest finite number; codes 0..this are its magnitudes in order."""
        all_ones = (1 << self.magnitude_bits) - 1
        if self.specials is FloatSpecials.IEEE:
            return all_ones - (1 << self.fraction_bits)
        if self.specials is FloatSpecials.IN:
            return all_ones - 2
        return all_ones - (self.specials in (FloatSpecials.FN, FloatSpecials.INUZ))

    # -- values -------------------------------------------------------------------------------
    @property
    def least_exponent(self) -> int:
        """Exponent of the last fraction bit of the smallest numbers: all values are multiples
        of ``2**least_exponent``."""
        return (1 if self.has_subnormals else 0) - self.bias - self.fraction_bits

    @property
    def min_normal_exponent(self) -> int:
        """Exponent of the smallest binade that has a hidden bit."""
        return self.least_exponent + self.fraction_bits

    @property
    def max_exponent(self) -> int:
        """Exponent of the binade of the largest finite number."""
        biased = max(self.max_magnitude_code >> self.fraction_bits, 1)
        return biased - self.bias

    def magnitude_value(self, magnitude_code: int) -> Fraction:
        """Value of a code without its sign, also beyond the largest finite number, where the
        numbers go on as if the exponent field had no end (rounding needs those)."""
        field = magnitude_code >> self.fraction_bits
        fraction = magnitude_code & ((1 << self.fraction_bits) - 1)
        hidden = 1 << self.fraction_bits
        if self.has_subnormals:
            significand = fraction + (hidden if field else 0)
            shift = max(field, 1) - 1
        else:
            significand = fraction + hidden if magnitude_code or not self.has_zero else 0
            shift = field
        return significand * Fraction(2) ** (self.least_exponent + shift)

    @property
    def max(self) -> Fraction:
        """Largest finite number."""
        return self.magnitude_value(self.max_magnitude_code)

    @property
    def min(self) -> Fraction:
        """Least (most negative) finite number; of an unsigned format that of code 0."""
        return -self.max if self.is_signed else self.magnitude_value(0)

    @property
    def smallest(self) -> Fraction:
        """Smallest positive number."""
        return self.magnitude_value(1 if self.has_zero else 0)

    @property
    def smallest_normal(self) -> Fraction:
        """Smallest positive number with a hidden bit."""
        if self.has_subnormals:
            return Fraction(2) ** self.min_normal_exponent
        return self.smallest

    @property
    def max_integer(self) -> int:
        """Largest magnitude in units of ``2**least_exponent``."""
        return int(self.max / Fraction(2) ** self.least_exponent)

    def is_negative(self, code: int) -> bool:
        """Sign bit of a code (negative zero is negative); False where there is none."""
        return bool(code >> self.magnitude_bits)

    def decode(self, code: int) -> Fraction | Special:
        """Exact value of a code. Negative zero decodes to 0; ask `is_negative` for its sign.

        Raises
        ------
        ValueError
            `code` is outside ``0 .. 2**bits - 1``.
        """
        if not 0 <= code < 1 << self.bits:
            raise ValueError(f"{self.name}: code must be 0 to {(1 << self.bits) - 1}, not {code}")
        negative = self.is_negative(code)
        magnitude = code & ((1 << self.magnitude_bits) - 1)
        if negative and magnitude == 0 and not self.has_negative_zero:
            return Special.NAN
        if magnitude > self.max_magnitude_code:
            if self.has_infinity and magnitude == self.infinity_code:
                return Special.NEGATIVE_INFINITY if negative else Special.POSITIVE_INFINITY
            return Special.NAN
        value = self.magnitude_value(magnitude)
        return -value if negative else value

    # -- names --------------------------------------------------------------------------------
    @cached_property
    def name(self) -> str:
        """Canonical name; `parse_format` gives this very format back."""
        base = f"{'' if self.is_signed else 'u'}e{self.exponent_bits}m{self.fraction_bits}"
        bare = BARE_SPECIALS.get(base, FloatSpecials.IEEE)
        suffix = "" if self.specials is bare else self.specials.value
        suffix += "" if self.has_subnormals else "ns" if self.has_zero else "nz"
        # e2m1fn and its like are what others call the finite formats: the bias tells them apart
        is_alias = base + suffix in ALIASES and ALIASES[base + suffix] != base + suffix
        if self.bias == self.default_bias and not is_alias:
            return base + suffix
        return f"{base}b{self.bias}".replace("-", "m") + suffix

    def __str__(self) -> str:
        return self.name
