"""Faults planted in a netlist, one at a time, and whether vectors tell them.

Each fault makes one cell compute something else: an output or an input inverted, an input stuck at
0 or 1, two inputs exchanged, AND for OR and OR for AND or exclusive OR. Faults of a cell that come
to the same function count once, and those that change nothing not at all.
"""

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
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
    runtime_source,
)
from macsmith.sim.tools import cache_directory
from numpy.typing import NDArray

__all__ = ["Fault", "FaultSimulator", "netlist_verilog", "single_faults"]

RUNTIME = Path(__file__).with_name("netlist_faults.cpp")
INSTANCES_PER_FUNCTION = 25


@dataclass(frozen=True)
class Fault:
    """One cell with other functions: `outputs` by output pin, `kind` in words."""

    instance: str
    cell: str
    kind: str
    outputs: Mapping[str, Function]

    def __str__(self) -> str:
        return f"{self.instance} ({self.cell}): {self.kind}"


def single_faults(netlist: Netlist, models: Mapping[str, CellModel]) -> list[Fault]:
    """All single-cell faults of a combinational netlist, in the order of its cells.

    Raises
    ------
    NetlistError
        A register, or what `compile_netlist` refuses.
    """
    order, registers = combinational_order(netlist, models)
    if registers:
        raise NetlistError(
            f"{netlist.name}: {registers[0].name} is a register; faults are planted in "
            "combinational netlists, as a unit is one"
        )
    return [fault for instance in order for fault in _faults_of(instance, models)]


def _faults_of(instance: Instance, models: Mapping[str, CellModel]) -> Iterator[Fault]:
    model = model_of(instance, models)
    outputs = {p: f for p, f in model.outputs.items() if p in instance.pins}
    seen = {_tables(outputs, model.inputs)}
    for kind, changed in _changes(outputs, model.inputs):
        tables = _tables(changed, model.inputs)
        if tables not in seen:
            seen.add(tables)
            yield Fault(instance.name, instance.cell, kind, changed)


def _tables(outputs: Mapping[str, Function], inputs: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(function.truth_table(inputs) for function in outputs.values())


Outputs = dict[str, Function]


def _changes(outputs: Outputs, inputs: tuple[str, ...]) -> Iterator[tuple[str, Outputs]]:
    for pin, function in outputs.items():
        yield f"output {pin} inverted", outputs | {pin: Function("not", "", (function,))}
    for pin in inputs:
        variable = Function("variable", pin)
        for kind, replaced in (
            ("stuck at 0", Function("constant", "0")),
            ("stuck at 1", Function("constant", "1")),
            ("inverted", Function("not", "", (variable,))),
        ):
            yield f"input {pin} {kind}", _substituted(outputs, {pin: replaced})
    for one, other in combinations(inputs, 2):
        exchange = {one: Function("variable", other), other: Function("variable", one)}
        yield f"inputs {one} and {other} exchanged", _substituted(outputs, exchange)
    yield "AND and OR exchanged", {p: _other_operators(f) for p, f in outputs.items()}


def _substituted(outputs: Outputs, replaced: Mapping[str, Function]) -> Outputs:
    def replace(name: str) -> Function:
        return replaced.get(name, Function("variable", name))

    return {pin: function.substitute(replace) for pin, function in outputs.items()}


def _other_operators(function: Function) -> Function:
    operands = tuple(_other_operators(operand) for operand in function.operands)
    if function.operator == "and":
        return Function("or", "", operands)
    if function.operator in ("or", "xor"):
        return Function("and" if function.operator == "or" else "or", "", operands)
    return Function(function.operator, function.name, operands)


class FaultSimulator:
    """A netlist with all its faults, each of which can be switched on.

    Parameters
    ----------
    faults
        What `single_faults` gives, or some of it.

    Raises
    ------
    NetlistError
        As `single_faults`.
    """

    def __init__(
        self,
        netlist: Netlist,
        models: Mapping[str, CellModel],
        faults: Sequence[Fault],
        *,
        cache_dir: Path | None = None,
    ) -> None:
        self.netlist, self.faults = netlist, tuple(faults)
        ports = netlist.ports.values()
        self._inputs = [port for port in ports if not port.is_output]
        self._outputs = [port for port in ports if port.is_output]
        folder = cache_dir or cache_directory() / "netlists"
        options = ("-march=native", "-w")
        self._runtime = load_library(runtime_source(RUNTIME), "-O2", folder, options)
        self._runtime.macsmith_find_faults.restype = None
        self._library = load_library(_source(netlist, models, faults), "-O1", folder, options)

    def first_vectors(self, vectors: Mapping[str, NDArray[np.generic]]) -> NDArray[np.int64]:
        """The first vector that tells each fault.

        Parameters
        ----------
        vectors
            For every input port an integer array ``[vectors]``, or ``[vectors, words]`` of uint64
            where the port is wider than 64 bits.

        Returns
        -------
        int64 array
            ``[faults]``: the number of a vector for which an output differs, among the first 512
            that hold one; -1 where there is none.
        """
        waves = {name: np.asarray(values)[np.newaxis] for name, values in vectors.items()}
        packed = pack_waveforms(self.netlist.name, self._inputs, waves)
        found = np.full(len(self.faults), -1, dtype=np.int64)
        widths_in, nets_in = port_tables(self._inputs)
        nets_out = port_tables(self._outputs)[1]
        self._runtime.macsmith_find_faults(
            self._library.macsmith_evaluate,
            ctypes.c_uint32(self.netlist.net_count),
            ctypes.c_uint64(packed.streams),
            ctypes.c_uint32(len(self._inputs)),
            address(widths_in),
            address(nets_in),
            addresses(packed.arrays),
            address(packed.bytes_per_value),
            address(packed.are_shared),
            ctypes.c_uint32(len(nets_out)),
            address(nets_out),
            ctypes.c_uint32(len(self.faults)),
            address(found),
        )
        return found


def _source(netlist: Netlist, models: Mapping[str, CellModel], faults: Sequence[Fault]) -> str:
    """C++ of ``macsmith_evaluate(v, m)``: m has a word per fault, all 0 but that of the one."""
    order, _ = combinational_order(netlist, models)
    planted: dict[str, list[int]] = {}
    for number, fault in enumerate(faults):
        planted.setdefault(fault.instance, []).append(number)
    text = [
        "#include <stdint.h>",
        "typedef uint64_t word __attribute__((vector_size(64), aligned(64)));",
    ]
    arguments = "word *__restrict v, const word *__restrict m"
    pieces = range(0, len(order), INSTANCES_PER_FUNCTION)
    for piece, start in enumerate(pieces):
        text.append(f"static __attribute__((noinline)) void piece_{piece}({arguments}) {{")
        for instance in order[start : start + INSTANCES_PER_FUNCTION]:
            model, names = model_of(instance, models), _Names(instance)
            for pin, function in model.outputs.items():
                net = instance.pins.get(pin)
                if net is None:
                    continue
                text.append(f"  {{ const word good = {function.to_c(names, _CONSTANTS)};")
                terms = ["good"]
                for number in planted.get(instance.name, ()):
                    wrong = faults[number].outputs[pin].to_c(names, _CONSTANTS)
                    terms.append(f"((good ^ {wrong}) & m[{number}])")
                text.append(f"    v[{net}] = {' ^ '.join(terms)}; }}")
        text.append("}")
    text.append(f'extern "C" void macsmith_evaluate({arguments}) {{')
    text += [f"  piece_{piece}(v, m);" for piece in range(len(pieces))]
    return "\n".join([*text, "}", ""])


_CONSTANTS = ("word{}", "~word{}")


class _Names:
    """C text of an instance's pins."""

    def __init__(self, instance: Instance) -> None:
        self.pins = instance.pins

    def __call__(self, name: str) -> str:
        net = self.pins[name]
        return _CONSTANTS[net] if net < CONSTANT_NETS else f"v[{net}]"


def _net_of(instance: Instance) -> Callable[[str], str]:
    """Verilog name of the net on each pin."""
    return lambda pin: f"n{instance.pins[pin]}"


def netlist_verilog(
    netlist: Netlist, models: Mapping[str, CellModel], name: str, fault: Fault | None = None
) -> str:
    """A combinational netlist as one Verilog module of assignments, with a fault if there is one.

    Parameters
    ----------
    name
        Of the module; its ports are those of the netlist.
    """
    order, _ = combinational_order(netlist, models)
    ports = netlist.ports.values()
    lines = [f"module {name}({', '.join(port.name for port in ports)});"]
    lines += [
        f"  {'output' if p.is_output else 'input'} [{len(p.nets) - 1}:0] {p.name};" for p in ports
    ]
    lines += [f"  wire n{net};" for net in range(CONSTANT_NETS, netlist.net_count)]
    lines += ["  wire n0 = 1'b0, n1 = 1'b1;"]
    for port in ports:
        for bit, net in enumerate(port.nets):
            inner, outer = f"n{net}", f"{port.name}[{bit}]"
            left, right = (outer, inner) if port.is_output else (inner, outer)
            lines.append(f"  assign {left} = {right};")
    for instance in order:
        outputs = model_of(instance, models).outputs
        if fault is not None and fault.instance == instance.name:
            outputs = {**outputs, **fault.outputs}
        for pin, function in outputs.items():
            if pin in instance.pins:
                text = function.to_c(_net_of(instance), ("1'b0", "1'b1"))
                lines.append(f"  assign n{instance.pins[pin]} = {text};")
    return "\n".join([*lines, "endmodule", ""])
