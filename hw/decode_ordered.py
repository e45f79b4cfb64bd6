"""Decoding of posits, powers of four and signed digits: the bodies of `macsmith.hw.decode.Decode`.

A posit's regime is a run of equal bits. Its k (`macsmith.model.posit_format`) needs no adder if the
run is counted without its first bit: with n bits after that one that are like it, k is n for ones
and ``~n`` for zeros, and ``k + 2**w`` has the bits ``| is one | n, inverted for zeros (w bits) |``.
"""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from macsmith.hw.normalise import shift_out_leading_zeros
from macsmith.hw.terms import Term, regime_bits
from macsmith.model.formats import DigitFormat, PositFormat, Radix4Format

__all__ = ["decode_digits", "decode_posit", "decode_radix4"]


def decode_posit(m: Module, fmt: PositFormat, code: Value, term: Term) -> None:
    """Drive `term`; zero and NaR have sign 0 and significand 0."""
    body = code[:-1]
    sign = Signal(name="code_sign")
    magnitude = Signal(len(body), name="magnitude")
    is_number = Signal(name="is_not_zero")
    m.d.comb += [
        is_number.eq(body.any()),
        sign.eq(code[-1]),
        magnitude.eq((body ^ sign.replicate(len(body))) + sign),
    ]
    is_one = magnitude[-1]
    rest = magnitude[:-1]
    # leading zeros of what is left where bits like the first one are 0; what comes in from below
    # counts as the bits that the regime pushed out of the code: 0
    word, run = shift_out_leading_zeros(
        m, "regime", rest ^ is_one.replicate(len(rest)), len(rest), fill=is_one
    )
    fields = word ^ is_one.replicate(len(word))
    # | end of the regime | exponent | fraction |
    width, exponent_bits = len(rest) - 1, fmt.exponent_bits
    exponent: Value = Const(0, 0)
    if exponent_bits:
        present = fields[max(width - exponent_bits, 0) : width]
        exponent = Cat(Const(0, exponent_bits - len(present)), present)
    count = Cat(run, Const(0, max(regime_bits(fmt) - len(run), 0)))[: regime_bits(fmt)]
    regime = count ^ (~is_one).replicate(regime_bits(fmt))
    m.d.comb += [
        term.sign.eq(sign & is_number),
        term.significand.eq(Cat(fields[: fmt.fraction_bits], is_number)),
        term.exponent.eq(Cat(exponent, regime, is_one)),
        term.is_nan.eq(sign & ~is_number),
    ]


def decode_radix4(m: Module, fmt: Radix4Format, code: Value, term: Term) -> None:
    """Drive `term`; either zero has sign 0 and significand 0."""
    field = code[: fmt.exponent_bits]
    is_number = field.any()
    m.d.comb += [
        term.sign.eq(code[-1] & is_number),
        term.significand.eq(is_number),
        term.exponent.eq(Cat(Const(0, 1), field)),
    ]


def decode_digits(m: Module, fmt: DigitFormat, code: Value, term: Term) -> None:
    """Drive `term`: sign and magnitude."""
    if fmt.has_zero:
        m.d.comb += [term.sign.eq(code[0] & code[1]), term.significand.eq(code[0])]
        return
    # of digits below the top one those unlike it subtract: | alike ... | 1 | in half units
    negative = ~code[-1]
    m.d.comb += [
        term.sign.eq(negative),
        term.significand.eq(Cat(Const(1, 1), code[:-1] ^ negative.replicate(fmt.digits - 1))),
    ]
