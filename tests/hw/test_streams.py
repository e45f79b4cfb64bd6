"""MAC and systolic array as streams: nothing lost, latency as stated, no needless pause."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import macsmith.hw.array
import macsmith.hw.core
import macsmith.hw.mac
import macsmith.hw.processing_element
import macsmith.hw.sum_loop
import pytest
from amaranth.hdl import Const, Module, Signal, Value
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.latency import latency_cycles
from macsmith.model.design import parse_design
from macsmith.model.random_source import Lfsr
from streams import run_stream

MACS = [
    "e4m3:exact",
    "int8:int32:stages1",
    "e4m3:e6m9:stages3",
    "e5m2:e6m9:stages3:goal=speed",
    "e4m3:exact:lanes2:stages7:oute4m3",
    "e4m3:e6m9/4",
    "e4m3:exact/2/e6m9:stages2",
    "int4:int12/1/int20",
    "e5m2:e6m9:lanes2:stages4",
    "e4m3:fp16:lanes2:sr8",
    "e4m3:e6m9/4:srb6:stages2",
    "e4m3:exact/2/e5m4:src20:stages1:lfsr=port",
    "e5m2:exact:lanes2:stages2:loop=carrysave",
    "e4m3:exact/2/e5m4:sr5:stages1:loop=carrysave",
    "e4m3:exact:lanes3:stages2:signs=block:align=shift:goal=speed",
    "int4:int12:lanes2:stages1:multiply=booth:reduce=columns",
]
INTERLEAVED = [
    "e4m3:e6m9:interleave2",
    "e5m2:e6m9:stages1:interleave3:goal=speed",
    "e4m3:e6m9/4:interleave4",
    "e2m1:e4m3/1:interleave2",
    "e4m3:exact/2/e6m9:lanes2:stages2:interleave3",
    "int8:int32:interleave2",
    "e4m3:exact:interleave5:oute4m3",
]
MACS += INTERLEAVED
ARRAYS = ["int4:int12:3x2", "e4m3:e6m9:1x3", "e4m3:exact:2x1:stages2", "e2m1:e4m3/2:2x2:outer=own"]
ARRAYS += [
    "int4:int12/4/int20:2x2:loop=carrysave",
    "e4m3:e5m4:sr3:2x2",
    "e4m3:e5m4/2:sr3:2x2:stages1",
    "e2m1:e4m3:lfsr=port:sr2:2x1",
    "e4m3:e5m4/2:sr3:2x3:stages1:lfsr=each",
]
ARRAYS += ["e2m1:exact:lanes3:2x1:stages1:multiply=table:signs=block:reduce=columns"]
ARRAYS += [  # elements of two columns
    "int8:int32:2x2:fpga=xilinx7:dsp=on",
    "int5xuint4:int20:lanes2:1x4:stages1:fpga=ecp5:dsp=on",
    "e5m2:exact:2x2:fpga=ice40:dsp=on",
]
SHARED_ARRAYS = [
    "e2m1:e4m3/2:2x2",
    "e4m3:e6m9/4:4x1",
    "e3m2:exact/6/e5m2:lanes2:3x2:stages2",
    "int4:int12/8/int20:2x3",
    "e2m1:e4m3/4/exact:srb2:2x2",
    "e2m1:e4m3/4:srb5:3x2",
    "e4m3:exact/4/e5m4:sr5:2x2:stages1:loop=carrysave",
]
ARRAYS += SHARED_ARRAYS
LENGTHS = [1, 2, 3, 1, 1, 5, 8, 2, 1, 4]


@pytest.mark.parametrize("text", MACS + ARRAYS)
@pytest.mark.parametrize("pauses", [False, True])
def test_all_results_in_order(text: str, pauses: bool) -> None:
    run = run_stream(text, LENGTHS, pauses=pauses)
    assert run.results == run.expected
    assert run.unstable == 0
    assert run.wrong_random == 0


@pytest.mark.parametrize("text", MACS + ARRAYS)
def test_latency_as_stated(text: str) -> None:
    design = parse_design(text)
    run = run_stream(text, [3], pauses=False)
    assert run.result_at[0] - run.accepted_at[0] == latency_cycles(design)


@pytest.mark.parametrize("text", ["e4m3:exact", "e4m3:e6m9/4:stages2", "int4:int12:3x2"])
def test_sums_follow_without_pause(text: str) -> None:
    rows = parse_design(text).implementation.rows
    run = run_stream(text, [rows, rows + 2, rows, rows + 1], pauses=False)
    accepted = [a + 1 for a in run.accepted_at]
    assert accepted[-1] - accepted[0] == 3 * rows + 3


def test_short_tiles_wait_for_the_rows_to_leave() -> None:
    run = run_stream("int4:int12:3x2", [1, 1, 1, 1], pauses=False)
    gaps = [b - a for a, b in zip(run.accepted_at, run.accepted_at[1:], strict=False)]
    assert gaps == [3, 3, 3]
    assert run.results == run.expected


def test_only_short_last_chunks_wait_for_the_shared_adder() -> None:
    # chunks of 4 beats and 4 rows; a last chunk of one beat waits for 3 cycles
    whole = run_stream("e2m1:e4m3/4:4x1", [8, 4, 12, 8], pauses=False)
    short = run_stream("e2m1:e4m3/4:4x1", [5, 5, 5], pauses=False)
    assert [b - a for a, b in pairwise(whole.accepted_at)] == [4, 12, 8]
    assert [b - a for a, b in pairwise(short.accepted_at)] == [8, 8]
    assert short.results == short.expected


def test_a_chunk_as_long_as_the_rows_shares_its_adder() -> None:
    resolved = [
        resolve_architecture((design := parse_design(text)).mac, design.implementation).outer
        for text in (
            "e4m3:e6m9/8:8x8",
            "e4m3:e6m9/8:9x8",
            "e4m3:e6m9/8:lanes2:8x8",
            "e4m3:e6m9/8:1x8",
            "e4m3:e6m9/8",
            "e4m3:e6m9:8x8",
            "e4m3:e6m9/8:8x8:outer=own",
        )
    ]
    assert resolved == ["shared", *["own"] * 6]


def test_sums_in_rotation_never_wait_without_a_pause() -> None:
    text = "e4m3:e6m9:interleave4"
    run = run_stream(text, [6] * 8, pauses=False)
    accepted = run.accepted_at
    # 48 beats in as many cycles; the last ones of four sums follow each other
    assert [b - a for a, b in pairwise(accepted)] == [1, 1, 1, 21, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e4m3:e6m9:2x2:interleave2", "in the loop of a single MAC"),
        ("e4m3:e6m9:unit:interleave2", "in the loop of a single MAC"),
        ("e4m3:e6m9:sr4:interleave2", "nor with stochastic rounding"),
        ("e4m3+e5m2:e6m9:interleave2", "neither in several modes"),
        ("e4m3:exact:loop=carrysave:interleave2", "not both"),
        ("e4m3:e6m9:interleave33", "1 to 32 sums, not 33"),
    ],
)
def test_what_is_not_interleaved(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_design(text)


def _skips_no_turn(*_: Any) -> Value:
    return Const(0)


def _short_ring(*arguments: Any, **options: Any) -> None:
    right = macsmith.hw.sum_loop.close_loop
    right(*arguments, **options | {"sums": max(options["sums"] - 1, 1)})


@pytest.mark.parametrize(
    ("module", "name", "bug"),
    [
        (macsmith.hw.mac, "waits_for_turn", _skips_no_turn),
        (macsmith.hw.core, "close_loop", _short_ring),
    ],
    ids=["turn", "ring"],
)
def test_a_bug_in_the_rotation_is_found(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, bug: Any
) -> None:
    monkeypatch.setattr(module, name, bug)
    run = run_stream("e4m3:e6m9/4:interleave3", LENGTHS, pauses=True, max_cycles=400)
    assert run.results != run.expected


def _late_last(m: Module, name: str, value: Value, cycles: int, *args: Any, **kwargs: Any) -> Any:
    if name == "last_delayed":  # a register too many
        cycles += 1
    return RIGHT_DELAY(m, name, value, cycles, *args, **kwargs)


RIGHT_DELAY: Any = macsmith.hw.core.delay


class _FlatSkew(macsmith.hw.array.Skew):
    def __init__(self, word_bits: int, delays: tuple[int, ...]) -> None:
        super().__init__(word_bits, tuple(min(delay, 1) for delay in delays))


class _LateDrain(macsmith.hw.array.Drain):
    def __init__(self, rows: int, columns: int, start: int, edge: int, **kwargs: Any) -> None:
        super().__init__(rows, columns, start + 1, edge, **kwargs)


class _SwappedSums(macsmith.hw.array.SharedOuter):
    def __init__(self, config: Any, rows: int, cycles: int) -> None:
        super().__init__(config, rows + 1, cycles)  # sums of one row too many in the ring


class _StuckCounter(macsmith.hw.mac.ChunkCounter):
    def elaborate(self, platform: Any) -> Module:
        m = Module()
        unused = Signal()
        m.d.sync += unused.eq(self.step)
        m.d.comb += self.chunk_end.eq(self.last)
        return m


class _OneWord(macsmith.hw.processing_element.RandomWords):
    def __init__(self, lfsr: Lfsr, *, has_seed_port: bool) -> None:
        super().__init__(lfsr)
        self.seed = Signal(lfsr.degree)  # not heeded: all elements have the same words


class _OtherSeed(macsmith.hw.mac.RandomWords):
    def __init__(self, lfsr: Lfsr) -> None:
        super().__init__(replace(lfsr, seed=lfsr.seed ^ 0x55555555))


@pytest.mark.parametrize(
    ("module", "name", "bug", "text"),
    [
        (macsmith.hw.core, "delay", _late_last, "int8:int32:stages1"),
        (macsmith.hw.array, "Skew", _FlatSkew, "int4:int12:3x2"),
        (macsmith.hw.array, "Drain", _LateDrain, "int4:int12:3x2"),
        (macsmith.hw.array, "SharedOuter", _SwappedSums, "e4m3:e4m3/2:2x2"),
        (macsmith.hw.mac, "ChunkCounter", _StuckCounter, "e4m3:e4m3/2"),
        (macsmith.hw.mac, "RandomWords", _OtherSeed, "e4m3:e5m1:srb4"),
        (macsmith.hw.array, "RandomWords", _OtherSeed, "e4m3:e5m1:srb4:1x2"),
        (macsmith.hw.processing_element, "RandomWords", _OneWord, "e4m3:e5m1:sr4:1x2:lfsr=each"),
    ],
    ids=[
        "pipeline",
        "skew",
        "drain",
        "shared outer",
        "chunk",
        "seed",
        "seed of an array",
        "seed of an element",
    ],
)
def test_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, bug: Any, text: str
) -> None:
    monkeypatch.setattr(module, name, bug)
    run = run_stream(text, LENGTHS, pauses=False, max_cycles=200)
    assert run.results != run.expected
