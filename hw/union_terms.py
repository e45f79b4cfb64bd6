"""One term form for the operands of several modes: widths that hold all, and their decoder.

Two scales are in use. For a fixed-point sum every mode counts in its own units: significands are
aligned at their last bit and exponents begin at the same number, so that decoding costs next to
nothing and the smallest product of each mode lies in the last place of the sum. For a float sum the
terms must have one scale: significands are aligned at their first bit, where the biases of
IEEE-like formats differ by what is cheap to add (8 for E4M3 and E5M2: one bit).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In
from macsmith.hw.block import Block, place
from macsmith.hw.decode import Decode
from macsmith.hw.terms import Term, TermShape, operand_shape, product_shape
from macsmith.model.formats import Format

__all__ = ["UnionDecode", "UnionScale", "is_one_of", "union_products", "union_shape"]


def is_one_of(mode: Value, numbers: Sequence[int], count: int) -> Value:
    """Whether the mode is one of `numbers` among `count`; numbers beyond count as the last."""
    if len(numbers) == count:
        return Const(1)
    if not numbers:
        return Const(0)
    if count - 1 in numbers:
        return ~is_one_of(mode, [each for each in range(count) if each not in numbers], count)
    return Cat(*(mode == each for each in numbers)).any()


def union_shape(shapes: Sequence[TermShape]) -> TermShape:
    """The shape that holds terms of all shapes, which have one `lsb_exponent`."""
    least = min(shape.min_exponent for shape in shapes)
    above = [
        shape.min_significand if shape.min_exponent > least else shape.min_significand_above
        for shape in shapes
    ]
    return TermShape(
        significand_bits=max(shape.significand_bits for shape in shapes),
        min_significand=min(shape.min_significand for shape in shapes),
        min_significand_above=min((each for each in above if each), default=0),
        max_significand=max(shape.max_significand for shape in shapes),
        lsb_exponent=shapes[0].lsb_exponent,
        min_exponent=least,
        max_exponent=max(shape.max_exponent for shape in shapes),
        is_signed=any(shape.is_signed for shape in shapes),
        has_nan=any(shape.has_nan for shape in shapes),
        has_infinity=any(shape.has_infinity for shape in shapes),
    )


@dataclass(frozen=True)
class UnionScale:
    """How the operands of one side lie in the common form.

    Parameters
    ----------
    formats
        By mode; None where a mode has no term here.
    is_common
        Whether all have one scale, for a float sum; else each counts in its own units.
    """

    formats: tuple[Format | None, ...]
    is_common: bool

    @property
    def present(self) -> tuple[Format, ...]:
        """The formats, each once."""
        return tuple(dict.fromkeys(fmt for fmt in self.formats if fmt is not None))

    def lift(self, fmt: Format) -> int:
        """Places that a significand moves up."""
        if not self.is_common:
            return 0
        widest = max(operand_shape(each).significand_bits for each in self.present)
        return widest - operand_shape(fmt).significand_bits

    def offset(self, fmt: Format) -> int:
        """What is added to a format's exponent."""
        if not self.is_common:
            first = max(operand_shape(each).min_exponent for each in self.present)
            return first - operand_shape(fmt).min_exponent
        return operand_shape(fmt).lsb_exponent - self.lift(fmt) - self.lsb_exponent

    @property
    def lsb_exponent(self) -> int:
        """Of the common form; 0 where each mode counts in its own units."""
        if not self.is_common:
            return 0
        return min(operand_shape(fmt).lsb_exponent - self.lift(fmt) for fmt in self.present)

    def shape_of(self, fmt: Format) -> TermShape:
        """Terms of one format in the common form."""
        own, lift, offset = operand_shape(fmt), self.lift(fmt), self.offset(fmt)
        return replace(
            own,
            significand_bits=own.significand_bits + lift,
            min_significand=own.min_significand << lift,
            min_significand_above=own.min_significand_above << lift,
            max_significand=own.max_significand << lift,
            lsb_exponent=self.lsb_exponent,
            min_exponent=own.min_exponent + offset,
            max_exponent=own.max_exponent + offset,
        )

    @property
    def shape(self) -> TermShape:
        """Of the terms of all formats."""
        return union_shape([self.shape_of(fmt) for fmt in self.present])


def union_products(a: UnionScale, b: UnionScale) -> TermShape:
    """Shape of the products of all modes: narrower than that of any A with any B."""
    return union_shape(
        [
            product_shape(a.shape_of(a_format), b.shape_of(b_format))
            for a_format, b_format in zip(a.formats, b.formats, strict=True)
            if a_format is not None and b_format is not None
        ]
    )


class UnionDecode(Block):
    """Decode a code of the present mode's format into the common form; combinational.

    Parameters
    ----------
    scale
        Formats by mode.
    code_bits
        Width of the code's slot.

    Members
    -------
    mode : In
    code : In(code_bits)
        In the lowest bits.
    term_* : Out
        The term of `scale.shape`; +0 with the least exponent in a mode without a format.
    """

    mode: Signal
    code: Signal

    def __init__(self, scale: UnionScale, mode_bits: int, code_bits: int) -> None:
        self.scale = scale
        self.shape = scale.shape
        names = "_".join(fmt.name for fmt in scale.present)
        super().__init__(
            f"decode_{names}",
            {
                "mode": In(mode_bits),
                "code": In(code_bits),
                **self.shape.members("term", is_input=False),
            },
        )

    @property
    def term(self) -> Term:
        """The decoded term."""
        return Term.of(self, "term", self.shape)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        term, formats = self.term, self.scale.formats
        sign: Value = Const(0)
        significand: Value = Const(0, self.shape.significand_bits)
        exponent: Value = Const(self.shape.min_exponent, self.shape.exponent_bits)
        is_first = None not in formats
        is_nan: Value = Const(0)
        is_infinity: Value = Const(0)
        for index, fmt in enumerate(self.scale.present):
            decode = Decode(fmt)
            place(m, platform, f"decode_{index}", decode)
            m.d.comb += decode.code.eq(self.code[: fmt.bits])
            own = decode.term
            modes = [number for number, each in enumerate(formats) if each == fmt]
            is_own = Signal(name=f"is_{fmt.name}")
            m.d.comb += is_own.eq(is_one_of(self.mode, modes, len(formats)))
            lifted = Cat(Const(0, self.scale.lift(fmt)), own.significand)
            significand = significand | (lifted & is_own.replicate(len(lifted)))
            sign = sign | (own.sign & is_own)
            is_nan = is_nan | (own.is_nan & is_own)
            is_infinity = is_infinity | (own.is_infinity & is_own)
            moved = Signal(self.shape.exponent_bits, name=f"exponent_{index}")
            m.d.comb += moved.eq(own.exponent + self.scale.offset(fmt))
            exponent = moved if is_first else Mux(is_own, moved, exponent)
            is_first = False
        m.d.comb += [
            term.sign.eq(sign),
            term.significand.eq(significand),
            term.exponent.eq(exponent),
        ]
        if self.shape.has_nan:
            m.d.comb += term.is_nan.eq(is_nan)
        if self.shape.has_infinity:
            m.d.comb += term.is_infinity.eq(is_infinity)
        return m
