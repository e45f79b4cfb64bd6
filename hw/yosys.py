"""Yosys, in a process of its own: it prints to stdout, and an error in it ends the process."""

import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

__all__ = ["YosysError", "json_to_rtlil", "rtlil_to_json", "rtlil_to_verilog", "yosys_version"]

_TAIL_LINES = 20
_SCRIPT = (
    "import sys; from pyosys import libyosys as ys; design = ys.Design(); "
    "[ys.run_pass(command, design) for command in sys.argv[1:]]"
)
_COMMANDS = (
    "read_rtlil design.il",
    "proc -noopt",
    "opt_expr",
    "opt_clean -purge",
    # state comes from the reset: standard cells have no start values
    "setattr -unset init w:*",
    "write_verilog -noattr design.v",
)


class YosysError(RuntimeError):
    """Yosys failed.

    Attributes
    ----------
    command
        What it was to do.
    log
        All it printed.
    """

    def __init__(self, command: str, log: str, reason: str) -> None:
        self.command, self.log = command, log
        tail = "\n".join(log.strip().splitlines()[-_TAIL_LINES:])
        super().__init__(f"yosys {reason}: {command}\n{tail}")


def yosys_version() -> str:
    """Version of the Yosys wheel."""
    return metadata.version("pyosys")


def rtlil_to_verilog(rtlil: str, folder: Path, commands: Sequence[str] = _COMMANDS) -> str:
    """Verilog text of the modules in an RTLIL text.

    Parameters
    ----------
    rtlil
        Modules; those that are not among them stay instances.
    folder
        Scratch space; the files left there are ``design.il`` and ``design.v``.

    Raises
    ------
    YosysError
        Yosys failed.
    """
    (folder / "design.il").write_text(rtlil, encoding="utf-8")
    return _run(commands, folder, folder / "design.v")


def rtlil_to_json(rtlil: str, folder: Path) -> str:
    """Modules of an RTLIL text as Yosys' JSON: cells of words, no processes.

    Raises
    ------
    YosysError
        Yosys failed.
    """
    (folder / "design.il").write_text(rtlil, encoding="utf-8")
    commands = (*_COMMANDS[:-2], "write_json design.json")
    return _run(commands, folder, folder / "design.json")


def json_to_rtlil(modules: str, folder: Path) -> str:
    """RTLIL text of modules in Yosys' JSON; modules that are not among them stay instances.

    Raises
    ------
    YosysError
        Yosys failed.
    """
    (folder / "design.json").write_text(modules, encoding="utf-8")
    return _run(("read_json design.json", "write_rtlil design.il"), folder, folder / "design.il")


def _run(commands: Sequence[str], folder: Path, output: Path) -> str:
    """Run Yosys commands in a folder; returns the text of the file they leave."""
    process = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *commands],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if process.returncode != 0 or not output.exists():
        reason = f"ended with code {process.returncode}"
        raise YosysError("; ".join(commands), process.stdout, reason)
    return output.read_text(encoding="utf-8")
