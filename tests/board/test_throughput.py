"""Products per cycle by the accelerator's own counters, with operands in its banks."""

from pathlib import Path

import numpy as np
import pytest
from macsmith.hw.latency import latency_cycles
from macsmith.model import fast
from macsmith.model.accelerator import AcceleratorConfig, Packet, RunFlag, load_header, run_words
from macsmith.model.design import parse_design
from macsmith.model.performance import predict
from macsmith.model.schedule import make_schedule, packet_words, results_of_words
from macsmith.sim.engine_run import EngineRun, build_engine, run_engine

TILES = 4


def resident(program: Path, config: AcceleratorConfig, beats: int, jobs: int) -> EngineRun:
    """`jobs` RUNs of `TILES` x `TILES` tiles from banks that are loaded before, by counters."""
    a_entries, b_entries = TILES * beats * config.sums, TILES * beats
    assert a_entries <= config.a_depth
    assert b_entries <= config.b_depth
    rng = np.random.default_rng(1)
    load = [
        *[load_header(Packet.LOAD_A, a_entries)],
        *rng.integers(0, 1 << 32, a_entries * config.a_entry_words),
        *[load_header(Packet.LOAD_B, b_entries)],
        *rng.integers(0, 1 << 32, b_entries * config.b_entry_words),
    ]
    run = run_words(beats, TILES, TILES, RunFlag.LAST) * jobs
    words = [np.array(part, dtype=np.uint32) for part in (load, run)]
    loaded, computed = run_engine(program, words)
    assert loaded.macs == 0
    assert computed.status == 0
    assert computed.cycles - computed.stalls == jobs * TILES**2 * beats * config.sums
    assert len(computed.results) == jobs * TILES**2 * config.tile_rows * config.result_words
    return computed


@pytest.mark.parametrize(
    ("text", "k"),
    [
        pytest.param("e4m3:e6m9/16:4x4", 128, marks=pytest.mark.slow),
        ("int8:int32:2x3", 128),
        ("e4m3:e6m9/8:lanes2:interleave3", 64),
    ],
)
def test_resident_operands_reach_95_percent_of_peak(tmp_path: Path, text: str, k: int) -> None:
    """K of 8 chunks, jobs one after the other: filling, draining and tiling cost less than 5 %."""
    config = AcceleratorConfig(parse_design(text), 2048, 512)
    program = build_engine(config, tmp_path / "engine")
    found = resident(program, config, k // config.lanes, jobs=2)
    assert found.share_of_peak(config) >= 0.95, found

    # the same hardware, bit for bit under pauses, and as the model says without
    mac = config.design.mac
    rng = np.random.default_rng(2)
    m, n = 3 * config.tile_rows - 1, config.columns + 1
    a = rng.integers(0, 1 << mac.a.bits, (m, k), dtype=np.uint32)
    b = rng.integers(0, 1 << mac.b.bits, (k, n), dtype=np.uint32)
    schedule = make_schedule(config, m, k, n)
    words = packet_words(schedule, a, b)
    wanted = fast.matmul(mac, a, b)
    for pauses in (0.0, 0.4):
        run = run_engine(program, [words], pauses=pauses)[0]
        assert (results_of_words(schedule, run.results) == wanted).all()
        if not pauses:
            predicted = predict(schedule, latency_cycles(config.design))
            assert predicted.cycles == pytest.approx(run.cycles, rel=0.02)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("e2m1_ue4m3_b8:fp32:lanes4:2x3", marks=pytest.mark.slow),
        "e2m1xe2m1_e8m0_b4:fp16:lanes2:1x2",
    ],
)
def test_scales_of_blocks_go_along(tmp_path: Path, text: str) -> None:
    """Of blocks of several beats, the last one partial, and longer than a bank."""
    config = AcceleratorConfig(parse_design(text), 8, 8)
    mac = config.design.mac
    program = build_engine(config, tmp_path / "engine")
    rng = np.random.default_rng(4)
    for m, k, n in ((1, 4, 1), (5, 28, 4), (2, 44, 3)):
        a = rng.integers(0, 1 << mac.a.bits, (m, k), dtype=np.uint32)
        b = rng.integers(0, 1 << mac.b.bits, (k, n), dtype=np.uint32)
        blocks = -(-k // (mac.block or k))
        shapes = {"a": (m, blocks), "b": (blocks, n)}
        scales = {
            f"{side}_scales": rng.integers(20, 100, shapes[side], dtype=np.uint32)
            for side, fmt in (("a", mac.a_scale), ("b", mac.b_scale))
            if fmt is not None
        }
        schedule = make_schedule(config, m, k, n)
        run = run_engine(program, [packet_words(schedule, a, b, **scales)], pauses=0.3)[0]
        wanted = fast.matmul(mac, a, b, **scales)
        assert (results_of_words(schedule, run.results) == wanted).all(), (m, k, n)
        with pytest.raises(ValueError, match="_scales: must have the shape"):
            packet_words(schedule, a, b)
