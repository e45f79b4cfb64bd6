"""Sums by carry chains, for FPGAs: every adder is one plain `+`.

An FPGA has a carry wire beside its LUTs: a `+` costs one LUT a bit, where a full adder made of LUTs
costs two. So rows are added two by two, each sum no wider than its range, and each addition takes
a single bit more as its carry in: the 1 that makes a complemented row a negative one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal, Value

__all__ = ["ChainSum"]


@dataclass(frozen=True)
class _Row:
    """A number that is to be added.

    It stands for ``bits * 2**weight``; with the bits of `owed` (by weight) it is a number from
    `low` to `high`, in units of 1.
    """

    bits: Value
    weight: int
    is_signed: bool
    low: int
    high: int
    owed: tuple[tuple[int, Value], ...] = ()

    @property
    def top(self) -> int:
        """Weight above the highest bit."""
        return self.weight + len(self.bits)

    def extended(self, width: int) -> Value:
        """The bits, brought to `width`."""
        missing = width - len(self.bits)
        if missing <= 0:
            return self.bits[:width]
        fill = self.bits[-1].replicate(missing) if self.is_signed else Const(0, missing)
        return Cat(self.bits, fill)


def _range_bits(low: int, high: int) -> int:
    """Width of a number of that range, with a sign bit where it can be negative."""
    if low < 0:
        return max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1
    return max(high.bit_length(), 1)


class ChainSum:
    """Numbers to be summed modulo ``2**width``.

    Parameters
    ----------
    m
        Where the adders go.
    name
        Goes before the names of their sums.
    width
        Width of the sum.
    """

    def __init__(self, m: Module, name: str, width: int) -> None:
        if width < 1:
            raise ValueError(f"a sum must be at least 1 bit wide, not {width}")
        self.m, self.name, self.width = m, name, width
        self._rows: list[_Row] = []
        self._last: list[_Row] = []
        self._count = 0

    def add(
        self,
        bits: Value,
        low: int,
        high: int,
        weight: int = 0,
        owed: Sequence[tuple[int, Value]] = (),
        *,
        comes_last: bool = False,
    ) -> None:
        """Add a row.

        Parameters
        ----------
        bits
            Two's complement if `low` is negative, else unsigned.
        low, high
            Range of the row together with the bits it is owed, in units of ``2**weight``.
        weight
            By how much it is shifted left.
        owed
            Single bits that belong to it, each with its own weight in the sum: carries of later
            additions.
        comes_last
            Added after all others, so that a loop through it holds one addition.
        """
        if weight >= self.width:
            return
        row = _Row(bits, weight, low < 0, low << weight, high << weight, tuple(owed))
        (self._last if comes_last else self._rows).append(self._cut(row))

    def add_partial_sum(self, bits: Value) -> None:
        """Add a two's-complement number after all others."""
        half = 1 << (len(bits) - 1)
        self.add(bits, -half, half - 1, comes_last=True)

    def add_ones_complement(self, magnitude: Value, sign: Value, high: int) -> None:
        """Add a magnitude of at most `high`, all its bits inverted where its sign is 1."""
        self.add(Cat(magnitude, sign), -high, high, owed=((0, sign),))

    def _cut(self, row: _Row) -> _Row:
        """What lies beyond the width falls away; such a row needs no extension any more."""
        if row.top >= self.width:
            bits = row.bits[: self.width - row.weight]
            return _Row(bits, row.weight, False, 0, (1 << self.width) - 1, row.owed)
        return row

    def _added(self, one: _Row, other: _Row) -> _Row:
        low_row, high_row = sorted((one, other), key=lambda row: row.weight)
        start = high_row.weight
        owed = [*one.owed, *other.owed]
        carry = next((pair for pair in owed if pair[0] == start), None)
        low, high = one.low + other.low, one.high + other.high
        passed_bits = start - low_row.weight
        if low_row.top <= start and not low_row.is_signed and carry is None:
            # nothing overlaps: no adder at all
            bits: Value = Cat(low_row.extended(passed_bits), high_row.bits)
            return self._cut(_Row(bits, low_row.weight, high_row.is_signed, low, high, tuple(owed)))
        if carry is not None:
            owed.remove(carry)
        least = low - sum(1 << weight for weight, _ in owed)
        top = min(max(_range_bits(least, high), start + 1), self.width)
        total = Signal(top - start, name=f"{self.name}_{self._count}")
        self._count += 1
        # what lies below the higher row needs no adder
        lower = low_row.extended(passed_bits + len(total))
        upper = high_row.extended(len(total))
        x, y = lower[passed_bits:], upper
        if self._count == 1:
            addends = x + y if carry is None else x + y + carry[1]
        else:
            # 1 + carry below the lowest bit carries exactly `carry` into it. A third number in the
            # `+`, or a sum of whole sums, would make Yosys build a tree of full adders, which takes
            # two LUTs a bit; so without a carry, the lowest bit of `x` serves as one.
            cut = x if carry is not None else Cat(Const(0, 1), x[1:])
            addends = (Cat(Const(1), cut) + Cat(x[0] if carry is None else carry[1], y))[1:]
        self.m.d.comb += total.eq(addends)
        bits = Cat(lower[:passed_bits], total)
        return self._cut(_Row(bits, low_row.weight, least < 0, low, high, tuple(owed)))

    def _joined(self, rows: list[_Row]) -> _Row:
        """Rows of one weight added up, narrow ones first."""
        while len(rows) > 1:
            rows.sort(key=lambda row: len(row.bits))
            rows.append(self._added(rows.pop(0), rows.pop(0)))
        return rows[0]

    def sum(self) -> Value:
        """Sum of all rows, `width` bits. The rows are used up by this.

        Rows of one weight are added first: that leaves the fewest bits to add.
        """
        groups: dict[int, list[_Row]] = {}
        for row in self._rows:
            groups.setdefault(row.weight, []).append(row)
        rows = [self._joined(groups[weight]) for weight in sorted(groups)]
        while len(rows) > 1:
            rows = [
                self._added(*rows[index : index + 2]) if index + 1 < len(rows) else rows[index]
                for index in range(0, len(rows), 2)
            ]
        rows += self._last
        self._rows, self._last = [], []
        if not rows:
            return Const(0, self.width)
        total = rows[0]
        for row in rows[1:]:
            total = self._added(total, row)
        while total.owed:
            (weight, bit), *rest = total.owed
            low = total.low - (1 << weight)
            bare = _Row(total.bits, total.weight, total.is_signed, low, total.high, tuple(rest))
            total = self._added(bare, _Row(bit, weight, False, 0, 1 << weight))
        return Cat(Const(0, total.weight), total.extended(self.width - total.weight))
