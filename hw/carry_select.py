"""Addition in groups, each computed for both carries that may come into it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

__all__ = ["GROUP_BITS", "add_in_groups"]

#: Bits of the longest run of carries within a group.
GROUP_BITS = 6


def add_in_groups(m: Module, name: str, x: Value, y: Value) -> Value:
    """Sum of two numbers of one width, modulo two to it.

    A carry passes from group to group by one gate, and chooses between two sums that were there
    before. Synthesis turns prefix networks that are written as gates back into one long chain, but
    leaves these groups alone.

    Source of the idea: O. J. Bedrij, Carry-select adder, IRE Transactions on Electronic Computers
    EC-11, 1962.
    """
    parts: list[Value] = []
    carry: Value = Const(0)
    for start in range(0, len(x), GROUP_BITS):
        a, b = x[start : start + GROUP_BITS], y[start : start + GROUP_BITS]
        without = Signal(len(a) + 1, name=f"{name}_{start}")
        m.d.comb += without.eq(a + b)
        if not start:
            parts.append(without[:-1])
            carry = without[-1]
            continue
        with_one = Signal(len(a) + 1, name=f"{name}_{start}_plus_one")
        m.d.comb += with_one.eq((Cat(Const(1, 1), a) + Cat(Const(1, 1), b))[1:])
        parts.append(Mux(carry, with_one[:-1], without[:-1]))
        next_carry = Signal(name=f"{name}_{start}_carry")
        m.d.comb += next_carry.eq(without[-1] | (with_one[-1] & carry))
        carry = next_carry
    return Cat(*parts)
