"""A gate-level netlist compiled to machine code: 512 independent streams in each word.

`compile_netlist` turns a netlist (Yosys' generic gates or mapped cells, registers allowed) into
straight-line C++ over vectors of 512 bits and loads it; `CompiledNetlist.simulate` runs port
waveforms through it and counts the toggles of every net and the input states of every cell. There
are no delays: within a cycle each net takes its final value at once, so glitches are neither seen
nor counted (`macsmith.sim.timed` has them).
"""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_code import NetlistCode, clock_port
from macsmith.sim.netlist_graph import Netlist, model_of
from macsmith.sim.netlist_library import (
    address,
    addresses,
    load_library,
    pack_waveforms,
    port_tables,
    port_words,
    runtime_source,
)
from macsmith.sim.netlist_states import CellStates, StateTables
from macsmith.sim.tools import cache_directory
from numpy.typing import NDArray

__all__ = ["CompiledNetlist", "SimulationResult", "clock_port", "compile_netlist"]

RUNTIME = Path(__file__).with_name("netlist_runtime.cpp")

# Straight-line logic gains nothing from more than the first level, which compiles much faster.
_LEVEL = "-O1"
_OPTIONS = ("-march=native", "-w")


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation gives.

    Attributes
    ----------
    outputs
        One array per output port: uint64, ``[kept cycles, streams]``, or ``[kept cycles, streams,
        words]`` for ports wider than 64 bits (least significant word first). Sampled before the
        clock edge that ends the cycle.
    toggles
        int64, one per net of the netlist: changes from one cycle to the next, summed over the
        streams and the counted cycles; None if not asked for.
    counted_cycles
        Cycles (times streams) over which `toggles` and `cell_states` count.
    cell_states
        How often each cell was in each state of its inputs, by instance name; None if not asked
        for.
    """

    outputs: dict[str, NDArray[np.uint64]]
    toggles: NDArray[np.int64] | None
    counted_cycles: int
    cell_states: Mapping[str, CellStates] | None = None


class CompiledNetlist:
    """A netlist ready to run; made by `compile_netlist`.

    Attributes
    ----------
    netlist
        What was compiled.
    clock
        Name of the clock port, or None without registers. It takes no waveform: every cycle ends
        with its active edge.
    inputs, outputs
        Ports with their widths in bits, the clock left out.
    """

    def __init__(self, code: NetlistCode, models: Mapping[str, CellModel], cache_dir: Path) -> None:
        netlist = code.netlist
        self.netlist, self.clock = netlist, code.clock
        self._code, self._models, self._cache_dir = code, models, cache_dir
        # compiled once for all netlists
        self._runtime = load_library(runtime_source(RUNTIME), "-O3", cache_dir, _OPTIONS)
        self._runtime.macsmith_simulate.restype = None
        self._library = self._load(keeps_all_nets=False)
        ports = netlist.ports.values()
        self._inputs = [p for p in ports if not p.is_output and p.name != code.clock]
        self._outputs = [p for p in ports if p.is_output]
        self.inputs = {port.name: len(port.nets) for port in self._inputs}
        self.outputs = {port.name: len(port.nets) for port in self._outputs}

    def _load(self, *, keeps_all_nets: bool) -> ctypes.CDLL:
        source = self._code.source(keeps_all_nets=keeps_all_nets)
        return load_library(source, _LEVEL, self._cache_dir, _OPTIONS)

    @cached_property
    def _counting_library(self) -> ctypes.CDLL:
        """The same logic, with every net left in memory; compiled when first asked for."""
        return self._load(keeps_all_nets=True)

    @cached_property
    def _states(self) -> StateTables:
        registers = {r.name: index for index, r in enumerate(self._code.registers)}
        return StateTables(
            self.netlist, {i.name: model_of(i, self._models) for i in self.netlist.instances},
            registers,
        )  # fmt: skip

    def simulate(
        self,
        waveforms: Mapping[str, NDArray[np.generic]],
        *,
        count_toggles: bool = False,
        count_states: bool = False,
        first_counted_cycle: int = 1,
        kept_outputs: Sequence[str] | None = None,
        kept_cycles: Sequence[int] | None = None,
    ) -> SimulationResult:
        """Run all streams through all cycles, registers starting at 0.

        Parameters
        ----------
        waveforms
            For every input port but the clock an integer array ``[cycles, streams]``, or
            ``[cycles, streams, words]`` of uint64 (least significant word first) where the port
            is wider than 64 bits; ``[cycles, 1]`` where it is the same in all streams. Signed
            integers stand for two's complement of the port's width. Arrays of one byte per value
            are the quickest.
        count_toggles
            Whether to count them; costs about as much as the simulation itself.
        count_states
            Whether to count the input states of every cell; costs several times as much.
        first_counted_cycle
            Changes into this cycle and later ones are counted; cycle 0 has none before it. States
            in this cycle and later ones are.
        kept_outputs
            Output ports whose values are wanted; all by default.
        kept_cycles
            Cycles in which they are, ascending; all by default.

        Raises
        ------
        ValueError
            A port is missing or unknown, shapes differ, a value does not fit its port,
            `kept_cycles` is not ascending, or `first_counted_cycle` leaves nothing to count.
        TypeError
            A waveform is no integer array.
        """
        packed = pack_waveforms(self.netlist.name, self._inputs, waveforms)
        cycles, streams = packed.cycles, packed.streams
        counts = count_toggles or count_states
        if counts and not 1 <= first_counted_cycle < cycles:
            raise ValueError(
                f"{self.netlist.name}: first_counted_cycle {first_counted_cycle} with {cycles} "
                "cycles; must be at least 1 and less than the number of cycles"
            )
        kept = self._kept_cycles(kept_cycles, cycles)
        results = self._result_arrays(kept_outputs, (len(kept), streams))
        toggles = np.zeros(self.netlist.net_count, dtype=np.int64) if count_toggles else None
        states = self._states.counts() if count_states else None
        widths_in, nets_in = port_tables(self._inputs)
        widths_out, nets_out = port_tables(self._outputs)
        library = self._counting_library if counts else self._library
        self._runtime.macsmith_simulate(
            library.macsmith_evaluate,
            library.macsmith_clock_edge,
            ctypes.c_uint32(self.netlist.net_count),
            ctypes.c_uint32(len(self._code.registers)),
            ctypes.c_uint64(cycles),
            ctypes.c_uint64(streams),
            ctypes.c_uint32(len(self._inputs)),
            address(widths_in),
            address(nets_in),
            addresses(packed.arrays),
            address(packed.bytes_per_value),
            address(packed.are_shared),
            ctypes.c_uint32(len(self._outputs)),
            address(widths_out),
            address(nets_out),
            addresses([results.get(port.name) for port in self._outputs]),
            ctypes.c_uint64(len(kept)),
            address(kept),
            ctypes.c_uint64(first_counted_cycle),
            address(toggles) if toggles is not None else None,
            ctypes.c_uint32(len(self._states.cells) if count_states else 0),
            address(self._states.cells) if count_states else None,
            address(self._states.pins) if count_states else None,
            address(states) if states is not None else None,
        )
        return SimulationResult(
            outputs={n: a[:, :, 0] if a.shape[2] == 1 else a for n, a in results.items()},
            toggles=toggles,
            counted_cycles=(cycles - first_counted_cycle) * streams if counts else 0,
            cell_states=self._states.by_instance(states) if states is not None else None,
        )

    def _kept_cycles(self, asked: Sequence[int] | None, cycles: int) -> NDArray[np.uint64]:
        kept = np.arange(cycles) if asked is None else np.asarray(asked, dtype=np.int64)
        if kept.size and (kept[0] < 0 or kept[-1] >= cycles or (np.diff(kept) <= 0).any()):
            raise ValueError(
                f"{self.netlist.name}: kept_cycles must ascend from 0 to at most {cycles - 1}"
            )
        return np.ascontiguousarray(kept, dtype=np.uint64)

    def _result_arrays(
        self, asked: Sequence[str] | None, shape: tuple[int, int]
    ) -> dict[str, NDArray[np.uint64]]:
        for name in asked or ():
            if name not in self.outputs:
                raise ValueError(
                    f"{self.netlist.name}: no output port {name}; must be of {list(self.outputs)}"
                )
        return {
            port.name: np.empty((*shape, port_words(port)), dtype=np.uint64)
            for port in self._outputs
            if asked is None or port.name in asked
        }


def compile_netlist(
    netlist: Netlist, models: Mapping[str, CellModel], *, cache_dir: Path | None = None
) -> CompiledNetlist:
    """Compile a netlist, or load it if the same one was compiled before.

    Parameters
    ----------
    models
        Logic of the library cells by name (`Technology.models()`); Yosys' generic gates are known.
    cache_dir
        Where compiled netlists are kept by the hash of their source; default ``netlists`` in
        `macsmith.sim.tools.cache_directory`.

    Raises
    ------
    NetlistError
        Unknown cell, combinational loop, net with two drivers or none, registers on more than
        one clock or edge, or a clock that is no input port.
    MissingToolError
        There is no C++ compiler.
    ToolError
        It failed.
    """
    folder = cache_dir or cache_directory() / "netlists"
    return CompiledNetlist(NetlistCode(netlist, models), models, folder)
