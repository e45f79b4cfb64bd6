"""Sweeps that are killed, that share a store, that run out of disk: nothing lost or made twice."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import fake_steps
import pytest
from macsmith.reports import packs, stages
from macsmith.reports.explore import explore
from macsmith.reports.leases import lease, remove_left
from macsmith.reports.points import DesignPoint, point_records
from macsmith.reports.store import ResultStore, StoreFullError
from macsmith.sim.tools import ToolError

TESTS = Path(__file__).parent
FORMATS = ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "e3m3", "int8", "int6")
DESIGNS = [f"{name}:{accumulator}" for name in FORMATS for accumulator in ("exact", "e6m9")]

# A sweep whose steps take a few hundredths of a second; run again, it goes on.
PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
import fake_steps
from pathlib import Path
from macsmith.reports.explore import explore
def slow(build_dir, wait, point):
    time.sleep(0.02)
    return fake_steps.work(build_dir, wait, point)
if __name__ == "__main__":
    with fake_steps.fake_steps():
        jobs = int(sys.argv[3])
        explore(sys.argv[4:], Path(sys.argv[2]), tasks=["g2p"], work=slow, jobs=jobs)
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "log.txt"
    path.touch()
    monkeypatch.setenv(fake_steps.LOG_VARIABLE, str(path))
    with fake_steps.fake_steps():
        yield path


def start_sweep(tmp_path: Path, build: Path, jobs: int) -> subprocess.Popen[bytes]:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, script, TESTS, build, str(jobs), *DESIGNS],
        stderr=subprocess.DEVNULL,
        env=os.environ | {fake_steps.LOG_VARIABLE: str(tmp_path / "log.txt")},
    )


def kept(build: Path) -> dict[str, int]:
    """Results in the store, with the times at which they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (build / "store").rglob("*.json")}


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines()


def killed_sweeps(tmp_path: Path, log: Path, kills: int, jobs: int) -> None:
    here = fake_steps.InProcess()
    explore(DESIGNS, tmp_path / "whole", tasks=["g2p"], work=fake_steps.work, executor=here)
    whole = {
        name: (tmp_path / "whole" / "report" / name).read_bytes()
        for name in ("results.csv", "results.parquet")
    }
    all_steps = len(lines(log))
    chance = random.Random(7)
    build = tmp_path / "killed"
    log.write_text("")
    hits = 0
    for number in range(kills):
        before = kept(build) if build.exists() else {}
        process = start_sweep(tmp_path, build, jobs)
        # some steps further, at any moment of the next ones
        goal = len(lines(log)) + chance.randint(0, 2 * all_steps // kills)
        while len(lines(log)) < goal and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05 if goal else 2))
        hits += process.poll() is None
        process.kill()
        process.wait()
        now = kept(build)
        # whatever was kept is kept as it was: neither lost nor computed again
        assert {name: now.get(name) for name in before} == before, number
    assert hits >= kills // 2, "too few sweeps were running when they were killed"
    time.sleep(0.5)  # the workers of the last one end with it
    assert start_sweep(tmp_path, build, jobs).wait() == 0
    for name, content in whole.items():
        assert (build / "report" / name).read_bytes() == content, name
    # a step is done again only if it was cut off, at most one in each process; a check or a price
    # that is done again emits its design again
    again = Counter(lines(log)) - Counter(set(lines(log)))
    assert len(set(lines(log))) == all_steps
    emitted = sum(count for step, count in again.items() if step.startswith("generate "))
    assert emitted <= jobs * hits
    assert again.total() - emitted <= jobs * hits
    assert list(ResultStore(build / "store").root.rglob("*.lock")) == [], "no lease is left"


def test_a_killed_sweep_resumed_gives_the_same_table(tmp_path: Path, log: Path) -> None:
    killed_sweeps(tmp_path, log, 2, jobs=1)


@pytest.mark.slow
def test_a_sweep_killed_twenty_times_gives_the_same_table(tmp_path: Path, log: Path) -> None:
    killed_sweeps(tmp_path, log, 20, jobs=2)


def test_two_sweeps_on_one_store_compute_each_step_once(tmp_path: Path, log: Path) -> None:
    build = tmp_path / "build"
    processes = [start_sweep(tmp_path, build, 1) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(lines(log)) > 3 * len(DESIGNS)
    assert len(lines(log)) == len(set(lines(log)))


def test_a_lease_has_one_holder_and_ends_with_it(tmp_path: Path) -> None:
    with (
        lease(tmp_path, "a", wait=False) as first,
        lease(tmp_path, "a", wait=False) as second,
        lease(tmp_path, "b", wait=False) as other,
    ):
        assert (first, second, other) == (True, False, True)
    with lease(tmp_path, "a", wait=False) as again:
        assert again
    assert list(tmp_path.iterdir()) == []
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom macsmith.reports.leases import lease\n"
        "with lease(Path(sys.argv[1]), 'a', wait=False) as mine:\n"
        "    print(mine, flush=True)\n    time.sleep(300)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"True\n"
    with lease(tmp_path, "a", wait=False) as mine:
        assert not mine
    process.send_signal(signal.SIGKILL)
    with lease(tmp_path, "a", wait=True) as mine:
        assert mine
    process.wait()
    process.stdout.close()


def test_what_killed_holders_leave_is_removed_and_what_is_held_stays(tmp_path: Path) -> None:
    (tmp_path / ("0" * 32 + ".lock")).touch()
    with lease(tmp_path, "a", wait=False):
        (held,) = [path for path in tmp_path.iterdir() if not path.name.startswith("0")]
        remove_left(tmp_path)
        assert list(tmp_path.iterdir()) == [held]
        with lease(tmp_path, "a", wait=False) as mine:
            assert not mine
    remove_left(tmp_path / "absent")


def test_without_locks_a_lease_is_told_and_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        mock.patch("fcntl.flock", side_effect=OSError(errno.ENOLCK, "No locks available")),
        lease(tmp_path, "a", wait=True) as mine,
    ):
        assert mine
    assert "no locks here" in caplog.text


def test_a_point_in_hand_elsewhere_is_left_to_it(tmp_path: Path, log: Path) -> None:
    point = DesignPoint("e4m3:exact", (), 0, None)
    with lease(tmp_path / "store" / ".leases", "design e4m3_exact", wait=False):
        assert point_records(point, tmp_path, wait=False) is None
    assert lines(log) == []
    assert point_records(point, tmp_path, wait=False) is not None


def test_a_full_disk_ends_the_sweep_and_loses_nothing(tmp_path: Path, log: Path) -> None:
    explore(["e4m3:exact"], tmp_path, work=fake_steps.work, executor=fake_steps.InProcess())
    before = kept(tmp_path)
    with pytest.raises(StoreFullError, match=r"no room to keep .*generate .*run the same"):
        explore(["e4m3:exact", "e5m2:exact"], tmp_path, work=on_a_full_disk, jobs=1)
    assert kept(tmp_path) == before
    assert not list((tmp_path / "store").rglob(f"*/{packs.PART_PREFIX}*"))
    result = explore(
        ["e4m3:exact", "e5m2:exact"],
        tmp_path,
        work=fake_steps.work,
        executor=fake_steps.InProcess(),
    )
    assert (result.computed_points, result.failed_points) == (1, 0)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        ToolError("compiling", ["g++"], "ld: final link failed: No space left on device"),
        ToolError("Yosys script x.ys", ["yosys"], "exit code 1"),
    ],
    ids=["own", "told", "silent"],
)
def test_a_step_without_room_ends_the_sweep(tmp_path: Path, log: Path, error: Exception) -> None:
    """What fails for want of room is no result: all that follows would fail like it."""
    usage = shutil.disk_usage(tmp_path)._replace(free=4096 if "exit code" in str(error) else 10**9)
    with (
        mock.patch.object(stages, "synthesize", side_effect=error),
        mock.patch("shutil.disk_usage", return_value=usage),
        pytest.raises(StoreFullError, match=r"no room for the files of synth; .*run the same"),
    ):
        point_records(DesignPoint("e4m3:exact", ("asap7",), 0, None), tmp_path)
    assert {path.parts[-3] for path in (tmp_path / "store").rglob("*.json")} == {
        "generate",
        "verify",
    }
    records = point_records(DesignPoint("e4m3:exact", ("asap7",), 0, None), tmp_path)
    assert records is not None
    assert [record.step for record in records] == ["generate", "verify", "synth"]
    assert lines(log).count("synth e4m3:exact asap7") == 1


def on_a_full_disk(build_dir: Path, wait: bool, point: DesignPoint) -> object:
    # a limit on the size of any file: writing past it fails as on a full disk
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    return fake_steps.work(build_dir, wait, point)
