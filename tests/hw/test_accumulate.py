"""Accumulators kept in parts: proven to be the whole one, step by step, and in streams."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import macsmith.hw.segmented_step
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out
from logic import block_verilog
from macsmith.hw.architecture import Architecture, resolve_architecture
from macsmith.hw.block import Block, place
from macsmith.hw.bucket_step import BucketPlan
from macsmith.hw.emit import design_verilog
from macsmith.hw.fixed_step import FixedStep
from macsmith.hw.latency import latency_cycles
from macsmith.hw.read_out import ReadOut, kept_plan, partial_step, start_state
from macsmith.hw.segment_plan import SegmentPlan
from macsmith.model.config import MacConfig
from macsmith.model.design import parse_design
from macsmith.model.widths import mac_widths
from macsmith.synth.equivalence import EquivalenceResult, prove_equal
from streams import run_stream


class _Step(Block):
    """A state in parts, one product later, as one number: read out before or behind the step."""

    state: Signal
    a: Signal
    b: Signal
    total: Signal

    def __init__(self, config: MacConfig, architecture: Architecture, *, first: bool) -> None:
        plan = kept_plan(config, architecture)
        assert plan is not None
        self.config, self.architecture, self.first = config, architecture, first
        super().__init__(
            "step_and_read_out",
            {
                "state": In(plan.state_bits),
                "a": In(config.lanes * config.a.bits),
                "b": In(config.lanes * config.b.bits),
                "total": Out(mac_widths(config).inner.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        read_out = ReadOut(self.config, self.architecture, 2)
        place(m, platform, "read_out", read_out)
        kind = FixedStep if self.first else partial_step
        step = kind(self.config, self.architecture)
        place(m, platform, "step", step)
        m.d.comb += [step.a.eq(self.a), step.b.eq(self.b)]
        if self.first:
            m.d.comb += [
                read_out.state.eq(self.state),
                step.partial_sum_i.eq(read_out.total),
                self.total.eq(step.partial_sum_o),
            ]
        else:
            m.d.comb += [
                step.partial_sum_i.eq(self.state),
                read_out.state.eq(step.partial_sum_o),
                self.total.eq(read_out.total),
            ]
        return m


def prove(text: str, accumulate: str, folder: Path) -> EquivalenceResult:
    """That a step in parts is the whole accumulator's, from every state: by induction every sum is
    right, as the first state is read out as 0."""
    design = parse_design(text)
    architecture = resolve_architecture(design.mac, design.implementation)
    architecture = replace(architecture, accumulate=accumulate)
    paths = []
    for name, first in (("whole", True), ("parts", False)):
        paths.append(folder / f"{name}.v")
        paths[-1].write_text(block_verilog(_Step(design.mac, architecture, first=first)))
    return prove_equal(
        paths[:1], "dut", paths[1:], "dut", build_dir=folder / "proof", timeout_s=120
    )


# One product in two segments and in three, of one bit, in integers, several lanes, all special
# codes; sums that wrap, whose buckets may hold anything.
PROVEN = [
    ("e3m1:exact", "segments8"),
    ("e3m3:exact:terms4", "segments4"),
    ("e4m0f:exact", "segments8"),
    ("e3m1ieee:exact", "segments16"),
    ("e3m2ns:exact:mule3m2", "segments4"),
    ("int4:int22", "segments8"),
    ("e2m1:exact:lanes2", "segments4"),
    ("e3m1:int20:wrap", "buckets8"),
    ("e2m2fnuz:int12:wrap", "buckets4"),
]


@pytest.mark.parametrize(("text", "accumulate"), PROVEN)
def test_a_step_in_parts_is_proven_the_same(text: str, accumulate: str, tmp_path: Path) -> None:
    assert prove(text, accumulate, tmp_path).is_equal


def _without_borrows(right: Any) -> Any:
    def wrong(self: Any, m: Module, platform: Any, borrows: dict[int, Any]) -> Any:
        return right(self, m, platform, {})

    return wrong


def test_a_lost_borrow_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    step = macsmith.hw.segmented_step.SegmentedStep
    monkeypatch.setattr(step, "_one_product", _without_borrows(step._one_product))
    assert not prove("e3m1:exact", "segments8", tmp_path).is_equal


STREAMS = [
    "e4m3:exact:accumulate=segments8",
    "e5m2:exact:terms64:outraw:stages2:accumulate=segments16",
    "int8:int32:lanes2:stages1:accumulate=segments16",
    "e4m3:exact/4/e6m9:stages1:accumulate=segments16",
    "e5m2:exact:lanes3:2x2:accumulate=segments32",
    "e4m3:exact:outraw:stages1:1x2:accumulate=segments8",
    "e4m3:exact/4/e6m9:2x2:accumulate=segments16",
    "e4m3:exact/2/e6m9:2x1:outer=own:accumulate=segments8",
    "e5m2:exact:terms40:accumulate=buckets16",
    "e4m3:exact:stages2:2x2:accumulate=buckets32",
    "e4m3:exact/4/e6m9:2x1:accumulate=buckets8",
]


@pytest.mark.parametrize("text", STREAMS)
@pytest.mark.parametrize("pauses", [False, True])
def test_streams(text: str, pauses: bool) -> None:
    run = run_stream(text, [1, 2, 3, 1, 1, 5, 8, 2, 1, 40], pauses=pauses)
    assert run.results == run.expected
    assert run.unstable == 0
    if not pauses:
        assert run.result_at[0] - run.accepted_at[0] == latency_cycles(parse_design(text))


def test_a_bucket_holds_the_largest_products() -> None:
    """Sums of as many products as the design says, each the largest there is."""
    design = parse_design("e3m2f:exact:terms37:accumulate=buckets8")
    for code in (0x1F, 0x3F):
        run = run_stream(design.text, [37, 37], pauses=False, codes=(code, 0x1F))
        assert run.results == run.expected


def test_an_empty_sum_is_read_out_as_zero() -> None:
    for text in STREAMS:
        design = parse_design(text)
        architecture = resolve_architecture(design.mac, design.implementation)
        plan = kept_plan(design.mac, architecture)
        state = start_state(design.mac, architecture)
        if isinstance(plan, SegmentPlan):
            assert state == plan.start_state
            assert plan.starts == tuple(sorted(set(plan.starts)))
        else:
            assert isinstance(plan, BucketPlan)
            assert state == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e4m3:e6m9:accumulate=segments16", "accumulate=segments16 keeps a fixed-point sum in"),
        ("int8:int12:clip:accumulate=segments16", "must be exact or intN and not clip, not int12"),
        ("e4m3:exact:unit:accumulate=segments8", "is for a MAC or an array with one mode and of"),
        ("e4m3:exact:loop=carrysave:accumulate=segments8", "two ways to keep a sum in parts"),
    ],
)
def test_what_cannot_be_built_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_design(text)


def test_one_segment_is_none() -> None:
    with pytest.raises(ValueError, match="two segments or more, but the partial sum has only 43"):
        design_verilog(parse_design("e4m3:exact:terms64:accumulate=segments32"))


@pytest.mark.parametrize("text", ["int8:int32", "e4m3:exact:lanes2"])
def test_buckets_need_an_exponent(text: str) -> None:
    with pytest.raises(ValueError, match="must add one product of floats a step, whose exponent"):
        design_verilog(parse_design(f"{text}:accumulate=buckets16"))
