"""Rounding to a posit, by building its bits and cutting them off.

With k the regime's number (`macsmith.model.posit_format`), the code of a positive value, as if it
had no end, is a short word shifted right by k or ``~k`` places::

    k >= 0:  | 1 0 | exponent | fraction ...      ones come in from above
    k <  0:  | 0 1 | exponent | fraction ...      zeros come in
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib.wiring import Out
from macsmith.hw.block import Block
from macsmith.hw.normalise import shift_out_leading_zeros
from macsmith.hw.shift import shift_right_sticky
from macsmith.hw.terms import Term, TermShape
from macsmith.model.formats import PositFormat

__all__ = ["RoundPosit"]


class RoundPosit(Block):
    """Round a term to a posit; combinational.

    Parameters
    ----------
    shape
        Shape of the term.
    fmt
        Target format.

    Members
    -------
    term_* : In
        NaN and infinity become NaR. The sign of a zero does not matter.
    code : Out(fmt.bits)
        Nearest as `macsmith.model.ordered_rounding` has it.
    """

    code: Signal

    def __init__(self, shape: TermShape, fmt: PositFormat) -> None:
        self.shape, self.format = shape, fmt
        super().__init__(
            f"round_posit_{shape.significand_bits}_to_{fmt.name}",
            {**shape.members("term", is_input=True), "code": Out(fmt.bits)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt, shape = self.format, self.shape
        term = Term.of(self, "term", shape)
        normalised, shift = shift_out_leading_zeros(
            m, "level", term.significand, shape.max_leading_zeros
        )
        is_number = Signal(name="is_not_zero")
        m.d.comb += is_number.eq(normalised[-1])

        # exponent of the leading bit: the regime's k above the posit's exponent field
        top = shape.lsb_exponent + shape.significand_bits - 1
        least = top + shape.min_exponent - shape.max_leading_zeros
        most = top + shape.max_exponent
        scale = Signal(Shape.cast(range(min(least, -1), max(most, 0) + 1)), name="scale")
        m.d.comb += scale.eq((term.exponent + top) - shift)
        regime = scale >> fmt.exponent_bits
        negative = scale[-1]
        places = Signal(len(regime), name="regime_places")
        m.d.comb += places.eq(regime ^ negative.replicate(len(regime)))

        # the leading bit itself is told by the regime
        significand = normalised[:-1]
        word = Cat(significand, scale[: fmt.exponent_bits], negative, ~negative)
        width = max(len(word), fmt.bits + 1)
        cut = shift_right_sticky(m, "shift", word, places[:-1], width)
        body_bits = fmt.bits - 1
        reached = range((1 << len(places[:-1])) - 1)  # more places than `places` can tell are none
        ones = Cat(
            *(
                ~negative & (places[:-1] > place) if place in reached else Const(0, 1)
                for place in reversed(range(body_bits))
            )
        )
        body = Signal(body_bits, name="body")
        round_bit, sticky = cut[-body_bits - 1], cut[: -body_bits - 1].any()
        m.d.comb += body.eq(cut[-body_bits:] | ones)
        # All ones are the largest posit; what lies between it and the one below has a 0 to cut off
        # or rounds up to it.
        rounded = Signal(body_bits, name="rounded")
        up = round_bit & (sticky | body[0]) & ~body.all()
        is_below = ~body.any()
        m.d.comb += rounded.eq((body + up) | is_below)
        magnitude = rounded & is_number.replicate(body_bits)
        sign = term.sign & is_number
        code: Value = Cat((magnitude ^ sign.replicate(body_bits)) + sign)[:body_bits]
        code = Cat(code, sign)
        if shape.has_specials:
            code = Mux(term.is_special, Const(fmt.nan_code, fmt.bits), code)
        m.d.comb += self.code.eq(code)
        return m
