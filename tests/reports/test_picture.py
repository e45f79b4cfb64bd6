"""The picture: it is drawn, the same every time, and refuses what it cannot draw."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from macsmith.reports.picture import draw_fronts, draw_pareto
from macsmith.reports.style import accumulator_marks, pretty_operands
from made_up import made_up_rows, many_rows
from matplotlib.image import imread


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_pareto(made_up_rows(), tmp_path / name, title="Made up")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    pixels = imread(tmp_path / "a.png")
    assert pixels.shape[1] >= 1800
    # the colours of E4M3 and of E2M1 are in it: marks were drawn, not only axes
    for colour in ((0x17, 0x69, 0xAA), (0x18, 0xA5, 0xB8)):
        near = np.abs(pixels[..., :3] * 255 - colour).max(axis=-1) < 3
        assert near.sum() > 200


def test_other_technology_and_accuracy(tmp_path: Path) -> None:
    draw_pareto(
        made_up_rows(),
        tmp_path / "a.png",
        technology="ice40",
        accuracy="g2p_phoneme_error_percent",
    )
    assert (tmp_path / "a.png").stat().st_size > 20_000


def test_nothing_to_draw(tmp_path: Path) -> None:
    rows = [{"technology": "asap7", "operands": "e4m3", "accumulator": "exact"}]
    with pytest.raises(ValueError, match="must have an accuracy and a cost metric, not 0 and 0"):
        draw_pareto(rows, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_fronts_in_several_technologies(tmp_path: Path) -> None:
    technologies = {"asap7": "ASAP7", "sky130": "SKY130"}
    rows = made_up_rows(tuple(technologies))
    draw_fronts(
        rows,
        tmp_path / "a.png",
        technologies,
        accuracy="smollm2_nll_change_per_token",
        costs=["area_um2_per_mac", "energy_pj_per_mac"],
    )
    height, width = imread(tmp_path / "a.png").shape[:2]
    assert width >= 1800
    assert height > 1400  # two rows of panels
    with pytest.raises(ValueError, match="rows of ice40 must have"):
        draw_fronts(
            rows,
            tmp_path / "b.png",
            {"ice40": "iCE40"},
            accuracy="smollm2_nll_change_per_token",
            costs=["area_um2_per_mac"],
        )
    with pytest.raises(ValueError, match=r"must be one of .*, not area"):
        draw_fronts(
            rows,
            tmp_path / "b.png",
            technologies,
            accuracy="smollm2_nll_change_per_token",
            costs=["area"],
        )


def test_operand_labels() -> None:
    assert pretty_operands("e4m3xe5m2") == "E4M3 × E5M2"
    assert pretty_operands("mxfp8_e4m3") == "MXFP8 E4M3"
    assert pretty_operands("mxfp4xmxint8") == "MXFP4 × MXINT8"
    assert pretty_operands("nvfp4xe4m3") == "NVFP4 × E4M3"
    assert pretty_operands("int8+e4m3xe5m2") == "INT8+E4M3 × E5M2"


def test_three_float_accumulators_are_told_apart() -> None:
    rows = [{"accumulator": name} for name in ("exact", "e6m9", "e6m5", "e8m23", "e6m9/64")]
    marks = accumulator_marks(rows)
    assert len(set(marks.values())) == 5
    assert marks["e6m5"].plotly == "square-open"
    assert marks["e8m23"].matplotlib == "v"


def test_very_many_designs_are_drawn_as_a_cloud(tmp_path: Path) -> None:
    path = tmp_path / "many.png"
    started_s = time.process_time()
    draw_pareto(many_rows(10_000), path, title="Many")
    assert path.read_bytes().startswith(b"\x89PNG")
    # drawn one by one they took 80 s
    assert time.process_time() - started_s < 20
