"""Compiles the kernels of the fast golden model on first use, and loads them.

The shared library is kept in a cache folder (environment ``MACSMITH_CACHE``, else
``~/.cache/macsmith``) under a name that changes with the sources, the compiler and the processor.
The compiler is ``g++``, or what the environment names in ``CXX``.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["CompileError", "cache_folder", "compile_kernels", "kernels", "processor_features"]

_SOURCES = (
    "fast_kernels.cpp",
    "fast_aligned.hpp",
    "fast_blocks.hpp",
    "fast_convert.hpp",
    "fast_output.hpp",
    "fast_tile_matmul.hpp",
    "fast_cascade.hpp",
    "fast_tiles.hpp",
    "fast_additions.hpp",
    "fast_posits.hpp",
    "fast_rounding.hpp",
    "fast_vectors.hpp",
    "fast_formats.hpp",
)
# No -ffast-math: the tiles rely on every operation being rounded where it is written. Contraction
# to fused multiply-add is harmless there: only exact products are ever contracted.
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-fno-fast-math")


class CompileError(RuntimeError):
    """The kernels of the fast golden model could not be compiled or loaded."""


def cache_folder() -> Path:
    """Where compiled kernels are kept."""
    stated = os.environ.get("MACSMITH_CACHE")
    return Path(stated) if stated else Path.home() / ".cache" / "macsmith"


def processor_features() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "model name"))}))


def compile_kernels(compiler: str | None = None, folder: Path | None = None) -> Path:
    """Path of the compiled library; compiled now unless the cache has it.

    Parameters
    ----------
    compiler
        C++17 compiler; None takes the environment's ``CXX``, else ``g++``.
    folder
        Cache folder; None takes `cache_folder`.

    Raises
    ------
    CompileError
        There is no compiler (the message tells how to get one) or it fails (its command and the
        tail of its output).
    """
    compiler = compiler or os.environ.get("CXX") or "g++"
    found = shutil.which(compiler)
    if found is None:
        raise CompileError(
            f"the fast golden model needs a C++17 compiler, and {compiler!r} is not on PATH: "
            "install g++ (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; macOS: "
            "xcode-select --install), or name yours in the environment variable CXX"
        )
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    key = hashlib.sha256()
    here = Path(__file__).parent
    for part in (*_FLAGS, version.stdout, platform.platform(), processor_features()):
        key.update(part.encode())
    for name in _SOURCES:
        key.update((here / name).read_bytes())
    folder = folder or cache_folder()
    library = folder / f"fast_{key.hexdigest()[:20]}.so"
    if library.exists():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    # compiled beside its final place and moved there whole: several processes may do so at once
    with tempfile.TemporaryDirectory(dir=folder, prefix="compile_") as scratch:
        output = Path(scratch) / library.name
        command = [found, *_FLAGS, "-o", str(output), str(here / _SOURCES[0])]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            tail = "\n".join((run.stderr or run.stdout).strip().splitlines()[-20:])
            raise CompileError(
                f"{' '.join(command)}\nfailed with exit code {run.returncode}:\n{tail}"
            )
        os.replace(output, library)
    return library


@cache
def kernels() -> ctypes.CDLL:
    """The compiled kernels, loaded once per process.

    Raises
    ------
    CompileError
        See `compile_kernels`; or the library cannot be loaded.
    """
    library = compile_kernels()
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError as error:
        raise CompileError(
            f"{library} cannot be loaded: {error}; delete it to compile anew"
        ) from None
    for name in ("decode", "encode", "quantise", "requantise", "lfsr_states"):
        getattr(loaded, f"macsmith_{name}").restype = None
    for name in ("step", "result", "matmul", "aligned", "tiles_float", "tiles_double"):
        getattr(loaded, f"macsmith_{name}").restype = ctypes.c_int32
    loaded.macsmith_has_native_tiles.restype = ctypes.c_int32
    return loaded
