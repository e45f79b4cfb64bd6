"""Terms rounded to integers."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Shape, Signal
from amaranth.lib.wiring import Out
from macsmith.hw.block import Block
from macsmith.hw.convert import clip_integer
from macsmith.hw.round import is_rounded_up
from macsmith.hw.shift import shift_right_sticky
from macsmith.hw.terms import Term, TermShape
from macsmith.model.formats import IntFormat
from macsmith.model.rounding import Rounding

__all__ = ["RoundToInteger"]


class RoundToInteger(Block):
    """Round a term to an integer's code and clip it; combinational.

    Parameters
    ----------
    shape
        Shape of the term.
    fmt, rounding
        Target and how.

    Members
    -------
    term_* : In
    code : Out(fmt.bits)
        NaN gives 0, infinity the largest or least code.
    """

    code: Signal

    def __init__(self, shape: TermShape, fmt: IntFormat, rounding: Rounding) -> None:
        self.shape, self.format, self.rounding = shape, fmt, rounding
        super().__init__(
            f"round_{shape.significand_bits}_to_{fmt.name}",
            {**shape.members("term", is_input=True), "code": Out(fmt.bits)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shape, fmt = self.shape, self.format
        term = Term.of(self, "term", shape)
        # | integer, one bit more than any code needs | round_bit | sticky bit |, and the
        # significand at its top: there its exponent is `top`; a larger one exceeds the format.
        integer_bits = fmt.bits + 1
        width = max(shape.significand_bits, integer_bits + 2)
        top = fmt.least_exponent + integer_bits - shape.significand_bits - shape.lsb_exponent
        distance = Signal(
            Shape.cast(range(min(top - shape.max_exponent, -1), max(top, 0) + 1)), name="distance"
        )
        is_far = Signal()
        m.d.comb += [distance.eq(top - term.exponent), is_far.eq(distance < 0)]
        word = shift_right_sticky(m, "shift", term.significand, distance.as_unsigned()[:-1], width)
        kept = word[width - integer_bits :]
        round_at = width - integer_bits - 1
        up = is_rounded_up(self.rounding, term.sign, kept[0], word[round_at], word[:round_at].any())
        magnitude = Signal(integer_bits + 1, name="magnitude")
        exceeds = term.is_infinity | (is_far & term.significand.any())
        largest = Const((2 << integer_bits) - 1, integer_bits + 1)
        m.d.comb += [
            magnitude.eq(Mux(exceeds, largest, Mux(is_far, 0, kept + up))),
            self.code.eq(Mux(term.is_nan, 0, clip_integer(fmt, term.sign, magnitude))),
        ]
        return m
