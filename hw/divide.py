"""Division of significands: as many quotient bits as a rounding needs, and whether more follow."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block

__all__ = ["DivideSignificands"]


class DivideSignificands(Block):
    """Quotient of two significands whose top bits are 1; combinational.

    Subtracts and shifts, a row for each bit; meant for few bits and narrow divisors.

    Parameters
    ----------
    dividend_bits, divisor_bits
        Widths of the operands, which both count as 1.xxx.
    quotient_bits
        Bits of the quotient, of which the first stands for 1.

    Members
    -------
    dividend : In(dividend_bits)
        May also be 0, which gives 0.
    divisor : In(divisor_bits)
    quotient : Out(quotient_bits + 1)
        ``| 1 or 0 | fraction: quotient_bits - 1 | sticky bit: some remainder is left |``; the
        quotient lies between 1/2 and 2.
    """

    dividend: Signal
    divisor: Signal
    quotient: Signal

    def __init__(self, dividend_bits: int, divisor_bits: int, quotient_bits: int) -> None:
        self.quotient_bits = quotient_bits
        super().__init__(
            f"divide_{dividend_bits}_by_{divisor_bits}_to_{quotient_bits}",
            {
                "dividend": In(dividend_bits),
                "divisor": In(divisor_bits),
                "quotient": Out(quotient_bits + 1),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = max(len(self.dividend), len(self.divisor))
        divisor = Cat(Const(0, width - len(self.divisor)), self.divisor)
        rest: Value = Cat(Const(0, width - len(self.dividend)), self.dividend)
        bits: list[Value] = []
        for index in range(self.quotient_bits):
            # the remainder stays below twice the divisor: one bit more than that
            difference = Signal(width + 2, name=f"difference_{index}")
            m.d.comb += difference.eq(rest - divisor)
            is_kept = ~difference[-1]
            bits.append(is_kept)
            left = Signal(width + 1, name=f"rest_{index}")
            m.d.comb += left.eq(Cat(Const(0, 1), Mux(is_kept, difference, rest)[:width]))
            rest = left
        m.d.comb += self.quotient.eq(Cat(rest.any(), *reversed(bits)))
        return m
