"""Rounding of a fixed-point sum whose negative values are only complemented, not incremented."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.round import magnitude_code_bits
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Rounding, RoundingMode, StochasticRounding

__all__ = ["RoundComplement"]


class RoundComplement(Block):
    """Round a two's-complement sum, given as sign and ones' complement; combinational.

    The magnitude of a negative sum is one more than its complement. That 1 is not added at the far
    end: behind the complement come ones without end, which stand for the same number, and the
    carry that they make of themselves joins the rounding. So there is one addition, no wider
    than the code (and the random bits).

    Parameters
    ----------
    width
        Bits of the complement.
    lsb_exponent
        Weight of its last bit.
    fmt
        Target; it has subnormals.
    rounding
        How.
    max_raise
        Largest `raised`.

    Members
    -------
    sign : In(1)
        The sum is negative.
    complement : In(width)
        The sum, or all its bits inverted if it is negative.
    raised : In
        Only if `max_raise` is not 0: the sum counts ``2**raised`` times as much.
    random : In(rounding.bits)
        Only with stochastic rounding.
    is_zero : Out(1)
        The sum is 0.
    code : Out
        Magnitude code, as `macsmith.hw.round.Round` gives it. Where the sum can be beyond the
        binades of the format, all codes beyond the largest finite one are overflow alike.
    """

    sign: Signal
    complement: Signal
    raised: Signal
    random: Signal
    is_zero: Signal
    code: Signal

    def __init__(
        self,
        width: int,
        lsb_exponent: int,
        fmt: FloatFormat,
        rounding: RoundingMode,
        max_raise: int = 0,
    ) -> None:
        if not fmt.has_subnormals:
            raise ValueError(f"round complement to {fmt.name}: must have subnormals")
        self.format, self.rounding, self.max_raise = fmt, rounding, max_raise
        # by how much the top bit lies above the smallest binade; zeros on top where it lies below
        above = lsb_exponent + width - 1 - fmt.min_normal_exponent
        # bits above the format's largest binade are not shifted: any of them means overflow
        self.excess = 0
        if not max_raise:
            self.excess = max(above - (fmt.max_exponent - fmt.min_normal_exponent), 0)
        if self.excess >= width:
            self.excess = 0
        above -= self.excess
        self.exponent = max(above, 0)
        self.padding = self.exponent - above
        self.max_exponent = max(self.exponent + max_raise, 1)
        members = {
            "sign": In(1),
            "complement": In(width),
            "is_zero": Out(1),
            "code": Out(magnitude_code_bits(fmt, self.max_exponent) + (self.excess > 0)),
        }
        if max_raise:
            members["raised"] = In(max_raise.bit_length())
        if isinstance(rounding, StochasticRounding):
            members["random"] = In(rounding.bits)
        super().__init__(f"round_complement_{width}_to_{fmt.name}", members)

    @property
    def _bits_below(self) -> int:
        """Bits below the precision that are kept as they are."""
        if not isinstance(self.rounding, StochasticRounding):
            return 1
        return self.rounding.bits + (self.rounding.variant != "a")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.format
        # one of the ones behind, so that the complement of -1, which is 0, has a leading bit too
        used = self.complement[: len(self.complement) - self.excess]
        word: Value = Cat(self.sign, used, Const(0, self.padding))
        keep = fmt.precision + self._bits_below
        if len(word) < keep:
            word = Cat(self.sign.replicate(keep - len(word)), word)
        most = self.exponent + self.max_raise
        max_shift = min(len(word) - 1, most)
        limit = self.exponent + self.raised if self.max_raise else None
        word, rest, shift = self._normalised(m, word, keep, max_shift, limit)

        hidden = word[-1]
        below, fraction = word[: self._bits_below], word[self._bits_below : -1]
        beyond = self.complement[len(self.complement) - self.excess :]
        m.d.comb += self.is_zero.eq(~(self.sign | word.any() | rest | beyond.any()))
        # | ...1 | all ones behind |: the carry they make of themselves
        carry = self.sign & ~rest
        # field = exponent - shift + hidden, as one addition: ~shift is -1 - shift
        bits = len(self.code) - fmt.fraction_bits - (self.excess > 0)
        field = Signal(bits, name="complemented_shift")
        one_more = Signal(bits, name="exponent_and_hidden")
        if limit is None:
            base: Value = Mux(
                hidden, Const(self.exponent + 2, bits), Const(self.exponent + 1, bits)
            )
        else:
            base = limit + 1 + hidden
        complemented: Value = ~Cat(shift, Const(0, bits))[:bits]
        if self.max_raise or max_shift < most:
            # a 0 has no leading bit before the limit is reached
            complemented = complemented & hidden.replicate(bits)
            base = base[:bits] & hidden.replicate(bits)
        m.d.comb += [field.eq(complemented), one_more.eq(base)]
        self._add(m, below, fraction, field, one_more, rest, carry)
        return m

    def _normalised(
        self, m: Module, word: Value, keep: int, max_shift: int, limit: Value | None
    ) -> tuple[Value, Value, Value]:
        """Leading zeros shifted out as far as `limit` (None: `max_shift`) allows, ones behind a
        negative sum shifted in.

        Returns the top `keep` bits, whether anything below differs from the sign, and the shift.
        """
        allowance: Value = Const(max_shift, max_shift.bit_length()) if limit is None else limit
        is_free: Value = allowance[max_shift.bit_length() :].any()
        taken: list[Value] = []
        rest: Value = Const(0, 1)
        for level in reversed(range(max_shift.bit_length())):
            distance = 1 << level
            is_clear = ~word[-min(distance, len(word)) :].any()
            bit = allowance[level] if level < len(allowance) else Const(0, 1)
            step = Signal(name=f"step_{level}")
            m.d.comb += step.eq(is_clear & (is_free | bit))
            is_free = is_free | (bit & ~is_clear)
            taken.append(step)
            shifted = Signal(len(word), name=f"shifted_{level}")
            ones = self.sign.replicate(distance)
            m.d.comb += shifted.eq(Mux(step, Cat(ones, word)[: len(word)], word))
            # what no later level brings up to the bits that are kept
            spare = max(len(word) - keep - (distance - 1), 0)
            if spare:
                dropped = shifted[:spare] ^ self.sign.replicate(spare)
                rest = rest | dropped.any()
            word = shifted[spare:]
        spare = len(word) - keep
        if spare:
            rest = rest | (word[:spare] ^ self.sign.replicate(spare)).any()
        found = Signal(name="rest")
        m.d.comb += found.eq(rest)
        return word[spare:], found, Cat(*reversed(taken)) if taken else Const(0, 1)

    def _add(
        self,
        m: Module,
        below: Value,
        fraction: Value,
        field: Value,
        one_more: Value,
        rest: Value,
        carry: Value,
    ) -> None:
        """The one addition: field, random bits or the decision to round up, and `carry`."""
        rounding = self.rounding
        if not isinstance(rounding, StochasticRounding):
            last = fraction[0] if len(fraction) else (field ^ one_more)[0]
            up = self._rounding_carry(rounding, last, below[0], rest, carry)
            lower = Cat(up, fraction, field)
            added = Cat(up, Const(0, len(fraction)), one_more)
            self._drive(m, (lower + added)[1:])
            return
        bits = rounding.bits
        used, random = below[-bits:], Cat(self.random)
        match rounding.variant:
            case "a":
                pass
            case "b":  # a bit more of the sum, and a 1 below the random bits
                used, random = below, Cat(Const(1, 1), self.random)
            case _:
                carry = self._rounding_carry(Rounding.NEAREST_EVEN, used[0], below[0], rest, carry)
        lower = Cat(carry, used, fraction, field)
        added = Cat(carry, random, Const(0, len(fraction)), one_more)
        self._drive(m, (lower + added)[1 + len(used) :])

    def _drive(self, m: Module, code: Value) -> None:
        """The code out; with a bit on top for what is beyond the binades of the format."""
        bits = len(self.code) - (self.excess > 0)
        m.d.comb += self.code.eq(code[:bits])
        if self.excess:
            m.d.comb += self.code[-1].eq(self.complement[-self.excess :].any())

    def _rounding_carry(
        self, rounding: Rounding, last: Value, round_bit: Value, rest: Value, carry: Value
    ) -> Value:
        """Whether 1 is added above `round_bit`, for the carry or by the rounding.

        `rest` is whether bits of the complement below `round_bit` differ from the sign: anything
        is left there but for a carry. A carry turns a round bit of 1 into a 1 above it, and one
        of 0 into a round bit of 1 with nothing below.
        """
        match rounding:
            case Rounding.NEAREST_EVEN:
                return Mux(carry, round_bit | last, round_bit & (rest | last))
            case Rounding.NEAREST_AWAY:
                return carry | round_bit
            case Rounding.TOWARD_ZERO:
                return carry & round_bit
            case Rounding.UP:
                away: Value = ~self.sign
            case Rounding.DOWN:
                away = self.sign
            case Rounding.TO_ODD:
                away = ~last
        return Mux(carry, round_bit | away, (round_bit | rest) & away)
