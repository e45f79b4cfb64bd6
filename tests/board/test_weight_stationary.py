"""The weight-stationary dataflow: the same bits as any other, its counters, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from macsmith.hw.emit import generate
from macsmith.hw.latency import latency_cycles
from macsmith.model import fast
from macsmith.model.accelerator import (
    AcceleratorConfig,
    Packet,
    Problem,
    RunFlag,
    load_header,
    run_words,
)
from macsmith.model.design import parse_design
from macsmith.model.performance import predict
from macsmith.model.schedule import make_schedule, packet_words, results_of_words
from macsmith.sim.engine_run import build_engine, run_engine

DEPTH = 64


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        # one row, two (less than it takes a sum to re-enter), ragged, several blocks, sums that
        # re-enter from RUN to RUN
        (
            "int8:int32:3x2:stages1:ws",
            [(1, 1, 1), (2, 40, 2), (7, 10, 5), (70, 12, 3), (20, 150, 3)],
        ),
        # chunks of two passes, added at the edge; the last one is shorter
        ("e4m3:e6m9/8:lanes2:2x2:ws", [(1, 2, 1), (1, 40, 2), (9, 30, 5), (33, 72, 3)]),
    ],
)
def test_products(tmp_path: Path, text: str, shapes: list[tuple[int, int, int]]) -> None:
    """Bits of the golden model, cycles of the performance model, 95 % of the peak."""
    config = AcceleratorConfig(parse_design(text), DEPTH, DEPTH)
    program = build_engine(config, tmp_path / "engine")
    mac = config.design.mac
    rng = np.random.default_rng(3)
    for m, k, n in shapes:
        a = rng.integers(0, 1 << mac.a.bits, (m, k), dtype=np.uint32)
        b = rng.integers(0, 1 << mac.b.bits, (k, n), dtype=np.uint32)
        schedule = make_schedule(config, m, k, n)
        words = packet_words(schedule, a, b)
        wanted = fast.matmul(mac, a, b)
        for pauses in (0.0, 0.4):
            run = run_engine(program, [words], pauses=pauses)[0]
            assert (results_of_words(schedule, run.results) == wanted).all(), (m, k, n, pauses)
            assert run.status == 0
            if not pauses:
                predicted = predict(schedule, latency_cycles(config.design))
                assert predicted.cycles == pytest.approx(run.cycles, rel=0.02)
                assert predicted.beats == run.cycles - run.stalls

    # 16 rows against sums of 4 passes, 5 column tiles, from full banks
    beats = 4 * config.rows
    loads = [
        load_header(Packet.LOAD_A, 64),
        *[0] * (64 * config.a_entry_words),
        load_header(Packet.LOAD_B, 5 * beats),
        *[0] * (5 * beats * config.b_entry_words),
    ]
    runs = run_words(beats, 16, 5, RunFlag.LAST) * 6
    # and what can never be carried out: unfinished sums of two column tiles, no bank for a LOAD
    bad = [*run_words(beats, 4, 2, RunFlag(0)), *loads[: 1 + 64 * config.a_entry_words] * 2]
    packets = [np.array(part, dtype=np.uint32) for part in (loads, runs, bad)]
    _, computed, refused = run_engine(program, packets)
    assert computed.share_of_peak(config) >= 0.95, computed
    assert len(computed.results) == 6 * 16 * 5 * config.result_words
    assert refused.status == Problem.BAD_RUN | Problem.BAD_LOAD


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e4m3:e6m9:ws", r"ws \(weight-stationary\) is a dataflow of arrays: state RxC"),
        ("e4m3:e6m9/6:4x4:ws", "4 products on the way .* a chunk must be a multiple of them"),
        ("e4m3:exact:4x4:ws:loop=carrysave", "has no loop in its elements: leave it out"),
        ("e4m3:e6m9/8:4x4:ws:outer=own", "outer=own: partial sums move through"),
        ("e4m3:fp16:sr8:2x2:ws", "has neither several modes, stochastic rounding nor block"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_design(text)


def test_it_is_built_with_its_buffers_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is built with its buffers only, as an accelerator"):
        generate(parse_design("int8:int32:4x4:ws"), tmp_path)
    with pytest.raises(ValueError, match="b_depth must hold a beat for each of the 4 rows"):
        AcceleratorConfig(parse_design("int8:int32:4x4:ws"), 2, 2)
