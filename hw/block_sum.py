"""The exact sum of the products of a whole block, as one number."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import Block
from macsmith.hw.heap import BitHeap
from macsmith.hw.lanes import add_lanes, added_flags
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths

__all__ = ["BlockSum"]


class BlockSum(Block):
    """Sum of the products of all lanes, which are a whole block; combinational.

    Parameters
    ----------
    config
        What is computed; a step adds a whole block.
    architecture
        How it is built.

    Members
    -------
    a : In(lanes * config.a.bits)
    b : In(lanes * config.b.bits)
        Lane 0 in the lowest bits.
    partial_sum_o : Out(inner.bits)
        Flags and integer, as `macsmith.model.widths` lays out the inner sum.
    """

    a: Signal
    b: Signal
    partial_sum_o: Signal

    def __init__(
        self, config: MacConfig, architecture: Architecture = DEFAULT_ARCHITECTURE
    ) -> None:
        if not config.is_block_a_step:
            raise ValueError("BlockSum: a step must add a whole block")
        self.config, self.architecture = config, architecture
        self.widths = mac_widths(config).inner
        super().__init__(
            "block_sum",
            {
                "a": In(config.lanes * config.a.bits),
                "b": In(config.lanes * config.b.bits),
                "partial_sum_o": Out(self.widths.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        heap = BitHeap(m, platform, "add", self.widths.integer_bits, self.architecture.reduce)
        facts = add_lanes(
            m, platform, self.config, self.a, self.b, heap, architecture=self.architecture
        )
        flags = added_flags(facts, self.widths.flag_bits)
        m.d.comb += self.partial_sum_o.eq(Cat(heap.sum(), flags))
        return m
