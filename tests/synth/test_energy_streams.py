"""Operand streams of energy samples, and a committed sample measured again."""

from pathlib import Path

import numpy as np
import pytest
from macsmith.model import fast
from macsmith.model.cost.activity import STATISTICS
from macsmith.model.cost.samples import read_energy_rows
from macsmith.model.design import parse_design
from macsmith.synth.energy_samples import Mapped, stream_statistics
from macsmith.synth.energy_streams import COUNT, draw_operands, has_stream

E4M3 = parse_design("e4m3:e6m9:unit")


def test_streams_are_what_their_names_say() -> None:
    for name, zeros in (("zeros 0.5", 0.5), ("zeros 0.9", 0.9), ("positive 1", 0.5)):
        drawn = draw_operands(E4M3, name)
        assert drawn is not None
        values = fast.decode(E4M3.mac.a, drawn.a)
        assert (values == 0).mean() == pytest.approx(zeros, abs=0.02)
        assert np.isfinite(values).all()
    held = draw_operands(E4M3, "held 4")
    assert held is not None
    assert (held.a[..., 1:] != held.a[..., :-1]).mean() < 0.26
    narrow, wide = draw_operands(E4M3, "gaussian 0.0625"), draw_operands(E4M3, "gaussian 1")
    assert narrow is not None
    assert wide is not None
    sizes = [np.abs(fast.decode(E4M3.mac.a, drawn.a)).max() for drawn in (narrow, wide)]
    assert sizes[1] == pytest.approx(16 * sizes[0])


@pytest.mark.parametrize(
    ("text", "a", "b", "scales"),
    [
        ("uint4xint8:int24:lanes2", (1, 576), (1, 576), None),
        ("e4m3:e6m9:2x3", (2, 576), (3, 576), None),
        ("mxfp8_e4m3:fp32:lanes8:unit", (1, 1728), (1, 1728), (216, 2)),
    ],
)
def test_streams_fit_all_kinds_of_designs(
    text: str, a: tuple[int, int], b: tuple[int, int], scales: tuple[int, int] | None
) -> None:
    design = parse_design(text)
    drawn = draw_operands(design, "zeros 0.75")
    assert drawn is not None
    assert drawn.a.shape == (COUNT, *a)
    assert drawn.b.shape == (COUNT, *b)
    assert (None if drawn.scales is None else drawn.scales.shape[1:]) == scales
    waves = drawn.waveforms(design)
    assert all(wave.shape[1] == COUNT for wave in waves.values())


def test_streams_that_formats_have_no_use_for_are_left_out() -> None:
    assert not has_stream(parse_design("uint4:int16"), "g2p/dec_w_hh")
    assert has_stream(parse_design("uint4:int16"), "gaussian 0.25")
    assert not has_stream(parse_design("mxfp4:fp32"), "gaussian 0.25")
    assert draw_operands(parse_design("mxfp4:fp32"), "gaussian 0.25") is None


def test_a_committed_sample_is_what_is_measured(tmp_path: Path) -> None:
    design = parse_design("int6:int22:unit")
    drawn = draw_operands(design, "gaussian 1")
    assert drawn is not None
    found = Mapped(design, "speed", tmp_path).measure("gaussian 1", drawn)
    key = (design.text, "speed", "gaussian 1")
    rows = read_energy_rows()
    (row,) = (r for r in rows if (r["design"], r["target"], r["operands"]) == key)
    for name in ("energy_fj_per_mac", "settled_energy_fj_per_mac"):
        assert found[name] == pytest.approx(float(row[name]), rel=1e-3)
    statistics = stream_statistics(design.text, "gaussian 1")
    for name in STATISTICS:
        assert getattr(statistics, name) == pytest.approx(float(row[name]), rel=1e-3), name
