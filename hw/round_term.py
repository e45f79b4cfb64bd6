"""Terms brought to a float format's own scale, and rounded to one of its codes."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.encode import Encode
from macsmith.hw.normalise import shift_out_leading_zeros
from macsmith.hw.round import Round
from macsmith.hw.shift import shift_right_sticky
from macsmith.hw.terms import Term, TermShape
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow, Rounding

__all__ = ["NormaliseTerm", "RoundTerm", "TermScale"]


@dataclass(frozen=True)
class TermScale:
    """How a term lies in the scale of a float format, whose smallest binade is exponent 1.

    `offset` leads from a term's exponent to the internal exponent of its significand's top bit;
    `min_exponent` and `max_exponent` bound the internal exponent after normalising. `is_limited`:
    leading zeros are shifted out only down to exponent 1, below which no term's top bit lies.
    `max_shift`: most leading zeros that are shifted out. `has_fixed_limit`: all terms with more
    leading zeros than that have the least exponent, so the limit need not be worked out.
    """

    offset: int
    min_exponent: int
    max_exponent: int
    is_limited: bool
    max_shift: int
    has_fixed_limit: bool

    @staticmethod
    def of(shape: TermShape, fmt: FloatFormat) -> "TermScale":
        """Scale of terms of `shape` in `fmt`."""
        offset = shape.lsb_exponent + shape.significand_bits - fmt.min_normal_exponent
        lowest = shape.min_exponent + offset
        normalised = lowest - shape.max_leading_zeros
        is_limited = normalised < 1 <= lowest
        above = shape.significand_bits - shape.min_significand_above.bit_length()
        has_fixed_limit = is_limited and above <= lowest - 1
        return TermScale(
            offset,
            1 if is_limited else normalised,
            shape.max_exponent + offset,
            is_limited,
            lowest - 1 if has_fixed_limit else shape.max_leading_zeros,
            has_fixed_limit,
        )

    @property
    def exponent_shape(self) -> Shape:
        """Signed shape of the internal exponent."""
        return Shape.cast(range(min(self.min_exponent, -1), max(self.max_exponent, 0) + 1))


class NormaliseTerm(Block):
    """Shift out a term's leading zeros and count its exponent in binades of a format.

    Combinational.

    Parameters
    ----------
    shape
        Shape of the term.
    fmt
        The format whose smallest binade is exponent 1.

    Members
    -------
    significand, exponent : In
        Of the term.
    normalised : Out(shape.significand_bits)
        The top bit is 0 only if the term is 0, or its exponent is 1 and `TermScale.is_limited`.
    internal_exponent : Out(TermScale.exponent_shape)
        Signed, maybe below 1; means nothing for a term of 0.
    """

    significand: Signal
    exponent: Signal
    normalised: Signal
    internal_exponent: Signal

    def __init__(self, shape: TermShape, fmt: FloatFormat) -> None:
        self.shape, self.format = shape, fmt
        self.scale = TermScale.of(shape, fmt)
        super().__init__(
            f"normalise_term_{shape.significand_bits}_for_{fmt.name}",
            {
                "significand": In(shape.significand_bits),
                "exponent": In(shape.exponent_bits),
                "normalised": Out(shape.significand_bits),
                "internal_exponent": Out(self.scale.exponent_shape),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        scale = self.scale
        limit: Value | None = None
        if scale.has_fixed_limit:
            limit = Const(scale.max_shift)
        elif scale.is_limited:
            limit = Signal(max(scale.max_exponent - 1, 1).bit_length(), name="limit")
            m.d.comb += limit.eq(self.exponent + (scale.offset - 1))
        normalised, shift = shift_out_leading_zeros(
            m, "level", self.significand, scale.max_shift, limit
        )
        # the constant goes with the few bits of the shift: one addition is left
        change = Signal((scale.offset - shift).shape(), name="exponent_change")
        m.d.comb += [
            self.normalised.eq(normalised),
            change.eq(scale.offset - shift),
            self.internal_exponent.eq(self.exponent + change),
        ]
        return m


class RoundTerm(Block):
    """Round a term to a code; combinational.

    Parameters
    ----------
    shape
        Shape of the term.
    fmt
        Target format.
    rounding, overflow
        How, and what overflow gives.

    Members
    -------
    term_* : In
    code : Out(fmt.bits)
        The sign of a term of 0 is kept where the format has a negative zero.
    """

    code: Signal

    def __init__(
        self, shape: TermShape, fmt: FloatFormat, rounding: Rounding, overflow: Overflow
    ) -> None:
        self.shape, self.format = shape, fmt
        self.rounding, self.overflow = rounding, overflow
        super().__init__(
            f"round_term_{shape.significand_bits}_to_{fmt.name}",
            {**shape.members("term", is_input=True), "code": Out(fmt.bits)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.format
        term = Term.of(self, "term", self.shape)
        normalise = NormaliseTerm(self.shape, fmt)
        place(m, platform, "normalise", normalise)
        m.d.comb += [
            normalise.significand.eq(term.significand),
            normalise.exponent.eq(term.exponent),
        ]

        # Below the smallest binade (internal exponent 1) the significand is shifted right, the
        # hidden bit away; precision, round bit and sticky bit must be left.
        internal = normalise.internal_exponent
        max_exponent = max(normalise.scale.max_exponent - 1, 1)
        significand: Value = normalise.normalised
        if normalise.scale.min_exponent < 1:
            width = max(self.shape.significand_bits, fmt.precision + 2)
            is_small = Signal()
            distance = Signal((1 - normalise.scale.min_exponent).bit_length())
            m.d.comb += [
                is_small.eq(internal < 1),
                distance.eq(Mux(is_small, 1 - internal, 0)),
            ]
            significand = shift_right_sticky(m, "shift", significand, distance, width)
            exponent = Mux(is_small, Const(0), (internal - 1).as_unsigned())
        else:
            exponent = (internal - 1).as_unsigned()
        if len(significand) < 2:
            significand = Cat(Const(0, 1), significand)

        rounder = Round(fmt, self.rounding, len(significand), max_exponent)
        place(m, platform, "round", rounder)
        encode = Encode(
            fmt,
            self.rounding,
            self.overflow,
            len(rounder.code),
            has_nan=self.shape.has_nan,
            has_infinity=self.shape.has_infinity,
        )
        place(m, platform, "encode", encode)
        m.d.comb += [
            rounder.sign.eq(term.sign),
            rounder.significand.eq(significand),
            rounder.exponent.eq(exponent),
            encode.magnitude.eq(rounder.code),
            encode.sign.eq(term.sign),
            self.code.eq(encode.code),
        ]
        if self.shape.has_nan:
            m.d.comb += encode.is_nan.eq(term.is_nan)
        if self.shape.has_infinity:
            m.d.comb += encode.is_infinity.eq(term.is_infinity)
        return m
