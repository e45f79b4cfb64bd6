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
from macsmith.hw.block import full_adder, place
from macsmith.hw.decode import Decode
from macsmith.hw.far_path import FarPath
from macsmith.hw.loose_add import LooseAdd
from macsmith.hw.loose_term import LooseTerm
from macsmith.hw.near_path import NearPath
from macsmith.hw.prefix_adder import PrefixAdder
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow, Rounding

__all__ = ["DualPathAdd"]


class DualPathAdd(LooseAdd):
    """Next partial sum of a float accumulator; combinational.

    Parameters
    ----------
    shape, fmt, rounding, overflow
        Of `LooseAdd`, whose members it has.
    """

    def __init__(
        self, shape: LooseTerm, fmt: FloatFormat, rounding: Rounding, overflow: Overflow
    ) -> None:
        super().__init__("dual_path_add", shape, fmt, rounding, overflow)

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
        if self.range.is_limited:
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
        lowest_place = min(close, self.range.min_exponent - 1)
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
            is_limited=self.range.is_limited,
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
            # farther down bits are kept only of what ends at the smallest binade's last place
            below = close - lowest_place
            is_kept = (shifted >= below) | ~exponent[1:].any() if below > 0 else Const(1)
            m.d.comb += [
                shifted.eq(near_place - lowest_place),
                index.eq(shifted),
                is_close.eq((shifted <= max_place) & is_kept),
            ]
        m.d.comb += [
            near.partial_sum.eq(significand),
            near.term.eq(self.term_significand),
            near.exponent.eq(exponent),
            near.place.eq(index),
        ]
        is_near = Signal()
        # the top bit at the highest place lies two above the partial sum's leading bit: far
        m.d.comb += is_near.eq(
            is_subtraction
            & is_close
            & near.is_exact
            & ~((index == max_place) & top)
            & ~self.term_is_zero
        )

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
        # where all fractions are finite, the field decides, before the paths are joined
        overflows: Value | None = None
        if self.range.can_overflow and not (fmt.max_magnitude_code + 1) % (1 << fmt.fraction_bits):
            overflows = far.overflows & ~is_near
        self._encode(m, platform, magnitude, sign, partial_sum, is_subtraction, overflows)
        return m

    def _difference(self, m: Module, platform: Any, exponent: Value) -> PrefixAdder:
        """Exponent of the place below the term's top, less that of the partial sum."""
        low = min(self.range.min_exponent - (1 << self.format.exponent_bits), -1)
        high = self.range.max_exponent + 2
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
        constant = Const((self.range.offset + 1) % (1 << bits), bits)
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
        if self.range.can_overflow:
            field_bits = (max((1 << field_bits) - 1, self.range.max_exponent + 1) + 2).bit_length()
        far = FarPath(
            precision,
            len(difference) - 1,
            field_bits,
            fmt.max_magnitude_code >> fmt.fraction_bits,
            self.rounding,
            is_limited=self.range.is_limited,
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
            far.smaller.eq(
                Mux(
                    keeps,
                    Cat(wide & (~self.term_is_zero).replicate(precision), Const(0, 1)),
                    Cat(Const(0, 1), significand),
                )
            ),
            # of a negative difference the complement, one less: `smaller` is shifted by one above
            far.distance.eq(difference[:-1] ^ difference[-1].replicate(len(far.distance))),
            far.exponent.eq(exponent_below),
            far.is_subtraction.eq(is_subtraction),
        ]
        return far
