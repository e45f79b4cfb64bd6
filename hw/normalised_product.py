"""Product of two float codes whose leading bit is in one of the two top places.

Subnormal operands are normalised before they are multiplied: a fraction has so few bits that each
count of leading zeros gets its own gates, beside the detection of the exponent field 0.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.decode import special_flags
from macsmith.hw.heap import BitHeap, HeapOrder
from macsmith.hw.loose_term import exponent_shape, product_form
from macsmith.hw.partial_products import Multiplier, add_product
from macsmith.model.formats import FloatFormat

__all__ = ["FloatProduct", "NormaliseOperand", "NormalisedProduct"]


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
    fraction : Out(fmt.fraction_bits)
        Below the leading 1 of a number that is not 0; only where there are such bits.
    is_zero : Out(1)
    exponent : Out(signed)
        The exponent field, 0 and below for subnormals (1 less than their leading zeros ask for
        where the format has none); means nothing for zero and for specials.
    is_nan, is_infinity : Out(1)
        Only where there are such codes.
    """

    code: Signal
    sign: Signal
    fraction: Signal
    exponent: Signal
    is_zero: Signal
    is_nan: Signal
    is_infinity: Signal

    def __init__(self, fmt: FloatFormat) -> None:
        self.format = fmt
        members = {
            "code": In(fmt.bits),
            "sign": Out(1),
            "is_zero": Out(1),
            "exponent": Out(exponent_shape(fmt)),
        }
        if fmt.fraction_bits:
            members["fraction"] = Out(fmt.fraction_bits)
        if fmt.has_nan:
            members["is_nan"] = Out(1)
        if fmt.has_infinity:
            members["is_infinity"] = Out(1)
        super().__init__(f"normalise_{fmt.name}", members)

    def parts(self) -> dict[str, Signal]:
        """All that comes out, by name."""
        names = ["sign", "exponent", "is_zero"]
        names += ["fraction"] * (self.format.fraction_bits > 0)
        names += ["is_nan"] * self.format.has_nan + ["is_infinity"] * self.format.has_infinity
        return {name: getattr(self, name) for name in names}

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt = self.format
        fraction = self.code[: fmt.fraction_bits]
        field = self.code[fmt.fraction_bits : fmt.magnitude_bits]
        m.d.comb += self.sign.eq(self.code[-1] if fmt.is_signed else 0)
        if fmt.has_subnormals:
            self._normalise(m, fraction, field)
        else:
            m.d.comb += [
                self.is_zero.eq(~self.code[: fmt.magnitude_bits].any()),
                self.exponent.eq(Cat(field, Const(0, 1)).as_signed()),
            ]
            if fmt.fraction_bits:
                m.d.comb += self.fraction.eq(fraction)
        is_nan, is_infinity = special_flags(fmt, self.code)
        if fmt.has_nan:
            m.d.comb += self.is_nan.eq(is_nan)
        if fmt.has_infinity:
            m.d.comb += self.is_infinity.eq(is_infinity)
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
        m.d.comb += [self.is_zero.eq(none), self.exponent.eq(Cat(*exponent).as_signed())]
        if shifted:
            m.d.comb += self.fraction.eq(Cat(*shifted))


class FloatProduct(Block):
    """Multiply two float codes; combinational. What significands are multiplied by, each kind says.

    Parameters
    ----------
    kind
        Beginning of the module's name.
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

    def __init__(self, kind: str, a: FloatFormat, b: FloatFormat) -> None:
        self.formats = a, b
        self.shape = product_form(a, b)
        members = {"a": In(a.bits), "b": In(b.bits), **self.shape.members(is_input=False)}
        super().__init__(f"{kind}_{a.precision}x{b.precision}", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        operands: list[dict[str, Signal]] = []
        for name, fmt, code in zip("ab", self.formats, (self.a, self.b), strict=True):
            operand = NormaliseOperand(fmt)
            place(m, platform, f"normalise_{name}", operand)
            m.d.comb += operand.code.eq(code)
            operands.append(operand.parts())
        a, b = operands
        a_is_zero, b_is_zero = a["is_zero"], b["is_zero"]
        fractions = [operand.get("fraction", Const(0, 0)) for operand in operands]
        parts = {
            "significand": self.multiply(m, platform, *fractions),
            "sign": a["sign"] ^ b["sign"],
            "exponent_a": a["exponent"],
            "exponent_b": b["exponent"],
            "is_zero": a_is_zero | b_is_zero,
        }
        nan: list[Value] = [operand["is_nan"] for operand in operands if "is_nan" in operand]
        infinite = [operand["is_infinity"] for operand in operands if "is_infinity" in operand]
        for parts_of, other_is_zero in ((a, b_is_zero), (b, a_is_zero)):
            if "is_infinity" in parts_of:
                nan.append(parts_of["is_infinity"] & other_is_zero)
        if nan:
            parts["is_nan"] = Cat(*nan).any()
        if infinite:
            parts["is_infinity"] = Cat(*infinite).any()
        for part, value in parts.items():
            m.d.comb += getattr(self, f"term_{part}").eq(value)
        return m

    def multiply(self, m: Module, platform: Any, a: Value, b: Value) -> Value:
        """Product of two significands, ``(2**m + a) * (2**n + b)``: the leading ones are constants.

        Parameters
        ----------
        a, b
            Their fractions.
        """
        raise NotImplementedError


class NormalisedProduct(FloatProduct):
    """A `FloatProduct` of gates.

    Parameters
    ----------
    a, b
        Formats of the operands.
    multiplier
        How significands are multiplied; their leading bits are constants. ``array`` and ``dadda``
        sum pairs of bits by full adders, with rippling carries and by a tree; ``operator`` adds
        rows by ``+``, which synthesis builds (carry chains on an FPGA); ``booth`` and ``table`` as
        `macsmith.hw.multiply.Multiply`.
    """

    def __init__(self, a: FloatFormat, b: FloatFormat, *, multiplier: Multiplier = "dadda") -> None:
        self.multiplier: Multiplier = multiplier
        super().__init__("normalised_product", a, b)

    def multiply(self, m: Module, platform: Any, a: Value, b: Value) -> Value:
        width = self.shape.significand_bits
        if self.multiplier == "operator":
            return self._sum_of_rows(a, b)[:width]
        order: HeapOrder = "columns" if self.multiplier == "array" else "dadda"
        heap = BitHeap(m, platform, "multiply", width, order)
        if self.multiplier in ("booth", "table"):
            whole_a, whole_b = Cat(a, Const(1, 1)), Cat(b, Const(1, 1))
            # digits are made of the narrower one: fewer rows
            if len(whole_a) < len(whole_b):
                whole_a, whole_b = whole_b, whole_a
            add_product(m, heap, self.multiplier, whole_a, False, whole_b, False)
            return heap.sum()
        for a_at in range(len(a)):
            for b_at in range(len(b)):
                heap.add_bit(a_at + b_at, a[a_at] & b[b_at], 1.0)
        heap.add_unsigned(a, len(b))
        heap.add_unsigned(b, len(a))
        heap.add_constant(1 << (len(a) + len(b)))
        return heap.sum()

    @staticmethod
    def _sum_of_rows(a: Value, b: Value) -> Value:
        rows: list[Value] = [Cat(Const(0, at), *(bit & b[at] for bit in a)) for at in range(len(b))]
        # the leading ones' share, |   1 + a   |   b   | and a in its place
        rows.append(Cat(Const(0, len(b)), a))
        rows.append(Cat(Const(0, len(a)), b, Const(1, 1)))
        while len(rows) > 1:
            rows = [
                rows[at] + rows[at + 1] if at + 1 < len(rows) else rows[at]
                for at in range(0, len(rows), 2)
            ]
        return rows[0]
