"""The step of an integer or exact accumulator: products and partial sum in one tree of adders."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.heap import BitHeap
from macsmith.hw.lanes import add_lanes, added_flags
from macsmith.hw.step_block import StepBlock
from macsmith.hw.terms import is_integer_product
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths, signed_bits

__all__ = ["FixedStep", "clip"]


def clip(m: Module, name: str, value: Value, bits: int) -> Value:
    """A two's-complement value, saturated to `bits`."""
    upper = value[bits - 1 :]
    fits = upper.all() | ~upper.any()
    clipped = Signal(bits, name=name)
    sign = value[-1]
    m.d.comb += clipped.eq(Mux(fits, value[:bits], Cat((~sign).replicate(bits - 1), sign)))
    return clipped


class FixedStep(StepBlock):
    """Next partial sum of the inner accumulator, an integer or exact one; combinational.

    Parameters
    ----------
    config
        What is computed.
    architecture
        How it is built.
    """

    def __init__(
        self, config: MacConfig, architecture: Architecture = DEFAULT_ARCHITECTURE
    ) -> None:
        self.widths = mac_widths(config).inner
        super().__init__("fixed_step", config, architecture, self.widths.bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, widths = self.config, self.widths
        largest = config.lanes * mac_widths(config).term.max_integer
        width = widths.integer_bits
        if widths.clips:
            width = max(signed_bits(largest), width) + 1
        # a single product is one number, to which the partial sum is added in any case
        apart = self.architecture.loop == "apart" and (
            config.lanes > 1 or is_integer_product(config)
        )
        heap = BitHeap(
            m,
            platform,
            "add_lanes" if apart else "add",
            signed_bits(largest) if apart else width,
            self.architecture.reduce,
        )
        facts = add_lanes(m, platform, config, self.a, self.b, heap, architecture=self.architecture)
        if apart:
            lane_sum = heap.sum()
            heap = BitHeap(m, platform, "add", width, self.architecture.reduce)
            heap.add_sign_extended(lane_sum, parity=None)
        partial_sum = self.partial_sum_i[: widths.integer_bits]
        if widths.clips:
            heap.add_sign_extended(partial_sum, parity=None)
        else:
            heap.add_unsigned(partial_sum, parity=None)
        total = heap.sum()
        if widths.clips:
            total = clip(m, "clipped", total, widths.integer_bits)
        flags = self.partial_sum_i[widths.integer_bits :] | added_flags(facts, widths.flag_bits)
        m.d.comb += self.partial_sum_o.eq(Cat(total, flags))
        return m
