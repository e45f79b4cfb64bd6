"""A gate-level netlist, flat, as read from the JSON that Yosys writes; a hierarchy is dissolved.

Nets are numbered; 0 and 1 are the constants. Word-level cells are not known here: a design goes
through Yosys' mapping first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macsmith.sim.netlist_cells import CellModel, generic_gate
from macsmith.sim.netlist_flatten import HierarchyError, flatten_module, top_module

__all__ = [
    "CONSTANT_NETS",
    "Instance",
    "Netlist",
    "NetlistError",
    "Port",
    "combinational_order",
    "model_of",
    "netlist_from_json",
    "read_netlist",
]

CONSTANT_NETS = 2
"""Nets 0 and 1 are the constants 0 and 1; real nets are numbered from here."""


class NetlistError(ValueError):
    """A netlist that cannot be simulated or timed; the message names cell, net and remedy."""


@dataclass(frozen=True)
class Instance:
    """A cell in the netlist.

    Attributes
    ----------
    name
        Unique; below the top module with the instances it lies in before it: ``a.b.c``.
    pins
        The net on each connected pin.
    scope
        The instances it lies in, outermost first: of the hierarchy that was read, else as Yosys
        noted when it flattened (attributes ``hdlname``, ``scopename``); empty if neither tells.
    """

    name: str
    cell: str
    pins: dict[str, int]
    scope: tuple[str, ...] = ()


@dataclass(frozen=True)
class Port:
    """A port of the module, its nets least significant bit first."""

    name: str
    is_output: bool
    nets: tuple[int, ...]


@dataclass(frozen=True)
class Netlist:
    """A flat module.

    Attributes
    ----------
    ports
        By name, in the module's order.
    instances
        In file order.
    net_names
        One per net: the first name found for it, with ``[bit]`` for one bit of several.
    """

    name: str
    ports: dict[str, Port]
    instances: tuple[Instance, ...]
    net_names: tuple[str, ...]

    @property
    def net_count(self) -> int:
        """Number of nets, both constants included."""
        return len(self.net_names)

    def cell_counts(self) -> dict[str, int]:
        """How often each cell occurs, by name."""
        counts: dict[str, int] = {}
        for instance in self.instances:
            counts[instance.cell] = counts.get(instance.cell, 0) + 1
        return dict(sorted(counts.items()))


def read_netlist(path: Path, top: str | None = None) -> Netlist:
    """Read a netlist from a Yosys JSON file; see `netlist_from_json`.

    Raises
    ------
    NetlistError
        The file cannot be read or is not JSON, or what `netlist_from_json` raises.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NetlistError(
            f"{path}: cannot be read as a netlist ({error}); must be JSON from Yosys' write_json"
        ) from error
    return netlist_from_json(data, top)


def netlist_from_json(data: Mapping[str, Any], top: str | None = None) -> Netlist:
    """A netlist from the object Yosys' ``write_json`` writes.

    Parameters
    ----------
    data
        The whole object. Unknown bits (``x``, ``z``) of constants are taken as 0.
    top
        Name of the module; may be None if one is marked ``top`` or only one is held by no other.

    Raises
    ------
    NetlistError
        No such module, several candidates, a hierarchy that cannot be made flat, an inout port,
        or a cell's pin wider than one bit.
    """
    modules = data.get("modules")
    if not isinstance(modules, Mapping):
        raise NetlistError("netlist: no 'modules'; must be JSON from Yosys' write_json")
    if top is not None and top not in modules:
        raise NetlistError(
            f"netlist: module {top!r} is not there; must be one of {', '.join(modules)}"
        )
    try:
        name = top if top is not None else top_module(modules)
        module = flatten_module(modules, name)
    except HierarchyError as error:
        raise NetlistError(str(error)) from None
    numbers: dict[Any, int] = {"0": 0, "1": 1, "x": 0, "z": 0}

    def net(bit: Any) -> int:
        return numbers.setdefault(bit, len(numbers) - 2)

    ports: dict[str, Port] = {}
    for port_name, entry in module["ports"].items():
        if entry["direction"] not in ("input", "output"):
            raise NetlistError(
                f"{name}: port {port_name} is {entry['direction']}; must be input or output"
            )
        nets = tuple(net(bit) for bit in entry["bits"])
        ports[port_name] = Port(port_name, entry["direction"] == "output", nets)
    instances: list[Instance] = []
    for instance_name, entry in module["cells"].items():
        if entry["type"] == "$scopeinfo":  # a note left by flatten, no hardware
            continue
        pins: dict[str, int] = {}
        for pin, bits in entry["connections"].items():
            if len(bits) > 1:
                raise NetlistError(
                    f"{name}: cell {instance_name} ({entry['type']}) has {len(bits)} bits on pin "
                    f"{pin}; must be a gate with 1-bit pins, map the design to gates first"
                )
            if bits:
                pins[pin] = net(bits[0])
        instances.append(Instance(instance_name, entry["type"], pins, entry["scope"]))
    names = [""] * (len(numbers) - 2)
    names[0], names[1] = "constant 0", "constant 1"
    for net_name, entry in module.get("netnames", {}).items():
        bits = entry["bits"]
        for position, bit in enumerate(bits):
            number = numbers.get(bit, 0)
            if number >= CONSTANT_NETS and not names[number]:
                names[number] = net_name if len(bits) == 1 else f"{net_name}[{position}]"
    return Netlist(
        name, ports, tuple(instances), tuple(n or f"net {i}" for i, n in enumerate(names))
    )


def model_of(instance: Instance, models: Mapping[str, CellModel]) -> CellModel:
    """The logic of an instance's cell: from `models`, else Yosys' generic gates.

    Raises
    ------
    NetlistError
        The cell is unknown, or a pin of it is.
    """
    model = models.get(instance.cell) or generic_gate(instance.cell)
    if model is None:
        raise NetlistError(
            f"cell {instance.name}: no function is known for {instance.cell}; give the technology "
            "it belongs to, or map the design to gates"
        )
    for pin in instance.pins:
        if pin not in model.inputs and pin not in model.outputs:
            raise NetlistError(f"cell {instance.name} ({instance.cell}) has no pin {pin}")
    return model


def combinational_order(
    netlist: Netlist, models: Mapping[str, CellModel]
) -> tuple[list[Instance], list[Instance]]:
    """Combinational instances so that each follows what drives it, and the registers.

    A register counts as a source; one with asynchronous clear or preset stands in the
    combinational list too, behind what drives those pins.

    Raises
    ------
    NetlistError
        Unknown cell, net with two drivers, net read but never driven, combinational loop.
    """
    drivers = _drivers(netlist, models)
    registers: list[Instance] = []
    pending: dict[str, tuple[Instance, set[str]]] = {}
    followers: dict[str, list[str]] = {}
    for instance in netlist.instances:
        model = model_of(instance, models)
        needed = set(model.inputs)
        if model.flip_flop is not None:
            registers.append(instance)
            needed = set()
            for function in (model.flip_flop.clear, model.flip_flop.preset):
                needed |= set(function.variables()) if function else set()
            if not needed:
                continue
        waits: set[str] = set()
        for pin in needed:
            source = drivers.get(instance.pins.get(pin, 0))
            if source is not None:
                waits.add(source)
        pending[instance.name] = (instance, waits)
    for name, (_, waits) in pending.items():
        # plain registers and ports are there from the start
        waits -= {source for source in waits if source not in pending}
        for source in waits:
            followers.setdefault(source, []).append(name)
    ready = [name for name, (_, waits) in pending.items() if not waits]
    order: list[Instance] = []
    while ready:
        name = ready.pop()
        instance, _ = pending.pop(name)
        order.append(instance)
        for follower in followers.get(name, ()):
            waits = pending[follower][1]
            waits.discard(name)
            if not waits:
                ready.append(follower)
    if pending:
        raise NetlistError(
            f"{netlist.name}: combinational loop through {_loop(pending)}; break it with a register"
        )
    return order, registers


def _drivers(netlist: Netlist, models: Mapping[str, CellModel]) -> dict[int, str | None]:
    """What drives each net: an instance's name, or None for an input port or a constant."""
    drivers: dict[int, str | None] = {0: None, 1: None}
    for port in netlist.ports.values():
        if not port.is_output:
            drivers.update(dict.fromkeys(port.nets))
    for instance in netlist.instances:
        for pin in model_of(instance, models).outputs:
            net = instance.pins.get(pin)
            if net is None:
                continue
            if net in drivers:
                other = drivers[net] or "an input port or constant"
                raise NetlistError(
                    f"{netlist.name}: net {netlist.net_names[net]} has two drivers, {other} and "
                    f"{instance.name}; must have one"
                )
            drivers[net] = instance.name
    for instance in netlist.instances:
        for pin in model_of(instance, models).inputs:
            _expect_driven(netlist, drivers, instance.pins.get(pin), f"{instance.name}.{pin}")
    for port in netlist.ports.values():
        for net in port.nets:
            _expect_driven(netlist, drivers, net, f"port {port.name}")
    return drivers


def _expect_driven(
    netlist: Netlist, drivers: Mapping[int, str | None], net: int | None, reader: str
) -> None:
    if net is None:
        raise NetlistError(f"{netlist.name}: input {reader} is not connected")
    if net not in drivers:
        raise NetlistError(
            f"{netlist.name}: net {netlist.net_names[net]}, read by {reader}, has no driver"
        )


def _loop(pending: Mapping[str, tuple[Instance, set[str]]]) -> str:
    """One loop among instances that all wait for each other, as names in order."""
    path: list[str] = []
    name = next(iter(pending))
    while name not in path:
        path.append(name)
        name = min(pending[name][1])
    loop = path[path.index(name) :]
    return " <- ".join([*loop[:8], *(["..."] if len(loop) > 8 else [])])
