"""Bit heap: bits of any weight are summed by full adders and one carry-propagate at the end.

Three bits of one weight become a sum bit and a carry bit of the next weight. Two orders:

``dadda``
    In rounds over all weights, each with only as many adders as bring every column below the next
    of 2, 3, 4, 6, 9, 13, ...; the two rows that are left are added by ``+``. Quick: no carry waits
    for its neighbour (L. Dadda, Some schemes for parallel multipliers, Alta Frequenza 34, 1965).
``columns``
    Each column down to its one sum bit, the lowest first: the carries ripple through the same
    adders that sum the bits. Fewest adders: one for every bit that goes away.

Where a half adder would do and there are three bits, a full adder is used: it costs little more
and takes another bit away. Constants are added up beforehand; they cost bits only where the total
has ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from amaranth.hdl import Cat, Const, Module, Signal, Value
from macsmith.hw.block import full_adder

__all__ = ["BitHeap", "HeapOrder"]

HeapOrder = Literal["columns", "dadda"]
Adder = Callable[[Module, str, Value, Value], Value]

# Delays in gates of two inputs, to tell late bits from early ones
_SUM_LEVELS = 2.0
_CARRY_LEVELS = 1.6
_HALF_SUM_LEVELS = 1.2
_HALF_CARRY_LEVELS = 1.0


@dataclass(frozen=True)
class _Bit:
    """A bit in a column.

    Attributes
    ----------
    arrival
        When it is there, in gates.
    parity
        Whether the number of full adders that it came through is odd; None: as one likes. Cells
        with inverted outputs need no inverters between adders whose inputs all have one parity.
    """

    value: Value
    arrival: float
    parity: int | None


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
    order
        In which the columns are reduced.
    add
        What adds the two rows that are left of ``dadda``, given a name; None: ``+``.

    Attributes
    ----------
    serial
        Numbers for the names of signals that go into the heap.
    arrivals
        After `sum`: when each of its bits is there, in gates.
    """

    def __init__(
        self,
        m: Module,
        platform: Any,
        name: str,
        width: int,
        order: HeapOrder = "dadda",
        add: Adder | None = None,
    ) -> None:
        if width < 1:
            raise ValueError(f"a bit heap must be at least 1 bit wide, not {width}")
        self.m, self.platform, self.name, self.width = m, platform, name, width
        self.order = order
        self._add = add or (lambda m, name, x, y: x + y)
        self.constant = 0
        self.arrivals: list[float] = []
        self.serial = count()
        self._adders = 0
        self._columns: list[list[_Bit]] = [[] for _ in range(width)]

    def add_bit(
        self, weight: int, bit: Value, arrival: float = 0.0, parity: int | None = 0
    ) -> None:
        """Add ``bit * 2**weight``; bits beyond the width fall away.

        `arrival`, in gates: of the bits of a column the early ones are added first. `parity` is 0
        for what comes out of logic; None is for inputs and registers.
        """
        if 0 <= weight < self.width:
            self._columns[weight].append(_Bit(bit, arrival, parity))

    def add_unsigned(
        self, value: Value, weight: int = 0, arrival: float = 0.0, parity: int | None = 0
    ) -> None:
        """Add an unsigned number, shifted left by `weight`."""
        if not isinstance(value, Signal):  # bits taken of an expression would repeat it
            number = Signal(len(value), name=f"{self.name}_number_{next(self.serial)}")
            self.m.d.comb += number.eq(value)
            value = number
        for index in range(len(value)):
            self.add_bit(weight + index, value[index], arrival, parity)

    def add_constant(self, constant: int) -> None:
        """Add a constant of any sign."""
        self.constant = (self.constant + constant) % (1 << self.width)

    def add_negative_bit(
        self, weight: int, bit: Value, arrival: float = 0.0, parity: int | None = 0
    ) -> None:
        """Subtract ``bit * 2**weight``: its complement is added, and a constant."""
        if weight < self.width:
            self.add_bit(weight, ~bit, arrival, parity)
            self.add_constant(-(1 << weight))

    def add_signed(self, value: Value, weight: int = 0) -> None:
        """Add a two's-complement number without spreading its sign bit."""
        self.add_unsigned(value[:-1], weight)
        self.add_negative_bit(weight + len(value) - 1, value[-1])

    def add_sign_extended(
        self, value: Value, weight: int = 0, arrival: float = 0.0, parity: int | None = 0
    ) -> None:
        """Add a two's-complement number with its sign bit spread to the heap's full width.

        Cheaper than `add_signed` where no other row has bits up there: the constant that stands
        for the sign would be a row of its own.
        """
        self.add_unsigned(value, weight, arrival, parity)
        for index in range(weight + len(value), self.width):
            self.add_bit(index, value[-1], arrival, parity)

    def sum(self) -> Value:
        """Sum of all that was added, `width` bits. The heap is used up by this."""
        columns, self._columns = self._columns, []
        total = Signal(self.width, name=f"{self.name}_total")
        if self.order == "columns":
            self.m.d.comb += total.eq(Cat(*self._one_row(columns)))
        else:
            self.m.d.comb += total.eq(self._two_rows(columns))
        return total

    def rows(self) -> tuple[Value, Value]:
        """Two numbers whose sum is that of all that was added. The heap is used up by this."""
        columns, self._columns = self._columns, []
        ones = [bool(self.constant >> weight & 1) for weight in range(self.width)]
        self._reduce(columns, ones)
        for column, has_one in zip(columns, ones, strict=True):
            if has_one:
                column.append(_Bit(Const(1), 0.0, None))
        rows = [Signal(self.width, name=f"{self.name}_row_{row}") for row in range(2)]
        for index, row in enumerate(rows):
            bits = [column[index].value if len(column) > index else Const(0) for column in columns]
            self.m.d.comb += row.eq(Cat(*bits))
        return rows[0], rows[1]

    # Adders. Each gives a sum bit and a carry bit.

    def _full_adder(self, bits: list[_Bit]) -> tuple[_Bit, _Bit]:
        name = f"{self.name}_{self._adders}"
        self._adders += 1
        total, carry = full_adder(self.m, self.platform, name, *(bit.value for bit in bits))
        arrival = max(bit.arrival for bit in bits)
        parities = [bit.parity for bit in bits]
        parity = 1 - int(parities.count(1) > parities.count(0))
        return (
            _Bit(total, arrival + _SUM_LEVELS, parity),
            _Bit(carry, arrival + _CARRY_LEVELS, parity),
        )

    def _half_adder(self, a: _Bit, b: _Bit, *, plus_one: bool = False) -> tuple[_Bit, _Bit]:
        """Two bits, and a constant 1 with `plus_one`."""
        name = f"{self.name}_half_{self._adders}"
        self._adders += 1
        total = Signal(name=f"{name}_sum")
        carry = Signal(name=f"{name}_carry")
        if plus_one:
            self.m.d.comb += [total.eq(~(a.value ^ b.value)), carry.eq(a.value | b.value)]
        else:
            self.m.d.comb += [total.eq(a.value ^ b.value), carry.eq(a.value & b.value)]
        arrival = max(a.arrival, b.arrival)
        return (
            _Bit(total, arrival + _HALF_SUM_LEVELS, None),
            _Bit(carry, arrival + _HALF_CARRY_LEVELS, 0),
        )

    @staticmethod
    def _take_three(column: list[_Bit], among: int) -> list[_Bit]:
        """Take three of the `among` earliest bits out of a column, of one parity if there are."""
        column.sort(key=lambda bit: bit.arrival)
        chosen = column[:3]
        found: list[list[_Bit]] = []
        for parity in (0, 1):
            alike = [bit for bit in column[:among] if bit.parity in (parity, None)][:3]
            if len(alike) == 3:
                found.append(alike)
        if found:
            chosen = min(found, key=lambda bits: bits[2].arrival)
        for bit in chosen:
            # by identity: equal bits are different places in the column
            del column[next(index for index, other in enumerate(column) if other is bit)]
        return chosen

    # Orders

    def _one_row(self, columns: list[list[_Bit]]) -> list[Value]:
        """All columns down to one bit, the lowest first."""
        row: list[Value] = []
        columns = [*columns, []]  # what is carried out of the top is dropped
        for weight in range(self.width):
            column = columns[weight]
            has_one = bool(self.constant >> weight & 1)
            while len(column) + has_one > 1:
                if has_one and len(column) == 1:
                    has_one = False
                    bit = column.pop()
                    columns[weight + 1].append(bit)
                    column.append(_Bit(~bit.value, bit.arrival, bit.parity))
                    continue
                if has_one and len(column) % 2 == 0:
                    has_one = False
                    column.sort(key=lambda bit: bit.arrival)
                    total, carry = self._half_adder(column.pop(0), column.pop(0), plus_one=True)
                elif len(column) >= 3:
                    total, carry = self._full_adder(self._take_three(column, len(column)))
                else:
                    total, carry = self._half_adder(column.pop(0), column.pop(0))
                column.append(total)
                columns[weight + 1].append(carry)
            row.append(column[0].value if column else Const(has_one, 1))
            self.arrivals.append(column[0].arrival if column else 0.0)
        return row

    def _two_rows(self, columns: list[list[_Bit]]) -> Value:
        """Dadda's rounds down to two rows, and their sum."""
        ones = [bool(self.constant >> weight & 1) for weight in range(self.width)]
        # a third bit of weight 0 is the carry into the final addition: no adder is spent on it
        carry_in = None
        if len(columns[0]) + ones[0] > 2:
            columns[0].sort(key=lambda bit: bit.arrival)
            carry_in = columns[0].pop()
        self._reduce(columns, ones)
        latest = max((bit.arrival for column in columns for bit in column), default=0.0)
        self.arrivals = [latest + 2.0 * self.width.bit_length()] * self.width
        for column, has_one in zip(columns, ones, strict=True):
            if has_one:
                column.append(_Bit(Const(1), 0.0, None))
        rows = [
            Cat(*(column[row].value if len(column) > row else Const(0) for column in columns))
            for row in range(2)
        ]
        if carry_in is not None:
            # 1 + carry_in below the lowest weight carries exactly carry_in into it: one plain '+'
            with_carry = self._add(
                self.m, f"{self.name}_rows", Cat(Const(1), rows[0]), Cat(carry_in.value, rows[1])
            )
            return with_carry[1 : self.width + 1]
        if any(len(column) > 1 for column in columns):
            return self._add(self.m, f"{self.name}_rows", rows[0], rows[1])
        return rows[0]

    def _reduce(self, columns: list[list[_Bit]], ones: list[bool]) -> None:
        """Dadda's rounds; constants that are used up are taken out of `ones`."""
        heights = [2]
        tallest = max(len(column) + one for column, one in zip(columns, ones, strict=True))
        while heights[-1] < tallest:
            heights.append(heights[-1] * 3 // 2)
        for limit in reversed(heights[:-1]):
            carries: list[_Bit] = []
            for weight, column in enumerate(columns):
                # carries that arrived from the column below in this very round count, but wait
                arrived, carries = carries, []
                made: list[_Bit] = []
                excess = len(column) + len(arrived) + ones[weight] - limit
                while excess > 0:
                    if ones[weight] and len(column) >= 2 and excess >= 2:
                        ones[weight] = False
                        column.sort(key=lambda bit: bit.arrival)
                        total, carry = self._half_adder(column.pop(0), column.pop(0), plus_one=True)
                        excess -= 2
                    elif len(column) >= 3:
                        # of the bits that this round needs, not of all: late ones are to wait
                        total, carry = self._full_adder(
                            self._take_three(column, max(3, excess // 2 * 3 + 2))
                        )
                        excess -= 2
                    elif len(column) == 2:
                        # the third bit is a carry of this round, which must not ripple on
                        total, carry = self._half_adder(column.pop(0), column.pop(0))
                        excess -= 1
                    else:
                        # a constant 1 and one bit x: sum ~x, carry x
                        ones[weight] = False
                        carry = column.pop()
                        total = _Bit(~carry.value, carry.arrival, carry.parity)
                        excess -= 1
                    made.append(total)
                    carries.append(carry)
                column += made + arrived
