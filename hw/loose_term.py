"""A term on its way to a float addition on two paths: normalised but for one place."""

from dataclasses import dataclass

from amaranth.hdl import Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from macsmith.hw.round_term import TermScale
from macsmith.hw.terms import TermShape, rounded_product_shape
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Rounding

__all__ = [
    "LooseTerm",
    "TermRange",
    "exponent_shape",
    "has_float_product",
    "loose_obstacle",
    "loose_term",
    "product_form",
]


@dataclass(frozen=True)
class LooseTerm:
    """Widths and ranges of a term whose leading bit is in one of the two top places.

    Its value is ``significand * 2**(exponent_a + exponent_b + lsb_exponent)``; a number but 0 may
    have both top bits 0 only where the place below the top lies at or below the smallest binade
    of the format it is added to.

    Parameters
    ----------
    significand_bits
        At least 2.
    exponent_shapes
        Signed shapes of the two parts of the exponent.
    lsb_exponent
        Weight of the last bit where both are 0.
    min_exponent, max_exponent
        Range of the sum of the parts for numbers but 0.
    unit_exponent
        All numbers are multiples of 2 to this.
    has_clear_top
        The top bit is always 0.
    has_nan, has_infinity
        Which specials occur; a special term's numbers mean nothing.
    """

    significand_bits: int
    exponent_shapes: tuple[Shape, Shape]
    lsb_exponent: int
    min_exponent: int
    max_exponent: int
    unit_exponent: int
    has_clear_top: bool
    has_nan: bool
    has_infinity: bool

    @property
    def precision(self) -> int:
        """Bits that a number can have."""
        return self.significand_bits - int(self.has_clear_top)

    def members(self, *, is_input: bool) -> dict[str, wiring.Member]:
        """Signature members ``term_sign``, ``term_significand``, ``term_exponent_a`` and ``_b``,
        ``term_is_zero`` and, where they occur, ``term_is_nan`` and ``term_is_infinity``."""
        flow = In if is_input else Out
        members = {
            "term_sign": flow(1),
            "term_significand": flow(self.significand_bits),
            "term_exponent_a": flow(self.exponent_shapes[0]),
            "term_exponent_b": flow(self.exponent_shapes[1]),
            "term_is_zero": flow(1),
        }
        if self.has_nan:
            members["term_is_nan"] = flow(1)
        if self.has_infinity:
            members["term_is_infinity"] = flow(1)
        return members


@dataclass(frozen=True)
class TermRange:
    """Where terms lie in a float format.

    Exponents are internal ones, 1 for the smallest binade, of the place below the term's top.

    Parameters
    ----------
    offset
        From the sum of a term's exponents to the internal one.
    min_exponent, max_exponent
        For numbers but 0.
    is_limited
        False: every term but 0 lies so far above the smallest binade that a subnormal partial sum
        is less than a quarter of its last place, and what is left by cancelling is normal. Only
        where rounding is to nearest, so that such a partial sum makes no difference.
    can_overflow
        False: every term lies below a quarter of the last place of the largest binade.
    """

    offset: int
    min_exponent: int
    max_exponent: int
    is_limited: bool
    can_overflow: bool

    @staticmethod
    def of(shape: LooseTerm, fmt: FloatFormat, rounding: Rounding) -> "TermRange":
        """Range of terms of a shape."""
        offset = shape.lsb_exponent + shape.significand_bits - 2 - (fmt.min_normal_exponent - 1)
        lowest, highest = shape.min_exponent + offset, shape.max_exponent + offset
        is_nearest = rounding in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY)
        largest_field = fmt.max_magnitude_code >> fmt.fraction_bits
        return TermRange(
            offset,
            lowest,
            highest,
            is_limited=not (is_nearest and lowest >= fmt.precision + 3),
            can_overflow=not (is_nearest and highest + 1 <= largest_field - fmt.precision - 3),
        )


def _exponents(fmt: FloatFormat) -> range:
    """Exponents of an operand's numbers but 0, its subnormals normalised."""
    lowest = 1 - fmt.fraction_bits if fmt.has_subnormals else 0
    return range(lowest, max(fmt.max_magnitude_code >> fmt.fraction_bits, lowest) + 1)


def exponent_shape(fmt: FloatFormat) -> Shape:
    """Signed shape of a normalised operand's exponent, the fields of specials included."""
    return Shape.cast(range(min(_exponents(fmt).start, -1), 1 << fmt.exponent_bits))


def product_form(a: FloatFormat, b: FloatFormat) -> LooseTerm:
    """The product of two normalised operands, whose exponents are the parts of its own."""
    ranges = [_exponents(fmt) for fmt in (a, b)]
    return LooseTerm(
        significand_bits=a.precision + b.precision,
        exponent_shapes=(exponent_shape(a), exponent_shape(b)),
        # a subnormal has the scale of field 1
        lsb_exponent=sum(fmt.least_exponent - int(fmt.has_subnormals) for fmt in (a, b)),
        min_exponent=sum(exponents[0] for exponents in ranges),
        max_exponent=sum(exponents[-1] for exponents in ranges),
        unit_exponent=a.least_exponent + b.least_exponent,
        has_clear_top=min(a.precision, b.precision) == 1,
        has_nan=a.has_specials or b.has_specials,
        has_infinity=a.has_infinity or b.has_infinity,
    )


def _normalised_form(shape: TermShape, fmt: FloatFormat) -> LooseTerm:
    """What a term is after `macsmith.hw.round_term.NormaliseTerm`: its top bit leads.

    Its exponent is the internal one, the second part 0. Of a single bit a 0 is put below.
    """
    scale = TermScale.of(shape, fmt)
    bits = max(shape.significand_bits, 2)
    return LooseTerm(
        significand_bits=bits,
        exponent_shapes=(scale.exponent_shape, Shape(1, signed=True)),
        lsb_exponent=fmt.min_normal_exponent - bits,
        min_exponent=scale.min_exponent,
        max_exponent=scale.max_exponent,
        unit_exponent=shape.unit_exponent,
        has_clear_top=False,
        has_nan=shape.has_nan,
        has_infinity=shape.has_infinity,
    )


def has_float_product(config: MacConfig) -> bool:
    """Whether the term is the exact product of two floats."""
    return (
        isinstance(config.a, FloatFormat)
        and isinstance(config.b, FloatFormat)
        and config.product is None
    )


def loose_term(config: MacConfig, fmt: FloatFormat) -> LooseTerm:
    """The term that is added to a float accumulator, in the form the two paths want it."""
    a, b = config.a, config.b
    if isinstance(a, FloatFormat) and isinstance(b, FloatFormat) and config.product is None:
        return product_form(a, b)
    return _normalised_form(rounded_product_shape(config), fmt)


def loose_obstacle(shape: LooseTerm, fmt: FloatFormat) -> str:
    """Why terms of a shape cannot be added in loose form; empty if they can.

    A sum whose leading bits cancel is not rounded: it must fit the format.
    """
    if not fmt.has_subnormals:
        return f"{fmt.name} has no subnormal numbers"
    if shape.precision > fmt.precision:
        return f"terms of {shape.precision} bits are wider than the {fmt.precision} of {fmt.name}"
    if shape.unit_exponent < fmt.least_exponent:
        return f"terms have bits below the last one of {fmt.name}"
    return ""
