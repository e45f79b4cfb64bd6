"""What simulators of compiled netlists share: libraries built from C++, and port waveforms."""

import ctypes
import hashlib
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from macsmith.model.fast_library import processor_features
from macsmith.sim.netlist_graph import Port
from macsmith.sim.tools import find_compiler, run_tool
from numpy.typing import NDArray

__all__ = [
    "PackedWaveforms",
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


@dataclass(frozen=True)
class PackedWaveforms:
    """Waveforms as the runtimes take them.

    Attributes
    ----------
    arrays
        One per input port, contiguous: ``[cycles, streams, words]``, or ``[cycles, 1, words]`` for
        a port that is the same in all streams.
    bytes_per_value, are_shared
        uint32, per port: size of one value; 1 where it is the same in all streams.
    """

    arrays: list[NDArray[np.generic]]
    bytes_per_value: NDArray[np.uint32]
    are_shared: NDArray[np.uint32]
    cycles: int
    streams: int


def pack_waveforms(
    name: str, inputs: Sequence[Port], waveforms: Mapping[str, NDArray[np.generic]]
) -> PackedWaveforms:
    """Check the waveforms of all input ports and lay them out; nothing is copied that need not be.

    Raises
    ------
    ValueError
        A port is missing or unknown, shapes differ, or a value does not fit its port.
    TypeError
        A waveform is no integer array.
    """
    wanted = sorted(port.name for port in inputs)
    if sorted(waveforms) != wanted:
        raise ValueError(f"{name}: waveforms for {sorted(waveforms)}; must be for {wanted}")
    if not inputs:
        raise ValueError(f"{name}: no input port; there is nothing to simulate")
    given = {port.name: np.asarray(waveforms[port.name]) for port in inputs}
    shape: tuple[int, ...] | None = None
    for port in inputs:
        array = given[port.name]
        if not np.issubdtype(array.dtype, np.integer) and array.dtype != np.bool_:
            raise TypeError(
                f"{name}: waveform of {port.name} is {array.dtype}; must be an integer array"
            )
        words = port_words(port)
        expected = "[cycles, streams]" if words == 1 else f"[cycles, streams, {words}] uint64"
        fits = array.ndim == 2 if words == 1 else array.ndim == 3 and array.shape[2] == words
        if fits and shape is not None:
            fits = array.shape[0] == shape[0] and (array.shape[1] in (1, shape[1]) or shape[1] == 1)
        if not fits:
            raise ValueError(
                f"{name}: waveform of {port.name} ({len(port.nets)} bits) has shape "
                f"{array.shape}; must be {expected}"
                + (f" with {shape[0]} cycles and {shape[1]} streams" if shape else "")
            )
        if 0 in array.shape[:2]:
            raise ValueError(
                f"{name}: {array.shape[0]} cycles of {array.shape[1]} streams; must be at least 1"
            )
        if shape is None or shape[1] == 1:
            shape = array.shape[:2]
    assert shape is not None
    cycles, streams = shape
    arrays: list[NDArray[np.generic]] = []
    shared = []
    for port in inputs:
        array = _to_values(name, port, given[port.name])
        shared.append(int(streams > 1 and array.shape[1] == 1))
        arrays.append(np.ascontiguousarray(array.astype(np.uint64)) if shared[-1] else array)
    sizes = [array.dtype.itemsize * array.shape[2] for array in arrays]
    return PackedWaveforms(
        arrays, np.array(sizes, np.uint32), np.array(shared, np.uint32), cycles, streams
    )


def port_words(port: Port) -> int:
    """Words of 64 bits that a port takes."""
    return max(1, -(-len(port.nets) // 64))


def _to_values(name: str, port: Port, array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Contiguous unsigned ``[cycles, streams, words]`` whose lowest bits are the port's."""
    width = len(port.nets)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if port_words(port) > 1:
        if np.issubdtype(array.dtype, np.signedinteger) and int(array.min()) < 0:
            raise ValueError(
                f"{name}: a word on {port.name} is negative; must be uint64, least significant "
                "word first"
            )
        words = np.ascontiguousarray(array, dtype=np.uint64)
        spare = 64 * port_words(port) - width
        if spare and int(words[:, :, -1].max()) >> (64 - spare):
            raise ValueError(f"{name}: a value on {port.name} needs more than its {width} bits")
        return words
    is_signed = np.issubdtype(array.dtype, np.signedinteger)
    item_bits = 8 * array.dtype.itemsize
    if is_signed or item_bits > width:
        lowest, highest = int(array.min()), int(array.max())
        if highest >= 1 << width or lowest < -(1 << (width - 1)):
            raise ValueError(
                f"{name}: values {lowest} to {highest} on {port.name}; must fit its {width} bits"
            )
        if lowest < 0 and item_bits < width:
            array = array.astype(np.int64)
    unsigned = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
    return unsigned[:, :, np.newaxis]


def port_tables(ports: Sequence[Port]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Widths of ports, and their nets one after the other."""
    widths = np.array([len(port.nets) for port in ports], dtype=np.uint32)
    nets = np.array([net for port in ports for net in port.nets], dtype=np.uint32)
    return widths, nets


def address(array: NDArray[np.generic]) -> ctypes.c_void_p:
    """Where an array lies, for a foreign function."""
    return ctypes.c_void_p(array.ctypes.data)


def addresses(arrays: Sequence[NDArray[np.generic] | None]) -> ctypes.Array[ctypes.c_void_p]:
    """Where several arrays lie; null for None."""
    pointers = (None if array is None else array.ctypes.data for array in arrays)
    return (ctypes.c_void_p * max(len(arrays), 1))(*pointers)


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
