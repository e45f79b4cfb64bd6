"""The arithmetic of one step, whichever accumulator it has."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.aligned_step import AlignedStep
from macsmith.hw.architecture import Architecture, resolve_architecture
from macsmith.hw.block import Block, place
from macsmith.hw.block_step import BlockStep, scale_members
from macsmith.hw.block_sum import BlockSum
from macsmith.hw.bucket_step import BucketStep
from macsmith.hw.carry_save import CarrySaveStep
from macsmith.hw.chain_step import ChainStep
from macsmith.hw.fixed_step import FixedStep
from macsmith.hw.float_step import FloatStep
from macsmith.hw.outer_step import OuterStep
from macsmith.hw.posit_step import PositStep
from macsmith.hw.read_out import partial_step
from macsmith.hw.segmented_step import SegmentedStep
from macsmith.hw.terms import is_integer_product
from macsmith.hw.window_step import WindowStep
from macsmith.model.config import MacConfig
from macsmith.model.implementation import Implementation
from macsmith.model.widths import mac_widths

__all__ = ["InnerStep", "Unit", "inner_step", "outer_step"]

InnerStep = (
    AlignedStep
    | BlockSum
    | BucketStep
    | CarrySaveStep
    | ChainStep
    | FixedStep
    | FloatStep
    | PositStep
    | SegmentedStep
    | WindowStep
)


def inner_step(config: MacConfig, architecture: Architecture) -> InnerStep:
    """The step of the accumulator that products are added to.

    A float accumulator of one product adds it as floats do. With more lanes, whose exact sum may
    cancel to anything, or with integer operands, the products are summed in fixed point first.
    """
    if config.is_block_a_step:
        return BlockSum(config, architecture)
    if config.aligned is not None:
        return AlignedStep(config, architecture)
    if mac_widths(config).inner.posit is not None:
        return PositStep(config, architecture)
    if mac_widths(config).inner.format is None:
        if architecture.fpga != "none":
            return ChainStep(config, architecture)
        if architecture.loop == "carrysave":
            return CarrySaveStep(config, architecture)
        if architecture.accumulate != "whole":
            return partial_step(config, architecture)
        return FixedStep(config, architecture)
    is_integer = is_integer_product(config)
    if architecture.normalise == "early" and config.lanes == 1 and not is_integer:
        return FloatStep(config, architecture)
    return WindowStep(config, architecture)


def outer_step(config: MacConfig) -> OuterStep | BlockStep:
    """The step of the accumulator that chunks, or blocks with their scales, are added to."""
    return OuterStep(config) if config.block is None else BlockStep(config)


class Unit(Block):
    """One whole step, to be embedded in other hardware; combinational.

    Parameters
    ----------
    config
        What is computed.
    implementation
        How.

    Members
    -------
    a : In(lanes * config.a.bits)
    b : In(lanes * config.b.bits)
        Lane 0 in the lowest bits.
    chunk_end : In(1)
        Only with a chunked accumulator: this step is its chunk's last; the inner sum goes to the
        outer one and is cleared. Not where each step adds a whole block.
    a_scale, b_scale : In
        Only with block formats, of those operands that have one: scales of the block that ends.
    random : In(config.random_bits)
        Only with stochastic rounding: the word of this step, the inner accumulator's bits lowest.
    partial_sum_i, partial_sum_o : In, Out(partial_sum_bits)
        Laid out as `macsmith.model.widths` says; all 0 to begin with.
    """

    a: Signal
    b: Signal
    chunk_end: Signal
    a_scale: Signal
    b_scale: Signal
    random: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(self, config: MacConfig, implementation: Implementation | None = None) -> None:
        self.config = config
        self.architecture = resolve_architecture(
            config, implementation or Implementation(form="unit")
        )
        self.widths = mac_widths(config)
        members = {
            "a": In(config.lanes * config.a.bits),
            "b": In(config.lanes * config.b.bits),
            "partial_sum_i": In(self.widths.partial_sum_bits),
            "partial_sum_o": Out(self.widths.partial_sum_bits),
        }
        members |= scale_members(config)
        if self.widths.outer is not None and not config.is_block_a_step:
            members["chunk_end"] = In(1)
        if config.random_bits:
            members["random"] = In(config.random_bits)
        super().__init__("unit", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        inner_bits = self.widths.inner_state_bits
        step = inner_step(self.config, self.architecture)
        place(m, platform, "step", step)
        m.d.comb += [step.a.eq(self.a), step.b.eq(self.b)]
        if not isinstance(step, BlockSum):
            m.d.comb += step.partial_sum_i.eq(self.partial_sum_i[:inner_bits])
        inner_random_bits = self.config.random_bits_of(self.widths.inner.accumulator)
        if inner_random_bits:
            assert isinstance(step, FloatStep | WindowStep)
            m.d.comb += step.random.eq(self.random[:inner_random_bits])
        if self.widths.outer is None:
            m.d.comb += self.partial_sum_o.eq(step.partial_sum_o)
            return m
        before = self.partial_sum_i[inner_bits:]
        outer = outer_step(self.config)
        place(m, platform, "outer_step", outer)
        if isinstance(outer, BlockStep):
            for name in scale_members(self.config):
                m.d.comb += getattr(outer, name).eq(getattr(self, name))
        elif self.config.random_bits_of(self.widths.outer.accumulator):
            m.d.comb += outer.random.eq(self.random[inner_random_bits:])
        m.d.comb += [
            outer.chunk.eq(step.partial_sum_o),
            outer.partial_sum_i.eq(before),
        ]
        if self.config.is_block_a_step:
            m.d.comb += self.partial_sum_o.eq(outer.partial_sum_o)
            return m
        m.d.comb += self.partial_sum_o.eq(
            Cat(
                Mux(self.chunk_end, 0, step.partial_sum_o)[:inner_bits],
                Mux(self.chunk_end, outer.partial_sum_o, before),
            )
        )
        return m
