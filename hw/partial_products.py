"""Partial products of two numbers, put into a bit heap."""

from typing import Literal

from amaranth.hdl import Cat, Const, Module, Signal, Value
from macsmith.hw.heap import BitHeap

__all__ = ["MAX_TABLE_BITS", "Multiplier", "add_product"]

Multiplier = Literal["array", "dadda", "booth", "operator", "table"]

MAX_TABLE_BITS = 10
"""Bits of both operands together up to which ``table`` may be asked for."""


def add_and_array(
    heap: BitHeap, a: Value, a_signed: bool, b: Value, b_signed: bool, weight: int = 0
) -> None:
    """One bit for every pair of bits, shifted left by `weight`.

    Partial products with one sign bit count negatively: they are complemented, and their
    constants add up (C. R. Baugh, B. A. Wooley, A Two's Complement Parallel Array Multiplication
    Algorithm, IEEE Transactions on Computers C-22, 1973). An operand of one bit needs no adder:
    the product is the other one, or 0.
    """
    for a_weight in range(len(a)):
        for b_weight in range(len(b)):
            bit = a[a_weight] & b[b_weight]
            is_a_sign = a_signed and a_weight == len(a) - 1
            is_b_sign = b_signed and b_weight == len(b) - 1
            if is_a_sign != is_b_sign:
                heap.add_negative_bit(weight + a_weight + b_weight, bit, 1.0)
            else:
                heap.add_bit(weight + a_weight + b_weight, bit, 1.0)


def add_booth(
    m: Module,
    name: str,
    heap: BitHeap,
    a: Value,
    a_signed: bool,
    b: Value,
    b_signed: bool,
    weight: int = 0,
) -> None:
    """Half as many rows, each 0, a or 2a with a sign: `b` in digits -2 .. 2 of base 4.

    O. L. MacSorley, High-Speed Arithmetic in Binary Computers, Proceedings of the IRE 49, 1961.
    """
    if not a_signed:
        a = Cat(a, Const(0))
    if not b_signed:
        b = Cat(b, Const(0))

    def bit_of(value: Value, index: int) -> Value:
        return value[min(index, len(value) - 1)] if index >= 0 else Const(0)

    for row in range(0, len(b), 2):
        low, middle, high = (bit_of(b, row + offset) for offset in (-1, 0, 1))
        once = Signal(name=f"{name}_once_{row}")
        twice = Signal(name=f"{name}_twice_{row}")
        negative = Signal(name=f"{name}_negative_{row}")
        m.d.comb += [
            once.eq(low ^ middle),
            twice.eq((high & ~middle & ~low) | (~high & middle & low)),
            # digit -0 gives all ones, and 1 is added to them
            negative.eq(high),
        ]
        top = len(a)
        for index in range(top + 1):
            bit = ((once & bit_of(a, index)) | (twice & bit_of(a, index - 1))) ^ negative
            if index < top:
                heap.add_bit(weight + row + index, bit, 4.0)
            else:
                heap.add_negative_bit(weight + row + index, bit, 4.0)
        heap.add_bit(weight + row, negative)


def product_table(
    m: Module, name: str, a: Value, a_signed: bool, b: Value, b_signed: bool
) -> Signal:
    """The product as a look-up table over the bits of both operands."""
    bits = len(a) + len(b)
    index = Signal(bits, name=f"{name}_index")
    product = Signal(bits, name=f"{name}_table")
    m.d.comb += index.eq(Cat(a, b))
    columns = [0] * bits  # the truth table of each bit of the product
    for entry in range(1 << bits):
        factors = []
        for value, width, signed in (
            (entry & ((1 << len(a)) - 1), len(a), a_signed),
            (entry >> len(a), len(b), b_signed),
        ):
            factors.append(value - ((value >> (width - 1)) << width) if signed else value)
        for place in range(bits):
            columns[place] |= (factors[0] * factors[1] >> place & 1) << entry
    m.d.comb += product.eq(
        Cat(*(Const(column, 1 << bits).bit_select(index, 1) for column in columns))
    )
    return product


def add_product(
    m: Module,
    heap: BitHeap,
    multiplier: Multiplier,
    a: Value,
    a_signed: bool,
    b: Value,
    b_signed: bool,
    weight: int = 0,
) -> None:
    """Put the product of two numbers into a heap, shifted left by `weight`.

    Parameters
    ----------
    multiplier
        ``array`` and ``dadda`` are the same here: it is the heap that has an order.
    """
    name = f"{heap.name}_product_{next(heap.serial)}"
    match multiplier:
        case "array" | "dadda":
            add_and_array(heap, a, a_signed, b, b_signed, weight)
        case "booth":
            add_booth(m, name, heap, a, a_signed, b, b_signed, weight)
        case "operator" | "table":
            if multiplier == "table":
                product = product_table(m, name, a, a_signed, b, b_signed)
            else:
                product = Signal(len(a) + len(b), name=name)
                m.d.comb += product.eq(
                    (a.as_signed() if a_signed else a) * (b.as_signed() if b_signed else b)
                )
            if a_signed or b_signed:
                heap.add_signed(product, weight)
            else:
                heap.add_unsigned(product, weight)
