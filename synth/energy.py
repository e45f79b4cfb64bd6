"""Energy of a mapped netlist from the toggles that real operands cause.

Per toggle of a net: half the charge of the pins and of the estimated wire on it times the supply
(``0.5 C V^2``), and the internal energy of the cell that drives it; per toggle of an input pin what
the cell itself takes; per clock cycle: clock pins, their wire and the internal energy of every
flip-flop; over time: leakage, the mean over a cell's states. The buffers of a clock tree are not in
it. Toggles are those of a simulation in time, glitches included, unless it was one without gate
delays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from macsmith.sim.netlist import SimulationResult
from macsmith.sim.netlist_graph import CONSTANT_NETS, Netlist
from macsmith.sim.timed import TimedResult
from macsmith.synth.cells import Cell, Technology
from macsmith.synth.loads import net_loads_ff
from macsmith.synth.parts import PARTS
from macsmith.synth.wires import NO_WIRES, Wires, wire_loads_ff
from numpy.typing import NDArray

__all__ = ["SPLIT", "EnergyModel", "EnergyResult", "energy_method", "measure_energy"]

SPLIT = (*PARTS, "ports", "register", "clock", "leakage")
"""Where energy goes: parts of the logic, what drives the input ports, flip-flops as data goes
through them, their clock, leakage of all."""

_LEAKAGE_FJ = 1e-6  # one nW over one ps


def energy_method(result: SimulationResult, wires: Wires = NO_WIRES) -> str:
    """What an energy from this simulation counts and what it does not, in a few words."""
    estimated = f"wires estimated at {wires.ff_per_um:g} fF/um" if wires.ff_per_um else "no wires"
    if isinstance(result, TimedResult):
        return f"toggle counts of a timed simulation, glitches included; {estimated}, no clock tree"
    return f"zero-delay toggle counts, no glitches, {estimated}, no clock tree"


@dataclass(frozen=True)
class EnergyResult:
    """Energy per multiply-accumulate, pJ, and its parts.

    Attributes
    ----------
    combinational_pj
        Gates: their internal energy and the pins and wires they drive; the same of input ports.
    register_pj
        Flip-flops as data goes through them: outputs, the pins and wires they drive, data pins.
    clock_pj
        Flip-flops' clock pins, their wire, and their internal energy in every cycle.
    leakage_pj
        Leakage over the clock period. These four add up to the whole.
    internal_pj, pin_pj, wire_pj
        The same whole otherwise: inside cells, charge of pins, charge of wires; and leakage.
    split_pj
        The same whole by `SPLIT`. Without parts of gates, logic is ``control`` altogether.
    toggles_per_cycle
        Mean number of edges on all nets in a cycle.
    method
        `energy_method` of the simulation.
    """

    energy_pj_per_mac: float
    combinational_pj: float
    register_pj: float
    clock_pj: float
    leakage_pj: float
    internal_pj: float
    pin_pj: float
    wire_pj: float
    toggles_per_cycle: float
    counted_cycles: int
    period_ps: float
    method: str
    split_pj: dict[str, float] = field(default_factory=dict)

    @property
    def energy_without_wires_pj(self) -> float:
        """The whole without the estimate of wires."""
        return self.energy_pj_per_mac - self.wire_pj


class EnergyModel:
    """Energy per toggle of each net of a netlist, ready for any number of simulations.

    Parameters
    ----------
    netlist
        Mapped onto `technology`.
    wires
        What is assumed of wires.
    parts
        Part of each instance, one of `PARTS`; None: not known.
    """

    def __init__(
        self,
        netlist: Netlist,
        technology: Technology,
        *,
        wires: Wires = NO_WIRES,
        parts: Sequence[str] | None = None,
    ) -> None:
        self.netlist, self.wires = netlist, wires
        nets = netlist.net_count
        half_square_v2 = 0.5 * technology.voltage_v**2
        self._pins_fj = half_square_v2 * np.array(net_loads_ff(netlist, technology))
        wire_ff = np.array(wire_loads_ff(netlist, technology, wires))
        self._wires_fj = half_square_v2 * wire_ff
        # internal energy by net that toggles and by what it belongs to
        self._internal_fj = np.zeros((len(SPLIT), nets))
        # what the charge on a net belongs to
        self._owners = np.full(nets, SPLIT.index("ports"))
        self._leakage_nw = 0.0
        # of all flip-flops in a cycle
        self._clock_internal_fj = self._clock_pin_fj = 0.0
        clock_nets: dict[int, None] = {}
        for index, instance in enumerate(netlist.instances):
            cell = technology.cells[instance.cell]
            self._leakage_nw += cell.leakage_nw
            owner = SPLIT.index(_owner(cell, parts[index] if parts is not None else "control"))
            for name, output in cell.outputs.items():
                net = instance.pins.get(name)
                if net is not None:
                    self._owners[net] = owner
                    self._internal_fj[owner, net] += output.energy_fj
            for name, pin in cell.inputs.items():
                self._internal_fj[owner, instance.pins[name]] += pin.energy_fj
            if cell.flip_flop is not None:
                pin = cell.inputs[cell.flip_flop.clock_pin]
                clock_nets[instance.pins[cell.flip_flop.clock_pin]] = None
                self._clock_internal_fj += cell.flip_flop.clock_energy_fj
                self._clock_pin_fj += 2 * half_square_v2 * pin.capacitance_ff
        self._clock_nets = list(clock_nets)
        self._clock_wire_fj = float(2 * self._wires_fj[self._clock_nets].sum())

    def measure(
        self, result: SimulationResult, *, period_ps: float, macs_per_cycle: float
    ) -> EnergyResult:
        """Energy over a simulation with toggle counts; see `measure_energy`."""
        name = self.netlist.name
        if result.toggles is None or result.counted_cycles == 0:
            raise ValueError(f"{name}: no toggles were counted; simulate with count_toggles")
        if not period_ps > 0 or not macs_per_cycle > 0:
            raise ValueError(
                f"{name}: period_ps {period_ps} and macs_per_cycle {macs_per_cycle} must be "
                "greater than 0"
            )
        cycles = result.counted_cycles
        return self._of_toggles(
            np.asarray(result.toggles, dtype=np.float64) / cycles,
            cycles,
            period_ps,
            macs_per_cycle,
            energy_method(result, self.wires),
        )

    def vectorless(
        self, activity: float, *, period_ps: float, macs_per_cycle: float
    ) -> EnergyResult:
        """Energy if every net toggled `activity` times a cycle: what is said without operands."""
        toggles = np.full(self.netlist.net_count, activity)
        toggles[[*range(CONSTANT_NETS), *self._clock_nets]] = 0
        method = f"every net {activity:g} toggles a cycle, no simulation"
        return self._of_toggles(toggles, 0, period_ps, macs_per_cycle, method)

    def clock_gated_pj(self, *, period_ps: float, macs_per_cycle: float) -> float:
        """Energy of a cycle with the clock stopped, per multiply-accumulate it might have done."""
        return self._leakage_nw * period_ps * _LEAKAGE_FJ * 1e-3 / macs_per_cycle

    def _of_toggles(
        self,
        toggles: NDArray[np.float64],
        cycles: int,
        period_ps: float,
        macs_per_cycle: float,
        method: str,
    ) -> EnergyResult:
        scale = 1e-3 / macs_per_cycle
        leakage = self._leakage_nw * period_ps * _LEAKAGE_FJ
        pins, wires = self._pins_fj * toggles, self._wires_fj * toggles
        split = self._internal_fj @ toggles
        internal = float(split.sum()) + self._clock_internal_fj
        np.add.at(split, self._owners, pins + wires)
        split[SPLIT.index("clock")] += (
            self._clock_internal_fj + self._clock_pin_fj + self._clock_wire_fj
        )
        split[SPLIT.index("leakage")] += leakage
        by_name = {name: float(energy) * scale for name, energy in zip(SPLIT, split, strict=True)}
        return EnergyResult(
            energy_pj_per_mac=float(split.sum()) * scale,
            combinational_pj=sum(by_name[name] for name in (*PARTS, "ports")),
            register_pj=by_name["register"],
            clock_pj=by_name["clock"],
            leakage_pj=by_name["leakage"],
            internal_pj=internal * scale,
            pin_pj=(float(pins.sum()) + self._clock_pin_fj) * scale,
            wire_pj=(float(wires.sum()) + self._clock_wire_fj) * scale,
            toggles_per_cycle=float(toggles.sum()),
            counted_cycles=cycles,
            period_ps=period_ps,
            method=method,
            split_pj=by_name,
        )


def _owner(cell: Cell, part: str) -> str:
    return part if cell.flip_flop is None else "register"


def measure_energy(
    netlist: Netlist,
    technology: Technology,
    result: SimulationResult,
    *,
    period_ps: float,
    macs_per_cycle: float,
    wires: Wires = NO_WIRES,
) -> EnergyResult:
    """Energy of a netlist over a simulation with toggle counts.

    Parameters
    ----------
    netlist
        The netlist that was simulated, mapped onto `technology`.
    period_ps
        Clock period over which leakage counts.
    macs_per_cycle
        Multiply-accumulates per counted cycle, on average.
    wires
        What is assumed of wires; none by default.

    Raises
    ------
    ValueError
        The simulation counted no toggles, or a figure is not positive.
    """
    model = EnergyModel(netlist, technology, wires=wires)
    return model.measure(result, period_ps=period_ps, macs_per_cycle=macs_per_cycle)
