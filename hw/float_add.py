"""Float addition of a term to a partial sum: align, add, normalise, round, encode."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.align import Align
from macsmith.hw.block import Block, place
from macsmith.hw.decode import Decode
from macsmith.hw.encode import Encode
from macsmith.hw.normalise import Normalise
from macsmith.hw.round import Round, bits_below
from macsmith.hw.round_term import NormaliseTerm, TermScale
from macsmith.hw.terms import Term, TermShape
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow, Rounding, RoundingMode, StochasticRounding

__all__ = ["FloatAdd", "place_float_add"]


class FloatAdd(Block):
    """Next partial sum of a float accumulator: ``round(partial_sum + term)``; combinational.

    Parameters
    ----------
    shape
        Shape of the term.
    fmt
        Format of the partial sum.
    rounding, overflow
        Of the one rounding at the end.

    Members
    -------
    term_sign, term_is_nan, term_is_infinity : In(1)
    random : In(rounding.bits)
        Only with stochastic rounding.
    term_significand, term_internal_exponent : In
        As `macsmith.hw.round_term.NormaliseTerm` gives them.
    partial_sum_i : In(fmt.bits)
    partial_sum_o : Out(fmt.bits)
    """

    term_sign: Signal
    term_significand: Signal
    term_internal_exponent: Signal
    term_is_nan: Signal
    term_is_infinity: Signal
    random: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(
        self, shape: TermShape, fmt: FloatFormat, rounding: RoundingMode, overflow: Overflow
    ) -> None:
        self.shape, self.format = shape, fmt
        self.rounding, self.overflow = rounding, overflow
        self.scale = TermScale.of(shape, fmt)
        members = shape.members("term", is_input=True)
        del members["term_exponent"]
        members["term_internal_exponent"] = In(self.scale.exponent_shape)
        if isinstance(rounding, StochasticRounding):
            members["random"] = In(rounding.bits)
        super().__init__(
            f"float_add_{shape.significand_bits}_to_{fmt.name}",
            {
                **members,
                "partial_sum_i": In(fmt.bits),
                "partial_sum_o": Out(fmt.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.format
        term_sign = self.term_sign
        decode = Decode(fmt)
        place(m, platform, "decode_partial_sum", decode)
        m.d.comb += decode.code.eq(self.partial_sum_i)
        partial_sum = decode.term

        # | carry | wider significand | guard bits |: after a shift by 2 or more at most one
        # leading zero can appear, so the precision and the bits that decide the rounding (a
        # round bit and a sticky bit) must be left below it; after a shift by 1 one guard bit holds
        # all there is.
        width = max(self.shape.significand_bits, fmt.precision)
        guard_bits = max(1, fmt.precision + 1 + bits_below(self.rounding) - width)
        # a format without subnormals has its smallest binade at field 0
        lift = 0 if fmt.has_subnormals else 1
        max_exponent = max(partial_sum.shape.max_exponent + lift, self.scale.max_exponent, 1)
        exponent_bits = max_exponent.bit_length()
        partial_sum_exponent = Signal((partial_sum.shape.max_exponent + lift).bit_length())
        m.d.comb += partial_sum_exponent.eq(partial_sum.exponent + lift)

        align = Align(
            self.shape.significand_bits,
            fmt.precision,
            self.scale.exponent_shape,
            len(partial_sum_exponent),
            guard_bits,
            exponent_bits,
        )
        place(m, platform, "align", align)
        m.d.comb += [
            align.term_significand.eq(self.term_significand),
            align.term_exponent.eq(self.term_internal_exponent),
            align.partial_sum_significand.eq(partial_sum.significand),
            align.partial_sum_exponent.eq(partial_sum_exponent),
        ]

        is_subtraction = Signal()
        total = Signal(width + guard_bits + 1)
        addend = align.smaller ^ is_subtraction.replicate(width + guard_bits)
        m.d.comb += [
            is_subtraction.eq(term_sign ^ partial_sum.sign),
            total.eq(
                (
                    Cat(is_subtraction, Const(0, guard_bits), align.larger)
                    + Cat(is_subtraction, addend, is_subtraction)
                )[1:]
            ),
        ]
        is_term_larger: Value = align.is_term_larger
        magnitude: Value = total
        if self.scale.min_exponent < 1:
            # A partial sum below the smallest binade has that binade's exponent, so it may count
            # as larger than a term with a smaller exponent and yet be smaller.
            is_negative = Signal()
            magnitude = Signal.like(total, name="magnitude")
            m.d.comb += [
                is_negative.eq(is_subtraction & total[-1]),
                magnitude.eq((total ^ is_negative.replicate(len(total))) + is_negative),
            ]
            is_term_larger = is_term_larger | is_negative

        normalise = Normalise(len(total), exponent_bits, width + 1)
        place(m, platform, "normalise", normalise)
        m.d.comb += [
            normalise.value.eq(magnitude),
            normalise.exponent.eq(align.exponent),
        ]

        sign = Signal()
        cancels = is_subtraction & ~total.any()
        zero_sign = Const(int(self.rounding is Rounding.DOWN))
        larger_sign = (term_sign & is_term_larger) | (partial_sum.sign & ~is_term_larger)
        m.d.comb += sign.eq((larger_sign & ~cancels) | (cancels & zero_sign))

        rounder = Round(fmt, self.rounding, len(total), max_exponent)
        place(m, platform, "round", rounder)
        m.d.comb += [
            rounder.sign.eq(sign),
            rounder.significand.eq(normalise.normalised),
            rounder.exponent.eq(normalise.normalised_exponent),
        ]
        if isinstance(self.rounding, StochasticRounding):
            m.d.comb += rounder.random.eq(self.random)
        self._encode(m, platform, rounder.code, sign, partial_sum, is_subtraction)
        return m

    def _encode(
        self,
        m: Module,
        platform: Any,
        magnitude: Value,
        sign: Value,
        partial_sum: Term,
        is_subtraction: Value,
    ) -> None:
        """Specials beside the datapath: NaN from NaN or from infinities of both signs."""
        term_is_nan = self.term_is_nan if self.shape.has_nan else Const(0)
        term_is_infinity = self.term_is_infinity if self.shape.has_infinity else Const(0)
        has_infinity = self.shape.has_infinity or partial_sum.shape.has_infinity
        both = self.shape.has_infinity and partial_sum.shape.has_infinity
        rounding = self.rounding
        encode = Encode(
            self.format,
            Rounding.NEAREST_EVEN if isinstance(rounding, StochasticRounding) else rounding,
            self.overflow,
            len(magnitude),
            has_nan=self.shape.has_nan or partial_sum.shape.has_nan or both,
            has_infinity=has_infinity,
        )
        place(m, platform, "encode", encode)
        if encode.has_nan:
            m.d.comb += encode.is_nan.eq(
                term_is_nan
                | partial_sum.is_nan
                | (term_is_infinity & partial_sum.is_infinity & is_subtraction)
            )
        if has_infinity:
            m.d.comb += encode.is_infinity.eq(term_is_infinity | partial_sum.is_infinity)
            infinite_sign = (self.term_sign & term_is_infinity) | (
                partial_sum.sign & partial_sum.is_infinity
            )
            sign = (infinite_sign & encode.is_infinity) | (sign & ~encode.is_infinity)
        m.d.comb += [
            encode.magnitude.eq(magnitude),
            encode.sign.eq(sign),
            self.partial_sum_o.eq(encode.code),
        ]


def place_float_add(
    m: Module,
    platform: Any,
    labels: tuple[str, str],
    term: Term,
    fmt: FloatFormat,
    rounding: RoundingMode,
    overflow: Overflow,
    partial_sum: Value,
) -> FloatAdd:
    """A normaliser of a term and a float addition behind it, placed and wired.

    `labels` are the names of the two. The sum is at `partial_sum_o` of what is returned; a random
    word is left to the caller.
    """
    normalise = NormaliseTerm(term.shape, fmt)
    place(m, platform, labels[0], normalise)
    add = FloatAdd(term.shape, fmt, rounding, overflow)
    place(m, platform, labels[1], add)
    m.d.comb += [
        normalise.significand.eq(term.significand),
        normalise.exponent.eq(term.exponent),
        add.term_sign.eq(term.sign),
        add.term_significand.eq(normalise.normalised),
        add.term_internal_exponent.eq(normalise.internal_exponent),
        add.partial_sum_i.eq(partial_sum),
    ]
    if term.shape.has_nan:
        m.d.comb += add.term_is_nan.eq(term.is_nan)
    if term.shape.has_infinity:
        m.d.comb += add.term_is_infinity.eq(term.is_infinity)
    return add
