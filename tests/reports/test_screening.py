"""Searches of a sweep around made-up estimates and made-up synthesis."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import fake_steps
import numpy as np
import pandas as pd
import pytest
from fake_steps import InProcess
from macsmith.model.accuracy.layer_error import layer_error_percent
from macsmith.model.design import Design, parse_design
from macsmith.reports.explore import explore
from macsmith.reports.pareto import pareto_front
from macsmith.reports.screening import ConfirmPoint, confirm_point, screen
from macsmith.reports.store import Record
from macsmith.reports.sweep import Search, Sweep, parse_sweep
from numpy.typing import NDArray

SWEEP = """
operands = "gaussian"
technologies = ["asap7"]
[[grid]]
operands = ["e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "int8", "int6", "int4"]
accumulators = ["exact", "e6m9", "e6m5"]
options = ["", "lanes2", "lanes4"]
[search]
confirm = 40
"""


@dataclass
class MadeUp:
    figures: dict[str, NDArray[np.float64]]
    macs: NDArray[np.float64]
    is_inside: NDArray[np.bool_]


def true_area(design: Design) -> float:
    mac = design.mac
    sum_bits = {"exact": 30.0, "e6m9": 16.0, "e6m5": 12.0}[design.text.split(":")[1]]
    return mac.lanes * mac.a.bits**2 / 2 + sum_bits


def estimates(designs: Sequence[Design], technology: str, target: str | None) -> MadeUp:
    assert (technology, target) == ("asap7", None)
    area = np.array(
        [true_area(d) * (1 + 0.08 * np.sin(len(d.text) + d.mac.a.bits)) for d in designs]
    )
    figures = {"area_um2": area, "area_um2_low": area / 1.1, "area_um2_high": area / 0.9}
    macs = np.array([float(design.mac.lanes) for design in designs])
    return MadeUp(figures, macs, np.ones(len(designs), dtype=np.bool_))


def confirm(build_dir: Path, wait: bool, point: ConfirmPoint) -> Record | None:
    from unittest import mock

    from macsmith.reports import screening

    def made_up(point: ConfirmPoint) -> dict[str, float]:
        with Path(os.environ[fake_steps.LOG_VARIABLE]).open("a") as log:
            log.write(f"confirm {point.design}\n")
        if point.design == "e2m1:e6m5:lanes4":
            raise RuntimeError("yosys failed\nlog")
        return {"area_um2": true_area(parse_design(point.design))}

    with mock.patch.object(screening, "synthesize_point", made_up):
        return confirm_point(build_dir, wait, point)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "log.txt"
    path.touch()
    monkeypatch.setenv(fake_steps.LOG_VARIABLE, str(path))
    return path


def searched(sweep: Sweep, build: Path) -> pd.DataFrame:
    assert sweep.search is not None
    made_up = partial(screen, estimator=estimates, work=confirm)
    found = made_up(sweep, sweep.search, "asap7", build, InProcess())
    assert found.summary.startswith("asap7: 72 designs, ")
    return pd.DataFrame(found.rows).set_index("design")


def test_the_front_is_that_of_synthesising_everything(tmp_path: Path, log: Path) -> None:
    sweep = parse_sweep(SWEEP)
    table = searched(sweep, tmp_path)
    area = np.array([true_area(design) / design.mac.lanes for design in sweep.designs])
    errors = [layer_error_percent(design.mac, "gaussian") for design in sweep.designs]
    error = np.array([float(f"{error:.2g}") for error in errors])
    alive = np.array([design.text != "e2m1:e6m5:lanes4" for design in sweep.designs])
    front = pareto_front(np.stack((np.where(alive, area, np.nan), error), axis=1))
    assert set(table.index[table.state == "front"]) == {
        design.text for design, chosen in zip(sweep.designs, front, strict=True) if chosen
    }
    assert table.loc["e2m1:e6m5:lanes4", ["state", "failure"]].tolist() == [
        "failed",
        "yosys failed",
    ]
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines)) == table.state.isin(["front", "confirmed", "failed"]).sum()
    assert 3 < len(lines) < 40
    assert table.area_um2_per_mac.notna().sum() == len(lines) - 1
    log.write_text("")
    again = searched(sweep, tmp_path)
    pd.testing.assert_frame_equal(again, table)
    assert log.read_text().splitlines() == ["confirm e2m1:e6m5:lanes4"], "failures are tried again"


def test_the_front_goes_through_all_steps(tmp_path: Path, log: Path) -> None:
    made_up = partial(screen, estimator=estimates, work=confirm)
    result = explore(
        parse_sweep(SWEEP), tmp_path, work=fake_steps.work, executor=InProcess(), screen=made_up
    )
    table = pd.read_csv(result.report_dir / "search.csv")
    assert sorted(row["design"] for row in result.rows) == sorted(
        table.design[table.state == "front"]
    )
    assert all(row["checked"] != "unchecked" for row in result.rows)
    assert {path.name for path in result.files} >= {"search.csv", "search.parquet", "search.png"}
    assert "asap7: 72 designs" in result.summary
    (searches,) = result.to_dict()["searches"]
    assert searches["front"] == len(result.rows)
    only = parse_sweep(SWEEP + "explore = false\n")
    screened = explore(only, tmp_path, work=fake_steps.work, executor=InProcess(), screen=made_up)
    assert (screened.points, len(screened.rows)) == (0, len(result.rows))


def test_a_limit_says_what_is_left(tmp_path: Path, log: Path) -> None:
    sweep = parse_sweep(SWEEP.replace("confirm = 40", "confirm = 2"))
    assert sweep.search is not None
    found = screen(
        sweep, sweep.search, "asap7", tmp_path, InProcess(), estimator=estimates, work=confirm
    )
    assert found.count("open") > 0
    assert f"{found.count('open')} more could be on it: raise confirm" in found.summary


def test_wrong_objectives_are_told(tmp_path: Path) -> None:
    sweep = parse_sweep("designs = ['e4m3:exact', 'e5m2:exact']\noperands = 'gaussian'")
    for name in ("area", "delay_ps"):
        search = Search(objectives=("area_um2", name))
        with pytest.raises(
            ValueError, match=rf"search: objectives: {name} is not estimated; .*per"
        ):
            screen(sweep, search, "asap7", tmp_path, InProcess(), estimator=estimates, work=confirm)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[search]\nobjectives = ['delay_ps']", r"line 3: search\.objectives: must be 2 or more"),
        ("[search]\nconfirm = 0", r"line 3: search\.confirm: must be a whole number from 1, not 0"),
        ("[search]\ntarget = 3", r"line 3: search\.target: must be a text, not 3"),
        ("[search]\nexplore = 1", r"line 3: search\.explore: must be true or false, not 1"),
        ("[search]\nbudget = 1", r"line 3: search\.budget: is no field"),
        ("search = 3", r"line 2: search: must be a table, headed by \[search\]"),
    ],
)
def test_a_wrong_search_names_file_line_and_field(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_sweep("designs = ['e4m3:exact']\n" + text, "s.toml")


def test_an_objective_that_synthesis_does_not_confirm_is_refused(tmp_path: Path) -> None:
    text = SWEEP + 'objectives = ["energy_fj_per_mac", "layer_error_percent"]\n'
    sweep = parse_sweep(text)
    assert sweep.search is not None
    with pytest.raises(ValueError, match=r"energy_fj_per_mac is not measured by .*of area_um2"):
        screen(sweep, sweep.search, "asap7", tmp_path, InProcess())


def test_layer_error_orders_formats_and_accumulators() -> None:
    def error(text: str) -> float:
        return layer_error_percent(parse_design(text).mac, "gaussian")

    assert error("e4m3:exact") < error("e5m2:exact") < error("e2m1:exact")
    assert error("e4m3:exact") < error("e4m3:e6m9") < error("e4m3:e6m5")
    # half a unit in the last place of values spread over a binade, twice in each product
    assert error("e4m3:exact") == pytest.approx(100 * 2**-4 / 3**0.5, rel=0.15)
    assert error("mxfp8_e4m3:fp32") == pytest.approx(error("e4m3:exact"), rel=0.15)
    # a scale that leaves out what lies above 448/512 of a power of two clips
    mxfp8 = parse_design("mxfp8_e4m3:fp32").mac
    by_ceil = layer_error_percent(mxfp8, "gaussian", scaling="ceil")
    assert layer_error_percent(mxfp8, "gaussian", scaling="floor") == error("mxfp8_e4m3:fp32")
    assert by_ceil < 0.9 * error("mxfp8_e4m3:fp32")
    with pytest.raises(ValueError, match="not uniform"):
        layer_error_percent(parse_design("e4m3:exact").mac, "uniform")


def test_outside_of_the_model_intervals_are_learnt(tmp_path: Path, log: Path) -> None:
    sweep = parse_sweep(SWEEP + "calibrate = 6\n")
    assert sweep.search is not None

    def outside(designs: Sequence[Design], technology: str, target: str | None) -> MadeUp:
        found = estimates(designs, technology, target)
        return MadeUp(found.figures, found.macs, np.zeros(len(designs), dtype=np.bool_))

    found = screen(
        sweep, sweep.search, "asap7", tmp_path, InProcess(), estimator=outside, work=confirm
    )
    table = pd.DataFrame(found.rows)
    reach = table["estimated_area_um2_per_mac_high"] / table["estimated_area_um2_per_mac"]
    # at most 8 % wrong, and never more than that to a power of 1.25 on top of the interval
    assert (reach > 1 / 0.9).all()
    assert (reach <= (1 / 0.92) ** 1.25 / 0.9 + 1e-9).all()
    inside = searched(sweep, tmp_path / "inside")
    assert set(inside.index[inside.state == "front"]) == {design.text for design in found.front}
