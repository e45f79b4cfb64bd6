"""Fixed-point sums kept as two numbers, so that no carry runs through the loop of the accumulator.

The partial sum is the sum of two numbers of its width. A step puts both and the two rows of the
products' tree through two levels of full adders; carries are propagated once, behind the loop, when
a sum is finished. A partial sum is laid out as ``| flags | carries | sums |``.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import Block
from macsmith.hw.heap import BitHeap
from macsmith.hw.lanes import add_lanes, added_flags
from macsmith.hw.step_block import StepBlock
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths

__all__ = ["CarrySaveStep", "PropagateCarries", "add_in_parts"]


def add_in_parts(m: Module, x: Value, y: Value, parts: int) -> Value:
    """Sum of two numbers of one width, modulo 2 to it, as so many additions of nearly equal width,
    one behind the other: a pipeline can be cut between them."""
    size = -(-len(x) // parts)
    total: list[Value] = []
    carry: Value = Const(0, 1)
    for part, start in enumerate(range(0, len(x), size)):
        x_part, y_part = x[start : start + size], y[start : start + size]
        # 1 + carry below the lowest weight carries exactly carry into it: one plain '+'
        part_sum = Signal(len(x_part) + 2, name=f"part_{part}")
        m.d.comb += part_sum.eq(Cat(Const(1), x_part) + Cat(carry, y_part))
        total.append(part_sum[1 : len(x_part) + 1])
        carry = part_sum[len(x_part) + 1]
    return Cat(*total)


class CarrySaveStep(StepBlock):
    """Next partial sum of an inner integer or exact accumulator, as two numbers.

    Parameters
    ----------
    config
        What is computed; the accumulator is a fixed-point one that does not clip.
    architecture
        How it is built.

    Members
    -------
    partial_sum_i, partial_sum_o : In, Out(2 * inner.integer_bits + inner.flag_bits)
        Combinational.
    """

    def __init__(
        self, config: MacConfig, architecture: Architecture = DEFAULT_ARCHITECTURE
    ) -> None:
        self.widths = mac_widths(config).inner
        if self.widths.format is not None or self.widths.clips:
            raise ValueError("CarrySaveStep: must have a fixed-point sum that does not clip")
        bits = 2 * self.widths.integer_bits + self.widths.flag_bits
        super().__init__("carry_save_step", config, architecture, bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, order = self.widths.integer_bits, self.architecture.reduce
        lanes = BitHeap(m, platform, "add_lanes", width, order)
        facts = add_lanes(
            m, platform, self.config, self.a, self.b, lanes, architecture=self.architecture
        )
        heap = BitHeap(m, platform, "add", width)
        for row in lanes.rows():
            heap.add_unsigned(row, parity=None)
        for index in range(2):
            heap.add_unsigned(self.partial_sum_i.word_select(index, width), parity=None)
        flags = self.partial_sum_i[2 * width :] | added_flags(facts, self.widths.flag_bits)
        m.d.comb += self.partial_sum_o.eq(Cat(*heap.rows(), flags))
        return m


class PropagateCarries(Block):
    """The partial sum of a carry-save accumulator as one number; combinational.

    Parameters
    ----------
    config
        What is computed.
    parts
        In how many parts the carry runs: each can be a pipeline stage of its own.

    Members
    -------
    partial_sum : In(2 * inner.integer_bits + inner.flag_bits)
    total : Out(inner.bits)
    """

    partial_sum: Signal
    total: Signal

    def __init__(self, config: MacConfig, parts: int) -> None:
        self.widths = mac_widths(config).inner
        self.parts = parts
        super().__init__(
            "propagate_carries",
            {
                "partial_sum": In(2 * self.widths.integer_bits + self.widths.flag_bits),
                "total": Out(self.widths.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.widths.integer_bits
        sums, carries = (self.partial_sum.word_select(index, width) for index in range(2))
        total = add_in_parts(m, sums, carries, self.parts)
        m.d.comb += self.total.eq(Cat(total, self.partial_sum[2 * width :]))
        return m
