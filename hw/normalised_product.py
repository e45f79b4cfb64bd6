"""Product of two float codes whose leading bit is in one of the two top places.

Subnormal operands are normalised before they are multiplied: a fraction has so few bits that each
count of leading zeros gets its own gates, beside the detection of the exponent field 0.
"""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.heap import BitHeap
from macsmith.model.formats import FloatFormat, FloatSpecials

__all__ = ["LooseTerm", "NormaliseOperand", "NormalisedProduct"]


@dataclass(frozen=True)
class LooseTerm:
    """Widths and ranges of a term whose leading bit is in one of the two top places.

    Its value is ``significand * 2**(exponent_a + exponent_b + lsb_exponent)``; a number but 0 may
    have both top bits 0 only where the place below the top lies at or below the smallest binade
    of the format it is added to.

    Parameters
    ----------
    significand_bits
        At least 2.
    exponent_shapes
        Signed shapes of the two parts of the exponent.
    lsb_exponent
        Weight of the last bit where both are 0.
    min_exponent, max_exponent
        Range of the sum of the parts for numbers but 0.
    has_nan, has_infinity
        Which specials occur; a special term's numbers mean nothing.
    """

    significand_bits: int
    exponent_shapes: tuple[Shape, Shape]
    lsb_exponent: int
    min_exponent: int
    max_exponent: int
    has_nan: bool
    has_infinity: bool

    def members(self, *, is_input: bool) -> dict[str, wiring.Member]:
        """Signature members ``term_sign``, ``term_significand``, ``term_exponent_a`` and ``_b``,
        ``term_is_zero`` and, where they occur, ``term_is_nan`` and ``term_is_infinity``."""
        flow = In if is_input else Out
        members = {
            "term_sign": flow(1),
            "term_significand": flow(self.significand_bits),
            "term_exponent_a": flow(self.exponent_shapes[0]),
            "term_exponent_b": flow(self.exponent_shapes[1]),
            "term_is_zero": flow(1),
        }
        if self.has_nan:
            members["term_is_nan"] = flow(1)
        if self.has_infinity:
            members["term_is_infinity"] = flow(1)
        return members


class NormaliseOperand(Block):
    """Decode a code, subnormals normalised; combinational.

    Parameters
    ----------
    fmt
        Format of the code.

    Members
    -------
    code : In(fmt.bits)
    sign : Out(1)
    significand : Out(fmt.precision)
        The top bit is 0 only for zero, and then all bits are.
    exponent : Out(signed)
        The exponent field, 0 and below for subnormals (1 less than their leading zeros ask for
        where the format has none); means nothing for zero and for specials.
    is_nan, is_infinity : Out(1)
        Only where there are such codes.
    """

    code: Signal
    sign: Signal
    significand: Signal
    exponent: Signal
    is_nan: Signal
    is_infinity: Signal

    def __init__(self, fmt: FloatFormat) -> None:
        self.format = fmt
        members = {
            "code": In(fmt.bits),
            "sign": Out(1),
            "significand": Out(fmt.precision),
            "exponent": Out(self.exponent_shape(fmt)),
        }
        if fmt.has_nan:
            members["is_nan"] = Out(1)
        if fmt.has_infinity:
            members["is_infinity"] = Out(1)
        super().__init__(f"normalise_{fmt.name}", members)

    @staticmethod
    def min_exponent(fmt: FloatFormat) -> int:
        """Least exponent of a number but 0."""
        return 1 - fmt.fraction_bits if fmt.has_subnormals else 0

    @staticmethod
    def max_exponent(fmt: FloatFormat) -> int:
        """Largest exponent of a finite number."""
        return fmt.max_magnitude_code >> fmt.fraction_bits

    @classmethod
    def exponent_shape(cls, fmt: FloatFormat) -> Shape:
        """Signed shape of the exponent."""
        return Shape.cast(
            range(min(cls.min_exponent(fmt), -1), max(1 << fmt.exponent_bits, 2))
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.format
        fraction = self.code[: fmt.fraction_bits]
        field = self.code[fmt.fraction_bits : fmt.magnitude_bits]
        m.d.comb += self.sign.eq(self.code[-1])
        if fmt.has_subnormals:
            self._normalise(m, fraction, field)
        else:
            is_nonzero = self.code[: fmt.magnitude_bits].any()
            m.d.comb += [
                self.significand.eq(Cat(fraction, is_nonzero)),
                self.exponent.eq(Cat(field, Const(0, 1)).as_signed()),
            ]
        magnitude = self.code[: fmt.magnitude_bits]
        if fmt.has_nan:
            if fmt.specials is FloatSpecials.FNUZ:
                is_nan = self.code[-1] & ~magnitude.any()
            elif fmt.specials is FloatSpecials.FN:
                is_nan = magnitude.all()
            else:
                is_nan = field.all() & (fraction.any() if fmt.has_infinity else Const(1))
            m.d.comb += self.is_nan.eq(is_nan)
        if fmt.has_infinity:
            m.d.comb += self.is_infinity.eq(field.all() & ~fraction.any())
        return m

    def _normalise(self, m: Module, fraction: Value, field: Value) -> None:
        """Leading zero `k` of the fraction of a subnormal: shift by ``k + 1``, exponent ``-k``."""
        bits = len(fraction)
        is_normal = Signal()
        m.d.comb += is_normal.eq(field.any())
        leads = Signal(max(bits, 1), name="leads")  # bit k: k leading zeros, subnormal
        none: Value = ~is_normal
        taken: list[Value] = []
        for zeros in range(bits):
            bit = fraction[bits - 1 - zeros]
            taken.append(none & bit)
            none = none & ~bit
        if taken:
            m.d.comb += leads.eq(Cat(*taken))
        shifted: list[Value] = []
        for index in range(bits):
            bit = fraction[index] & is_normal
            for zeros in range(min(bits, index)):
                bit = bit | (leads[zeros] & fraction[index - zeros - 1])
            shifted.append(bit)
        exponent: list[Value] = []
        for index in range(len(self.exponent)):
            bit = field[index] if index < len(field) else Const(0)
            for zeros in range(bits):
                if -zeros >> index & 1:
                    bit = bit | leads[zeros]
            exponent.append(bit)
        m.d.comb += [
            self.significand.eq(Cat(*shifted, is_normal | fraction.any())),
            self.exponent.eq(Cat(*exponent).as_signed()),
        ]


class NormalisedProduct(Block):
    """Multiply two float codes; combinational.

    Parameters
    ----------
    a, b
        Formats of the operands.

    Members
    -------
    a, b : In
        Codes.
    term_* : Out
        The term of `LooseTerm`, the operands' exponents not yet added.
    """

    a: Signal
    b: Signal
    term_sign: Signal
    term_significand: Signal
    term_exponent_a: Signal
    term_exponent_b: Signal
    term_is_zero: Signal
    term_is_nan: Signal
    term_is_infinity: Signal

    def __init__(self, a: FloatFormat, b: FloatFormat) -> None:
        self.formats = (a, b)
        self.shape = self.shape_of(a, b)
        super().__init__(
            f"normalised_product_{a.precision}x{b.precision}",
            {"a": In(a.bits), "b": In(b.bits), **self.shape.members(is_input=False)},
        )

    @staticmethod
    def shape_of(a: FloatFormat, b: FloatFormat) -> LooseTerm:
        """Shape of the product."""
        formats = (a, b)
        shapes = tuple(NormaliseOperand.exponent_shape(fmt) for fmt in formats)
        # a subnormal has the scale of field 1
        lsb = sum(fmt.least_exponent - int(fmt.has_subnormals) for fmt in formats)
        return LooseTerm(
            significand_bits=a.precision + b.precision,
            exponent_shapes=(shapes[0], shapes[1]),
            lsb_exponent=lsb,
            min_exponent=sum(NormaliseOperand.min_exponent(fmt) for fmt in formats),
            max_exponent=sum(NormaliseOperand.max_exponent(fmt) for fmt in formats),
            has_nan=any(fmt.has_specials for fmt in formats),
            has_infinity=any(fmt.has_infinity for fmt in formats),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        operands = []
        for name, fmt, code in zip("ab", self.formats, (self.a, self.b), strict=True):
            operand = NormaliseOperand(fmt)
            place(m, platform, f"normalise_{name}", operand)
            m.d.comb += operand.code.eq(code)
            operands.append(operand)
        a, b = operands
        heap = BitHeap(m, platform, "multiply", self.shape.significand_bits)
        for a_weight in range(len(a.significand)):
            for b_weight in range(len(b.significand)):
                heap.add_bit(a_weight + b_weight, a.significand[a_weight] & b.significand[b_weight])
        a_zero, b_zero = ~a.significand[-1], ~b.significand[-1]
        m.d.comb += [
            self.term_significand.eq(heap.sum()),
            self.term_sign.eq(a.sign ^ b.sign),
            self.term_exponent_a.eq(a.exponent),
            self.term_exponent_b.eq(b.exponent),
            self.term_is_zero.eq(a_zero | b_zero),
        ]
        nan: Value = Const(0)
        for fmt, operand, other_zero in ((self.formats[0], a, b_zero), (self.formats[1], b, a_zero)):
            if fmt.has_nan:
                nan = nan | operand.is_nan
            if fmt.has_infinity:
                nan = nan | (operand.is_infinity & other_zero)
        if self.shape.has_nan:
            m.d.comb += self.term_is_nan.eq(nan)
        if self.shape.has_infinity:
            infinite = [
                operand.is_infinity
                for fmt, operand in zip(self.formats, operands, strict=True)
                if fmt.has_infinity
            ]
            m.d.comb += self.term_is_infinity.eq(Cat(*infinite).any())
        return m
