"""What simulators of compiled netlists share: libraries built from C++, and port waveforms."""

import ctypes
import hashlib
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from macsmith.model.fast_library import processor_features
from macsmith.sim.netlist_graph import Port
from macsmith.sim.tools import find_compiler, run_tool
from numpy.typing import NDArray

__all__ = [
    "address",
    "addresses",
    "load_library",
    "pack_waveforms",
    "port_tables",
    "port_words",
    "runtime_source",
]

_SHARED = Path(__file__).with_name("netlist_ports.hpp")


def runtime_source(runtime: Path) -> str:
    """C++ of a runtime, with what all runtimes share in front of it."""
    return _SHARED.read_text(encoding="utf-8") + runtime.read_text(encoding="utf-8")


def pack_waveforms(
    name: str, inputs: Sequence[Port], waveforms: Mapping[str, NDArray[np.generic]]
) -> tuple[dict[str, NDArray[np.uint64]], int, int]:
    """Waveforms as contiguous uint64 ``[cycles, streams, words]``, checked."""
    wanted = sorted(port.name for port in inputs)
    if sorted(waveforms) != wanted:
        raise ValueError(f"{name}: waveforms for {sorted(waveforms)}; must be for {wanted}")
    shape: tuple[int, ...] | None = None
    arrays: dict[str, NDArray[np.uint64]] = {}
    for port in inputs:
        array = np.asarray(waveforms[port.name])
        if not np.issubdtype(array.dtype, np.integer) and array.dtype != np.bool_:
            raise TypeError(
                f"{name}: waveform of {port.name} is {array.dtype}; must be an integer array"
            )
        words = port_words(port)
        expected = "[cycles, streams]" if words == 1 else f"[cycles, streams, {words}] uint64"
        fits = array.ndim == 2 if words == 1 else array.ndim == 3 and array.shape[2] == words
        if not fits or (shape is not None and array.shape[:2] != shape):
            raise ValueError(
                f"{name}: waveform of {port.name} ({len(port.nets)} bits) has shape "
                f"{array.shape}; must be {expected}"
                + (f" with {shape[0]} cycles and {shape[1]} streams" if shape else "")
            )
        shape = array.shape[:2]
        if 0 in shape:
            raise ValueError(f"{name}: {shape[0]} cycles of {shape[1]} streams; must be at least 1")
        arrays[port.name] = _to_words(name, port, array)
    if shape is None:
        raise ValueError(f"{name}: no input port; there is nothing to simulate")
    return arrays, shape[0], shape[1]


def port_words(port: Port) -> int:
    """Words of 64 bits that a port takes."""
    return max(1, -(-len(port.nets) // 64))


def _to_words(name: str, port: Port, array: NDArray[np.generic]) -> NDArray[np.uint64]:
    width = len(port.nets)
    if port_words(port) > 1:
        words = np.ascontiguousarray(array, dtype=np.uint64)
        spare = 64 * port_words(port) - width
        if spare and int(words[:, :, -1].max()) >> (64 - spare):
            raise ValueError(f"{name}: a value on {port.name} needs more than its {width} bits")
        return words
    lowest, highest = int(array.min()), int(array.max())
    if highest >= 1 << width or lowest < -(1 << (width - 1)):
        raise ValueError(
            f"{name}: values {lowest} to {highest} on {port.name}; must fit its {width} bits"
        )
    mask = np.uint64((1 << width) - 1)
    unsigned = array.astype(np.int64).view(np.uint64) if lowest < 0 else array.astype(np.uint64)
    return np.ascontiguousarray(unsigned & mask)[:, :, np.newaxis]


def port_tables(ports: Sequence[Port]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Widths of ports, and their nets one after the other."""
    widths = np.array([len(port.nets) for port in ports], dtype=np.uint32)
    nets = np.array([net for port in ports for net in port.nets], dtype=np.uint32)
    return widths, nets


def address(array: NDArray[np.generic]) -> ctypes.c_void_p:
    """Where an array lies, for a foreign function."""
    return ctypes.c_void_p(array.ctypes.data)


def addresses(arrays: Sequence[NDArray[np.uint64]]) -> ctypes.Array[ctypes.c_void_p]:
    """Where several arrays lie."""
    return (ctypes.c_void_p * max(len(arrays), 1))(*(array.ctypes.data for array in arrays))


def load_library(
    source: str, level: str, cache_dir: Path, options: Sequence[str] = ()
) -> ctypes.CDLL:
    """Compile C++ to a shared library and load it; a second time it is taken from the cache."""
    flags = ["-std=c++17", level, *options, "-fPIC", "-shared"]
    if platform.machine() in ("x86_64", "AMD64"):
        flags.append("-mpopcnt")
    compiler = find_compiler()
    processor = processor_features() if "-march=native" in flags else platform.machine()
    key = "\n".join([compiler, processor, *flags, source])
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    target = cache_dir / f"{digest}.so"
    if not target.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir) as name:
            folder = Path(name)
            (folder / "netlist.cpp").write_text(source, encoding="utf-8")
            command = [compiler, *flags, "-o", "netlist.so", "netlist.cpp"]
            run_tool("compiling a netlist", command, cwd=folder)
            # whole or not at all: several processes share the folder
            (folder / "netlist.so").replace(target)
    return ctypes.CDLL(str(target))
