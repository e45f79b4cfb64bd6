"""Partial sums that an accumulator keeps in parts, read out as the one number that they are."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.architecture import Architecture, resolve_architecture
from macsmith.hw.block import Block
from macsmith.hw.bucket_step import BucketPlan, BucketStep
from macsmith.hw.carry_save import add_in_parts
from macsmith.hw.heap import BitHeap
from macsmith.hw.latency import read_out_cycles
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.segment_plan import SegmentPlan
from macsmith.hw.segmented_step import SegmentedStep
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths

__all__ = ["ReadOut", "kept_plan", "partial_step", "read_out", "start_state", "state_bits"]


def _split(architecture: Architecture) -> tuple[str, int]:
    """Kind of accumulator and its places: ``segments16`` is ``("segments", 16)``."""
    kind = architecture.accumulate.rstrip("0123456789")
    return kind, int(architecture.accumulate[len(kind) :] or 0)


def kept_plan(config: MacConfig, architecture: Architecture) -> SegmentPlan | BucketPlan | None:
    """How a partial sum is kept in parts; None where it is one number."""
    kind, places = _split(architecture)
    if kind == "whole":
        return None
    return (SegmentPlan if kind == "segments" else BucketPlan).of(config, places)


def partial_step(config: MacConfig, architecture: Architecture) -> SegmentedStep | BucketStep:
    """The step of an accumulator that keeps its sum in parts."""
    kind, places = _split(architecture)
    step = SegmentedStep if kind == "segments" else BucketStep
    return step(config, architecture, places)


def state_bits(config: MacConfig, architecture: Architecture) -> int:
    """Width of what the inner accumulator is read out from: the partial sum, if not in parts."""
    plan = kept_plan(config, architecture)
    return mac_widths(config).inner.bits if plan is None else plan.state_bits


def start_state(config: MacConfig, architecture: Architecture) -> int:
    """State of an empty inner sum."""
    plan = kept_plan(config, architecture)
    return plan.start_state if isinstance(plan, SegmentPlan) else 0


def read_out(
    m: Module, platform: Any, name: str, design: Design, state: Value, enable: Value
) -> Value:
    """A finished inner sum as one number, `read_out_cycles` later; itself where it is that."""
    architecture = resolve_architecture(design.mac, design.implementation)
    if kept_plan(design.mac, architecture) is None:
        return state
    cycles = read_out_cycles(design)
    block = pipelined(ReadOut(design.mac, architecture, cycles + 1), cycles)
    place_enabled(m, platform, name, block, enable)
    m.d.comb += block.state.eq(state)
    return block.total


class ReadOut(Block):
    """The inner partial sum as one number; combinational.

    Parameters
    ----------
    config
        What is computed.
    architecture
        How; its accumulator keeps the sum in parts.
    parts
        In how many parts the carry runs: each can be a pipeline stage of its own.

    Members
    -------
    state : In(state_bits(config, architecture))
    total : Out(inner.bits)
    """

    state: Signal
    total: Signal

    def __init__(self, config: MacConfig, architecture: Architecture, parts: int = 1) -> None:
        plan = kept_plan(config, architecture)
        if plan is None:
            raise ValueError("ReadOut: must have a partial sum in parts")
        self.plan, self.parts, self.order = plan, parts, architecture.reduce
        super().__init__(
            "read_out",
            {"state": In(plan.state_bits), "total": Out(mac_widths(config).inner.bits)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan = self.plan
        heap = BitHeap(m, platform, "add", plan.integer_bits)
        if isinstance(plan, SegmentPlan):
            flags = self._add_segments(heap, plan)
        else:
            flags = self._add_buckets(heap, plan)
        total = add_in_parts(m, *heap.rows(), self.parts)
        m.d.comb += self.total.eq(Cat(total, flags))
        return m

    def _add_segments(self, heap: BitHeap, plan: SegmentPlan) -> Value:
        heap.add_unsigned(self.state[: plan.integer_bits])
        heap.add_constant(-plan.start_state)
        at = plan.integer_bits
        for start in plan.starts[1:]:
            heap.add_bit(start, self.state[at])
            at += 1
        for index in plan.with_borrow:
            heap.add_negative_bit(plan.starts[index], self.state[at])
            at += 1
        return self.state[at:]

    def _add_buckets(self, heap: BitHeap, plan: BucketPlan) -> Value:
        for place, span in zip(plan.places, plan.kept, strict=True):
            bucket = self.state[span.start : span.stop]
            start = max(place, 0)
            if start + len(bucket) < plan.integer_bits:
                heap.add_signed(bucket, start)
            else:
                heap.add_unsigned(bucket, start)
        return self.state[plan.kept[-1].stop :]
