"""Rounding to powers of four, to -1 and +1, and to -1, 0 and +1."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib.wiring import Out
from macsmith.hw.block import Block
from macsmith.hw.normalise import shift_out_leading_zeros
from macsmith.hw.terms import Term, TermShape
from macsmith.model.formats import DigitFormat, Radix4Format

__all__ = ["RoundOrdered"]


class RoundOrdered(Block):
    """Round a term to a format without a fraction; combinational.

    Parameters
    ----------
    shape
        Shape of the term.
    fmt
        Target format; of signed digits one.

    Members
    -------
    term_* : In
        The sign of a zero does not matter.
    code : Out(fmt.bits)
        Nearest as `macsmith.model.ordered_rounding` has it.

    Raises
    ------
    ValueError
        The format has more than one digit.
    """

    code: Signal

    def __init__(self, shape: TermShape, fmt: Radix4Format | DigitFormat) -> None:
        if isinstance(fmt, DigitFormat) and fmt.digits > 1:
            raise ValueError(
                f"results in {fmt.name} are not built: must be bin1, ternary, or left raw"
            )
        self.shape, self.format = shape, fmt
        super().__init__(
            f"round_{shape.significand_bits}_to_{fmt.name}",
            {**shape.members("term", is_input=True), "code": Out(fmt.bits)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        term = Term.of(self, "term", self.shape)
        is_not_zero = term.significand.any() | term.is_infinity
        code: Value
        if isinstance(self.format, DigitFormat) and not self.format.has_zero:
            code = ~(term.sign & is_not_zero)
        else:
            # exponent of the leading bit, and the bits behind it
            normalised, shift = shift_out_leading_zeros(
                m, "level", term.significand, self.shape.max_leading_zeros
            )
            top = self.shape.lsb_exponent + self.shape.significand_bits - 1
            least = top + self.shape.min_exponent - self.shape.max_leading_zeros
            most = top + self.shape.max_exponent
            scale = Signal(Shape.cast(range(min(least, -1), max(most, 0) + 1)), name="scale")
            m.d.comb += scale.eq((term.exponent + top) - shift)
            fraction = Cat(Const(0, 2), normalised[:-1])
            if isinstance(self.format, DigitFormat):
                magnitude = self._ternary(scale, fraction)
            else:
                magnitude = self._radix4(m, self.format, scale, fraction)
            last = (1 << len(magnitude)) - 1
            magnitude = Mux(
                term.is_infinity, last, magnitude & is_not_zero.replicate(len(magnitude))
            )
            magnitude = magnitude[: self.format.bits - 1]
            code = Cat(magnitude, term.sign & magnitude.any())
        m.d.comb += self.code.eq(Mux(term.is_nan, 0, code))
        return m

    @staticmethod
    def _ternary(scale: Signal, fraction: Value) -> Value:
        """1 above a half, which itself goes to 0."""
        return (scale >= 0) | ((scale == -1) & fraction.any())

    @staticmethod
    def _radix4(m: Module, fmt: Radix4Format, scale: Signal, fraction: Value) -> Value:
        """Field of the power of four next to ``2**scale * 1.fraction``.

        The middle between 4**n and its successor is 1.01 in binary times 2 * 4**n: from an even
        power of two it is never reached, from an odd one only a fraction above 01 goes up, and 01
        itself to the even field.
        """
        # counted so that field f is at 2 * f
        offset = fmt.exponent(0)
        lowest = min(-(1 << (len(scale) - 1)) - offset, -2)
        highest = max((1 << (len(scale) - 1)) - offset, 2)
        place = Signal(Shape.cast(range(lowest, highest + 1)), name="place")
        lower = Signal(Shape.cast(range(lowest // 2, highest // 2 + 2)), name="lower_field")
        above, rest = fraction[-2:], fraction[:-2].any()
        goes_up = Signal(name="goes_up")
        field = Signal(lower.shape(), name="field")
        m.d.comb += [
            place.eq(scale - offset),
            lower.eq(place >> 1),
            goes_up.eq(place[0] & ((above > 1) | ((above == 1) & (rest | lower[0])))),
            field.eq(lower + goes_up),
        ]
        # below field 1 the lower neighbour is 0, and the middle half of field 1's value
        is_below = lower < 1
        up_from_zero = (place == 1) & fraction.any()
        most = fmt.max_magnitude_code
        inside = Mux(field > most, most, field.as_unsigned()[: fmt.exponent_bits])
        return Mux(is_below, up_from_zero, inside)[: fmt.exponent_bits]
