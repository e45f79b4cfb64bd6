"""Exploration around fake steps: resuming, failures, deaths, interrupts, the report's files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fake_steps
import pandas as pd
import pytest
from macsmith.reports.explore import explore
from macsmith.reports.stages import step_folder
from macsmith.reports.sweep import parse_sweep

SWEEP = """
title = "A small sweep"
designs = ["e4m3:exact", "e4m3:e6m9", "e4m3:e6m9:stages1", "int8:int32"]
technologies = ["asap7", "ice40"]
tasks = ["smollm2", "g2p"]
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "log.txt"
    path.touch()
    monkeypatch.setenv(fake_steps.LOG_VARIABLE, str(path))
    with fake_steps.fake_steps():
        yield path


def files_with_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_every_step_once_and_a_second_run_does_nothing(tmp_path: Path, log: Path) -> None:
    build = tmp_path / "build"
    sweep = parse_sweep(SWEEP)
    first = explore(sweep, build, work=fake_steps.work)
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines))
    assert sum(line.startswith("verify") for line in lines) == 4
    assert sum(line.startswith("synth") for line in lines) == 8
    # one arithmetic is computed once, however many designs compute it; int32 rounds nothing
    assert sorted(line for line in lines if line.startswith("accuracy smollm2")) == [
        "accuracy smollm2 e4m3:e6m9 bit-exact",
        "accuracy smollm2 e4m3:exact exact",
        "accuracy smollm2 int8:exact exact",
    ]
    assert first.failed_points == 0
    assert first.computed_points == first.points == 4 + 2 * 3
    assert len(first.rows) == 8
    before = files_with_times(build)
    second = explore(sweep, build, work=fake_steps.work)
    assert log.read_text().splitlines() == lines
    assert second.rows == first.rows
    assert second.computed_points == 0
    assert files_with_times(build) == before


def test_rows_join_checks_prices_and_accuracy(tmp_path: Path, log: Path) -> None:
    result = explore(parse_sweep(SWEEP), tmp_path, work=fake_steps.work)
    rows = {(row["design"], row["technology"]): row for row in result.rows}
    exact, lossy = rows["e4m3:exact", "asap7"], rows["e4m3:e6m9", "asap7"]
    assert exact["smollm2_nll_change_per_token"] == exact["smollm2_exact_sums_nll_change_per_token"]
    assert "smollm2_own_sums_nll_change_per_token" not in exact
    assert lossy["smollm2_nll_change_per_token"] == pytest.approx(1 / 8 + 0.1)
    assert lossy["smollm2_nll_change_standard_error"] == pytest.approx(0.005)
    assert lossy["smollm2_own_sums_nll_change_per_token"] == 5.0
    assert (exact["smollm2_sum_error_percent"], lossy["smollm2_sum_error_percent"]) == (0, 2.5)
    assert lossy["g2p_phoneme_error_percent"] == 10.125
    assert exact["checked"] == (
        "1,000 results of 65,536 products equal to the golden model, 40 coverage bins filled, "
        "seed 0"
    )
    assert exact["area_um2_per_mac"] == 80.0
    assert exact["verilog"] == "verilog/e4m3_exact.v"
    assert (result.report_dir / exact["verilog"]).read_text().startswith("module e4m3_exact")
    csv = pd.read_csv(result.report_dir / "results.csv")
    parquet = pd.read_parquet(result.report_dir / "results.parquet")
    assert len(csv) == len(parquet) == 8
    assert list(csv.columns) == list(parquet.columns)
    json.dumps(result.to_dict(), allow_nan=False)


def test_the_page_tells_where_figures_come_from(tmp_path: Path, log: Path) -> None:
    result = explore(parse_sweep(SWEEP, "chunks.toml"), tmp_path, work=fake_steps.work)
    page = (result.report_dir / "index.html").read_text()
    # when designs were finished is the page's matter, not the tables'
    assert '"finished_unix_s":[' in page
    assert all("finished_unix_s" not in row for row in result.rows)
    for text in (
        "macsmith explore chunks.toml",
        "4 designs, seed 0",
        "BSD-3-Clause",
        "Lattice iCE40",
        "a flow",
        "verilator 5.",
        "512 words; made up; scales: one a row; quantised: all; none 1",
        "512 tokens; made up",
        "No wires",
    ):
        assert text in page, text
    assert {path.name for path in result.files} == {
        "index.html",
        "pareto.png",
        "results.csv",
        "results.parquet",
    }


def test_a_scaling_is_computed_with_and_told(tmp_path: Path, log: Path) -> None:
    designs = 'designs = ["mxfp8_e4m3:fp32:lanes8", "e4m3:exact"]\ntasks = ["g2p"]\n'
    run = partial(explore, work=fake_steps.work, executor=fake_steps.InProcess())
    before = run(parse_sweep(designs, "s.toml"), tmp_path)
    result = run(parse_sweep(designs + 'scaling = "ceil"', "s.toml"), tmp_path)
    # the other design, and the prices, are those from before
    assert (before.computed_points, result.computed_points) == (4, 1)
    assert [row["scaling"] for row in before.rows] == ["row", "row"]
    assert [row["scaling"] for row in result.rows] == ["ceil", "row"]
    page = (result.report_dir / "index.html").read_text()
    assert "2 designs, seed 0, scaling ceil" in page
    assert "made up; scales: one a ceil, one a row; quantised: all" in page
    with pytest.raises(ValueError, match=r"sweep: scaling: must be one of row, .*not 'cell'"):
        explore(["e4m3:exact"], tmp_path, scaling=["cell"], work=fake_steps.work)


def test_a_folder_that_cannot_be_is_told_before_any_work(tmp_path: Path, log: Path) -> None:
    (tmp_path / "report").write_text("a file")
    with pytest.raises(FileExistsError):
        explore(["e4m3:exact"], tmp_path, work=fake_steps.work, executor=fake_steps.InProcess())
    assert log.read_text() == ""


def test_a_sweep_without_networks_or_prices_has_a_page(tmp_path: Path, log: Path) -> None:
    result = explore(["e4m3:exact"], tmp_path, technologies=[], work=fake_steps.work)
    assert [path.name for path in result.files] == ["index.html", "results.csv", "results.parquet"]
    assert result.rows[0]["technology"] == "none"
    assert result.rows[0]["checked_results"] == 1000


def test_failures_are_rows_with_a_reason_and_are_tried_again(tmp_path: Path, log: Path) -> None:
    designs = ["e5m3:exact", "e2m2:exact", "e3m1:exact", "e4m3:exact"]
    result = explore(designs, tmp_path, work=fake_steps.work)
    rows = {row["design"]: row for row in result.rows}
    assert result.failed_points == 3
    assert rows["e5m3:exact"]["failure"] == "generate: cannot be built, said the test"
    assert rows["e5m3:exact"]["checked"] == "unchecked"
    assert "area_um2" not in rows["e5m3:exact"]
    assert rows["e2m2:exact"]["failure"] == "verify: macsmith verify e2m2:exact --seed 0: sum 3"
    assert rows["e2m2:exact"]["checked"] == "unchecked"
    assert rows["e2m2:exact"]["area_um2"] == 50.0
    assert rows["e3m1:exact"]["failure"] == "synth: yosys failed"
    assert rows["e3m1:exact"]["checked"] != "unchecked"
    assert "failure" not in rows["e4m3:exact"]
    assert "3 points failed" in result.summary
    frame = pd.read_csv(result.report_dir / "results.csv").set_index("design")
    assert pd.isna(frame.loc["e5m3:exact", "area_um2"])
    log.write_text("")
    explore(designs, tmp_path, work=fake_steps.work)
    # a step that raised is tried again; a check that found a difference is a result and stays
    assert sorted(log.read_text().splitlines()) == [
        "generate e3m1:exact",
        "generate e5m3:exact",
        "synth e3m1:exact asap7",
    ]


def test_a_worker_that_dies_costs_one_point(tmp_path: Path, log: Path) -> None:
    result = explore(["e1m6:exact", "e4m3:exact", "e5m2:exact"], tmp_path, work=fake_steps.work)
    rows = {row["design"]: row for row in result.rows}
    assert "died" in rows["e1m6:exact"]["failure"]
    assert [rows[name].get("failure") for name in ("e4m3:exact", "e5m2:exact")] == [None, None]


def test_changed_artefacts_are_made_again(tmp_path: Path, log: Path) -> None:
    result = explore(["e4m3:exact"], tmp_path, work=fake_steps.work)
    (path,) = (tmp_path / "e4m3_exact" / "generate").iterdir()
    path.write_text("module changed; endmodule\n")
    log.write_text("")
    again = explore(["e4m3:exact"], tmp_path, work=fake_steps.work)
    assert log.read_text().splitlines() == ["generate e4m3:exact"]
    assert again.rows == result.rows
    assert path.read_text().startswith("module e4m3_exact")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("designs=['e4m3:exact']\ntechnologies=['asap8']", r"s\.toml: technologies: .*'asap8'"),
        ("designs=['e4m3:exact']\ntasks=['mnist']", r"s\.toml: tasks: .*'mnist'"),
        ("designs=['e4m3:exact']\noperands='mnist'", r"s\.toml: operands: .*'mnist'"),
    ],
)
def test_unknown_names_fail_before_any_work(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explore(parse_sweep(text, "s.toml"), tmp_path / "build", work=fake_steps.work)
    assert not (tmp_path / "build").exists()


def test_an_interrupted_sweep_keeps_its_points(tmp_path: Path, log: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "import fake_steps\n"
        "from pathlib import Path\n"
        "from macsmith.reports.explore import explore\n"
        "def slow(build_dir, wait, point):\n"
        "    if 'e5m2' in point.design: time.sleep(300)\n"
        "    return fake_steps.work(build_dir, wait, point)\n"
        "if __name__ == '__main__':\n"
        "    designs = ['e4m3:exact', 'e2m1:exact', 'e5m2:exact']\n"
        "    try: explore(designs, Path(sys.argv[2]), work=slow)\n"
        "    except KeyboardInterrupt as error: sys.exit(str(error))\n"
    )
    build = tmp_path / "build"
    process = subprocess.Popen(
        [sys.executable, script, Path(__file__).parent, build],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {fake_steps.LOG_VARIABLE: str(log)},
    )
    deadline = time.monotonic() + 60
    while sum(line.startswith("synth") for line in log.read_text().splitlines()) < 2:
        assert time.monotonic() < deadline, "the first points were not done"
        time.sleep(0.05)
    time.sleep(0.5)  # the last of them is told to the parent
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "interrupted: 2 of 3 points are kept; the same command goes on from there" in errors
    log.write_text("")
    result = explore(["e4m3:exact", "e2m1:exact", "e5m2:exact"], build, work=fake_steps.work)
    assert result.computed_points == 1
    assert {line.split()[1] for line in log.read_text().splitlines()} == {"e5m2:exact"}
    assert step_folder(build, parse_sweep("designs=['e5m2:exact']").designs[0], "generate").is_dir()
