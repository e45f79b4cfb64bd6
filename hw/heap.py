"""Bit heap: bits of any weight are summed by full adders and one carry-propagate at the end.

Three bits of one weight become a sum bit and a carry bit of the next weight until no weight has
more than two, in Dadda's order: in each round only as many adders as bring every column below the
next of 2, 3, 4, 6, 9, 13, ... Where a half adder would do and there are three bits, a full adder is
used: it costs little more and takes another bit away. Constants are added up beforehand; they cost
bits only where the total has ones.

Source of the order: L. Dadda, Some schemes for parallel multipliers, Alta Frequenza 34, 1965.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from macsmith.hw.block import full_adder

__all__ = ["BitHeap"]


class BitHeap:
    """Bits to be summed modulo ``2**width``.

    Parameters
    ----------
    m, platform
        Where the adders go.
    name
        Goes before the adders' names.
    width
        Width of the sum.
    """

    def __init__(self, m: Module, platform: Any, name: str, width: int) -> None:
        if width < 1:
            raise ValueError(f"a bit heap must be at least 1 bit wide, not {width}")
        self.m, self.platform, self.name, self.width = m, platform, name, width
        self.constant = 0
        self._numbers = 0
        self._columns: list[list[Value]] = [[] for _ in range(width)]

    def add_bit(self, weight: int, bit: Value) -> None:
        """Add ``bit * 2**weight``; bits beyond the width fall away."""
        if 0 <= weight < self.width:
            self._columns[weight].append(bit)

    def add_unsigned(self, value: Value, weight: int = 0) -> None:
        """Add an unsigned number, shifted left by `weight`."""
        if not isinstance(value, Signal):  # bits taken of an expression would repeat it
            number = Signal(len(value), name=f"{self.name}_number_{self._numbers}")
            self._numbers += 1
            self.m.d.comb += number.eq(value)
            value = number
        for index in range(len(value)):
            self.add_bit(weight + index, value[index])

    def add_constant(self, constant: int) -> None:
        """Add a constant of any sign."""
        self.constant = (self.constant + constant) % (1 << self.width)

    def add_negative_bit(self, weight: int, bit: Value) -> None:
        """Subtract ``bit * 2**weight``: its complement is added, and a constant."""
        if weight < self.width:
            self.add_bit(weight, ~bit)
            self.add_constant(-(1 << weight))

    def add_signed(self, value: Value, weight: int = 0) -> None:
        """Add a two's-complement number without spreading its sign bit."""
        self.add_unsigned(value[:-1], weight)
        self.add_negative_bit(weight + len(value) - 1, value[-1])

    def add_sign_extended(self, value: Value, weight: int = 0) -> None:
        """Add a two's-complement number with its sign bit spread to the heap's full width.

        Cheaper than `add_signed` where no other row has bits up there: the constant that stands
        for the sign would be a row of its own.
        """
        self.add_unsigned(value, weight)
        for index in range(weight + len(value), self.width):
            self.add_bit(index, value[-1])

    def _reduce(self, columns: list[list[Value]]) -> None:
        heights = [2]
        tallest = max(map(len, columns))
        while heights[-1] < tallest:
            heights.append(heights[-1] * 3 // 2)
        count = 0
        for limit in reversed(heights[:-1]):
            carries: list[Value] = []
            for weight in range(self.width):
                column = columns[weight]
                # carries that arrived from the column below in this very round count
                kept_for_later, carries = carries, []
                excess = len(column) + len(kept_for_later) - limit
                while excess > 0:
                    a, b = column.pop(0), column.pop(0)
                    if column:
                        total, carry = full_adder(
                            self.m, self.platform, f"{self.name}_{count}", a, b, column.pop(0)
                        )
                        excess -= 2
                    else:
                        # the third bit is a carry of this round, which must not ripple on
                        total, carry = self._half_adder(f"{self.name}_half_{count}", a, b)
                        excess -= 1
                    count += 1
                    column.append(total)
                    carries.append(carry)
                column.extend(kept_for_later)

    def _half_adder(self, name: str, a: Value, b: Value) -> tuple[Value, Value]:
        total = Signal(name=f"{name}_sum")
        carry = Signal(name=f"{name}_carry")
        self.m.d.comb += [total.eq(a ^ b), carry.eq(a & b)]
        return total, carry

    def sum(self) -> Value:
        """Sum of all that was added, `width` bits. The heap is used up by this."""
        columns = self._columns
        for weight in range(self.width):
            if self.constant >> weight & 1:
                columns[weight].append(Const(1))
        self._columns = []
        # a third bit of weight 0 is the carry into the final addition: no adder is spent on it
        carry_in = columns[0].pop() if len(columns[0]) > 2 else None
        if max(map(len, columns)) > 2:
            self._reduce(columns)
        rows = [
            Cat(*(column[row] if len(column) > row else Const(0) for column in columns))
            for row in range(2)
        ]
        total = Signal(self.width, name=f"{self.name}_total")
        if carry_in is not None:
            # 1 + carry_in below the lowest weight carries exactly carry_in into it: one plain '+'
            with_carry = Cat(Const(1), rows[0]) + Cat(carry_in, rows[1])
            self.m.d.comb += total.eq(with_carry[1 : self.width + 1])
        elif any(len(column) > 1 for column in columns):
            self.m.d.comb += total.eq(rows[0] + rows[1])
        else:
            self.m.d.comb += total.eq(rows[0])
        return total
