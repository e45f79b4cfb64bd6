"""Executors: executor files, and sweeps through Parsl's workers on this machine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import fake_steps
import pytest
from macsmith.reports.executors import (
    SCHEDULERS,
    ClusterSettings,
    LocalPool,
    find_executor,
    load_settings,
)
from macsmith.reports.explore import explore

TESTS = Path(__file__).parent
needs_parsl = pytest.mark.skipif(
    importlib.util.find_spec("parsl") is None, reason="Parsl is not installed (extra 'cluster')"
)

# In a process of its own: Parsl's threads and sockets outlast what they were used for.
PROGRAM = """
import os, sys
import fake_steps
from pathlib import Path
from macsmith.reports.executors import find_executor, held
from macsmith.reports.explore import explore
def work(build_dir, wait, point):
    return executor_work.work(build_dir, wait, point)
if __name__ == "__main__":
    import executor_work
    build = Path(sys.argv[1])
    executor = find_executor("local", None, jobs=3, run_dir=build / "parsl")
    with fake_steps.fake_steps():
        result = explore(sys.argv[2:], build, executor=executor, work=executor_work.work)
    print(result.computed_points, result.failed_points)
    with held(executor):
        found = [one.result for job in (-3, -4) for one in executor.run(abs, [job])]
    print(*found, len(list((build / "parsl").iterdir())))
"""
WORK = """
import os, signal
from pathlib import Path
import fake_steps
def work(build_dir, wait, point):
    with open(build_dir / "workers", "a") as log:
        log.write(f"{os.getpid()}\\n")
    once = build_dir / "killed"
    if point.design == "e5m2:exact" and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return fake_steps.work(build_dir, wait, point)
"""


@needs_parsl
def test_a_sweep_through_parsl_gives_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    designs = ["e4m3:exact", "e5m2:exact", "e3m2:exact", "e2m3:exact", "e1m6:exact", "e3m1:exact"]
    log = tmp_path / "log.txt"
    monkeypatch.setenv(fake_steps.LOG_VARIABLE, str(log))
    build = tmp_path / "cluster"
    build.mkdir()
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "executor_work.py").write_text(WORK)
    search = os.pathsep.join([str(TESTS), str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", build, *designs],
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # one that kills its worker each time, and one whose tool fails; the other one was done again
    assert done.stdout.splitlines()[0] == "6 2"
    # workers are started once for all runs in which they are held, and once for the sweep
    assert done.stdout.splitlines()[1] == "3 4 2"
    assert (build / "killed").exists()
    assert "e1m6:exact: FAILED in generate: its worker was lost 3 times" in done.stderr
    assert len(set((build / "workers").read_text().split())) >= 3
    here = tmp_path / "here"
    designs.remove("e1m6:exact")
    with fake_steps.fake_steps():
        explore(designs, here, work=fake_steps.work)
        explore(designs, build, report_dir=build / "again", work=fake_steps.work)
    for name in ("results.csv", "results.parquet"):
        assert (build / "again" / name).read_bytes() == (here / "report" / name).read_bytes()


# A module that starts a child, tells both numbers and its arguments, and works for long.
MODULE = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(os.getpid(), child.pid, __name__, *sys.argv[1:], flush=True)
time.sleep(300)
"""
SWEEP = """
import subprocess, sys, time
from macsmith.reports import with_parent
process = subprocess.Popen([*with_parent.command("background"), "-x", "3"])
time.sleep(300)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system tells no children")
def test_what_a_killed_sweep_has_started_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "background.py").write_text(MODULE)
    search = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    sweep = subprocess.Popen(
        [sys.executable, "-c", SWEEP],
        env=os.environ | {"PYTHONPATH": search},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sweep.stdout is not None
    first, second, *words = sweep.stdout.readline().split()
    assert words == ["__main__", "-x", "3"]
    time.sleep(1.5)
    assert all(_is_running(number) for number in (first, second))
    sweep.kill()
    sweep.wait()
    sweep.stdout.close()
    end = time.monotonic() + 20
    while any(_is_running(number) for number in (first, second)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_is_running(number) for number in (first, second))


def _is_running(number: str) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_pool_is_the_default() -> None:
    assert find_executor(None, None, jobs=2, run_dir=Path("parsl")) is None
    assert [outcome.result for outcome in LocalPool(1).run(abs, [-3])] == [3]


def test_an_executor_file(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text('workers_per_node = 4\n[provider]\npartition = "cpu"\nmax_blocks = 3\n')
    assert load_settings(path) == ClusterSettings(
        workers_per_node=4, provider={"partition": "cpu", "max_blocks": 3}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = 4", r"c\.toml: workers: is no field of an executor file; fields are workers_"),
        ("workers_per_node = 0", r"workers_per_node: must be a whole number from 1, not 0"),
        ("retries = -1", r"retries: must be a whole number from 0, not -1"),
        ("address = 5", r"address: must be a text, not 5"),
        ("provider = 5", r"provider: must be a table, headed by \[provider\]"),
        ("x = [", r"c\.toml: not TOML"),
    ],
)
def test_a_wrong_executor_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_settings(path)


def test_names_and_what_goes_with_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"executor must be one of slurm, lsf, .*, not 'condor'"):
        find_executor("condor", None, jobs=2, run_dir=tmp_path)
    with pytest.raises(ValueError, match="an executor file needs an executor"):
        find_executor(None, tmp_path / "c.toml", jobs=2, run_dir=tmp_path)
    with (
        mock.patch.dict(sys.modules, {"parsl": None}),
        pytest.raises(RuntimeError, match=r"pip install 'macsmith\[cluster\]'"),
    ):
        find_executor("slurm", None, jobs=2, run_dir=tmp_path)


@needs_parsl
@pytest.mark.parametrize("name", [name for name in SCHEDULERS if name != "kubernetes"])
def test_every_scheduler_takes_its_settings(tmp_path: Path, name: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[provider]\nmax_blocks = 3\n[launcher]\nname = "SrunLauncher"\n')
    assert find_executor(name, path, jobs=2, run_dir=tmp_path) is not None
    path.write_text("[provider]\nnodes = 3\n")
    with pytest.raises(ValueError, match=r"c\.toml: provider: nodes: is no argument of .*Provider"):
        find_executor(name, path, jobs=2, run_dir=tmp_path)
    path.write_text('[launcher]\nname = "Rocket"\n')
    with pytest.raises(ValueError, match=r"launcher: name must be one of .*, not 'Rocket'"):
        find_executor(name, path, jobs=2, run_dir=tmp_path)


@needs_parsl
def test_kubernetes_needs_an_image(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must have image, which KubernetesProvider needs"):
        find_executor("kubernetes", None, jobs=2, run_dir=tmp_path)
