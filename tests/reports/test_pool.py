"""The process pool: order, a dying worker, errors, and that an interrupt leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from macsmith.reports.pool import run_jobs


def double(number: int) -> int:
    return 2 * number


def threads_and_double(number: int) -> tuple[str | None, int]:
    return os.environ.get("OMP_NUM_THREADS"), 2 * number


def die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise LookupError("three")
    return number


def sleeper(folder: str) -> str:
    process = subprocess.Popen(["sleep", "300"])
    Path(folder, f"{os.getpid()}-{process.pid}").touch()
    process.wait()
    return folder


def test_all_jobs_are_done_once_with_one_thread_each() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    outcomes = list(run_jobs(threads_and_double, range(7), 2))
    assert sorted(outcome.job for outcome in outcomes) == list(range(7))
    assert all(outcome.result == ("1", 2 * outcome.job) for outcome in outcomes)
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_no_jobs_and_no_processes() -> None:
    assert list(run_jobs(double, [], 2)) == []
    with pytest.raises(ValueError, match="processes must be at least 1, not 0"):
        list(run_jobs(double, [1], 0))


def test_a_dead_worker_costs_its_own_job_only() -> None:
    outcomes = {outcome.job: outcome for outcome in run_jobs(die_at_three, range(6), 2)}
    assert sorted(outcomes) == list(range(6))
    assert outcomes[3].result is None
    assert outcomes[3].death is not None
    assert "died" in outcomes[3].death
    assert all(outcomes[job].result == 2 * job for job in (0, 1, 2, 4, 5))


def test_an_error_in_the_work_is_raised() -> None:
    with pytest.raises(LookupError, match="three"):
        list(run_jobs(fail_at_three, range(6), 2))


def _is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_an_interrupt_ends_workers_and_what_they_started(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_pool\n"
        "from macsmith.reports.pool import run_jobs\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        for outcome in run_jobs(test_pool.sleeper, [sys.argv[2]] * 3, 2): pass\n"
        "    except KeyboardInterrupt: sys.exit(7)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    marks = tmp_path / "marks"
    marks.mkdir()
    process = subprocess.Popen([sys.executable, script, Path(__file__).parent, marks])
    deadline = time.monotonic() + 60
    while len(list(marks.iterdir())) < 2:
        assert time.monotonic() < deadline, "workers did not start"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 7
    started = [int(number) for mark in marks.iterdir() for number in mark.name.split("-")]
    assert len(started) == 4
    while any(map(_is_running, started)):
        assert time.monotonic() < deadline + 30, "something is still running"
        time.sleep(0.05)
