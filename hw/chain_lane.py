"""One lane for FPGAs: codes become a term whose product a DSP block may form, and the term a
fixed-point number by way of LUTs of four inputs."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.decode import Decode
from macsmith.hw.radix4 import small_product
from macsmith.hw.shift import shift_left
from macsmith.hw.terms import Term, TermShape, operand_shape, product_shape
from macsmith.model.config import MacConfig

__all__ = ["ChainLane", "ChainTerm"]


class ChainLane(Block):
    """A pair of codes as an exact term; a special term has significand 0; combinational.

    Parameters
    ----------
    config
        What is computed; its products are exact.
    outside
        Whether the significands' product is formed outside, by a DSP block.
    masks_each
        Whether each operand's significand is 0 where that operand is special, so that A is the
        same in all lanes that it goes to; otherwise one of the two is where any operand is.

    Members
    -------
    a, b : In
        Codes.
    factor_a, factor_b : Out
        Only with `outside`: significands.
    product : In
        Only with `outside`: their product.
    term_* : Out
        The term of `macsmith.hw.terms.product_shape`.
    """

    a: Signal
    b: Signal
    factor_a: Signal
    factor_b: Signal
    product: Signal

    def __init__(self, config: MacConfig, *, outside: bool, masks_each: bool = False) -> None:
        self.config, self.outside, self.masks_each = config, outside, masks_each
        self.formats = config.a, config.b
        self.shapes = operand_shape(config.a), operand_shape(config.b)
        self.shape = product_shape(*self.shapes)
        members = {
            "a": In(config.a.bits),
            "b": In(config.b.bits),
            **self.shape.members("term", is_input=False),
        }
        if outside:
            members["factor_a"] = Out(self.shapes[0].significand_bits)
            members["factor_b"] = Out(self.shapes[1].significand_bits)
            members["product"] = In(self.shape.significand_bits)
        super().__init__("lane", members)

    @property
    def term(self) -> Term:
        """The term that comes out."""
        return Term.of(self, "term", self.shape)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        operands: list[Term] = []
        for name, fmt, code in (("a", self.config.a, self.a), ("b", self.config.b, self.b)):
            decode = Decode(fmt)
            place(m, platform, f"decode_{name}", decode)
            m.d.comb += decode.code.eq(code)
            operands.append(decode.term)
        a, b = operands

        factors = [
            Signal(len(term.significand), name=f"factor_{name}")
            for name, term in (("a", a), ("b", b))
        ]
        keep = ~(a.is_special | b.is_special)
        # masking one factor, the narrower, masks the product
        masked = 0 if len(factors[0]) <= len(factors[1]) else 1
        for index, term in enumerate(operands):
            factor = term.significand
            if self.masks_each and term.shape.has_specials:
                factor = factor & (~term.is_special).replicate(len(factor))
            elif index == masked and self.shape.has_specials and not self.masks_each:
                factor = factor & keep.replicate(len(factor))
            m.d.comb += factors[index].eq(factor)
        bits = self.shape.significand_bits
        if self.outside:
            m.d.comb += [self.factor_a.eq(factors[0]), self.factor_b.eq(factors[1])]
            product: Value = self.product
        else:
            product = small_product(m, "product", factors[0], factors[1], bits)

        is_nan: Value = a.is_nan | b.is_nan
        is_infinity: Value = Const(0)
        if self.shape.has_infinity:
            zero_times_infinity = (a.is_infinity & ~b.significand.any()) | (
                b.is_infinity & ~a.significand.any()
            )
            is_nan = is_nan | zero_times_infinity
            is_infinity = (a.is_infinity | b.is_infinity) & ~is_nan
        exponent = a.exponent + b.exponent
        term = Term(self.shape, a.sign ^ b.sign, product, exponent, is_nan, is_infinity)
        self.term.drive(m, term)
        return m


def _fine_levels(value_bits: int, amounts: range) -> int:
    """Levels of multiplexers after which no place is reached by more than two blocks."""
    for levels in range(amounts[-1].bit_length()):
        if value_bits + (1 << levels) - 1 <= 2 << levels:
            return levels
    return amounts[-1].bit_length()


class ChainTerm(Block):
    """A term as a fixed-point number; combinational.

    The low bits of the exponent shift by multiplexers while the word is narrow. Then each place is
    reached by at most two of the blocks that the high bits choose from. Two control bits, shared
    by all places reached by the same blocks, say which of four it takes::

        control 1 control 0    place is
        0         0            0
        0         1            its bit of the lower block
        1         0            its bit of the upper block
        1         1            1         (beside a negative number)

    That is a LUT of four inputs; with the adder behind it, one of five.

    Parameters
    ----------
    shape
        Shape of the term.
    lsb_exponent
        Unit of the number; all terms are multiples of it.
    bits
        Width of the largest magnitude in that unit.

    Members
    -------
    term_sign, term_significand, term_exponent : In
        Of a number, or significand 0.
    number : Out(bits)
        The magnitude, all its bits inverted if the sign is 1: one less than the negative number.
    """

    term_sign: Signal
    term_significand: Signal
    term_exponent: Signal
    number: Signal

    def __init__(self, shape: TermShape, lsb_exponent: int, bits: int) -> None:
        self.shape, self.lsb_exponent = shape, lsb_exponent
        self.dropped = lsb_exponent - shape.lsb_exponent
        if self.dropped < 0:
            raise ValueError(f"fixed term: the unit must be at least 2**{shape.lsb_exponent}")
        super().__init__(
            f"fixed_term_{bits}",
            {
                "term_sign": In(1),
                "term_significand": In(shape.significand_bits),
                "term_exponent": In(shape.exponent_bits),
                "number": Out(bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shape, sign = self.shape, self.term_sign
        bits = shape.significand_bits
        inverted = Signal(bits, name="inverted")
        m.d.comb += inverted.eq(self.term_significand ^ sign.replicate(bits))
        amounts = range(shape.min_exponent, shape.max_exponent + 1)
        places = range(self.dropped, self.dropped + len(self.number))
        levels = _fine_levels(bits, amounts)
        reach = min((1 << levels) - 1, amounts[-1])
        word = shift_left(m, "fine", inverted, self.term_exponent[:levels], reach, sign)
        blocks = range(amounts[0] >> levels, (amounts[-1] >> levels) + 1)
        coarse = self.term_exponent[levels:]
        controls: dict[tuple[int, ...], Value] = {}
        number: list[Value] = []
        for at in places:
            used = tuple(index for index in blocks if 0 <= at - (index << levels) < len(word))
            taken = [word[at - (index << levels)] for index in used]
            if len(blocks) == 1:
                number.append(taken[0] if taken else sign)
                continue
            if used not in controls:
                made = Signal(2, name=f"control_{len(controls)}")
                chosen = [coarse == index for index in used]
                fills = sign & ~Cat(*chosen).any() if chosen else sign
                m.d.comb += made.eq(Cat(*(one | fills for one in [*chosen, fills][:2])))
                controls[used] = made
            control = controls[used]
            lower, upper = (*taken, Const(1), Const(1))[:2]
            if len(taken) == 1:
                number.append((control[0] & lower) | control[1])
            else:
                number.append(
                    Mux(control[1], Mux(control[0], Const(1), upper), control[0] & lower)
                    if taken
                    else sign
                )
        m.d.comb += self.number.eq(Cat(*number))
        return m
