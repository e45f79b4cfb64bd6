"""Energy of a mapped netlist from the toggles that real operands cause.

Per toggle: half the charge of the driven pins times the supply (``0.5 C V^2``) and the internal
energy of the driving cell; per clock cycle: clock pins and the internal energy of every
flip-flop; over time: leakage. Wires and the clock tree are not in it. Toggles are those of a
simulation in time, glitches included, unless it was one without gate delays.
"""

from dataclasses import dataclass

from macsmith.sim.netlist import SimulationResult
from macsmith.sim.netlist_graph import Netlist
from macsmith.sim.timed import TimedResult
from macsmith.synth.cells import Technology
from macsmith.synth.timing import net_loads_ff

__all__ = ["EnergyResult", "energy_method", "measure_energy"]


def energy_method(result: SimulationResult) -> str:
    """What an energy from this simulation counts and what it does not, in a few words."""
    if isinstance(result, TimedResult):
        return "toggle counts of a timed simulation, glitches included; no wires, no clock tree"
    return "zero-delay toggle counts, no glitches, no wires, no clock tree"


_LEAKAGE_FJ = 1e-6  # one nW over one ps


@dataclass(frozen=True)
class EnergyResult:
    """Energy per multiply-accumulate, pJ, and its parts.

    Attributes
    ----------
    combinational_pj
        Gates: their internal energy and the pins they drive, and the pins input ports drive.
    register_pj
        Flip-flops as data goes through them: outputs, the pins they drive, their data pins.
    clock_pj
        Flip-flops' clock pins and their internal energy in every cycle.
    leakage_pj
        Leakage over the clock period.
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
    toggles_per_cycle: float
    counted_cycles: int
    period_ps: float
    method: str


def measure_energy(
    netlist: Netlist,
    technology: Technology,
    result: SimulationResult,
    *,
    period_ps: float,
    macs_per_cycle: float,
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

    Raises
    ------
    ValueError
        The simulation counted no toggles, or a figure is not positive.
    """
    if result.toggles is None or result.counted_cycles == 0:
        raise ValueError(f"{netlist.name}: no toggles were counted; simulate with count_toggles")
    if not period_ps > 0 or not macs_per_cycle > 0:
        raise ValueError(
            f"{netlist.name}: period_ps {period_ps} and macs_per_cycle {macs_per_cycle} must be "
            "greater than 0"
        )
    toggles = [int(count) for count in result.toggles]
    loads = net_loads_ff(netlist, technology)
    square_v2 = technology.voltage_v**2
    cycles = result.counted_cycles
    charge_fj = [0.5 * load * square_v2 * count for load, count in zip(loads, toggles, strict=True)]
    combinational = register = clock = leakage_nw = 0.0
    for port in netlist.ports.values():
        if not port.is_output:
            combinational += sum(charge_fj[net] for net in port.nets)
    for instance in netlist.instances:
        cell = technology.cells[instance.cell]
        leakage_nw += cell.leakage_nw
        switched = 0.0
        for name, output in cell.outputs.items():
            net = instance.pins.get(name)
            if net is not None:
                switched += charge_fj[net] + output.energy_fj * toggles[net]
        for name, pin in cell.inputs.items():
            switched += pin.energy_fj * toggles[instance.pins[name]]
        if cell.flip_flop is None:
            combinational += switched
            continue
        register += switched
        capacitance = cell.inputs[cell.flip_flop.clock_pin].capacitance_ff
        clock += cycles * (cell.flip_flop.clock_energy_fj + capacitance * square_v2)
    leakage = leakage_nw * period_ps * _LEAKAGE_FJ * cycles
    scale = 1e-3 / (cycles * macs_per_cycle)
    return EnergyResult(
        energy_pj_per_mac=(combinational + register + clock + leakage) * scale,
        combinational_pj=combinational * scale,
        register_pj=register * scale,
        clock_pj=clock * scale,
        leakage_pj=leakage * scale,
        toggles_per_cycle=sum(toggles) / cycles,
        counted_cycles=cycles,
        period_ps=period_ps,
        method=energy_method(result),
    )
