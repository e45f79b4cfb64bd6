"""Estimated capacitance of wires, before anything is placed.

A net's wire is taken as so long for each pin that it leads to:

    length_um = 2.4 * (cells / 1000) ** 0.15 * sqrt(mean cell area / 0.7)

that is 2.4 pitches of cells placed at 70 % density, in a netlist of 1,000 cells, and slowly more in
larger ones. The two constants reproduce the lengths that the wire-load tables of IHP's SG13G2
Liberty file give for one fan-out in blocks of 100 to 10,000 gates (6.4 to 14.9 um) within 15 %.
Farads per length are those that OpenROAD-flow-scripts fits to routed designs, for signals
(``flow/platforms/*/setRC.tcl``, ``set_wire_rc -signal``). It is an estimate: half or twice as much
are both plausible.
"""

import math
from dataclasses import dataclass

from macsmith.sim.netlist_graph import CONSTANT_NETS, Netlist
from macsmith.synth.cells import Technology

__all__ = ["NO_WIRES", "Wires", "parse_wires", "wire_loads_ff", "wires_of"]

PLACEMENT_DENSITY = 0.7
PITCHES_AT_1000_CELLS = 2.4
GROWTH = 0.15

# OpenROAD-flow-scripts, signal wires of the platforms asap7, sky130hd (met1) and ihp-sg13g2.
_WIRE_FF_PER_UM = {"asap7": 0.173, "sky130": 0.172, "ihp-sg13g2": 0.173}
# Wires are scaled with their spacing, so that this figure hardly moves from one node to the next.
_DEFAULT_FF_PER_UM = 0.173


@dataclass(frozen=True)
class Wires:
    """What is assumed of wires.

    Parameters
    ----------
    ff_per_um
        Capacitance per length; 0: no wires.
    """

    ff_per_um: float

    def __post_init__(self) -> None:
        if not 0 <= self.ff_per_um < math.inf:
            raise ValueError(
                f"wires: capacitance must be 0 or more fF per um, not {self.ff_per_um}"
            )

    def fanout_length_um(self, cells: int, cell_area_um2: float) -> float:
        """Length for each pin a net leads to, in a netlist of so many cells of that mean area."""
        pitch_um = math.sqrt(cell_area_um2 / PLACEMENT_DENSITY)
        growth: float = (cells / 1000) ** GROWTH
        return PITCHES_AT_1000_CELLS * growth * pitch_um


NO_WIRES = Wires(0.0)


def parse_wires(text: str) -> Wires | None:
    """Wires of a text: ``none``, femtofarads per micrometre, or ``estimated`` (None).

    Raises
    ------
    ValueError
        Neither of these.
    """
    if text == "estimated":
        return None
    if text == "none":
        return NO_WIRES
    try:
        return Wires(float(text))
    except ValueError:
        raise ValueError(
            f"wires {text!r}: must be estimated, none, or a capacitance of 0 or more fF per um"
        ) from None


def wires_of(technology: Technology) -> Wires:
    """The wires of a kept technology, or typical ones for a library of the user's own."""
    return Wires(_WIRE_FF_PER_UM.get(technology.name, _DEFAULT_FF_PER_UM))


def wire_loads_ff(netlist: Netlist, technology: Technology, wires: Wires) -> list[float]:
    """Capacitance of the wire of each net, fF: its fan-out times the length for one.

    Every input pin and every output port counts as one; constants have no wire.

    Raises
    ------
    KeyError
        A cell that is not in the technology.
    """
    loads = [0.0] * netlist.net_count
    if not wires.ff_per_um or not netlist.instances:
        return loads
    area_um2 = sum(technology.cells[instance.cell].area_um2 for instance in netlist.instances)
    count = len(netlist.instances)
    each_ff = wires.ff_per_um * wires.fanout_length_um(count, area_um2 / count)
    for instance in netlist.instances:
        for pin in technology.cells[instance.cell].inputs:
            loads[instance.pins[pin]] += each_ff
    for port in netlist.ports.values():
        if port.is_output:
            for net in port.nets:
                loads[net] += each_ff
    loads[:CONSTANT_NETS] = [0.0] * CONSTANT_NETS
    return loads
