"""Run a module as a program that ends with another process.

``python -m macsmith.reports.with_parent NUMBER MODULE ARGUMENTS...`` does what
``python -m MODULE ARGUMENTS...`` does, and ends with all that it has started as soon as the
process of that number is gone, however that ended: what a sweep has started in the background
cannot be told to stop by a sweep that was killed.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

from macsmith.sim.tools import descendants

__all__ = ["command", "end_with"]

#: How often the other process is looked for.
LOOK_SECONDS = 1.0


def command(module: str) -> list[str]:
    """The command that runs a module so that it ends with this process."""
    return [sys.executable, "-m", __name__, str(os.getpid()), module]


def end_with(number: int, *, look_seconds: float = LOOK_SECONDS) -> None:
    """Begin to look after a process in the background; this one ends when that one is gone."""
    born = _birth(number)

    def look() -> None:
        while born is not None and _birth(number) == born:
            time.sleep(look_seconds)
        for child in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=look, daemon=True).start()


def _birth(number: int) -> str | None:
    """When a process was started, where the system tells (another one may get its number); None
    if it is gone."""
    try:
        state, *rest = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    else:
        return None if state in "ZX" else rest[18]
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "some time"


def main() -> None:
    """Run the module that the arguments name."""
    number, module = int(sys.argv[1]), sys.argv[2]
    end_with(number)
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
