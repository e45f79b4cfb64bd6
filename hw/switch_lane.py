"""One lane of a switchable design: codes of any mode become a term, or two integers.

Where some modes have terms and others integers, the multiplier of the significands also multiplies
the low bits of the integers, and the shifter behind it leaves their product where it is, in the
lowest places. What is left of an integer product are the partial products of the high bits::

    a * b  =  a_low * b_low  +  (a_high * b) << a_low's width  +  (a_low * b_high) << b_low's width
              as a term         as partial products in the tree of adders
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.heap import BitHeap
from macsmith.hw.multiply import Multiply
from macsmith.hw.partial_products import Multiplier, add_product
from macsmith.hw.terms import Term, TermShape, is_integer_product
from macsmith.hw.union_terms import UnionDecode, UnionScale, is_one_of, union_products
from macsmith.model.config import MacConfig
from macsmith.model.formats import Format

__all__ = ["SwitchLane", "integer_modes"]


def integer_modes(modes: Sequence[MacConfig | None]) -> list[int]:
    """Modes whose products are of two integers."""
    return [i for i, mode in enumerate(modes) if mode is not None and is_integer_product(mode)]


def _signed_bits(fmt: Format) -> int:
    """Two's-complement bits of an integer format's codes."""
    return fmt.bits + (not fmt.is_signed)


class SwitchLane(Block):
    """Decode two codes of the present mode and multiply their significands; combinational.

    Parameters
    ----------
    modes
        What is computed in each mode; None for a mode that this lane has no part in: it gives 0.
    mode_bits, a_bits, b_bits
        Widths of the ports.
    is_common
        Scale of the terms: see `macsmith.hw.union_terms`.
    zero_specials
        Whether a special term's significand must be 0.
    multiplier
        How significands are multiplied.

    Members
    -------
    mode : In
    a, b : In
        Codes, in the lowest bits.
    term_* : Out
        The term of `shape`, only if some mode is not of two integers. In modes that are, the
        product of the integers' lowest bits with the least exponent and sign 0.
    a_integer, b_integer : Out
        Only if some mode is of two integers: them in two's complement, 0 in other modes.

    Attributes
    ----------
    terms, integers
        Modes of either kind.
    """

    mode: Signal
    a: Signal
    b: Signal
    a_integer: Signal
    b_integer: Signal
    shape: TermShape

    def __init__(
        self,
        modes: tuple[MacConfig | None, ...],
        mode_bits: int,
        a_bits: int,
        b_bits: int,
        *,
        is_common: bool,
        zero_specials: bool,
        multiplier: Multiplier = "array",
    ) -> None:
        self.modes = modes
        self.zero_specials = zero_specials
        self.multiplier: Multiplier = multiplier
        self.integers = integer_modes(modes)
        self.terms = [
            i for i, mode in enumerate(modes) if mode is not None and i not in self.integers
        ]
        members = {"mode": In(mode_bits), "a": In(a_bits), "b": In(b_bits)}
        if self.terms:
            self.scales = (
                UnionScale(self._formats(self.terms, "a"), is_common),
                UnionScale(self._formats(self.terms, "b"), is_common),
            )
            self.shape = union_products(*self.scales)
            members |= self.shape.members("term", is_input=False)
        for side in ("a", "b") if self.integers else ():
            formats = [fmt for fmt in self._formats(self.integers, side) if fmt is not None]
            bits = max(map(_signed_bits, formats))
            members[f"{side}_integer"] = Out(max(bits, self.low_bits(side) + 1))
        super().__init__("switch_lane", members)

    def _formats(self, numbers: Sequence[int], side: str) -> tuple[Format | None, ...]:
        """Formats of some modes, None in the others."""
        return tuple(
            getattr(mode, side) if index in numbers else None
            for index, mode in enumerate(self.modes)
        )

    def low_bits(self, side: str) -> int:
        """Lowest bits of an integer that are multiplied as a significand."""
        if not self.terms:
            return 0
        return self.scales["ab".index(side)].shape.significand_bits

    @property
    def term(self) -> Term:
        """The term that comes out."""
        return Term.of(self, "term", self.shape)

    def add_integers(self, m: Module, heap: BitHeap, multiplier: Multiplier) -> None:
        """Put what the term does not hold of an integer product into a heap.

        Parameters
        ----------
        multiplier
            How.
        """
        a, b = self.a_integer, self.b_integer
        a_low, b_low = self.low_bits("a"), self.low_bits("b")
        if not self.terms:
            add_product(m, heap, multiplier, a, True, b, True)
            return
        add_product(m, heap, multiplier, a[a_low:], True, b, True, a_low)
        add_product(m, heap, multiplier, a[:a_low], False, b[b_low:], True, b_low)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        mode = self.mode
        operands: list[Term] = []
        for index, side in enumerate("ab"):
            code = self.a if side == "a" else self.b
            integer: Value = Const(0)
            if self.integers:
                integer = self._integer(m, mode, code, side)
                out = self.a_integer if side == "a" else self.b_integer
                m.d.comb += out.eq(integer)
            if self.terms:
                decode = UnionDecode(self.scales[index], len(mode), len(code))
                place(m, platform, f"decode_{side}", decode)
                m.d.comb += [decode.mode.eq(mode), decode.code.eq(code)]
                operand = decode.term
                if self.integers:
                    low = integer[: self.low_bits(side)]
                    operand = replace(operand, significand=operand.significand | low)
                operands.append(operand)
        if self.terms:
            self.term.drive(m, self._product(m, platform, mode, operands))
        return m

    def _integer(self, m: Module, mode: Value, code: Value, side: str) -> Value:
        """The integer of the present mode, sign-extended; 0 in other modes."""
        formats = self._formats(self.integers, side)
        value = Signal(len(self.a_integer if side == "a" else self.b_integer), name=f"{side}_int")
        chosen: Value = Const(0, len(value))
        for fmt in dict.fromkeys(fmt for fmt in formats if fmt is not None):
            numbers = [index for index, each in enumerate(formats) if each == fmt]
            is_own = is_one_of(mode, numbers, len(formats))
            sign = code[fmt.bits - 1] if fmt.is_signed else Const(0)
            extended = Cat(code[: fmt.bits], sign.replicate(len(value) - fmt.bits))
            chosen = chosen | (extended & is_own.replicate(len(value)))
        m.d.comb += value.eq(chosen)
        return value

    def _product(self, m: Module, platform: Any, mode: Value, operands: list[Term]) -> Term:
        """The product in the lane's shape; one of value 0 with an integer has sign 0."""
        a, b = operands
        multiply = Multiply(
            a.shape, b.shape, zero_specials=self.zero_specials, multiplier=self.multiplier
        )
        place(m, platform, "multiply", multiply)
        Term.of(multiply, "a", a.shape).drive(m, a)
        Term.of(multiply, "b", b.shape).drive(m, b)
        product = Term.of(multiply, "product", multiply.shape)
        numbers = [
            index
            for index in self.terms
            if (pair := self.modes[index]) is not None and pair.has_positive_zeros
        ]
        sign = Signal(name="product_sign")
        is_nonzero = a.significand.any() & b.significand.any()
        has_integer = is_one_of(mode, numbers, len(self.modes))
        m.d.comb += sign.eq(product.sign & (~has_integer | is_nonzero) if numbers else product.sign)
        return Term(
            self.shape,
            sign,
            product.significand[: self.shape.significand_bits],
            product.exponent[: self.shape.exponent_bits],
            product.is_nan,
            product.is_infinity,
        )
