"""Arrays whose operands are broadcast, and lanes whose multipliers help to move products."""

from fractions import Fraction
from typing import Any

import macsmith.hw.broadcast_array
import macsmith.hw.core
import macsmith.hw.moved_lane
import pytest
from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from logic import Logic, block_verilog
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.block import Block, place
from macsmith.hw.latency import latency_cycles
from macsmith.hw.moved_lane import MovedLane
from macsmith.model.config import MacConfig
from macsmith.model.design import parse_design
from macsmith.model.widths import mac_widths
from streams import run_stream

RESTARTED = "e4m3:exact:2x2:fpga=ice40:dsp=on:pair=columns:feed=broadcast"
ARRAYS = [
    RESTARTED,
    "int4:int12:3x2:fpga=ice40:feed=broadcast",
    "e5m2:exact:lanes2:1x2:stages1:fpga=ice40:dsp=on:pair=columns:feed=broadcast",
    "e5m2:exact:2x1:fpga=ecp5:dsp=on:feed=broadcast",
    "e2m1:e4m3/2:2x3:feed=broadcast:stages1",
    "int4:int12:3x1:stages2:feed=broadcast",
]
LENGTHS = [1, 2, 3, 1, 1, 5, 4, 1]


@pytest.mark.parametrize("text", ARRAYS)
def test_all_results_in_order(text: str) -> None:
    for pauses in (False, True):
        run = run_stream(text, LENGTHS, pauses=pauses)
        assert run.results == run.expected
        assert run.unstable == 0
    run = run_stream(text, [5, 5, 6, 5], pauses=False)
    assert run.result_at[0] - run.accepted_at[0] == latency_cycles(parse_design(text))
    assert run.accepted_at[3] - run.accepted_at[0] == 16  # no beat waits


def _whole_edge(_: Any) -> int:
    return 1


def _never_clears(self: Any, m: Module, step: Any, valid: Value, sum_ends: Value) -> None:
    RIGHT_RESTART(self, m, step, valid, Const(0))


RIGHT_RESTART: Any = macsmith.hw.core.Core._restart


@pytest.mark.parametrize(
    ("owner", "name", "bug"),
    [
        (macsmith.hw.broadcast_array, "edge_cycles", _whole_edge),
        (macsmith.hw.core.Core, "_restart", _never_clears),
    ],
)
def test_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, bug: Any
) -> None:
    monkeypatch.setattr(owner, name, bug)
    run = run_stream(RESTARTED, LENGTHS, pauses=False, max_cycles=200)
    assert run.results != run.expected


class _WholeLane(Block):
    """A lane and its multiplier."""

    a: Signal
    b: Signal
    number: Signal
    flags: Signal

    def __init__(self, config: MacConfig, moved_bits: int) -> None:
        self.lane = MovedLane(config, moved_bits)
        super().__init__(
            "whole",
            {
                "a": In(config.a.bits),
                "b": In(config.b.bits),
                "number": Out(len(self.lane.number)),
                "flags": Out(3),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m, lane = Module(), self.lane
        place(m, platform, "lane", lane)
        m.d.comb += [
            lane.a.eq(self.a),
            lane.b.eq(self.b),
            lane.product.eq(lane.factor_a * lane.factor_b),
            self.number.eq(lane.number),
            self.flags.eq(lane.is_nan | lane.is_infinity << 1 | lane.sign << 2),
        ]
        return m


def _wrong_numbers(text: str, moved_bits: int) -> list[str]:
    """All pairs of codes."""
    config = parse_design(text).mac
    pairs = [(a, b) for a in range(1 << config.a.bits) for b in range(1 << config.b.bits)]
    block = _WholeLane(config, moved_bits)
    got = Logic(block_verilog(block))(a=[a for a, _ in pairs], b=[b for _, b in pairs])
    unit = Fraction(2) ** mac_widths(config).term.lsb_exponent
    bits = len(block.number)
    values = [[fmt.decode(code) for code in range(1 << fmt.bits)] for fmt in (config.a, config.b)]
    wrong = []
    for (a, b), number, flags in zip(pairs, got["number"], got["flags"], strict=True):
        one, other = values[0][a], values[1][b]
        if isinstance(one, Fraction) and isinstance(other, Fraction):
            is_right = (flags & 3) == 0 and number == one * other / unit % (1 << bits)
        else:
            is_right = (flags & 3) in (1, 2) and number == 0
        if not is_right:
            wrong.append(f"{text} {a:#x} {b:#x}: {number:#x}, flags {flags}")
    return wrong


@pytest.mark.parametrize(
    ("text", "moved_bits"),
    [("e4m3:exact", 2), ("e4m3:exact", 3), ("e5m2xe3m2:exact", 1), ("e2m1xe3m4:exact", 2)],
)
def test_all_products(text: str, moved_bits: int) -> None:
    assert _wrong_numbers(text, moved_bits) == []


def test_a_lane_without_sign_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macsmith.hw.moved_lane, "_is_in", lambda *_: Const(0))
    assert len(_wrong_numbers("e3m2:exact", 1)) > 100


def test_where_a_sum_is_replaced() -> None:
    loops = {}
    for options in ("fpga=ice40", "fpga=ecp5", "goal=area"):
        design = parse_design(f"e4m3:exact:2x2:{options}:feed=broadcast")
        loops[options] = resolve_architecture(design.mac, design.implementation).loop
    assert loops == {"fpga=ice40": "restart", "fpga=ecp5": "merged", "goal=area": "merged"}


def _resolve(text: str) -> None:
    design = parse_design(text)
    resolve_architecture(design.mac, design.implementation)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e4m3:exact:feed=broadcast", "must be one"),
        ("e4m3:e6m9:sr4:2x2:feed=broadcast", "without stochastic rounding"),
        ("e4m3+e5m2:exact:2x2:feed=broadcast", "arrays of one mode"),
        ("e4m3:e6m9/8:2x2:outer=shared:feed=broadcast", "outer adders in the elements"),
        ("e4m3:exact:2x2:loop=restart", r"built for FPGAs \(fpga=\)"),
        ("e4m3:e6m9:2x2:loop=restart:fpga=ice40", "do not clip, and have no chunks"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _resolve(text)
