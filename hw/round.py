"""Rounding of a normalised significand to a code's magnitude."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Rounding, RoundingMode, StochasticRounding

__all__ = ["Round", "bits_below", "is_rounded_up", "magnitude_code_bits"]


def is_rounded_up(
    rounding: Rounding, sign: Value, last_bit: Value, round_bit: Value, sticky_bit: Value
) -> Value:
    """Whether a magnitude goes to the upper of its two neighbours.

    `last_bit` is that of the lower neighbour's code, `round_bit` and `sticky_bit` are what lies
    below it.
    """
    match rounding:
        case Rounding.NEAREST_EVEN:
            return round_bit & (sticky_bit | last_bit)
        case Rounding.NEAREST_AWAY:
            return round_bit
        case Rounding.TOWARD_ZERO:
            return Const(0)
        case Rounding.UP:
            return (round_bit | sticky_bit) & ~sign
        case Rounding.DOWN:
            return (round_bit | sticky_bit) & sign
        case Rounding.TO_ODD:
            return (round_bit | sticky_bit) & ~last_bit


def bits_below(rounding: RoundingMode) -> int:
    """Bits below the precision that decide how a value rounds, the last one being sticky.

    Stochastic rounding of variant a takes as many as there are random bits, and then only what is
    needed to know them: where a sticky bit stands for something subtracted, it must be kept.
    """
    if not isinstance(rounding, StochasticRounding):
        return 2
    return rounding.bits + (1 if rounding.variant == "a" else 2)


def magnitude_code_bits(fmt: FloatFormat, max_exponent: int) -> int:
    """Width of a magnitude code whose exponent field may grow to ``max_exponent + 2``."""
    field_bits = max((max_exponent + 2).bit_length(), fmt.exponent_bits)
    return field_bits + fmt.fraction_bits


class Round(Block):
    """Round to a magnitude code, as if the exponent field had no end; combinational.

    Parameters
    ----------
    fmt
        Target format.
    rounding
        Mode.
    width
        Bits of the significand that comes in, at least 2.
    max_exponent
        Largest exponent that comes in.

    Members
    -------
    sign : In(1)
        Sign of the value, for the directed modes.
    random : In(rounding.bits)
        Only with stochastic rounding.
    significand : In(width)
        ``| hidden bit | fraction | round bit | sticky bits |``. The hidden bit may be 0 only if
        `exponent` is 0.
    exponent : In
        Exponent above that of the smallest binade: 0 for it and for subnormals.
    code : Out(magnitude_code_bits(fmt, max_exponent))
        Codes beyond the largest finite one mean overflow.
    """

    sign: Signal
    significand: Signal
    exponent: Signal
    random: Signal
    code: Signal

    def __init__(
        self, fmt: FloatFormat, rounding: RoundingMode, width: int, max_exponent: int
    ) -> None:
        if width < 2:
            raise ValueError(f"round to {fmt.name}: width must be at least 2 bits, not {width}")
        self.format, self.rounding, self.width = fmt, rounding, width
        members = {
            "sign": In(1),
            "significand": In(width),
            "exponent": In(max(max_exponent.bit_length(), 1)),
            "code": Out(magnitude_code_bits(fmt, max_exponent)),
        }
        if isinstance(rounding, StochasticRounding):
            if not fmt.has_subnormals:
                raise ValueError(f"round to {fmt.name}: {rounding} needs a format with subnormals")
            members["random"] = In(rounding.bits)
        super().__init__(f"round_{width}_to_{fmt.name}", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.format
        significand: Value = self.significand
        least = fmt.precision + 1  # at least a round bit, so that every slice exists
        if isinstance(self.rounding, StochasticRounding):
            least = fmt.precision + bits_below(self.rounding)
        if self.width < least:
            significand = Cat(Const(0, least - self.width), significand)
        hidden = significand[-1]
        kept_from = len(significand) - fmt.precision
        fraction = significand[kept_from:-1]
        round_bit = significand[kept_from - 1]
        sticky_bit = significand[: kept_from - 1].any()
        # Without a hidden bit the value is subnormal (exponent 0 already), or zero with any
        # exponent, which must not show.
        exponent = self.exponent & hidden.replicate(len(self.exponent))

        # With subnormals the hidden bit itself, added to the field, makes 0 of a subnormal's and
        # 1 of the smallest binade's; without them the smallest binade has field 0.
        carry_to_field = hidden if fmt.has_subnormals else Const(0)
        if isinstance(self.rounding, StochasticRounding):
            self._add_random(
                m, self.rounding, significand[:kept_from], fraction, exponent, carry_to_field
            )
            return m
        if fmt.fraction_bits:
            last_bit: Value = fraction[0]
        else:
            last_bit = exponent[0] ^ carry_to_field
        up = is_rounded_up(self.rounding, self.sign, last_bit, round_bit, sticky_bit)
        # `up` twice below the last bit carries exactly `up` into it: one plain '+'
        lower = Cat(up, fraction, exponent)
        added = Cat(up, Const(0, fmt.fraction_bits), carry_to_field)
        rounded = Signal.like(self.code, name="rounded")
        m.d.comb += rounded.eq((lower + added)[1:])
        if fmt.has_subnormals:
            m.d.comb += self.code.eq(rounded)
        else:
            is_lowest, to_one = self._below_smallest(
                hidden, exponent, fraction, round_bit, sticky_bit
            )
            m.d.comb += self.code.eq(Mux(is_lowest, to_one, rounded))
        return m

    def _add_random(
        self,
        m: Module,
        rounding: StochasticRounding,
        below: Value,
        fraction: Value,
        exponent: Value,
        carry_to_field: Value,
    ) -> None:
        """The random bits, added to the bits just below the last one, carry into the code::

        | exponent | fraction | bits below: `rounding.bits` | round_bit | sticky bits |
        |       hidden bit    | random bits                 |  carry in
        """
        rest = below[: -rounding.bits]
        lowest = below[-rounding.bits]
        match rounding.variant:
            case "a":
                carry: Value = Const(0)
            case "b":
                carry = rest[-1]
            case _:
                carry = rest[-1] & (rest[:-1].any() | lowest)
        lower = Cat(below[-rounding.bits :], fraction, exponent)
        added = Cat(self.random, Const(0, len(fraction)), carry_to_field)
        total: Value = lower + added
        if not isinstance(carry, Const):  # as a bit of its own that carries
            total = (Cat(carry, lower) + Cat(carry, added))[1:]
        m.d.comb += self.code.eq(total[rounding.bits :])

    def _below_smallest(
        self, hidden: Value, exponent: Value, fraction: Value, round_bit: Value, sticky_bit: Value
    ) -> tuple[Value, Value]:
        """Whether the value is below the smallest number, and if so, whether it rounds up to it.

        Without subnormals, code 1 is ``2**e * (1 + 2**-m)`` with e of the smallest binade (2 * 2**e
        if m is 0); between it and 0 there is nothing, so its half decides:
        ``2**(e - 1) * (1 + 2**-m)``.
        """
        at_smallest_binade = hidden & ~exponent.any()
        is_lowest = ~hidden | (at_smallest_binade & ~fraction.any())
        rest = round_bit | sticky_bit
        if len(fraction):
            # hidden 0: | 0 . half | m - 1 bits | round_bit | sticky_bit |
            # against   | 0 .  1   |     0      |     1     |     0      |
            half = fraction[-1]
            between = fraction[:-1].any()
            is_above_half = hidden | (half & (between | (round_bit & sticky_bit)))
            is_half = ~hidden & half & ~between & round_bit & ~sticky_bit
        else:
            is_above_half = hidden & rest
            is_half = hidden & ~rest
        is_zero = ~hidden & ~fraction.any() & ~rest
        rounding = self.rounding
        assert isinstance(rounding, Rounding)  # stochastic rounding is for formats with subnormals
        match rounding:
            case Rounding.NEAREST_EVEN:
                to_one: Value = is_above_half
            case Rounding.NEAREST_AWAY:
                to_one = is_above_half | is_half
            case Rounding.TOWARD_ZERO:
                to_one = Const(0)
            case Rounding.UP:
                to_one = ~is_zero & ~self.sign
            case Rounding.DOWN:
                to_one = ~is_zero & self.sign
            case Rounding.TO_ODD:
                to_one = ~is_zero
        return is_lowest, to_one
