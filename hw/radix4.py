"""Integer products in rows of two multiplier bits each, for LUTs of four inputs.

Two bits of the multiplier and a carry from those below make a digit -1, 0, 1 or 2. A row's bit is
then one of ``0``, ``b[i]``, ``b[i-1]`` and ``~b[i]``, chosen by two bits of the digit: a function
of four inputs, one LUT, and half as many rows to add as with single bits::

    a[2j+1] a[2j] + carry    0    1    2    3    4
    digit                    0    1    2   -1    0
    carry to the next        0    0    0    1    1
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from macsmith.hw.chain import ChainSum

__all__ = ["add_product_rows", "small_product"]


def _extended(value: Value, is_signed: bool, width: int) -> Value:
    missing = width - len(value)
    return Cat(value, value[-1].replicate(missing) if is_signed else Const(0, missing))


def _increment(value: Value, carry: Value) -> Value:
    """``value + carry`` in gates."""
    if len(value) == 1:
        return Cat(value ^ carry, value & carry)
    high, low = value[1], value[0]
    return Cat(low ^ carry, high ^ (low & carry), high & low & carry)


def add_product_rows(
    m: Module,
    chain: ChainSum,
    name: str,
    a: Value,
    a_signed: bool,
    b: Value,
    b_signed: bool,
    *,
    digit_adders: bool,
) -> None:
    """Add the product of two integers to `chain`.

    Parameters
    ----------
    a, b
        Signals, two's complement where signed.
    digit_adders
        Digits are formed by a `+`, whose carry cells keep them apart from the logic of the rows, in
        which LUTs of four inputs would dissolve them to no good. LUTs of six do without.
    """
    if (len(a), a_signed) > (len(b), b_signed):  # the narrower one makes the fewer rows
        a, a_signed, b, b_signed = b, b_signed, a, a_signed
    low = -(1 << (len(b) - 1)) if b_signed else 0
    high = (1 << (len(b) - b_signed)) - 1
    width = len(b) + (1 if b_signed else 2)
    one, two = _extended(b, b_signed, width), _extended(Cat(Const(0, 1), b), b_signed, width)
    carry: Value = Const(0, 1)
    for weight in range(0, len(a), 2):
        bits = a[weight : weight + 2]
        row = Signal(width, name=f"{name}_row_{weight}")
        is_top = weight + 2 >= len(a)
        if is_top and a_signed and len(bits) == 2:
            # -2, -1, 0, 1 or 2: its own choice, with the sign applied last
            is_negative = Signal(name=f"{name}_negative_{weight}")
            is_two = Signal(name=f"{name}_two_{weight}")
            m.d.comb += [
                is_negative.eq(bits[1] & ~(bits[0] & carry)),
                is_two.eq(Mux(bits[1], ~bits[0] & ~carry, bits[0] & carry)),
                row.eq(
                    ((one & (bits[0] ^ carry).replicate(width)) | (two & is_two.replicate(width)))
                    ^ is_negative.replicate(width)
                ),
            ]
            chain.add(
                row,
                min(2 * low, -2 * high),
                max(2 * high, -2 * low),
                weight,
                [(weight, is_negative)],
            )
            return
        digit = Signal(3, name=f"{name}_digit_{weight}")
        is_negative = Signal(name=f"{name}_negative_{weight}")
        # a lone sign bit counts -1, which is 3 modulo 4
        value = Cat(bits[0], bits[0]) if a_signed and len(bits) == 1 else bits
        m.d.comb += [
            digit.eq(value + carry if digit_adders else _increment(value, carry)),
            row.eq(Mux(digit[1], Mux(digit[0], ~one, two), Mux(digit[0], one, 0))),
            is_negative.eq(digit[:2].all()),
        ]
        chain.add(row, min(2 * low, -high), max(2 * high, -low), weight, [(weight, is_negative)])
        if len(bits) == 2:
            following = Signal(name=f"{name}_carry_{weight}")
            m.d.comb += following.eq(digit[2] | is_negative)
            carry = following
    if not a_signed and len(a) % 2 == 0:
        row = Signal(len(b), name=f"{name}_row_{len(a)}")
        m.d.comb += row.eq(b & carry.replicate(len(b)))
        chain.add(row, low, high, len(a))


def small_product(m: Module, name: str, a: Value, b: Value, width: int) -> Value:
    """Unsigned product of two signals of few bits, `width` bits.

    The digits are 0 to 3, with three times `b` formed once: no carry from digit to digit.
    """
    if len(a) > len(b):
        a, b = b, a
    chain = ChainSum(m, name, width)
    high = (1 << len(b)) - 1
    triple = Signal(len(b) + 2, name=f"{name}_triple")
    if len(a) > 1:
        m.d.comb += triple.eq(Cat(Const(0, 1), b) + b)
    for weight in range(0, len(a), 2):
        digit = a[weight : weight + 2]
        row = Signal(len(b) + 2 if len(digit) == 2 else len(b), name=f"{name}_row_{weight}")
        if len(digit) == 2:
            doubled = Cat(Const(0, 1), b)
            m.d.comb += row.eq(Mux(digit[1], Mux(digit[0], triple, doubled), Mux(digit[0], b, 0)))
        else:
            m.d.comb += row.eq(b & digit.replicate(len(b)))
        chain.add(row, 0, high * ((1 << len(digit)) - 1), weight)
    return chain.sum()
