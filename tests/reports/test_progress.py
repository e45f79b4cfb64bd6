"""Progress where stderr is no terminal: plain lines, few of them."""

from __future__ import annotations

import pytest
from macsmith.reports.progress import job_progress, progress_line


def test_a_line_for_each_tenth_and_each_change_of_work(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_line("accuracy g2p") as progress:
        for step in range(1001):
            progress(step / 1000, "reference" if step < 300 else "e4m3, bit by bit")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "accuracy g2p:   0% reference"
    assert lines[-1] == "accuracy g2p: 100% e4m3, bit by bit"
    assert 11 <= len(lines) <= 13


def test_a_line_for_each_job(capsys: pytest.CaptureFixture[str]) -> None:
    with job_progress(12, "exploring") as progress:
        progress.started(["e4m3:exact", "e5m2:exact"])
        progress.finished("e4m3:exact", "31 s")
        progress.finished("e5m2:exact", "FAILED in synth: no memory")
    assert capsys.readouterr().err.splitlines() == [
        "[ 1/12] e4m3:exact: 31 s",
        "[ 2/12] e5m2:exact: FAILED in synth: no memory",
    ]
