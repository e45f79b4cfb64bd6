"""Exact product of two terms."""

from typing import Any

from amaranth.hdl import Module, Value
from macsmith.hw.block import Block
from macsmith.hw.heap import BitHeap, HeapOrder
from macsmith.hw.partial_products import Multiplier, add_product
from macsmith.hw.terms import Term, TermShape, product_shape

__all__ = ["Multiply"]


class Multiply(Block):
    """Multiply two terms; combinational. The significand is not normalised.

    Parameters
    ----------
    a_shape, b_shape
        Shapes of the operands.
    zero_specials
        True: a special product has significand 0 (for a fixed-point sum, to which it must add
        nothing). False: its significand means nothing.
    positive_zeros
        True: a product of value 0 has sign 0 (where an operand is an integer, which has no
        negative zero). False: its sign is that of the operands, as IEEE 754 has it.
    multiplier
        How significands are multiplied: ``array`` of partial products with rippling carries,
        ``dadda`` tree of them, ``booth`` in digits of base 4, ``operator`` leaves it to synthesis,
        ``table`` of all products.

    Members
    -------
    a_*, b_* : In
    product_* : Out
        The term of `macsmith.hw.terms.product_shape`. NaN times anything and infinity times zero
        are NaN.
    """

    def __init__(
        self,
        a_shape: TermShape,
        b_shape: TermShape,
        *,
        zero_specials: bool = False,
        positive_zeros: bool = False,
        multiplier: Multiplier = "array",
    ) -> None:
        self.a_shape, self.b_shape = a_shape, b_shape
        self.shape = product_shape(a_shape, b_shape)
        self.zero_specials = zero_specials and self.shape.has_specials
        self.positive_zeros = positive_zeros
        self.multiplier: Multiplier = multiplier
        super().__init__(
            f"multiply_{a_shape.significand_bits}x{b_shape.significand_bits}",
            {
                **a_shape.members("a", is_input=True),
                **b_shape.members("b", is_input=True),
                **self.shape.members("product", is_input=False),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        a = Term.of(self, "a", self.a_shape)
        b = Term.of(self, "b", self.b_shape)
        product = Term.of(self, "product", self.shape)

        sign: Value = a.sign ^ b.sign
        if self.positive_zeros:
            sign = sign & a.significand.any() & b.significand.any()
        m.d.comb += [product.sign.eq(sign), product.exponent.eq(a.exponent + b.exponent)]

        a_significand, b_significand = a.significand, b.significand
        if self.zero_specials:
            keep = ~(a.is_special | b.is_special)
            # masking one operand, the narrower, masks every partial product
            if len(a_significand) <= len(b_significand):
                a_significand = a_significand & keep.replicate(len(a_significand))
            else:
                b_significand = b_significand & keep.replicate(len(b_significand))
        order: HeapOrder = "columns" if self.multiplier == "array" else "dadda"
        heap = BitHeap(m, platform, "add", self.shape.significand_bits, order)
        add_product(m, heap, self.multiplier, a_significand, False, b_significand, False)
        m.d.comb += product.significand.eq(heap.sum())

        if self.shape.has_infinity:
            is_invalid = (a.is_infinity & ~b.significand.any()) | (
                b.is_infinity & ~a.significand.any()
            )
            m.d.comb += [
                product.is_nan.eq(a.is_nan | b.is_nan | is_invalid),
                product.is_infinity.eq((a.is_infinity | b.is_infinity) & ~product.is_nan),
            ]
        elif self.shape.has_nan:
            m.d.comb += product.is_nan.eq(a.is_nan | b.is_nan)
        return m
