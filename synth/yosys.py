"""Yosys, run in a process of its own.

Yosys and ABC print to stdout and end the whole process on an error, so they never run inside the
caller. The library comes as the `pyosys` wheel; there is no `yosys` executable in it.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

__all__ = ["ToolError", "quote", "run_yosys", "tool_versions"]

TAIL_LINES = 15

# The ABC that comes beside the library is found by Yosys itself.
_RUNNER = (
    "import sys\n"
    "from pyosys import libyosys\n"
    "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())\n"
)


class ToolError(RuntimeError):
    """A tool that failed: its command and the end of its log.

    Attributes
    ----------
    command
        What was run.
    log
        All it printed.
    """

    def __init__(self, command: str, log: str, reason: str) -> None:
        self.command = command
        self.log = log
        tail = "\n".join(f"  {line}" for line in log.strip().splitlines()[-TAIL_LINES:])
        super().__init__(f"{command}: {reason}\n{tail}")


def run_yosys(commands: Sequence[str], folder: Path, name: str, timeout_s: float = 900.0) -> str:
    """Run Yosys commands and return the log.

    The commands are written to ``folder/name.ys`` and the log to ``folder/name.log``; relative
    paths in the commands are relative to `folder`.

    Raises
    ------
    ToolError
        Yosys or ABC reported an error, crashed, or took longer than `timeout_s`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / f"{name}.ys"
    script.write_text("\n".join(commands) + "\n", encoding="utf-8")
    try:
        process = subprocess.run(
            [sys.executable, "-c", _RUNNER, script.name],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        partial = error.stdout or b""
        log = partial.decode(errors="replace") if isinstance(partial, bytes) else partial
        raise ToolError(f"yosys {script}", log, f"took longer than {timeout_s:g} s") from error
    log = process.stdout
    (folder / f"{name}.log").write_text(log, encoding="utf-8")
    if process.returncode != 0:
        raise ToolError(f"yosys {script}", log, f"failed with code {process.returncode}")
    return log


@cache
def tool_versions() -> dict[str, str]:
    """Versions of what areas depend on: Yosys with its ABC (one wheel).

    Raises
    ------
    ToolError
        The wheel is not installed.
    """
    try:
        return {"pyosys": metadata.version("pyosys")}
    except metadata.PackageNotFoundError as error:
        raise ToolError("pyosys", "", "is not installed; install the wheel pyosys") from error


def quote(path: Path) -> str:
    """A path as one word of a Yosys command."""
    text = str(path)
    if re.search(r'["\n]', text):
        raise ValueError(f"path {text!r} must have no quotes or newlines for Yosys")
    return f'"{text}"' if re.search(r"[\s;#]", text) else text
