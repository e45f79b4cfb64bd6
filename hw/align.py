"""Which of two significands is larger, and the smaller one shifted to its scale."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.shift import shift_right_sticky

__all__ = ["Align"]


class Align(Block):
    """Order a term and a partial sum by magnitude and align the smaller; combinational.

    Both significands have their leading bit on top, unless they are 0 or have exponent 1. Where a
    term's exponent can be below 1, it is `larger` that has the larger exponent, although it may
    be the smaller one if that is 1.

    Parameters
    ----------
    term_bits, partial_sum_bits
        Widths of the significands.
    term_exponent
        Shape of the term's exponent, which may be below 1.
    exponent_bits
        Width of the partial sum's exponent, at least 1 always.
    guard_bits
        Places below the wider significand, the last one sticky.
    larger_exponent_bits
        Width of the exponent that comes out.

    Members
    -------
    term_significand, term_exponent, partial_sum_significand, partial_sum_exponent : In
    is_term_larger : Out(1)
        Strictly, in magnitude.
    larger : Out(width)
        Width of the wider significand.
    smaller : Out(width + guard_bits)
        In the scale of `larger`; the last bit stands for all that was shifted out.
    exponent : Out(larger_exponent_bits)
        Of `larger`; at least 1.
    """

    def __init__(
        self,
        term_bits: int,
        partial_sum_bits: int,
        term_exponent: Shape,
        exponent_bits: int,
        guard_bits: int,
        larger_exponent_bits: int,
    ) -> None:
        self.width = max(term_bits, partial_sum_bits)
        self.guard_bits = guard_bits
        super().__init__(
            f"align_{term_bits}_{partial_sum_bits}",
            {
                "term_significand": In(term_bits),
                "term_exponent": In(term_exponent),
                "partial_sum_significand": In(partial_sum_bits),
                "partial_sum_exponent": In(exponent_bits),
                "is_term_larger": Out(1),
                "larger": Out(self.width),
                "smaller": Out(self.width + guard_bits),
                "exponent": Out(larger_exponent_bits),
            },
        )

    term_significand: Signal
    term_exponent: Signal
    partial_sum_significand: Signal
    partial_sum_exponent: Signal
    is_term_larger: Signal
    larger: Signal
    smaller: Signal
    exponent: Signal

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.width
        term = Cat(Const(0, width - len(self.term_significand)), self.term_significand)
        other = Cat(
            Const(0, width - len(self.partial_sum_significand)), self.partial_sum_significand
        )
        exact = self.partial_sum_exponent - self.term_exponent
        difference = Signal(exact.shape(), name="difference")
        below = Signal(name="term_exponent_is_larger")
        same = Signal(name="exponents_are_equal")
        distance = Signal(len(difference), name="distance")
        m.d.comb += [
            difference.eq(exact),
            below.eq(difference[-1]),
            same.eq(difference == 0),
            # the negative difference is complemented and incremented
            distance.eq((difference.as_unsigned() ^ below.replicate(len(difference))) + below),
            # A zero term may have any exponent; its top bit tells it from those with exponent > 1.
            self.is_term_larger.eq((below & self.term_significand[-1]) | (same & (term > other))),
            self.larger.eq(Mux(self.is_term_larger, term, other)),
            self.exponent.eq(
                Mux(self.is_term_larger, self.term_exponent, self.partial_sum_exponent)
            ),
        ]
        smaller = Signal(width, name="smaller_unaligned")
        m.d.comb += smaller.eq(Mux(self.is_term_larger, other, term))
        m.d.comb += self.smaller.eq(
            shift_right_sticky(m, "shift", smaller, distance[:-1], width + self.guard_bits)
        )
        return m
