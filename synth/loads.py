"""Capacitance on the nets of a mapped netlist."""

from collections.abc import Callable

from macsmith.sim.netlist_graph import Netlist
from macsmith.synth.cells import InputPin, Technology

__all__ = ["WireModel", "fan_outs", "net_loads_ff"]

WireModel = Callable[[int], float]
"""Capacitance of a net's wire, fF, by net number; see `fan_outs` for one that goes by fan-out."""


PinCapacitance = Callable[[InputPin], float]


def net_loads_ff(
    netlist: Netlist,
    technology: Technology,
    *,
    output_load_ff: float = 0.0,
    wire_ff: WireModel | None = None,
    pin_ff: PinCapacitance = lambda pin: pin.capacitance_ff,
) -> list[float]:
    """Capacitance on each net, fF: pins, `output_load_ff` per output port, wire where modelled.

    `pin_ff` says which capacitance of a pin counts, by default the mean of both edges.
    """
    loads = [0.0] * netlist.net_count
    for instance in netlist.instances:
        cell = technology.cells[instance.cell]
        for name, pin in cell.inputs.items():
            loads[instance.pins[name]] += pin_ff(pin)
    for port in netlist.ports.values():
        if port.is_output:
            for net in port.nets:
                loads[net] += output_load_ff
    if wire_ff is not None:
        loads = [load + wire_ff(net) for net, load in enumerate(loads)]
    return loads


def fan_outs(netlist: Netlist, technology: Technology) -> list[int]:
    """By net, how many pins of cells and output ports read it."""
    counts = [0] * netlist.net_count
    for instance in netlist.instances:
        for name in technology.cells[instance.cell].inputs:
            counts[instance.pins[name]] += 1
    for port in netlist.ports.values():
        for net in port.nets if port.is_output else ():
            counts[net] += 1
    return counts
