"""One lane: a pair of operand codes becomes the term that is added."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.decode import Decode
from macsmith.hw.multiply import Multiply
from macsmith.hw.partial_products import Multiplier
from macsmith.hw.placement import Alignment, Placement, Signs, place_blocks, place_word
from macsmith.hw.round_term import RoundTerm
from macsmith.hw.terms import Term, TermShape, has_zero_specials, rounded_product_shape
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat
from macsmith.model.widths import mac_widths

__all__ = ["FixedTerm", "Lane", "fixed_term_bits", "term_placement"]


class Lane(Block):
    """Decode two codes, multiply them, and round the product if the configuration asks for it;
    combinational.

    Parameters
    ----------
    config
        What is computed.
    zero_specials
        Whether a special term's significand must be 0.
    multiplier
        How significands are multiplied; see `macsmith.hw.multiply.Multiply`.

    Members
    -------
    a : In(config.a.bits)
    b : In(config.b.bits)
    term_* : Out
        The term of `macsmith.hw.terms.rounded_product_shape`.
    """

    a: Signal
    b: Signal

    def __init__(
        self, config: MacConfig, *, zero_specials: bool, multiplier: Multiplier = "array"
    ) -> None:
        self.config, self.zero_specials = config, zero_specials
        self.multiplier: Multiplier = multiplier
        self.shape = rounded_product_shape(config)
        members = {
            "a": In(config.a.bits),
            "b": In(config.b.bits),
            **self.shape.members("term", is_input=False),
        }
        super().__init__("lane", members)

    @property
    def term(self) -> Term:
        """The term that comes out."""
        return Term.of(self, "term", self.shape)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        operands: list[Term] = []
        for name, fmt, code in (("a", config.a, self.a), ("b", config.b, self.b)):
            decode = Decode(fmt)
            place(m, platform, f"decode_{name}", decode)
            m.d.comb += decode.code.eq(code)
            operands.append(decode.term)
        a, b = operands

        rounds = config.product is not None
        multiply = Multiply(
            a.shape,
            b.shape,
            zero_specials=self.zero_specials and not rounds and not has_zero_specials(config),
            positive_zeros=config.has_positive_zeros,
            multiplier=self.multiplier,
        )
        place(m, platform, "multiply", multiply)
        Term.of(multiply, "a", a.shape).drive(m, a)
        Term.of(multiply, "b", b.shape).drive(m, b)
        term = Term.of(multiply, "product", multiply.shape)
        if config.product is not None:
            term = self._rounded(m, platform, term)
        self.term.drive(m, term)
        return m

    def _rounded(self, m: Module, platform: Any, product: Term) -> Term:
        fmt = self.config.product
        assert fmt is not None
        assert isinstance(fmt, FloatFormat)
        rounder = RoundTerm(product.shape, fmt, self.config.rounding, self.config.overflow_of(fmt))
        place(m, platform, "round_product", rounder)
        Term.of(rounder, "term", product.shape).drive(m, product)
        decode = Decode(fmt)
        place(m, platform, "decode_product", decode)
        m.d.comb += decode.code.eq(rounder.code)
        term = decode.term
        if not (self.zero_specials and term.shape.has_specials):
            return term
        keep = ~term.is_special
        return Term(
            term.shape,
            term.sign,
            term.significand & keep.replicate(len(term.significand)),
            term.exponent,
            term.is_nan,
            term.is_infinity,
        )


def term_placement(
    shape: TermShape, lsb_exponent: int, bits: int, align: Alignment, signs: Signs
) -> Placement:
    """Where a term's significand goes in a fixed-point number; parameters as of `FixedTerm`."""
    dropped = lsb_exponent - shape.lsb_exponent
    if dropped < 0:
        raise ValueError(f"fixed term: the unit must be at least 2**{shape.lsb_exponent}")
    return Placement.choose(
        shape.significand_bits,
        range(shape.min_exponent, shape.max_exponent + 1),
        range(dropped, dropped + bits),
        align,
        signs,
    )


class FixedTerm(Block):
    """A term as a fixed-point number; combinational.

    Parameters
    ----------
    shape
        Shape of the term.
    lsb_exponent
        Unit of the number; all terms are multiples of it.
    bits
        Width of the largest magnitude in that unit.
    align
        ``shift`` moves the significand by multiplexers; ``split`` by some of them, and then
        selects one of several blocks of places.
    signs
        Which bits of a negative number are inverted: the whole ``word``, or those of the ``block``
        that holds the significand.
    drops
        Whether there is an input that makes the number 0.

    Members
    -------
    term_sign, term_significand, term_exponent : In
        Of a number: an exponent out of the shape's range needs sign and significand 0, or to be
        dropped.
    is_dropped : In(1)
        Only if `drops`: the term counts as 0. With signs ``word`` its sign must be 0 then.
    number : Out(bits)
        The magnitude; where it is inverted, one less than the negative number in those places.
    inverted : Out(len(spans))
        Which of `spans` is inverted.

    Attributes
    ----------
    spans
        Places of `number` that are inverted together, one range for every bit of `inverted`.
    """

    term_sign: Signal
    term_significand: Signal
    term_exponent: Signal
    is_dropped: Signal
    number: Signal
    inverted: Signal

    def __init__(
        self,
        shape: TermShape,
        lsb_exponent: int,
        bits: int,
        align: Alignment = "split",
        signs: Signs = "word",
        *,
        drops: bool = False,
    ) -> None:
        self.placement = term_placement(shape, lsb_exponent, bits, align, signs)
        self.signs, self.drops = signs, drops
        self.spans = [range(bits)]
        if signs == "block":
            self.spans = [self.placement.span(block) for block in self.placement.blocks]
        super().__init__(
            f"fixed_term_{bits}",
            {
                "term_sign": In(1),
                "term_significand": In(shape.significand_bits),
                "term_exponent": In(shape.exponent_bits),
                **({"is_dropped": In(1)} if drops else {}),
                "number": Out(bits),
                "inverted": Out(len(self.spans)),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sign, significand, exponent = self.term_sign, self.term_significand, self.term_exponent
        is_dropped = self.is_dropped if self.drops else None
        if self.signs == "block":
            number, inverted = place_blocks(
                m, "place", self.placement, significand, exponent, sign, is_dropped
            )
        else:
            # inverted while it is narrow; then the sign fills all places around it
            word = Signal(len(significand), name="word")
            m.d.comb += word.eq(significand ^ sign.replicate(len(significand)))
            number = place_word(m, "place", self.placement, word, exponent, sign, is_dropped)
            inverted = sign
        m.d.comb += [self.number.eq(number), self.inverted.eq(inverted)]
        return m


def fixed_term_bits(config: MacConfig) -> int:
    """Width of the largest magnitude of a term in the inner accumulator's unit."""
    return mac_widths(config).term.max_integer.bit_length()
