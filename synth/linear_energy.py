"""Energies of a cell as single figures, from the internal_power tables of a Liberty library.

Figures are means: over inputs that may cause an edge, over states of the other pins (all equally
likely), over both edges, and at one slew and load, those that are usual in mapped circuits.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from macsmith.sim.netlist_function import Function, parse_function
from macsmith.synth.liberty_library import (
    EDGES,
    Arc,
    Edge,
    LibertyCell,
    LibertyFlipFlop,
    LibertyPin,
    Power,
)
from macsmith.synth.tabulated import is_data_arc

__all__ = ["CellEnergy", "Usual", "cell_energy"]


@dataclass(frozen=True)
class Usual:
    """Slew and load at which energies are taken."""

    slew_ps: float
    load_ff: float


@dataclass(frozen=True)
class CellEnergy:
    """Internal energies of a cell, fJ.

    Attributes
    ----------
    inputs_fj
        By input: of a toggle, on average over the states of the others; 0 for a clock.
    outputs_fj
        By output: of a toggle. A flip-flop's holds what its clock's edges cost more in the cycle
        of a change.
    clock_fj
        Of a clock cycle without change; 0 for a gate.
    """

    inputs_fj: dict[str, float]
    outputs_fj: dict[str, float]
    clock_fj: float


def cell_energy(cell: LibertyCell, usual: Usual) -> CellEnergy:
    """The energies of a cell of a library."""
    register = cell.flip_flop
    clock = _clock_energy(cell, register, usual) if register else _ClockEnergy(0.0, 0.0)
    clock_pin = register.clocked_on.variables()[0] if register else ""
    inputs = [pin for pin in cell.pins.values() if not pin.is_output]
    outputs = [pin for pin in cell.pins.values() if pin.is_output]
    return CellEnergy(
        {
            pin.name: 0.0 if pin.name == clock_pin else _input_energy_fj(cell, pin, usual)
            for pin in inputs
        },
        {
            pin.name: _mean_energy_fj(pin.powers, pin.arcs, usual) + clock.change_fj
            for pin in outputs
        },
        clock.idle_fj,
    )


def _without_default(powers: Sequence[Power]) -> list[Power]:
    """Drop an unconditional group where conditional ones of the same pins cover its cases."""
    conditional = {(power.related_pin, power.supply) for power in powers if power.when}
    return [p for p in powers if p.when or (p.related_pin, p.supply) not in conditional]


def _energy_at(power: Power, usual: Usual) -> dict[Edge, float]:
    return {edge: table.at(usual.slew_ps, usual.load_ff) for edge, table in power.energy.items()}


def _mean_energy_fj(powers: Sequence[Power], arcs: Sequence[Arc], usual: Usual) -> float:
    """Internal energy of one output toggle: mean over inputs, states and edges, sum of supplies."""
    data_inputs = {arc.input_pin for arc in arcs if is_data_arc(arc)}
    used = _without_default(
        [p for p in powers if not p.related_pin or p.related_pin in data_inputs]
    )
    if not used:
        return 0.0
    by_supply: dict[str, list[float]] = {}
    for power in used:
        energies = _energy_at(power, usual)
        by_supply.setdefault(power.supply, []).append(sum(energies.values()) / len(EDGES))
    return float(sum(np.mean(values) for values in by_supply.values()))


def _input_energy_fj(cell: LibertyCell, pin: LibertyPin, usual: Usual) -> float:
    """Mean energy of a toggle of an input, all states of the other pins equally likely.

    What is left uncovered by the states the library names costs nothing here: there an output
    toggles and its own figure holds the energy. Inputs of a flip-flop change while its clock is
    at the level it just went to.
    """
    if not pin.powers:
        return 0.0
    states = _states(cell)
    if cell.flip_flop is not None:
        states = [state for state in states if cell.flip_flop.clocked_on.evaluate(state)]
    return sum(_mean_over(pin, edge, states, usual) for edge in EDGES) / len(EDGES)


def _mean_over(
    pin: LibertyPin, edge: Edge, states: Sequence[dict[str, int]], usual: Usual
) -> float:
    """Energy of an edge of an input, mean over `states`, supplies added up."""
    slew, load = usual.slew_ps, usual.load_ff
    total = 0.0
    for supply in dict.fromkeys(power.supply for power in pin.powers):
        groups = [p for p in pin.powers if p.supply == supply and edge in p.energy]
        always = sum(p.energy[edge].at(slew, load) for p in groups if not p.when)
        conditional = [
            (parse_function(p.when), p.energy[edge].at(slew, load)) for p in groups if p.when
        ]
        for state in states:
            holding = [energy for when, energy in conditional if _holds(when, state)]
            # the unconditional figure is for states without one of their own
            total += sum(holding) if holding else always
    return total / len(states)


def _states(cell: LibertyCell) -> list[dict[str, int]]:
    """Every value of the input pins (and of the state of a flip-flop), outputs filled in.

    States in which a flip-flop is held by its clear or preset are left out.
    """
    inputs = [pin.name for pin in cell.pins.values() if not pin.is_output]
    register = cell.flip_flop
    free = [*inputs, *([register.state] if register else [])]
    states = []
    for bits in itertools.product((0, 1), repeat=len(free)):
        state = dict(zip(free, bits, strict=True))
        if register:
            state[register.inverted_state] = 1 - state[register.state]
            if any(f is not None and f.evaluate(state) for f in (register.clear, register.preset)):
                continue
        for pin in cell.pins.values():
            if pin.function is not None:
                state[pin.name] = pin.function.evaluate(state)
        states.append(state)
    return states


def _holds(condition: Function, state: dict[str, int]) -> bool:
    # A condition may name a pin that is no logic pin (a supply); it then holds.
    if not set(condition.variables()) <= state.keys():
        return True
    return bool(condition.evaluate(state))


@dataclass(frozen=True)
class _ClockEnergy:
    """Internal energy of the clock pin, fJ: of a cycle that loads what is there already, and what
    a cycle in which the state changes is more (or less)."""

    idle_fj: float
    change_fj: float


def _clock_energy(cell: LibertyCell, register: LibertyFlipFlop, usual: Usual) -> _ClockEnergy:
    """Clock energy by whether the state is about to change.

    At the active edge libraries that go by state give nothing where the output follows, because
    the output's own group holds it. At the other edge the first latch takes in data that differ
    from the state, which happens once for every change of it, however often the data toggle.
    """
    clock = register.clocked_on.variables()[0]
    pin = cell.pins[clock]
    if not pin.powers:
        return _ClockEnergy(0.0, 0.0)
    settled: list[dict[str, int]] = []
    unsettled: list[dict[str, int]] = []
    for state in _states(cell):
        same = register.next_state.evaluate(state) == state[register.state]
        (settled if same else unsettled).append(state)
    idle_fj = sum(_mean_over(pin, edge, settled, usual) for edge in EDGES)
    change_fj = sum(_mean_over(pin, edge, unsettled, usual) for edge in EDGES)
    return _ClockEnergy(idle_fj, change_fj - idle_fj)
