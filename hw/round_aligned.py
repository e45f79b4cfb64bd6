"""From the sum of aligned terms to a magnitude code: leading zeros out, one increment, rounded."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.leading_zeros import count_leading_zeros
from macsmith.hw.normalise import shift_out_leading_zeros
from macsmith.hw.round import Round, is_rounded_up, magnitude_code_bits
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Rounding

__all__ = ["RoundAligned"]

#: Bits of a fraction that are incremented together where time matters.
_GROUP_BITS = 5


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
    limit
        What keeps a sum below the smallest binade from being normalised: ``"none"`` (there is no
        such sum), ``"single"`` (only single terms are, which stay as they came), ``"exponent"``.
    single_shift
        Places that a single term is shifted.
    is_parallel
        Leading zeros are counted before they are shifted out, and both results of the increment are
        there when it is known: quicker, and larger.

    Members
    -------
    total : In(width + 1)
        The sum less one, two's complement.
    flips : In(1)
        The sum has the other sign than its number says.
    exponent : In
        By how many binades the magnitude's top bit lies above the smallest binade.
    is_single : In(1)
        Only with that limit: nothing was added to the one term, which has its leading bit, if it
        has one, `single_shift` places below the top.
    code : Out
        As if the exponent field had no end.
    sign : Out(1)
        0 for a sum of 0.
    """

    total: Signal
    flips: Signal
    exponent: Signal
    is_single: Signal
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
        limit: str,
        single_shift: int = 0,
        is_parallel: bool = False,
    ) -> None:
        self.width, self.format, self.kept_bits = width, fmt, kept_bits
        self.rounding, self.limit, self.single_shift = rounding, limit, single_shift
        self.is_parallel = is_parallel
        members = {
            "total": In(width + 1),
            "flips": In(1),
            "exponent": In(max(max_exponent.bit_length(), 1)),
            "code": Out(magnitude_code_bits(fmt, max_exponent)),
            "sign": Out(1),
        }
        if limit == "single":
            members["is_single"] = In(1)
        super().__init__(f"round_aligned_{width}_to_{fmt.name}", members)

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
        extended = Cat(lacks_one.replicate(pad), magnitude)
        if self._increments_early:
            incremented = Signal(self.width)
            m.d.comb += incremented.eq(magnitude + lacks_one)
            extended = Cat(Const(0, pad), incremented)
            word, shift = self._shift_counted(m, extended, Const(0, 1))
        elif self.is_parallel:
            word, shift = self._shift_counted(m, extended, lacks_one)
        else:
            word, shift = self._shift_by_levels(m, extended, lacks_one)
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
            is_zero.eq(~has_exponent if self.limit == "none" else self.total.all()),
            sign.eq((negative ^ self.flips) & ~is_zero),
            self.sign.eq(sign),
            exponent.eq((self.exponent - shift) & has_exponent.replicate(len(exponent))),
        ]
        last_bit = fraction[0] if fmt.fraction_bits else exponent[0] ^ hidden
        up = Signal()
        m.d.comb += up.eq(self._is_up(sign, last_bit, dropped, lacks_one))
        unused = self.format.fraction_bits - fmt.fraction_bits
        rounded = Signal(len(self.code) - unused)
        if self._increments_early:
            # a sum that gained a bit is a power of two, and this bit was shifted out
            next_field, field = Signal(len(rounded)), Signal(len(rounded))
            m.d.comb += [
                next_field.eq(exponent + 2),
                field.eq(exponent + hidden),
                rounded.eq(Cat(fraction, Mux(lacks_one & ~hidden, next_field, field))),
            ]
        elif self.is_parallel:
            m.d.comb += rounded.eq(self._both_increments(m, up, fraction, exponent, hidden))
        else:
            # `up` twice below the last bit carries exactly `up` into it: one plain '+'
            lower = Cat(up, fraction, exponent)
            m.d.comb += rounded.eq((lower + Cat(up, Const(0, fmt.fraction_bits), hidden))[1:])
        m.d.comb += self.code.eq(Cat(Const(0, unused), rounded))
        return m

    @property
    def _increments_early(self) -> bool:
        """Whether a positive sum gets the one that it lacks while leading zeros are counted.

        That is quicker where nothing is rounded up behind the normaliser. The count may then be one
        too many, but not where it is limited by the exponent.
        """
        is_truncated = self.rounding is Rounding.TOWARD_ZERO
        return self.is_parallel and is_truncated and self.limit != "exponent"

    def _shift_by_levels(self, m: Module, word: Value, fill: Value) -> tuple[Value, Value]:
        """Leading zeros looked for and shifted out, half as many at each level."""
        forced = None
        if self.limit == "single":
            forced = (self.is_single, self.single_shift)
        return shift_out_leading_zeros(
            m,
            "level",
            word,
            self.width - 1,
            self.exponent if self.limit == "exponent" else None,
            fill,
            forced,
        )

    def _shift_counted(self, m: Module, word: Value, fill: Value) -> tuple[Value, Value]:
        """Leading zeros counted, with a one where shifting has to stop, and then shifted out."""
        # Where two neighbours of the sum differ is a leading one, whatever the sign, which is still
        # on its way to all bits of the magnitude.
        edges = Signal(self.width)
        m.d.comb += edges.eq(self.total[:-1] ^ self.total[1:])
        marked: Value = edges
        if self.limit == "single":
            bit = self.width - 1 - self.single_shift
            marked = edges | (self.is_single << bit)[: self.width]
        elif self.limit == "exponent":
            stops = Cat(*(self.exponent == self.width - 1 - bit for bit in range(self.width)))
            marked = edges | stops
        # of a sum of 0 nothing is read, one of 1 is normalised by its width
        count = count_leading_zeros(m, "zeros", marked)
        for level in reversed(range(len(count))):
            distance = 1 << level
            below = fill.replicate(distance)
            shifted = Signal(len(word), name=f"shifted_{level}")
            m.d.comb += shifted.eq(Mux(count[level], Cat(below, word)[: len(word)], word))
            word = shifted
        return word, count

    def _both_increments(
        self, m: Module, up: Value, fraction: Value, exponent: Value, hidden: Value
    ) -> Value:
        """Field and fraction, plus `up`: what is carried is chosen, not waited for."""
        field = Signal(len(self.code) - self.format.fraction_bits)
        next_field = Signal(len(field))
        m.d.comb += [
            field.eq(exponent + hidden),
            next_field.eq(exponent + hidden + 1),
        ]
        if not len(fraction):
            return Mux(up, next_field, field)
        # in groups: within one a short chain, and from group to group a single gate
        parts: list[Value] = []
        carry: Value = up
        for start in range(0, len(fraction), _GROUP_BITS):
            group = fraction[start : start + _GROUP_BITS]
            plus_one = Signal(len(group), name=f"plus_one_{start}")
            next_carry = Signal(name=f"carry_{start}")
            m.d.comb += [
                plus_one.eq(group + 1),
                next_carry.eq(up & fraction[: start + len(group)].all()),
            ]
            parts.append(Mux(carry, plus_one, group))
            carry = next_carry
        return Cat(*parts, Mux(carry, next_field, field))

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
            case Rounding.TO_ODD:
                lacking = carries | ~last_bit
        return (lacks_one & lacking) | (~lacks_one & exact)
