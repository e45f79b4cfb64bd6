"""Stochastic rounding in an accelerator: a word a beat, the same ones after each restart."""

from pathlib import Path

import numpy as np
import pytest
from macsmith.model import fast
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.model.schedule import make_schedule, packet_words, results_of_words
from macsmith.model.schedule_random import schedule_words
from macsmith.sim.engine_run import build_engine, run_engine


@pytest.mark.parametrize(
    "text",
    ["e3m2:e4m3:sr4:2x2", pytest.param("e2m1:exact/4/e4m3:sr3:lanes2", marks=pytest.mark.slow)],
)
def test_words_by_beat(tmp_path: Path, text: str) -> None:
    config = AcceleratorConfig(parse_design(text), 8, 8)
    mac = config.design.mac
    program = build_engine(config, tmp_path / "engine")
    rng = np.random.default_rng(6)
    for m, k, n in ((1, 2, 1), (5, 6, 3), (3, 44, 3)):  # the last longer than a bank
        a = rng.integers(0, 1 << mac.a.bits, (m, k), dtype=np.uint32)
        b = rng.integers(0, 1 << mac.b.bits, (k, n), dtype=np.uint32)
        schedule = make_schedule(config, m, k, n)
        words = schedule_words(schedule)
        assert words.shape == (m, n, k // mac.lanes)
        wanted = fast.matmul(mac, a, b, words)
        run = run_engine(program, [packet_words(schedule, a, b)], pauses=0.3)[0]
        assert (results_of_words(schedule, run.results) == wanted).all(), (m, k, n)
    assert (fast.matmul(mac, a, b, words ^ 1) != wanted).any()


def test_other_registers_are_refused() -> None:
    for where in ("port", "each"):
        with pytest.raises(
            ValueError, match=f"come from one shift register .* leave lfsr={where} out"
        ):
            AcceleratorConfig(parse_design(f"e3m2:e4m3:sr4:2x2:lfsr={where}"))
