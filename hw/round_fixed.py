"""A fixed-point magnitude rounded to a float."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.normalise import Normalise
from macsmith.hw.round import Round, magnitude_code_bits
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import RoundingMode, StochasticRounding

__all__ = ["RoundFixed"]


class RoundFixed(Block):
    """Round a fixed-point magnitude to a float's magnitude code; combinational.

    Parameters
    ----------
    width
        Bits of the magnitude.
    lsb_exponent
        Weight of its last bit.
    fmt, rounding
        Target and how.
    max_raise
        Largest `raised`.

    Members
    -------
    sign : In(1)
        For the directed modes.
    magnitude : In(width)
    raised : In
        Only if `max_raise` is not 0: the magnitude counts ``2**raised`` times as much.
    random : In(rounding.bits)
        Only with stochastic rounding.
    code : Out
        As `macsmith.hw.round.Round` gives it.
    """

    sign: Signal
    magnitude: Signal
    raised: Signal
    random: Signal
    code: Signal

    def __init__(
        self,
        width: int,
        lsb_exponent: int,
        fmt: FloatFormat,
        rounding: RoundingMode,
        max_raise: int = 0,
    ) -> None:
        self.format, self.rounding = fmt, rounding
        self.max_raise = max_raise
        # By how much the magnitude's top bit lies above the smallest binade; where it lies below,
        # zeros are put on top.
        above = lsb_exponent + width - 1 - fmt.min_normal_exponent
        self.exponent = max(above, 0)
        self.padding = self.exponent - above
        self.max_exponent = max(self.exponent + max_raise, 1)
        members = {
            "sign": In(1),
            "magnitude": In(width),
            "code": Out(magnitude_code_bits(fmt, self.max_exponent)),
        }
        if max_raise:
            members["raised"] = In(max_raise.bit_length())
        if isinstance(rounding, StochasticRounding):
            members["random"] = In(rounding.bits)
        super().__init__(f"round_fixed_{width}_to_{fmt.name}", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        value: Value = Cat(self.magnitude, Const(0, self.padding))
        if len(value) < 2:
            value = Cat(Const(0, 1), value)
        normalise = Normalise(
            len(value), self.max_exponent.bit_length(), min(self.exponent, len(value) - 1)
        )
        place(m, platform, "normalise", normalise)
        rounder = Round(self.format, self.rounding, len(value), self.max_exponent)
        place(m, platform, "round", rounder)
        raised: Value = self.raised if self.max_raise else Const(0)
        m.d.comb += [
            normalise.value.eq(value),
            normalise.exponent.eq(raised + self.exponent),
            rounder.sign.eq(self.sign),
            rounder.significand.eq(normalise.normalised),
            rounder.exponent.eq(normalise.normalised_exponent),
            self.code.eq(rounder.code),
        ]
        if isinstance(self.rounding, StochasticRounding):
            m.d.comb += rounder.random.eq(self.random)
        return m
