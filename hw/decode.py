"""From a code to a term: sign, significand with its hidden bit, exponent, specials."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In
from macsmith.hw.block import Block
from macsmith.hw.decode_ordered import decode_digits, decode_posit, decode_radix4
from macsmith.hw.terms import Term, operand_shape
from macsmith.model.formats import (
    DigitFormat,
    FloatFormat,
    FloatSpecials,
    Format,
    IntFormat,
    PositFormat,
    Radix4Format,
)

__all__ = ["Decode", "special_flags"]


def special_flags(fmt: FloatFormat, code: Value) -> tuple[Value, Value]:
    """Whether a code is NaN, and whether it is infinite."""
    magnitude = code[: fmt.magnitude_bits]
    fraction, field = magnitude[: fmt.fraction_bits], magnitude[fmt.fraction_bits :]
    match fmt.specials:
        case FloatSpecials.FINITE:
            return Const(0), Const(0)
        case FloatSpecials.FN:
            return magnitude.all(), Const(0)
        case FloatSpecials.IN:
            above = magnitude[1:].all()
            return above & magnitude[0], above & ~magnitude[0]
        case FloatSpecials.FNUZ:
            return code[-1] & ~magnitude.any(), Const(0)
        case FloatSpecials.INUZ:
            return code[-1] & ~magnitude.any(), magnitude.all()
        case FloatSpecials.IEEE:
            if not fmt.has_infinity:
                return field.all(), Const(0)
            return field.all() & fraction.any(), field.all() & ~fraction.any()


class Decode(Block):
    """Decode one code; combinational.

    Parameters
    ----------
    fmt
        Format of the code.

    Members
    -------
    code : In(fmt.bits)
    term_* : Out
        The term of `macsmith.hw.terms.operand_shape`: an integer gives sign and magnitude. A
        special code's significand and exponent mean nothing.
    """

    code: Signal

    def __init__(self, fmt: Format) -> None:
        self.format = fmt
        self.shape = operand_shape(fmt)
        super().__init__(
            f"decode_{fmt.name}",
            {"code": In(fmt.bits), **self.shape.members("term", is_input=False)},
        )

    @property
    def term(self) -> Term:
        """The decoded term."""
        return Term.of(self, "term", self.shape)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        match self.format:
            case IntFormat() as fmt:
                self._decode_integer(m, fmt)
            case FloatFormat() as fmt:
                self._decode_float(m, fmt)
            case PositFormat() as fmt:
                decode_posit(m, fmt, self.code, self.term)
            case Radix4Format() as fmt:
                decode_radix4(m, fmt, self.code, self.term)
            case DigitFormat() as fmt:
                decode_digits(m, fmt, self.code, self.term)
        return m

    def _decode_integer(self, m: Module, fmt: IntFormat) -> None:
        term = self.term
        if not fmt.is_signed:
            m.d.comb += term.significand.eq(self.code)
            return
        sign = self.code[-1]
        # |-2**(n-1)| needs all n bits, so nothing is lost
        m.d.comb += [
            term.sign.eq(sign),
            term.significand.eq((self.code ^ sign.replicate(fmt.bits)) + sign),
        ]

    def _decode_float(self, m: Module, fmt: FloatFormat) -> None:
        term = self.term
        fraction = self.code[: fmt.fraction_bits]
        field = self.code[fmt.fraction_bits : fmt.magnitude_bits]
        magnitude = self.code[: fmt.magnitude_bits]
        is_normal = field.any() if fmt.has_subnormals else magnitude.any()
        if not fmt.has_zero:
            is_normal = Const(1)
        m.d.comb += [
            term.sign.eq(self.code[-1] if fmt.is_signed else 0),
            term.significand.eq(Cat(fraction, is_normal)),
            # max(field, 1): a subnormal has the scale of field 1
            term.exponent.eq(
                Cat(field[0] | ~is_normal, field[1:]) if fmt.has_subnormals else field
            ),
        ]
        is_nan, is_infinity = special_flags(fmt, self.code)
        if fmt.has_nan:
            m.d.comb += term.is_nan.eq(is_nan)
        if fmt.has_infinity:
            m.d.comb += term.is_infinity.eq(is_infinity)
