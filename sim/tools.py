"""External programs: where they are, how they run, what is said when one fails or is missing."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = [
    "MissingToolError",
    "ToolError",
    "cache_directory",
    "descendants",
    "find_compiler",
    "run_tool",
]

LOG_TAIL_LINES = 20


class ToolError(RuntimeError):
    """An external program failed.

    Parameters
    ----------
    what
        The step that failed, in a few words.
    command
        The command line.
    log
        All that it printed; the message has its last lines.
    """

    def __init__(self, what: str, command: Sequence[str], log: str) -> None:
        self.what = what
        self.command = tuple(command)
        self.log = log
        tail = "\n".join(log.rstrip().splitlines()[-LOG_TAIL_LINES:])
        super().__init__(f"{what} failed\ncommand: {' '.join(command)}\n{tail}".rstrip())


class MissingToolError(RuntimeError):
    """A program that must be installed is not there; the message says how to get it."""


def find_compiler() -> str:
    """Path of the C++ compiler: ``$CXX``, else ``g++``, else ``c++``.

    Raises
    ------
    MissingToolError
        There is none.
    """
    asked = os.environ.get("CXX")
    for name in [asked] if asked else ["g++", "c++"]:
        if path := shutil.which(name):
            return path
    named = f"CXX={asked} is not a program on PATH" if asked else "there is no C++ compiler on PATH"
    raise MissingToolError(
        f"{named}: simulation needs one. Debian, Ubuntu: sudo apt-get install g++; "
        "Fedora: sudo dnf install gcc-c++; macOS: xcode-select --install"
    )


def cache_directory() -> Path:
    """Folder for compiled parts that any project may reuse: ``$MACSMITH_CACHE``, else
    ``macsmith`` in the user's cache folder."""
    if asked := os.environ.get("MACSMITH_CACHE"):
        return Path(asked)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "macsmith"


def run_tool(
    what: str,
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    log_file: Path | None = None,
    timeout_seconds: float | None = None,
) -> str:
    """Run a program and return what it printed on both outputs.

    Parameters
    ----------
    what
        The step, for the error message.
    cwd
        Working directory.
    env
        Its whole environment; None inherits.
    log_file
        Also written there, whether it fails or not.
    timeout_seconds
        It is ended and counts as failed after that long, with all that it has started.

    Raises
    ------
    ToolError
        It could not be started, took too long, or its exit code is not 0.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise ToolError(what, command, str(error)) from None
    with process:
        try:
            output, _ = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            _end_with_children(process)
            log = (error.stdout or b"").decode(errors="replace")
            log += f"\nended after {timeout_seconds:g} s"
            if log_file is not None:
                log_file.write_text(log, encoding="utf-8")
            raise ToolError(what, command, log) from None
        except BaseException:
            _end_with_children(process)
            raise
    log = output.decode(errors="replace")
    if log_file is not None:
        log_file.write_text(log, encoding="utf-8")
    if process.returncode != 0:
        raise ToolError(what, command, f"{log.rstrip()}\nexit code {process.returncode}")
    return log


def _end_with_children(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started, as Yosys starts ABC: a child that hangs would go on.

    Not by a process group of its own: whoever ends our group must reach it too.
    """
    for number in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGKILL)


def descendants(of: int) -> list[int]:
    """Numbers of the processes below one, where the system tells them (Linux)."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # the name, in parentheses, may hold anything; then come state and parent
            parent = path.read_text(errors="replace").rpartition(")")[2].split()[1]
            parents[int(path.parent.name)] = int(parent)
    found = [of]
    for number in found:
        found += [child for child, parent in parents.items() if parent == number]
    return found[1:]
