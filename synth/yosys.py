"""Yosys, run in a process of its own.

Yosys and ABC print to stdout and end the whole process on an error, so they never run inside the
caller. The library comes as the `pyosys` wheel; there is no `yosys` executable in it.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from macsmith.sim.tools import MissingToolError, run_tool

__all__ = ["quote", "run_yosys", "tool_versions"]

# The ABC that comes beside the library is found by Yosys itself.
_RUNNER = (
    "import sys; from pyosys import libyosys; "
    "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"
)


def run_yosys(commands: Sequence[str], folder: Path, name: str, timeout_s: float = 1800.0) -> str:
    """Run Yosys commands and return the log.

    The commands are written to ``folder/name.ys`` and the log to ``folder/name.log``; relative
    paths in the commands are relative to `folder`.

    Raises
    ------
    ToolError
        Yosys or ABC reported an error, crashed, or took longer than `timeout_s`.
    MissingToolError
        The wheel is not installed.
    """
    tool_versions()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
    if not re.search(r"\s", str(folder)):
        return _run(folder, folder, name, timeout_s)
    # ABC splits paths at spaces, and Yosys makes every path absolute for it.
    with tempfile.TemporaryDirectory(prefix="macsmith-") as elsewhere:
        shutil.copytree(folder, elsewhere, dirs_exist_ok=True)
        try:
            return _run(Path(elsewhere), folder, name, timeout_s)
        finally:
            shutil.copytree(elsewhere, folder, dirs_exist_ok=True)


def _run(work: Path, folder: Path, name: str, timeout_s: float) -> str:
    return run_tool(
        f"Yosys script {folder / name}.ys",
        [sys.executable, "-c", _RUNNER, f"{name}.ys"],
        cwd=work,
        log_file=work / f"{name}.log",
        timeout_seconds=timeout_s,
    )


@cache
def tool_versions() -> dict[str, str]:
    """Versions of what areas depend on: Yosys with its ABC (one wheel).

    Raises
    ------
    MissingToolError
        The wheel is not installed.
    """
    try:
        return {"pyosys": metadata.version("pyosys")}
    except metadata.PackageNotFoundError as error:
        raise MissingToolError(
            "Yosys is not there: synthesis needs it. python -m pip install pyosys==0.70"
        ) from error


def quote(path: Path) -> str:
    """A path as one word of a Yosys command.

    Raises
    ------
    ValueError
        The path holds a quote or a newline, which Yosys cannot read.
    """
    text = str(path)
    if re.search(r'["\n]', text):
        raise ValueError(f"path {text!r} must have no quotes or newlines for Yosys")
    return f'"{text}"' if re.search(r"[\s;#]", text) else text
