"""A gate-level netlist compiled to machine code: 64 independent streams in each word.

`compile_netlist` turns a netlist (Yosys' generic gates or mapped cells, registers allowed) into
straight-line C++ over 64-bit words and loads it; `CompiledNetlist.simulate` runs port waveforms
through it and counts the toggles of every net. There are no delays: within a cycle each net takes
its final value at once, so glitches are neither seen nor counted.
"""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_function import Function
from macsmith.sim.netlist_graph import (
    CONSTANT_NETS,
    Instance,
    Netlist,
    NetlistError,
    combinational_order,
    model_of,
)
from macsmith.sim.netlist_library import (
    address,
    addresses,
    load_library,
    pack_waveforms,
    port_tables,
    port_words,
    runtime_source,
)
from macsmith.sim.tools import cache_directory
from numpy.typing import NDArray

__all__ = ["CompiledNetlist", "SimulationResult", "clock_port", "compile_netlist"]

RUNTIME = Path(__file__).with_name("netlist_runtime.cpp")
STATEMENTS_PER_FUNCTION = 100
"""Compile time grows faster than linearly with the length of a function."""


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation gives.

    Attributes
    ----------
    outputs
        One array per output port: uint64, ``[cycles, streams]``, or ``[cycles, streams, words]``
        for ports wider than 64 bits (least significant word first). Sampled before the clock
        edge that ends the cycle.
    toggles
        int64, one per net of the netlist: changes from one cycle to the next, summed over the
        streams and the counted cycles; None if not asked for.
    counted_cycles
        Cycles (times streams) over which `toggles` counts.
    """

    outputs: dict[str, NDArray[np.uint64]]
    toggles: NDArray[np.int64] | None
    counted_cycles: int


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

    def __init__(
        self, netlist: Netlist, clock: str | None, registers: int, cache_dir: Path, source: str
    ) -> None:
        self.netlist = netlist
        self.clock = clock
        # The runtime is compiled once for all netlists, for speed. A netlist itself is loads,
        # stores and logic: unoptimised it compiles three times as fast, runs two thirds as fast.
        self._runtime = load_library(
            runtime_source(RUNTIME),
            "-O2",
            cache_dir,
        )
        self._runtime.macsmith_simulate.restype = None
        self._library = load_library(source, "-O0", cache_dir)
        ports = netlist.ports.values()
        self._inputs = [p for p in ports if not p.is_output and p.name != clock]
        self._outputs = [p for p in ports if p.is_output]
        self.inputs = {port.name: len(port.nets) for port in self._inputs}
        self.outputs = {port.name: len(port.nets) for port in self._outputs}
        self._registers = registers

    def simulate(
        self,
        waveforms: Mapping[str, NDArray[np.generic]],
        *,
        count_toggles: bool = False,
        first_counted_cycle: int = 1,
    ) -> SimulationResult:
        """Run all streams through all cycles, registers starting at 0.

        Parameters
        ----------
        waveforms
            For every input port but the clock an integer array ``[cycles, streams]``, or
            ``[cycles, streams, words]`` of uint64 (least significant word first) where the port
            is wider than 64 bits. Signed integers stand for two's complement of the port's width.
        count_toggles
            Whether to count them; costs about as much as the simulation itself.
        first_counted_cycle
            Changes into this cycle and later ones are counted; cycle 0 has none before it.

        Raises
        ------
        ValueError
            A port is missing or unknown, shapes differ, a value does not fit its port, or
            `first_counted_cycle` leaves nothing to count.
        TypeError
            A waveform is no integer array.
        """
        arrays, cycles, streams = pack_waveforms(self.netlist.name, self._inputs, waveforms)
        if count_toggles and not 1 <= first_counted_cycle < cycles:
            raise ValueError(
                f"{self.netlist.name}: first_counted_cycle {first_counted_cycle} with {cycles} "
                "cycles; must be at least 1 and less than the number of cycles"
            )
        results = {
            port.name: np.zeros((cycles, streams, port_words(port)), dtype=np.uint64)
            for port in self._outputs
        }
        toggles = np.zeros(self.netlist.net_count, dtype=np.int64) if count_toggles else None
        states = np.zeros(-(-streams // 64) * self._registers + 1, dtype=np.uint64)
        widths_in, nets_in = port_tables(self._inputs)
        widths_out, nets_out = port_tables(self._outputs)
        self._runtime.macsmith_simulate(
            self._library.macsmith_evaluate,
            self._library.macsmith_clock_edge,
            ctypes.c_uint32(self.netlist.net_count),
            ctypes.c_uint32(self._registers),
            ctypes.c_uint64(cycles),
            ctypes.c_uint64(streams),
            ctypes.c_uint32(len(self._inputs)),
            address(widths_in),
            address(nets_in),
            addresses([arrays[port.name] for port in self._inputs]),
            ctypes.c_uint32(len(self._outputs)),
            address(widths_out),
            address(nets_out),
            addresses([results[port.name] for port in self._outputs]),
            ctypes.c_uint64(first_counted_cycle),
            address(toggles) if toggles is not None else None,
            address(states),
        )
        return SimulationResult(
            outputs={n: a[:, :, 0] if a.shape[2] == 1 else a for n, a in results.items()},
            toggles=toggles,
            counted_cycles=(cycles - first_counted_cycle) * streams if count_toggles else 0,
        )


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
    source, clock, registers = _generate(netlist, models)
    folder = cache_dir or cache_directory() / "netlists"
    return CompiledNetlist(netlist, clock, registers, folder, source)


def _generate(netlist: Netlist, models: Mapping[str, CellModel]) -> tuple[str, str | None, int]:
    """C++ text of a netlist, the name of its clock port, and how many registers it has."""
    order, registers = combinational_order(netlist, models)
    clock = clock_port(netlist, registers, models)
    state_of = {instance.name: index for index, instance in enumerate(registers)}
    held: list[str] = []  # outputs of registers, known at once
    edges: list[str] = []
    for instance in registers:
        model = model_of(instance, models)
        register = model.flip_flop
        assert register is not None
        state = f"s[{state_of[instance.name]}]"
        following = register.next_state.to_c(_Names(instance, model, state))
        edges.append(f"{state} = {_masked(following, instance, model, state)};")
        if register.clear is None and register.preset is None:
            held += _outputs(instance, model, state)
    logic: list[str] = []
    for instance in order:
        model = model_of(instance, models)
        index = state_of.get(instance.name)
        state = f"s[{index}]" if index is not None else ""
        shown = f"({_masked(state, instance, model, state)})" if state else ""
        logic += _outputs(instance, model, shown)
    text = [
        "#include <stdint.h>",
        *_functions("evaluate", held + logic),
        *_functions("clock_edge", edges),
    ]
    return "\n".join(text) + "\n", clock, len(registers)


@dataclass(frozen=True)
class _Names:
    """Maps a pin or state name of an instance to its C text."""

    instance: Instance
    model: CellModel
    state: str

    def __call__(self, name: str) -> str:
        register = self.model.flip_flop
        if register is not None and name == register.state:
            return self.state
        if register is not None and name == register.inverted_state:
            return f"~{self.state}"
        return f"v[{self.instance.pins[name]}]"


def _masked(value: str, instance: Instance, model: CellModel, state: str) -> str:
    """A register's value with its asynchronous preset and clear applied; clear wins."""
    register = model.flip_flop
    assert register is not None
    names = _Names(instance, model, state)

    def text(function: Function) -> str:
        return function.to_c(names)

    if register.preset is not None:
        value = f"({value} | {text(register.preset)})"
    if register.clear is not None:
        value = f"({value} & ~{text(register.clear)})"
    return value


def _outputs(instance: Instance, model: CellModel, state: str) -> list[str]:
    names = _Names(instance, model, state)
    return [
        f"v[{instance.pins[pin]}] = {function.to_c(names)};"
        for pin, function in model.outputs.items()
        if pin in instance.pins
    ]


def _functions(name: str, statements: list[str]) -> list[str]:
    """The statements as one function calling pieces of bearable length."""
    arguments = "uint64_t *__restrict v, uint64_t *__restrict s"
    text: list[str] = []
    pieces = range(0, len(statements), STATEMENTS_PER_FUNCTION)
    for number, start in enumerate(pieces):
        body = statements[start : start + STATEMENTS_PER_FUNCTION]
        text.append(f"static __attribute__((noinline)) void {name}_{number}({arguments}) {{")
        text += [f"  {statement}" for statement in body]
        text += ["  (void)v; (void)s;", "}"]
    text.append(f'extern "C" void macsmith_{name}({arguments}) {{')
    text += [f"  {name}_{number}(v, s);" for number in range(len(pieces))]
    return [*text, "  (void)v; (void)s;", "}"]


def clock_port(
    netlist: Netlist, registers: Sequence[Instance], models: Mapping[str, CellModel]
) -> str | None:
    """The input port every register is clocked by, on one edge."""
    seen: dict[tuple[int, str], str] = {}
    for instance in registers:
        register = model_of(instance, models).flip_flop
        assert register is not None
        names = register.clocked_on.variables()
        if len(names) != 1:
            raise NetlistError(
                f"cell {instance.name} ({instance.cell}) has the clock {register.clocked_on}; "
                "must be one pin"
            )
        edge = "rising" if register.clocked_on.evaluate({names[0]: 1}) else "falling"
        seen.setdefault((instance.pins[names[0]], edge), instance.name)
    if not seen:
        return None
    if len(seen) > 1:
        shown = ", ".join(
            f"{edge} {netlist.net_names[net]} ({name})" for (net, edge), name in seen.items()
        )
        raise NetlistError(f"{netlist.name}: registers on several clocks: {shown}; must be one")
    ((net, _),) = seen
    for port in netlist.ports.values():
        if not port.is_output and port.nets == (net,):
            return port.name
    raise NetlistError(
        f"{netlist.name}: the clock {netlist.net_names[net]} is no 1-bit input port; gated or "
        "divided clocks are not simulated"
    )


# Net numbers below this are constants, set once by the runtime.
assert CONSTANT_NETS == 2
