"""Float addition on two paths: one aligns and rounds, the other cancels and normalises.

Where exponents differ by two or more, or nothing is subtracted, at most one leading bit cancels:
the *far* path shifts the smaller number right, adds and rounds. Else the *near* path subtracts at
once and shifts leading zeros out of a difference that needs no rounding. So no result passes both
shifters.

Source: M. P. Farmwald, On the design of high performance digital arithmetic units, PhD thesis,
Stanford, 1981.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, full_adder, place
from macsmith.hw.decode import Decode
from macsmith.hw.encode import Encode
from macsmith.hw.far_path import FarPath
from macsmith.hw.loose_term import LooseTerm, dual_path_obstacle
from macsmith.hw.near_path import NearPath
from macsmith.hw.prefix_adder import PrefixAdder
from macsmith.hw.terms import Term
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow, Rounding

__all__ = ["DualPathAdd"]


class DualPathAdd(Block):
    """Next partial sum of a float accumulator: ``round(partial_sum + term)``; combinational.

    Parameters
    ----------
    shape
        Shape of the term.
    fmt
        Format of the partial sum.
    rounding, overflow
        Of the one rounding.

    Members
    -------
    term_* : In
        Those of `LooseTerm`.
    partial_sum_i : In(fmt.bits)
    partial_sum_o : Out(fmt.bits)
    """

    term_sign: Signal
    term_significand: Signal
    term_exponent_a: Signal
    term_exponent_b: Signal
    term_is_zero: Signal
    term_is_nan: Signal
    term_is_infinity: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(
        self, shape: LooseTerm, fmt: FloatFormat, rounding: Rounding, overflow: Overflow
    ) -> None:
        obstacle = dual_path_obstacle(shape, fmt)
        if obstacle:
            raise ValueError(f"DualPathAdd: {obstacle}")
        self.shape, self.format = shape, fmt
        self.rounding, self.overflow = rounding, overflow
        # internal exponents: 1 for the smallest binade; of the place below the term's top
        self.offset = (
            shape.lsb_exponent + shape.significand_bits - 2 - (fmt.min_normal_exponent - 1)
        )
        self.min_exponent = shape.min_exponent + self.offset
        self.max_exponent = shape.max_exponent + self.offset
        nearest = rounding in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY)
        # Every term but 0 lies so far above the smallest binade that a subnormal partial sum is
        # less than a quarter of its last place, and what is left by cancelling is normal.
        self.is_limited = not (nearest and self.min_exponent >= fmt.precision + 3)
        # Every term lies below a quarter of the last place of the largest binade.
        last_field = fmt.max_magnitude_code >> fmt.fraction_bits
        self.can_overflow = not (
            nearest and self.max_exponent + 1 <= last_field - fmt.precision - 3
        )
        super().__init__(
            f"dual_path_add_{shape.significand_bits}_to_{fmt.name}",
            {
                **shape.members(is_input=True),
                "partial_sum_i": In(fmt.bits),
                "partial_sum_o": Out(fmt.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt, precision = self.format, self.format.precision
        decode = Decode(fmt)
        place(m, platform, "decode_partial_sum", decode)
        m.d.comb += decode.code.eq(self.partial_sum_i)
        partial_sum = decode.term
        field = self.partial_sum_i[fmt.fraction_bits : fmt.magnitude_bits]
        exponent = Signal(fmt.exponent_bits, name="partial_sum_exponent")
        significand = Signal(precision, name="partial_sum_significand")
        if self.is_limited:
            m.d.comb += [
                exponent.eq(partial_sum.exponent),
                significand.eq(partial_sum.significand),
            ]
        else:
            # far below any term's last place the hidden bit of a subnormal makes no difference
            m.d.comb += [
                exponent.eq(field),
                significand.eq(Cat(self.partial_sum_i[: fmt.fraction_bits], Const(1))),
            ]
        top = self.term_significand[-1]
        close = -1 if self.shape.has_clear_top else -2
        # below `close` only a subnormal partial sum can cancel a term
        lowest_place = min(close, self.min_exponent - 1)
        difference = self._difference(m, platform, exponent)
        near_place = difference.sum(Const(0), "of_second_place")
        far_distance = difference.sum(top, "of_exponents")

        is_subtraction = Signal()
        m.d.comb += is_subtraction.eq(self.term_sign ^ partial_sum.sign)

        # near: the place below the term's top against the partial sum, from lowest_place to 1
        max_place = 1 - lowest_place
        near = NearPath(
            precision,
            len(self.term_significand),
            max_place,
            max(0, len(self.term_significand) - 1 - close - precision),
            fmt.exponent_bits,
            is_limited=self.is_limited,
        )
        place(m, platform, "near_path", near)
        index = Signal(len(near.place), name="near_place")
        is_close = Signal()
        if lowest_place == -2:
            m.d.comb += [
                index.eq(near_place[:2] ^ 2),
                is_close.eq(~near_place[1:].any() | near_place[1:].all()),
            ]
        else:
            shifted = Signal(len(near_place), name="above_lowest_place")
            m.d.comb += [
                shifted.eq(near_place - lowest_place),
                index.eq(shifted),
                # farther down bits are kept only of what ends at the smallest binade's last place
                is_close.eq(
                    (shifted <= max_place)
                    & ((shifted >= close - lowest_place) | ~exponent[1:].any())
                ),
            ]
        m.d.comb += [
            near.partial_sum.eq(significand),
            near.term.eq(self.term_significand),
            near.exponent.eq(exponent),
            near.place.eq(index),
        ]
        is_near = Signal()
        # the top bit at the highest place lies two above the partial sum's leading bit: far
        asked = is_subtraction & is_close & near.is_exact & ~((index == max_place) & top)
        if not self.is_limited:
            asked = asked & ~self.term_is_zero
        m.d.comb += is_near.eq(asked)

        far = self._far(m, platform, far_distance, exponent, significand, is_subtraction, top)
        zero_sign = Const(int(self.rounding is Rounding.DOWN))
        is_term_larger = Signal(name="far_is_term_larger")
        m.d.comb += is_term_larger.eq(~far_distance[-1] & ~self.term_is_zero)
        far_sign = Signal()
        m.d.comb += [
            far_sign.eq(Mux(is_term_larger, self.term_sign, partial_sum.sign)),
            far.sign.eq(far_sign),
        ]
        both_zero = Signal()
        m.d.comb += both_zero.eq(
            self.term_is_zero & is_subtraction & ~self.partial_sum_i[: fmt.magnitude_bits].any()
        )
        far_sign_zero = Mux(both_zero, zero_sign, far_sign)
        near_sign = Mux(
            near.is_zero,
            zero_sign,
            Mux(near.is_partial_sum_larger, partial_sum.sign, self.term_sign),
        )
        sign = Signal()
        magnitude = Signal(len(far.magnitude))
        m.d.comb += [
            sign.eq(Mux(is_near, near_sign, far_sign_zero)),
            magnitude.eq(Mux(is_near, near.magnitude, far.magnitude)),
        ]
        self._encode(m, platform, magnitude, sign, partial_sum, is_subtraction)
        return m

    def _difference(self, m: Module, platform: Any, exponent: Value) -> PrefixAdder:
        """Exponent of the place below the term's top, less that of the partial sum."""
        low = min(self.min_exponent - (1 << self.format.exponent_bits), -1)
        high = self.max_exponent + 2
        bits = Shape.cast(range(low, high)).width
        rows = [
            self.term_exponent_a,
            self.term_exponent_b,
            ~Cat(exponent, Const(0, bits - len(exponent))),
        ]
        wide = []
        for index, row in enumerate(rows):
            signal = Signal(bits, name=f"difference_row_{index}")
            m.d.comb += signal.eq(row)
            wide.append(signal)
        # the complement of the exponent is one less than its negative
        constant = Const((self.offset + 1) % (1 << bits), bits)
        totals, carries = [], []
        for at in range(bits):
            total, carry = full_adder(
                m, platform, f"exponents_{at}", wide[0][at], wide[1][at], wide[2][at]
            )
            totals.append(total)
            carries.append(carry)
        first, second = Cat(*totals), Cat(Const(0, 1), *carries[:-1])
        saved = Signal(bits, name="exponents_saved")
        moved = Signal(bits, name="exponents_moved")
        m.d.comb += [
            saved.eq(first ^ second ^ constant),
            moved.eq(
                Cat(Const(0, 1), ((first & second) | (constant & (first | second)))[: bits - 1])
            ),
        ]
        return PrefixAdder(m, "difference", saved, moved)

    def _far(
        self,
        m: Module,
        platform: Any,
        difference: Value,
        exponent: Value,
        significand: Value,
        is_subtraction: Value,
        top: Value,
    ) -> FarPath:
        fmt, precision = self.format, self.format.precision
        # the field that comes out is at most 2 above the exponent of a finite number
        field_bits = fmt.exponent_bits
        if self.can_overflow:
            field_bits = (max((1 << field_bits) - 1, self.max_exponent + 1) + 2).bit_length()
        far = FarPath(
            precision,
            len(difference) - 1,
            field_bits,
            self.rounding,
            is_limited=self.is_limited,
        )
        place(m, platform, "far_path", far)
        term = self.term_significand
        normalised = Signal(len(term), name="term_normalised")
        keeps = Signal(name="keeps_partial_sum")  # the larger by exponent, or all there is
        exponent_below = Signal(field_bits, name="exponent_below")
        wide = (
            Cat(Const(0, precision - len(term)), normalised)
            if precision >= len(term)
            else normalised[len(term) - precision :]
        )
        m.d.comb += [
            normalised.eq(Mux(top, term, Cat(Const(0, 1), term[:-1]))),
            keeps.eq(difference[-1] | self.term_is_zero),
            # the larger exponent, less 1
            exponent_below.eq(
                (exponent + (difference & (~keeps).replicate(len(difference))) - 1)[:field_bits]
            ),
            far.larger.eq(Mux(keeps, significand, wide)),
            far.smaller.eq(Mux(keeps, Cat(wide, Const(0, 1)), Cat(Const(0, 1), significand))),
            # of a negative difference the complement, one less: `smaller` is shifted by one above
            far.distance.eq(difference[:-1] ^ difference[-1].replicate(len(far.distance))),
            far.exponent.eq(exponent_below),
            far.is_subtraction.eq(is_subtraction),
        ]
        return far

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
        fmt = self.format
        term_is_nan = self.term_is_nan if self.shape.has_nan else Const(0)
        term_is_infinity = self.term_is_infinity if self.shape.has_infinity else Const(0)
        both = self.shape.has_infinity and partial_sum.shape.has_infinity
        has_nan = self.shape.has_nan or partial_sum.shape.has_nan or both
        is_nan = (
            term_is_nan
            | partial_sum.is_nan
            | (term_is_infinity & partial_sum.is_infinity & is_subtraction)
        )
        has_infinity = self.shape.has_infinity or partial_sum.shape.has_infinity
        if not self.can_overflow and not self.shape.has_infinity:
            # an infinite partial sum counts as the number its code would be, and stays that
            magnitude = magnitude[: fmt.magnitude_bits]
            if fmt.has_infinity and self.overflow is not Overflow.INFINITY:
                has_infinity = True
            else:
                has_infinity = False
        encode = Encode(
            fmt,
            self.rounding,
            self.overflow,
            len(magnitude),
            has_nan=has_nan,
            has_infinity=has_infinity,
        )
        place(m, platform, "encode", encode)
        if has_nan:
            m.d.comb += encode.is_nan.eq(is_nan)
        if has_infinity:
            m.d.comb += encode.is_infinity.eq(term_is_infinity | partial_sum.is_infinity)
            infinite_sign = (self.term_sign & term_is_infinity) | (
                partial_sum.sign & partial_sum.is_infinity
            )
            sign = Mux(encode.is_infinity, infinite_sign, sign)
        m.d.comb += [
            encode.magnitude.eq(magnitude),
            encode.sign.eq(sign),
            self.partial_sum_o.eq(encode.code),
        ]
