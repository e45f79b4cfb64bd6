"""From the sum of aligned terms to a magnitude code: leading zeros out, one increment, rounded."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.normalise import shift_out_leading_zeros
from macsmith.hw.round import Round, is_rounded_up, magnitude_code_bits
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Rounding

__all__ = ["RoundAligned"]


class RoundAligned(Block):
    """Magnitude code and sign of a sum that comes *less one*; combinational.

    A negative sum less one is the complement of its magnitude. Of a positive one the magnitude is
    one more; it is not incremented: ones are shifted in below it, which leaves the missing one at
    the very end, where it is part of rounding. So a sum costs one carry chain behind the
    normaliser, whatever its sign and rounding.

    Parameters
    ----------
    width
        Bits of the sum's magnitude.
    fmt
        Target format.
    kept_bits
        Fraction bits that are kept.
    rounding
        Mode.
    max_exponent
        Largest `exponent`.
    is_limited
        Whether a sum can lie below the smallest binade.

    Members
    -------
    total : In(width + 1)
        The sum less one, two's complement.
    flips : In(1)
        The sum has the other sign than its number says.
    exponent : In
        By how many binades the magnitude's top bit lies above the smallest binade.
    code : Out
        As if the exponent field had no end.
    sign : Out(1)
        0 for a sum of 0.
    """

    total: Signal
    flips: Signal
    exponent: Signal
    code: Signal
    sign: Signal

    def __init__(
        self,
        width: int,
        fmt: FloatFormat,
        kept_bits: int,
        rounding: Rounding,
        max_exponent: int,
        *,
        is_limited: bool,
    ) -> None:
        self.width, self.format, self.kept_bits = width, fmt, kept_bits
        self.rounding, self.is_limited = rounding, is_limited
        super().__init__(
            f"round_aligned_{width}_to_{fmt.name}",
            {
                "total": In(width + 1),
                "flips": In(1),
                "exponent": In(max(max_exponent.bit_length(), 1)),
                "code": Out(magnitude_code_bits(fmt, max_exponent)),
                "sign": Out(1),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if not self.format.has_subnormals:
            self._round_incremented(m, platform)
            return m
        fmt = replace(self.format, fraction_bits=self.kept_bits)
        negative = self.total[-1]
        lacks_one = ~negative
        magnitude = Signal(self.width)
        m.d.comb += magnitude.eq(self.total[:-1] ^ negative.replicate(self.width))
        # at least one bit below the kept ones, so that every slice exists
        pad = max(fmt.precision + 1 - self.width, 0)
        word, shift = shift_out_leading_zeros(
            m,
            "level",
            Cat(lacks_one.replicate(pad), magnitude),
            self.width - 1,
            self.exponent if self.is_limited else None,
            lacks_one,
        )
        hidden = word[-1]
        kept_from = len(word) - fmt.precision
        fraction, dropped = word[kept_from:-1], word[:kept_from]

        is_zero = Signal()
        sign = Signal()
        exponent = Signal(len(self.exponent))
        # A sum of 0 must not show its exponent. One of 1 may lack its leading bit as well, and get
        # it by the carry; a subnormal's exponent is used up.
        has_exponent = hidden | lacks_one
        m.d.comb += [
            is_zero.eq(self.total.all() if self.is_limited else ~has_exponent),
            sign.eq((negative ^ self.flips) & ~is_zero),
            self.sign.eq(sign),
            exponent.eq((self.exponent - shift) & has_exponent.replicate(len(exponent))),
        ]
        last_bit = fraction[0] if fmt.fraction_bits else exponent[0] ^ hidden
        up = self._is_up(sign, last_bit, dropped, lacks_one)
        rounded = Signal(len(self.code) - (self.format.fraction_bits - fmt.fraction_bits))
        # `up` twice below the last bit carries exactly `up` into it: one plain '+'
        m.d.comb += [
            rounded.eq(
                (Cat(up, fraction, exponent) + Cat(up, Const(0, fmt.fraction_bits), hidden))[1:]
            ),
            self.code.eq(Cat(Const(0, self.format.fraction_bits - fmt.fraction_bits), rounded)),
        ]
        return m

    def _round_incremented(self, m: Module, platform: Any) -> None:
        """Without subnormals, what is below the smallest number needs the true magnitude."""
        negative = self.total[-1]
        magnitude = Signal(self.width)
        m.d.comb += magnitude.eq((self.total[:-1] ^ negative.replicate(self.width)) + ~negative)
        word, shift = shift_out_leading_zeros(
            m, "level", Cat(Const(0, 1), magnitude), self.width - 1, self.exponent
        )
        sign = Signal()
        rounder = Round(self.format, self.rounding, len(word), (1 << len(self.exponent)) - 1)
        place(m, platform, "round", rounder)
        m.d.comb += [
            sign.eq((negative ^ self.flips) & magnitude.any()),
            rounder.sign.eq(sign),
            rounder.significand.eq(word),
            rounder.exponent.eq(self.exponent - shift),
            self.sign.eq(sign),
            self.code.eq(rounder.code),
        ]

    def _is_up(self, sign: Value, last_bit: Value, dropped: Value, lacks_one: Value) -> Value:
        """Whether the kept bits are incremented: by the one they lack, or by rounding."""
        round_bit, rest = dropped[-1], dropped[:-1]
        rest_any, rest_all = (rest.any(), rest.all()) if len(rest) else (Const(0), Const(1))
        exact = is_rounded_up(self.rounding, sign, last_bit, round_bit, rest_any)
        # with the lacking one, all ones below become 0 and carry
        carries = round_bit & rest_all
        match self.rounding:
            case Rounding.NEAREST_EVEN:
                lacking: Value = round_bit | (rest_all & last_bit)
            case Rounding.NEAREST_AWAY:
                lacking = round_bit | rest_all
            case Rounding.TOWARD_ZERO:
                lacking = carries
            case Rounding.UP:
                lacking = carries | ~sign  # below it there is always something left, or a carry
            case Rounding.DOWN:
                lacking = carries | sign
        return (lacks_one & lacking) | (~lacks_one & exact)
