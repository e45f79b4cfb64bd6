"""The published study: its files from rows, and that the kept study can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from macsmith.reports.study import STUDY_FILE, front_table, publish, write_study
from macsmith.reports.sweep import Sweep, load_sweep
from made_up import made_up_rows

TECHNOLOGIES = ("asap7", "sky130")


def test_files_of_a_study(tmp_path: Path) -> None:
    rows = made_up_rows(TECHNOLOGIES)
    for row in rows:
        if "area_um2_per_mac" in row:
            row["core_area_um2_per_mac"] = row["area_um2_per_mac"]
    sweep = Sweep(load_sweep(STUDY_FILE).designs, TECHNOLOGIES, ("smollm2", "g2p"), title="Made up")
    files = write_study(sweep, rows, tmp_path)
    assert [path.name for path in files] == [
        "results.csv",
        "fronts_smollm2.png",
        "fronts_g2p.png",
        "model_errors.png",
        "README.md",
    ]
    assert len(pd.read_csv(files[0])) == len(rows)
    before = {path: path.read_bytes() for path in files}
    write_study(sweep, rows, tmp_path)
    assert {path: path.read_bytes() for path in files} == before
    text = files[-1].read_text()
    assert "| asap7 | area | area_um2 |" in text
    failed = [row["design"] for row in rows if "failure" in row]
    assert all(f"- `{design}`" in text for design in failed)


def test_a_front_is_bold_only_where_it_is_one() -> None:
    rows = [
        {
            "design": design,
            "technology": technology,
            "smollm2_nll_change_per_token": loss,
            "energy_pj_per_mac": energy,
        }
        for design, loss, energies in (
            ("good", 0.01, (1.0, 1.0)),
            ("cheap", 0.5, (0.5, 1.5)),
            ("bad", 0.6, (2.0, 2.0)),
        )
        for technology, energy in zip(TECHNOLOGIES, energies, strict=True)
    ]
    lines = front_table(rows, "smollm2", TECHNOLOGIES, "energy_pj_per_mac").splitlines()
    assert lines[2:] == [
        "| `good` | 0.010 | **1.0000** | **1.0000** |",
        "| `cheap` | 0.500 | **0.5000** | 1.5000 |",
    ]


def test_a_study_of_an_unknown_task_is_refused(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text('designs = ["e4m3:exact"]\ntasks = ["mnist"]\n')
    with pytest.raises(ValueError, match="tasks must be of smollm2, g2p, not mnist"):
        publish(study, tmp_path)


def test_the_kept_study_names_three_technologies_and_two_tasks() -> None:
    sweep = load_sweep(STUDY_FILE)
    assert len(sweep.technologies) >= 3
    assert len(sweep.tasks) >= 2
    assert replace(sweep, designs=sweep.designs[:1]).designs[0].text == "e4m3:exact"
