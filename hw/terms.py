"""Terms: what travels between decoding and accumulation, and the widths of its parts.

A term stands for ``(-1)**sign * significand * 2**(lsb_exponent + exponent)`` unless it is special.
"""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from macsmith.model.config import MacConfig
from macsmith.model.formats import (
    DigitFormat,
    FloatFormat,
    Format,
    IntegerFormat,
    IntFormat,
    PositFormat,
    Radix4Format,
)

__all__ = [
    "Term",
    "TermShape",
    "fixed_shape",
    "has_zero_specials",
    "is_digit_product",
    "is_integer_product",
    "least_exponent",
    "operand_shape",
    "product_shape",
    "regime_bits",
    "rounded_product_shape",
]


@dataclass(frozen=True)
class TermShape:
    """Widths and ranges of a term.

    Parameters
    ----------
    significand_bits
        Width of the unsigned significand.
    min_significand, max_significand
        Smallest but 0 and largest significand that occur.
    min_significand_above
        Smallest but 0 that occurs with an exponent above the least: subnormals have the least. 0
        where there is no such exponent.
    lsb_exponent
        Weight of the significand's last bit where `exponent` is 0.
    min_exponent, max_exponent
        Range of `exponent`, both at least 0. Where they are equal there is nothing to align.
    is_signed
        Whether negative terms occur.
    has_nan, has_infinity
        Which specials occur; a special term's significand and exponent mean nothing.
    """

    significand_bits: int
    min_significand: int
    min_significand_above: int
    max_significand: int
    lsb_exponent: int
    min_exponent: int
    max_exponent: int
    is_signed: bool
    has_nan: bool
    has_infinity: bool

    @property
    def exponent_bits(self) -> int:
        """Width of the unsigned exponent, at least 1."""
        return max(self.max_exponent.bit_length(), 1)

    @property
    def has_specials(self) -> bool:
        """Whether some term is no number."""
        return self.has_nan or self.has_infinity

    @property
    def unit_exponent(self) -> int:
        """All finite terms are multiples of 2 to this."""
        return self.lsb_exponent + self.min_exponent

    @property
    def max_leading_zeros(self) -> int:
        """Most leading zeros of a significand that is not 0."""
        return self.significand_bits - self.min_significand.bit_length()

    @property
    def fixed_bits(self) -> int:
        """Width of a magnitude in units of ``2**unit_exponent``."""
        return (self.max_significand << (self.max_exponent - self.min_exponent)).bit_length()

    def members(self, prefix: str, *, is_input: bool) -> dict[str, wiring.Member]:
        """Signature members ``prefix_sign``, ``prefix_significand``, ``prefix_exponent`` and,
        where they occur, ``prefix_is_nan`` and ``prefix_is_infinity``."""
        flow = In if is_input else Out
        members = {
            f"{prefix}_sign": flow(1),
            f"{prefix}_significand": flow(self.significand_bits),
            f"{prefix}_exponent": flow(self.exponent_bits),
        }
        if self.has_nan:
            members[f"{prefix}_is_nan"] = flow(1)
        if self.has_infinity:
            members[f"{prefix}_is_infinity"] = flow(1)
        return members


@dataclass(frozen=True)
class Term:
    """Signals of a term; specials that cannot occur are constant 0."""

    shape: TermShape
    sign: Value
    significand: Value
    exponent: Value
    is_nan: Value
    is_infinity: Value

    @staticmethod
    def of(component: Any, prefix: str, shape: TermShape) -> "Term":
        """The members that `TermShape.members` made on a component."""
        return Term(
            shape,
            getattr(component, f"{prefix}_sign"),
            getattr(component, f"{prefix}_significand"),
            getattr(component, f"{prefix}_exponent"),
            getattr(component, f"{prefix}_is_nan") if shape.has_nan else Const(0),
            getattr(component, f"{prefix}_is_infinity") if shape.has_infinity else Const(0),
        )

    @property
    def is_special(self) -> Value:
        """Whether the term is no number."""
        return self.is_nan | self.is_infinity

    def drive(self, m: Module, source: "Term") -> None:
        """Drive this term's signals from another of the same shape."""
        m.d.comb += [
            self.sign.eq(source.sign),
            self.significand.eq(source.significand),
            self.exponent.eq(source.exponent),
        ]
        if self.shape.has_nan:
            m.d.comb += self.is_nan.eq(source.is_nan)
        if self.shape.has_infinity:
            m.d.comb += self.is_infinity.eq(source.is_infinity)


def fixed_shape(
    significand_bits: int, lsb_exponent: int, *, has_nan: bool, has_infinity: bool
) -> TermShape:
    """Shape of a sign and a magnitude in units of ``2**lsb_exponent``."""
    return TermShape(
        significand_bits=significand_bits,
        min_significand=1,
        min_significand_above=0,
        max_significand=(1 << significand_bits) - 1,
        lsb_exponent=lsb_exponent,
        min_exponent=0,
        max_exponent=0,
        is_signed=True,
        has_nan=has_nan,
        has_infinity=has_infinity,
    )


def regime_bits(fmt: PositFormat) -> int:
    """Bits that count a posit's regime, without its first bit."""
    return (fmt.bits - 2).bit_length()


def _posit_shape(fmt: PositFormat) -> TermShape:
    # the exponent is | k + 2**regime_bits | exponent field |
    zero = 1 << (regime_bits(fmt) + fmt.exponent_bits)
    return TermShape(
        significand_bits=fmt.precision,
        min_significand=1 << fmt.fraction_bits,
        min_significand_above=1 << fmt.fraction_bits,
        max_significand=(2 << fmt.fraction_bits) - 1,
        lsb_exponent=-zero - fmt.fraction_bits,
        min_exponent=zero - fmt.max_exponent,
        max_exponent=zero + fmt.max_exponent,
        is_signed=True,
        has_nan=True,
        has_infinity=False,
    )


def _radix4_shape(fmt: Radix4Format) -> TermShape:
    return TermShape(
        significand_bits=1,
        min_significand=1,
        min_significand_above=1,
        max_significand=1,
        lsb_exponent=fmt.exponent(0),
        min_exponent=2,
        max_exponent=2 * fmt.max_magnitude_code,
        is_signed=True,
        has_nan=False,
        has_infinity=False,
    )


def operand_shape(fmt: Format) -> TermShape:
    """Shape of a decoded code.

    A float's exponent is its field, with 1 for field 0 where there are subnormals (they have the
    scale of field 1). An integer is a sign and a magnitude. A posit's exponent is its regime's k,
    made positive, above its exponent field; a power of four's is twice its field.
    """
    if isinstance(fmt, PositFormat):
        return _posit_shape(fmt)
    if isinstance(fmt, Radix4Format):
        return _radix4_shape(fmt)
    if not isinstance(fmt, FloatFormat):
        return TermShape(
            significand_bits=fmt.max_integer.bit_length(),
            min_significand=1,
            min_significand_above=0,
            max_significand=fmt.max_integer,
            lsb_exponent=fmt.least_exponent,
            min_exponent=0,
            max_exponent=0,
            is_signed=fmt.is_signed,
            has_nan=False,
            has_infinity=False,
        )
    first = 1 if fmt.has_subnormals else 0
    last = max(fmt.max_magnitude_code >> fmt.fraction_bits, first)
    if fmt.max_magnitude_code >> fmt.fraction_bits:  # some finite number has a hidden bit
        largest = (2 << fmt.fraction_bits) - 1
    else:
        largest = fmt.max_magnitude_code | (0 if fmt.has_subnormals else 1 << fmt.fraction_bits)
    return TermShape(
        significand_bits=fmt.precision,
        min_significand=1 if fmt.has_subnormals else 1 << fmt.fraction_bits,
        min_significand_above=1 << fmt.fraction_bits if last > first else 0,
        max_significand=max(largest, 1),
        lsb_exponent=fmt.least_exponent - first,
        min_exponent=first,
        max_exponent=last,
        is_signed=fmt.is_signed,
        has_nan=fmt.has_nan,
        has_infinity=fmt.has_infinity,
    )


def product_shape(a: TermShape, b: TermShape) -> TermShape:
    """Shape of the exact product of two terms."""
    largest = a.max_significand * b.max_significand
    # at least one of the two is above its least exponent
    above = [
        low * high
        for low, high in (
            (a.min_significand, b.min_significand_above),
            (a.min_significand_above, b.min_significand),
        )
        if high and low
    ]
    return TermShape(
        significand_bits=largest.bit_length(),
        min_significand=a.min_significand * b.min_significand,
        min_significand_above=min(above, default=0),
        max_significand=largest,
        lsb_exponent=a.lsb_exponent + b.lsb_exponent,
        min_exponent=a.min_exponent + b.min_exponent,
        max_exponent=a.max_exponent + b.max_exponent,
        is_signed=a.is_signed or b.is_signed,
        has_nan=a.has_nan or b.has_nan or a.has_infinity or b.has_infinity,
        has_infinity=a.has_infinity or b.has_infinity,
    )


def rounded_product_shape(config: MacConfig) -> TermShape:
    """Shape of what is added: the exact product, or the product rounded to a format."""
    if config.product is not None:
        return operand_shape(config.product)
    return product_shape(operand_shape(config.a), operand_shape(config.b))


def _zero_exponent(fmt: Format) -> int:
    """Least exponent that 0 is decoded with: a posit's run counts as far as its counter goes, a
    power of four's field is 0, both below those of numbers."""
    if isinstance(fmt, PositFormat | Radix4Format):
        return 0
    return operand_shape(fmt).min_exponent


def least_exponent(config: MacConfig) -> int:
    """Least exponent of what is added, zeros included, which may have less than any number."""
    if config.product is not None:
        return _zero_exponent(config.product)
    return _zero_exponent(config.a) + _zero_exponent(config.b)


def has_zero_specials(config: MacConfig) -> bool:
    """Whether the significand of every special product is 0 and its sign +, with no more ado: only
    posits are special, and NaR is decoded so."""
    return config.product is None and not any(
        isinstance(fmt, FloatFormat) and fmt.has_specials for fmt in (config.a, config.b)
    )


def is_digit_product(config: MacConfig) -> bool:
    """Whether products are of signed digits with digits or an integer, and not rounded."""
    formats = (config.a, config.b)
    return (
        all(isinstance(fmt, IntegerFormat) for fmt in formats)
        and any(isinstance(fmt, DigitFormat) for fmt in formats)
        and config.product is None
    )


def is_integer_product(config: MacConfig) -> bool:
    """Whether products are of two integers in binary digits, and not rounded: partial products can
    be summed."""
    return (
        isinstance(config.a, IntFormat)
        and isinstance(config.b, IntFormat)
        and config.product is None
    )
