"""External programs: how they end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from macsmith.sim.tools import ToolError, run_tool

# Starts a child that outlives it, tells its number, and hangs.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(child.pid, flush=True)
time.sleep(300)
"""


def is_running(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system tells no children")
def test_a_tool_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with pytest.raises(ToolError, match=r"a tool failed\n(.*\n)*ended after 2 s"):
        run_tool(
            "a tool",
            [sys.executable, "-c", PARENT],
            cwd=tmp_path,
            log_file=log,
            timeout_seconds=2,
        )
    child = int(log.read_text().split()[0])
    for _ in range(100):
        if not is_running(child):
            break
        time.sleep(0.05)
    assert not is_running(child)


def test_a_tool_that_fails_tells_its_command_and_the_tail_of_its_log(tmp_path: Path) -> None:
    program = "print('so far'); raise SystemExit(3)"
    with pytest.raises(ToolError, match=r"a tool failed\ncommand: .*\n.*so far\nexit code 3"):
        run_tool("a tool", [sys.executable, "-c", program], cwd=tmp_path)
    with pytest.raises(ToolError, match="No such file or directory"):
        run_tool("a tool", [os.fspath(tmp_path / "absent")], cwd=tmp_path)
    assert run_tool("a tool", [sys.executable, "-c", "print('done')"], cwd=tmp_path) == "done\n"
