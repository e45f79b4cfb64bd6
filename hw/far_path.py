"""The path of a float adder where at most one leading bit cancels: align, add, round."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.prefix_adder import PrefixAdder
from macsmith.hw.round import is_rounded_up
from macsmith.model.rounding import Rounding

__all__ = ["FarPath"]


class FarPath(Block):
    """Sum of a larger and an aligned smaller significand, rounded; combinational.

    Parameters
    ----------
    precision
        Of the significands, at least 1 bit.
    distance_bits
        Width of the distance.
    exponent_bits
        Width of the exponent of the larger number and of the result's field.
    largest_field
        Of finite numbers.
    rounding
        Mode.
    is_limited
        Whether exponent 1 occurs, below which nothing is normalised.

    Members
    -------
    larger : In(precision)
        Top bit of weight 1; only with exponent 1 may it be 0.
    smaller : In(precision + 1)
        Top bit of weight 1.
    distance : In(distance_bits)
        By which `smaller` is shifted right.
    is_subtraction : In(1)
        `smaller` is subtracted; at most one leading bit may cancel then.
    sign : In(1)
        Of the result, for the directed modes.
    exponent : In(exponent_bits)
        Of `larger`, less 1.
    magnitude : Out(precision - 1 + exponent_bits)
        Magnitude code, as if the exponent field had no end but that of `exponent_bits`.
    overflows : Out(1)
        Its field is beyond `largest_field`.
    """

    larger: Signal
    smaller: Signal
    distance: Signal
    is_subtraction: Signal
    sign: Signal
    exponent: Signal
    magnitude: Signal
    overflows: Signal

    def __init__(
        self,
        precision: int,
        distance_bits: int,
        exponent_bits: int,
        largest_field: int,
        rounding: Rounding,
        *,
        is_limited: bool,
    ) -> None:
        self.largest_field = largest_field
        self.precision, self.rounding, self.is_limited = precision, rounding, is_limited
        super().__init__(
            f"far_path_{precision}",
            {
                "larger": In(precision),
                "smaller": In(precision + 1),
                "distance": In(distance_bits),
                "is_subtraction": In(1),
                "sign": In(1),
                "exponent": In(exponent_bits),
                "magnitude": Out(precision - 1 + exponent_bits),
                "overflows": Out(1),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        precision = self.precision
        # | 1 . fraction | guard | round |, and a sticky bit apart
        width = precision + 2
        aligned, lost = self._align(m, Cat(Const(0, 1), self.smaller))
        subtracts = self.is_subtraction
        sticky = Signal()
        adder = PrefixAdder(
            m,
            "add",
            Cat(Const(0, 2), self.larger),
            aligned ^ subtracts.replicate(width),
        )
        carry_in = Signal()
        total = Signal(width)
        carries = Signal()
        m.d.comb += [
            sticky.eq(lost),
            # what was shifted out is subtracted too: one less, and something is left over
            carry_in.eq(subtracts & ~sticky),
            total.eq(adder.sum(carry_in)),
            carries.eq(adder.carry_out(carry_in) & ~subtracts),
        ]
        one = total[-1]
        # without a bit at 1 the next one leads, unless exponent 1 is reached
        rises = ~one & ~carries
        if self.is_limited:
            rises = rises & self.exponent.any()
        is_raised = Signal()
        m.d.comb += is_raised.eq(rises)
        fraction_bits = precision - 1
        fraction = Signal(fraction_bits + 1, name="fraction")  # and the round bit below
        rest = Signal()
        m.d.comb += [
            fraction.eq(
                Mux(
                    carries,
                    total[2 : 3 + fraction_bits],
                    Mux(is_raised, total[: 1 + fraction_bits], total[1 : 2 + fraction_bits]),
                )
            ),
            rest.eq(sticky | (total[0] & ~is_raised) | (total[1] & carries)),
        ]
        # what is normalised counts in the field, and so does the carry of rounding, which is late
        low = Signal(len(self.exponent), name="field")
        high = Signal.like(low, name="field_incremented")
        m.d.comb += [
            low.eq(self.exponent + Cat(one & ~carries, carries)),
            high.eq(low + 1),
        ]
        last_bit = fraction[1] if fraction_bits else low[0]
        up = Signal()
        m.d.comb += up.eq(is_rounded_up(self.rounding, self.sign, last_bit, fraction[0], rest))
        rounded: list[Value] = []
        carry: Value = up
        kept = fraction[1:]
        for at in range(fraction_bits):
            ones = kept[:at].all() if at else Const(1)
            rounded.append(kept[at] ^ (ones & up))
        carry = up & (kept.all() if fraction_bits else Const(1))
        limit = self.largest_field
        is_beyond = low > limit if limit + 1 < 1 << len(low) else Const(0)
        m.d.comb += [
            self.magnitude.eq(Cat(*rounded, Mux(carry, high, low))),
            self.overflows.eq(is_beyond | (carry & (low >= limit))),
        ]
        return m

    def _align(self, m: Module, word: Value) -> tuple[Value, Value]:
        """`word` shifted right, far shifts first, and whether a 1 was lost."""
        width = len(word)
        levels = (width - 1).bit_length()
        lost: list[Value] = []
        distance = self.distance
        for level in reversed(range(min(levels, len(distance)))):
            step = 1 << level
            shifted = Signal(width, name=f"align_{level}")
            m.d.comb += shifted.eq(Mux(distance[level], Cat(word[step:], Const(0, step)), word))
            lost.append(distance[level] & word[:step].any())
            word = shifted
        if len(distance) > levels:
            is_far = distance[levels:].any()
            lost.append(is_far & word.any())
            kept = Signal(width, name="aligned")
            m.d.comb += kept.eq(word & (~is_far).replicate(width))
            word = kept
        return word, Cat(*lost).any()
