"""The largest of several exponents."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block

__all__ = ["LargestExponent"]


class LargestExponent(Block):
    """The largest of unsigned numbers, by a tree of comparisons; combinational.

    Parameters
    ----------
    count
        How many.
    bits
        Width of each.

    Members
    -------
    exponents : In(count * bits)
        Number 0 in the lowest bits.
    largest : Out(bits)
    """

    exponents: Signal
    largest: Signal

    def __init__(self, count: int, bits: int) -> None:
        self.count, self.bits = count, bits
        super().__init__(
            f"largest_of_{count}", {"exponents": In(count * bits), "largest": Out(bits)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        level: list[Value] = [
            self.exponents.word_select(index, self.bits) for index in range(self.count)
        ]
        depth = 0
        while len(level) > 1:
            pairs = []
            for index in range(0, len(level) - 1, 2):
                a, b = level[index], level[index + 1]
                larger = Signal(self.bits, name=f"larger_{depth}_{index // 2}")
                m.d.comb += larger.eq(Mux(a > b, a, b))
                pairs.append(larger)
            level = pairs + level[len(level) // 2 * 2 :]
            depth += 1
        m.d.comb += self.largest.eq(level[0])
        return m
