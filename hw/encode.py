"""From a rounded magnitude, a sign and special flags to a code."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow, Rounding

__all__ = ["Encode", "stays_finite"]


def stays_finite(rounding: Rounding, sign: Value) -> Value:
    """Whether no number of this sign rounds to an infinity or overflows otherwise."""
    match rounding:
        case Rounding.TOWARD_ZERO | Rounding.TO_ODD:
            return Const(1)
        case Rounding.UP:
            return sign
        case Rounding.DOWN:
            return ~sign
        case _:
            return Const(0)


class Encode(Block):
    """Put a code together; combinational.

    Parameters
    ----------
    fmt
        Format of the code.
    rounding
        Mode that the magnitude was rounded by; it decides what overflow gives.
    overflow
        Policy for a magnitude beyond the largest finite number, and for infinity.
    magnitude_bits
        Width of the magnitude code that comes in.
    has_nan, has_infinity
        Which special flags can be set.
    knows_overflow
        Whether overflow is told from outside, earlier than the magnitude.

    Members
    -------
    magnitude : In(magnitude_bits)
        Code as if the exponent field had no end.
    sign : In(1)
        Sign of the result, zeros and infinities included.
    overflows : In(1)
        Only with `knows_overflow`: `magnitude` is beyond the largest finite number.
    is_nan, is_infinity : In(1)
        Only where they can be set; NaN goes before infinity.
    code : Out(fmt.bits)
        NaN gives the format's NaN, and 0 in a format without.
    """

    magnitude: Signal
    sign: Signal
    overflows: Signal
    is_nan: Signal
    is_infinity: Signal
    code: Signal

    def __init__(
        self,
        fmt: FloatFormat,
        rounding: Rounding,
        overflow: Overflow,
        magnitude_bits: int,
        *,
        has_nan: bool,
        has_infinity: bool,
        knows_overflow: bool = False,
    ) -> None:
        self.knows_overflow = knows_overflow
        self.format, self.rounding, self.overflow = fmt, rounding, overflow
        self.has_nan, self.has_infinity = has_nan, has_infinity
        members = {"magnitude": In(magnitude_bits), "sign": In(1), "code": Out(fmt.bits)}
        if knows_overflow:
            members["overflows"] = In(1)
        if has_nan:
            members["is_nan"] = In(1)
        if has_infinity:
            members["is_infinity"] = In(1)
        super().__init__(f"encode_{magnitude_bits}_to_{fmt.name}", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.format
        bits = fmt.magnitude_bits
        largest = fmt.max_magnitude_code
        is_infinity: Value = self.is_infinity if self.has_infinity else Const(0)
        is_nan: Value = self.is_nan if self.has_nan else Const(0)
        overflows = (
            self.overflows if self.knows_overflow else self._exceeds(self.magnitude, largest)
        )

        magnitude: Value = self.magnitude[:bits]
        sign: Value = self.sign
        to_largest: Value = Const(0)
        to_nan = is_nan
        if self.overflow is Overflow.SATURATE:
            to_largest = overflows | is_infinity
            magnitude = Mux(to_largest, Const(largest, bits), magnitude)
        elif self.overflow is Overflow.PROPAGATE:
            magnitude = Mux(overflows, Const(largest, bits), magnitude)
            magnitude = Mux(is_infinity, Const(fmt.infinity_code, bits), magnitude)
        else:
            is_kept = stays_finite(self.rounding, sign)
            beyond = is_infinity | (overflows & ~is_kept)
            if self.rounding not in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY):
                magnitude = Mux(overflows & is_kept, Const(largest, bits), magnitude)
            if self.overflow is Overflow.INFINITY:
                magnitude = Mux(beyond, Const(fmt.infinity_code, bits), magnitude)
            else:
                to_nan = to_nan | beyond
        if not fmt.has_negative_zero:
            sign = sign & magnitude.any()
        code: Value = Cat(magnitude, sign)
        if self.has_nan or self.overflow is Overflow.NAN:
            nan = fmt.nan_code if fmt.has_nan else 0
            code = Mux(to_nan, Const(nan, fmt.bits), code)
        m.d.comb += self.code.eq(code)
        return m

    @staticmethod
    def _exceeds(magnitude: Value, largest: int) -> Value:
        """``magnitude > largest``, cheap where `largest` ends in ones (it always nearly does)."""
        # With t ones at its end, all above `largest` either exceeds it in the upper bits or
        # equals there, which the ones below cannot exceed.
        ones = ((largest + 1) & -(largest + 1)).bit_length() - 1
        upper, limit = magnitude[ones:], largest >> ones
        return upper > limit if limit else upper.any()
