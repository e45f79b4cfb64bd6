"""Number formats as rules: what each code of a floating-point or integer format stands for.

A format is described by counts and flags, never by its name. Names are one grammar,
``e{X}m{Y}[b{bias}][ieee|fn|fnuz|f][ns]`` and ``[u]int{N}[sym][q{F}]``, plus aliases that other
libraries use; `parse_format` resolves all of them, and NumPy or ml_dtypes types too.

Bit layout of a floating-point code, most significant bit first::

    | sign | biased exponent (X bits) | fraction (Y bits) |

Sources: OCP OFP8 v1.0 (E4M3, E5M2), OCP Microscaling v1.0 (E2M1, E2M3, E3M2, INT8), IEEE 754-2019
(FP16, FP32), Agrawal et al. ARITH 2019 (DLFloat16), Sun et al. NeurIPS 2019 (1-4-3, 1-5-2),
Wang et al. NeurIPS 2018 (1-6-9), LLVM/ml_dtypes (the ``fn`` and ``fnuz`` encodings).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

__all__ = [
    "NAMED_FORMATS",
    "FloatFormat",
    "FloatSpecials",
    "Format",
    "IntFormat",
    "NamedFormat",
    "Special",
    "parse_format",
]

MAX_EXPONENT_BITS = 8
MAX_FRACTION_BITS = 23
INT_BITS = range(2, 17)


class Special(Enum):
    """A value that is no number."""

    NAN = "nan"
    POSITIVE_INFINITY = "inf"
    NEGATIVE_INFINITY = "-inf"


class FloatSpecials(Enum):
    """Which codes of a floating-point format are no finite numbers.

    ``IEEE``: the largest exponent field holds infinity (fraction 0) and NaN (the rest); a format
    without fraction bits has only one such code a sign, and it is NaN.
    ``FN``: no infinity; all-ones exponent and fraction is NaN (OCP E4M3).
    ``FNUZ``: no infinity and no negative zero, whose code is the only NaN; the default bias is
    one larger.
    ``FINITE``: every code is a finite number (OCP E2M1, E2M3, E3M2).
    """

    IEEE = "ieee"
    FN = "fn"
    FNUZ = "fnuz"
    FINITE = "f"


@dataclass(frozen=True)
class FloatFormat:
    """A signed binary floating-point format.

    Parameters
    ----------
    exponent_bits
        Width X of the exponent field, 1..8.
    fraction_bits
        Width Y of the stored fraction, 0..23.
    specials
        Which codes are infinity or NaN.
    bias
        Exponent bias; None takes ``2**(X-1) - 1``, or one more for FNUZ.
    has_subnormals
        True: exponent field 0 has no hidden bit and the scale of field 1. False: exponent field 0
        is one more normal binade, except that fraction 0 is zero (the rule of DLFloat).

    Raises
    ------
    ValueError
        A width or the bias is outside its range.
    """

    exponent_bits: int
    fraction_bits: int
    specials: FloatSpecials = FloatSpecials.IEEE
    bias: int = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    has_subnormals: bool = True

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

    # -- widths -------------------------------------------------------------------------------
    @property
    def bits(self) -> int:
        """Width of a code, sign included."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def is_signed(self) -> bool:
        """True: every floating-point format here has a sign bit."""
        return True

    @property
    def precision(self) -> int:
        """Significand width, hidden bit included."""
        return self.fraction_bits + 1

    @property
    def default_bias(self) -> int:
        """The bias the name without a ``b`` suffix stands for."""
        ieee_bias = (1 << (self.exponent_bits - 1)) - 1
        return ieee_bias + (self.specials is FloatSpecials.FNUZ)

    @property
    def magnitude_bits(self) -> int:
        """Width of a code without its sign."""
        return self.exponent_bits + self.fraction_bits

    # -- specials -----------------------------------------------------------------------------
    @property
    def has_infinity(self) -> bool:
        """Whether some code is infinity."""
        return self.specials is FloatSpecials.IEEE and self.fraction_bits > 0

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
        return self.specials is not FloatSpecials.FNUZ

    @property
    def nan_code(self) -> int:
        """Code that an operation writes for NaN: positive and quiet. ValueError if none."""
        if self.specials is FloatSpecials.FINITE:
            raise ValueError(f"{self.name} has no NaN")
        if self.specials is FloatSpecials.FNUZ:
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
        return ((1 << self.exponent_bits) - 1) << self.fraction_bits

    @property
    def max_magnitude_code(self) -> int:
        """Code of the largest finite number; codes 0..this are its magnitudes in order."""
        all_ones = (1 << self.magnitude_bits) - 1
        if self.specials is FloatSpecials.IEEE:
            return all_ones - (1 << self.fraction_bits)
        if self.specials is FloatSpecials.FN:
            return all_ones - 1
        return all_ones

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
            significand = 0 if magnitude_code == 0 else fraction + hidden
            shift = field
        return significand * Fraction(2) ** (self.least_exponent + shift)

    @property
    def max(self) -> Fraction:
        """Largest finite number."""
        return self.magnitude_value(self.max_magnitude_code)

    @property
    def min(self) -> Fraction:
        """Least (most negative) finite number."""
        return -self.max

    @property
    def smallest(self) -> Fraction:
        """Smallest positive number."""
        return self.magnitude_value(1)

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
        """Sign bit of a code (negative zero is negative)."""
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
        if self.specials is FloatSpecials.FNUZ and negative and magnitude == 0:
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
        base = f"e{self.exponent_bits}m{self.fraction_bits}"
        bare = _BARE_SPECIALS.get(base, FloatSpecials.IEEE)
        suffix = "" if self.specials is bare else self.specials.value
        suffix += "" if self.has_subnormals else "ns"
        # e2m1fn and its like are what others call the finite formats: the bias tells them apart
        is_alias = base + suffix in _ALIASES and _ALIASES[base + suffix] != base + suffix
        if self.bias == self.default_bias and not is_alias:
            return base + suffix
        return f"{base}b{self.bias}".replace("-", "m") + suffix

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class IntFormat:
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
    """

    bits: int
    is_signed: bool = True
    is_symmetric: bool = False
    fraction_bits: int = 0

    def __post_init__(self) -> None:
        if self.bits not in INT_BITS:
            raise ValueError(
                f"{'' if self.is_signed else 'u'}int{self.bits}: width must be "
                f"{INT_BITS.start} to {INT_BITS.stop - 1} bits, not {self.bits}"
            )
        if self.is_symmetric and not self.is_signed:
            raise ValueError(f"uint{self.bits}: an unsigned format cannot be symmetric")
        if not 0 <= self.fraction_bits <= 32:
            raise ValueError(
                f"int{self.bits}: fraction must be 0 to 32 bits, not {self.fraction_bits}"
            )

    @property
    def has_nan(self) -> bool:
        """False: integers have no NaN."""
        return False

    @property
    def has_infinity(self) -> bool:
        """False: integers have no infinity."""
        return False

    @property
    def has_specials(self) -> bool:
        """False: every code is a number."""
        return False

    @property
    def has_negative_zero(self) -> bool:
        """False: two's complement has one zero."""
        return False

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
            f"{'sym' if self.is_symmetric else ''}"
            f"{f'q{self.fraction_bits}' if self.fraction_bits else ''}"
        )

    def __str__(self) -> str:
        return self.name


Format = FloatFormat | IntFormat

# Bare names that do not stand for IEEE-like specials: the OCP formats.
_BARE_SPECIALS = {
    "e4m3": FloatSpecials.FN,
    "e5m2": FloatSpecials.IEEE,
    "e2m1": FloatSpecials.FINITE,
    "e2m3": FloatSpecials.FINITE,
    "e3m2": FloatSpecials.FINITE,
}


@dataclass(frozen=True)
class NamedFormat:
    """A format with a common name: its canonical text, what else people call it, its source."""

    canonical: str
    title: str
    aliases: tuple[str, ...]
    source: str


_OFP8 = "OCP 8-bit Floating Point Specification (OFP8) v1.0"
_MX = "OCP Microscaling Formats (MX) v1.0"
_IEEE = "IEEE 754-2019"
_ML_DTYPES = "LLVM APFloat and ml_dtypes"

NAMED_FORMATS: tuple[NamedFormat, ...] = (
    NamedFormat(
        "e4m3", "OCP E4M3", ("e4m3fn", "float8_e4m3fn", "f8e4m3fn", "ocp_e4m3", "fp8_e4m3"), _OFP8
    ),
    NamedFormat(
        "e5m2", "OCP E5M2", ("float8_e5m2", "f8e5m2", "ocp_e5m2", "fp8_e5m2", "1-5-2"), _OFP8
    ),
    NamedFormat(
        "e2m1",
        "MX FP4 element E2M1",
        ("e2m1fn", "float4_e2m1fn", "float4_e2m1fn_x2", "f4e2m1fn", "ocp_e2m1", "fp4_e2m1", "fp4"),
        _MX,
    ),
    NamedFormat(
        "e2m3",
        "MX FP6 element E2M3",
        ("e2m3fn", "float6_e2m3fn", "f6e2m3fn", "ocp_e2m3", "fp6_e2m3"),
        _MX,
    ),
    NamedFormat(
        "e3m2",
        "MX FP6 element E3M2",
        ("e3m2fn", "float6_e3m2fn", "f6e3m2fn", "ocp_e3m2", "fp6_e3m2"),
        _MX,
    ),
    NamedFormat("int8q6", "MX INT8 element", ("mxint8", "ocp_int8"), _MX),
    NamedFormat("e3m4", "E3M4", ("float8_e3m4", "f8e3m4", "fp8_e3m4", "1-3-4"), _ML_DTYPES),
    NamedFormat("e4m3ieee", "IEEE-like E4M3", ("float8_e4m3", "f8e4m3"), _ML_DTYPES),
    NamedFormat("e4m3fnuz", "E4M3 FNUZ", ("float8_e4m3fnuz", "f8e4m3fnuz"), _ML_DTYPES),
    NamedFormat("e5m2fnuz", "E5M2 FNUZ", ("float8_e5m2fnuz", "f8e5m2fnuz"), _ML_DTYPES),
    NamedFormat(
        "e4m3b11fnuz", "E4M3 B11 FNUZ", ("float8_e4m3b11fnuz", "f8e4m3b11fnuz"), _ML_DTYPES
    ),
    NamedFormat(
        "e4m3b4",
        "IBM 1-4-3, bias 4 (HFP8)",
        ("1-4-3", "ibm_143", "hfp8_143"),
        "Sun et al., Hybrid 8-bit Floating Point, NeurIPS 2019 (bias as quoted in QPyTorch issue "
        "65; the encoding of NaN is that of OCP E4M3 here)",
    ),
    NamedFormat(
        "e6m9",
        "IBM 1-6-9 with subnormals",
        ("1-6-9", "ibm_169"),
        "Wang et al., Training DNNs with 8-bit Floating Point Numbers, NeurIPS 2018",
    ),
    NamedFormat(
        "e6m9fnns",
        "DLFloat16: 1-6-9 without subnormals, NaN and infinity merged",
        ("dlfloat16", "dlfloat"),
        "Agrawal et al., DLFloat, ARITH 2019; IBM fms-model-optimizer (Apache-2.0)",
    ),
    NamedFormat("e5m10", "IEEE binary16", ("fp16", "float16", "half", "binary16", "f16"), _IEEE),
    NamedFormat("e8m7", "bfloat16", ("bf16", "bfloat16"), "Google bfloat16"),
    NamedFormat("e8m10", "TensorFloat-32", ("tf32",), "NVIDIA A100 white paper, 2020"),
    NamedFormat("e8m23", "IEEE binary32", ("fp32", "float32", "single", "binary32", "f32"), _IEEE),
)

_ALIASES = {
    alias: named.canonical for named in NAMED_FORMATS for alias in (named.canonical, *named.aliases)
}
_FLOAT_NAME = re.compile(
    r"e(?P<exponent>\d+)m(?P<fraction>\d+)(?:b(?P<bias>m?\d+))?(?P<specials>ieee|fnuz|fn|f)?(?P<ns>ns)?"
)
_INT_NAME = re.compile(
    r"(?P<unsigned>u)?int(?P<bits>\d+)(?P<symmetric>sym)?(?:q(?P<fraction>\d+))?"
)


@cache
def _parse_name(name: str) -> Format:
    text = _ALIASES.get(name.removeprefix("format_info_"), name)
    if match := _FLOAT_NAME.fullmatch(text):
        exponent_bits, fraction_bits = int(match["exponent"]), int(match["fraction"])
        base = f"e{exponent_bits}m{fraction_bits}"
        specials = (
            FloatSpecials(match["specials"])
            if match["specials"]
            else _BARE_SPECIALS.get(base, FloatSpecials.IEEE)
        )
        fmt = FloatFormat(exponent_bits, fraction_bits, specials, has_subnormals=not match["ns"])
        if match["bias"]:
            fmt = replace(fmt, bias=int(match["bias"].replace("m", "-")))
        return fmt
    if match := _INT_NAME.fullmatch(text):
        return IntFormat(
            int(match["bits"]),
            is_signed=not match["unsigned"],
            is_symmetric=bool(match["symmetric"]),
            fraction_bits=int(match["fraction"] or 0),
        )
    known = sorted({*_ALIASES, *(f"int{bits}" for bits in INT_BITS), "uint4", "uint8", "int8sym"})
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise ValueError(
        f"unknown format {name!r}{hint} A format is eXmY (1 <= X <= {MAX_EXPONENT_BITS}, "
        f"0 <= Y <= {MAX_FRACTION_BITS}), intN or uintN (2 <= N <= 16), or an alias: "
        "see `macsmith formats`"
    )


def _from_gfloat(info: Any) -> Format:
    """The format of a gfloat FormatInfo, by its counts and flags (its codes decide, not its name).

    Raises
    ------
    ValueError
        An encoding that no format here has: another number of NaN codes, no sign.
    """
    exponent_bits = info.k - info.precision
    if getattr(info, "is_twos_complement", False):
        return IntFormat(info.k, fraction_bits=info.bias + info.precision - 2)
    extended = str(getattr(info.domain, "name", info.domain)).lower().endswith("extended")
    # NaN codes of one sign: every nonzero fraction of the top exponent, one, or none
    kinds = {
        (True, (1 << (info.precision - 1)) - 1, True): FloatSpecials.IEEE,
        (False, 1, True): FloatSpecials.FN,
        (False, 0, False): FloatSpecials.FNUZ,
        (False, 0, True): FloatSpecials.FINITE,
    }
    specials = kinds.get((extended, info.num_high_nans, info.has_nz))
    if specials is None or not info.is_signed:
        raise ValueError(f"gfloat format {info.name}: its encoding of NaN, sign or infinity is new")
    return FloatFormat(
        exponent_bits, info.precision - 1, specials, info.bias, bool(info.has_subnormals)
    )


def parse_format(description: Any) -> Format:
    """The format a name or a NumPy type stands for.

    Parameters
    ----------
    description
        A canonical name or alias (any case, ``-`` and ``_`` as the alias has them), a dtype or
        scalar type of NumPy, ml_dtypes or PyTorch, a gfloat FormatInfo, or a format, which is
        returned as it is.

    Raises
    ------
    ValueError
        No such format (the message names the nearest ones), or a width out of range.
    TypeError
        `description` is none of these.
    """
    if isinstance(description, FloatFormat | IntFormat):
        return description
    if isinstance(description, str):
        return _parse_name(description.strip().lower())
    if hasattr(description, "num_high_nans"):
        return _from_gfloat(description)
    dtype_name = getattr(description, "name", None) or getattr(description, "__name__", None)
    if dtype_name is None and str(description).startswith("torch."):
        dtype_name = str(description).removeprefix("torch.")
    if isinstance(dtype_name, str):
        return _parse_name(dtype_name.lower())
    raise TypeError(
        "a format is given by its name or a NumPy dtype, not by "
        f"{type(description).__name__} {description!r}"
    )
