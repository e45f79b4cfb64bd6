"""Energy of a netlist event by event, over a Liberty library's own tables.

The slow reference for what a technology table makes of a library: every edge of every pin is
charged with the ``internal_power`` group that names its cause and holds in the state the cell is
in, at the slew and load of the moment, where a table has one mean figure for each pin.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from macsmith.sim.netlist import SimulationResult
from macsmith.sim.netlist_function import parse_function
from macsmith.sim.netlist_graph import CONSTANT_NETS, Instance, Netlist, combinational_order
from macsmith.synth.cells import Technology
from macsmith.synth.delays import output_delays
from macsmith.synth.liberty_library import EDGES, LibertyCell, LibertyFlipFlop, Library, Table
from macsmith.synth.timing import NetTiming, net_timing
from numpy.typing import NDArray

__all__ = ["EventEnergy", "measure_events"]

State = dict[str, int]


@dataclass(frozen=True)
class EventEnergy:
    """What one stream of operands costs.

    Attributes
    ----------
    internal_fj
        Inside cells, over all counted cycles, clock included.
    pin_fj
        Charge of the pins that nets and the clock drive.
    result
        Toggles by net and cycles counted, as a simulation gives them; no outputs are kept.
    """

    internal_fj: float
    pin_fj: float
    result: SimulationResult

    @property
    def energy_fj(self) -> float:
        """The whole, without leakage and wires."""
        return self.internal_fj + self.pin_fj


def measure_events(
    netlist: Netlist,
    technology: Technology,
    library: Library,
    waveforms: Mapping[str, NDArray[np.generic]],
    *,
    first_counted_cycle: int = 1,
) -> EventEnergy:
    """Simulate one stream with gate delays, event by event, and add up what every edge costs.

    Parameters
    ----------
    technology
        Made from `library`; gives delays and loads.
    waveforms
        For every input port but the clock the codes, ``[cycles]`` or ``[cycles, words]`` (least
        significant word of 64 bits first).
    first_counted_cycle
        First cycle whose edges count, at least 1.

    Raises
    ------
    NetlistError
        A cell that is not in the technology, or a combinational loop.
    """
    run = _Run(netlist, technology, library)
    cycles = min(len(wave) for wave in waveforms.values())
    for cycle in range(cycles):
        run.is_counted = cycle >= first_counted_cycle
        run.cycle({name: np.atleast_1d(wave[cycle]) for name, wave in waveforms.items()})
    counted = cycles - first_counted_cycle
    pin_fj = float(run.charge_fj @ run.toggles) + run.clock_charge_fj * counted
    toggles = np.asarray(run.toggles)
    return EventEnergy(run.internal_fj, pin_fj, SimulationResult({}, toggles, counted))


class _Run:
    """Values of all nets, and the events that are on their way."""

    def __init__(self, netlist: Netlist, technology: Technology, library: Library) -> None:
        self.netlist, self.technology = netlist, technology
        self.timing: NetTiming = net_timing(netlist, technology)
        self.delays = output_delays(netlist, technology)
        self.powers = _Powers(library)
        order, self.registers = combinational_order(netlist, technology.models())
        self.values = [0] * netlist.net_count
        self.values[1] = 1
        self.readers: dict[int, list[tuple[Instance, str]]] = {}
        for instance in order:
            if technology.cells[instance.cell].flip_flop is None:
                for pin in technology.cells[instance.cell].inputs:
                    self.readers.setdefault(instance.pins[pin], []).append((instance, pin))
                self._settle(instance)
        half_square_v2 = 0.5 * technology.voltage_v**2
        loads = np.array(self.timing.loads_ff)
        for port in netlist.ports.values():
            for net in port.nets if port.is_output else ():
                loads[net] -= technology.output_load_ff
        self.charge_fj = half_square_v2 * loads
        self.states: dict[str, int] = {}
        self.clock_nets: set[int] = set()
        for instance in self.registers:
            register = self._register(instance)
            self.states[instance.name] = 0
            clock = register.clocked_on.variables()[0]
            self.clock_nets.add(instance.pins[clock])
            for pin in technology.cells[instance.cell].inputs:
                if pin != clock:
                    self.readers.setdefault(instance.pins[pin], []).append((instance, pin))
        self.clock_charge_fj = float(sum(2 * self.charge_fj[net] for net in self.clock_nets))
        self.toggles = np.zeros(netlist.net_count, dtype=np.int64)
        self.internal_fj = 0.0
        self.is_counted = False
        # (time, serial number, net, value, cause); a net has at most one event that is valid
        self.queue: list[tuple[float, int, int, int, tuple[Instance, str, str]]] = []
        self.pending: dict[int, tuple[int, int]] = {}
        self.serial = 0

    def _register(self, instance: Instance) -> LibertyFlipFlop:
        register = self.powers.library.cells[instance.cell].flip_flop
        assert register is not None
        return register

    def _settle(self, instance: Instance) -> None:
        cell = self.technology.cells[instance.cell]
        state = {pin: self.values[instance.pins[pin]] for pin in cell.inputs}
        for name, output in cell.outputs.items():
            if name in instance.pins:
                self.values[instance.pins[name]] = output.function.evaluate(state)

    def cycle(self, words: Mapping[str, NDArray[np.generic]]) -> None:
        """The active clock edge, new inputs with it, all that follows, and the other edge."""
        for instance in self.registers:
            self._clock_edge(instance)
        for port in self.netlist.ports.values():
            if port.is_output or port.nets[0] in self.clock_nets:
                continue
            value = sum(
                (int(word) & (2**64 - 1)) << 64 * at for at, word in enumerate(words[port.name])
            )
            for position, net in enumerate(port.nets):
                if self.values[net] != value >> position & 1:
                    self._apply(0.0, net, value >> position & 1)
        while self.queue:
            time, serial, net, value, cause = heapq.heappop(self.queue)
            if self.pending.get(net, (-1, -1))[0] == serial:
                del self.pending[net]
                self._output_energy(cause, net, value)
                self._apply(time, net, value)
        for instance in self.registers:
            state = self._state(instance)
            register = self._register(instance)
            clock = register.clocked_on.variables()[0]
            rises = not register.clocked_on.evaluate({clock: 1})
            self._pin_energy(instance, clock, state | {clock: int(rises)}, rises)

    def _clock_edge(self, instance: Instance) -> None:
        cell, register = self.technology.cells[instance.cell], self._register(instance)
        state = self._state(instance)
        clock = register.clocked_on.variables()[0]
        self._pin_energy(instance, clock, state, bool(state[clock]))
        new = register.next_state.evaluate(state)
        if register.clear is not None and register.clear.evaluate(state):
            new = 0
        if register.preset is not None and register.preset.evaluate(state):
            new = 1
        self.states[instance.name] = new
        after = state | {register.state: new, register.inverted_state: 1 - new}
        for name, output in cell.outputs.items():
            net = instance.pins.get(name)
            if net is not None:
                self._schedule(0.0, instance, clock, name, output.function.evaluate(after))

    def _state(self, instance: Instance) -> State:
        """Pins of a cell behind the active edge of its clock, outputs as they are to become."""
        cell = self.technology.cells[instance.cell]
        state = {pin: self.values[instance.pins[pin]] for pin in cell.inputs}
        if cell.flip_flop is not None:
            register = self._register(instance)
            clock = register.clocked_on.variables()[0]
            state[clock] = register.clocked_on.evaluate({clock: 1})
            kept = self.states[instance.name]
            state |= {register.state: kept, register.inverted_state: 1 - kept}
        return state | {
            name: output.function.evaluate(state) for name, output in cell.outputs.items()
        }

    def _apply(self, time_ps: float, net: int, value: int) -> None:
        self.values[net] = value
        if self.is_counted:
            self.toggles[net] += 1
        for instance, pin in self.readers.get(net, ()):
            state = self._state(instance)
            self._pin_energy(instance, pin, state, bool(value))
            if self.technology.cells[instance.cell].flip_flop is None:
                for name in self.technology.cells[instance.cell].outputs:
                    if name in instance.pins:
                        self._schedule(time_ps, instance, pin, name, state[name])

    def _schedule(
        self, time_ps: float, instance: Instance, pin: str, name: str, value: int
    ) -> None:
        """An output is to become `value`; a change that was on its way there and back is none."""
        net = instance.pins[name]
        waiting = self.pending.get(net)
        if waiting is not None and waiting[1] == value:
            return
        self.pending.pop(net, None)
        if self.values[net] == value:
            return
        delay = self.delays[instance.name, name]
        arrival = time_ps + (delay.rise_ps if value else delay.fall_ps)
        arrival += delay.later_ps.get(pin, 0.0)
        self.serial += 1
        self.pending[net] = (self.serial, value)
        heapq.heappush(self.queue, (arrival, self.serial, net, value, (instance, pin, name)))

    def _pin_energy(self, instance: Instance, pin: str, state: State, rises: bool) -> None:
        if self.is_counted:
            slew = self._slew_ps(instance.pins[pin], rises)
            for table in self.powers.of_input(instance.cell, pin, state, rises):
                self.internal_fj += table.at(slew, 0.0)

    def _output_energy(self, cause: tuple[Instance, str, str], net: int, value: int) -> None:
        if self.is_counted:
            instance, pin, name = cause
            source = instance.pins[pin]
            slew = self._slew_ps(source, bool(self.values[source]))
            state = self._state(instance)
            for share, table in self.powers.of_output(instance.cell, name, pin, state, value == 1):
                self.internal_fj += share * table.at(slew, self.timing.loads_ff[net])

    def _slew_ps(self, net: int, rises: bool) -> float:
        if net in self.clock_nets:
            return self.timing.clock_slew_ps
        if net < CONSTANT_NETS or net not in self.timing.slews_ps:
            return 0.0
        return self.timing.slews_ps[net][0 if rises else 1]


class _Powers:
    """Which tables of a library hold for an edge, remembered by cell, pin, edge and state."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.known: dict[tuple[object, ...], list[tuple[float, Table]]] = {}

    def of_input(self, cell: str, pin: str, state: State, rises: bool) -> list[Table]:
        """Tables of an input's own edge in a state: of every supply those whose condition holds,
        or where none does the unconditional one."""
        key = (cell, pin, rises, *state.values())
        if key not in self.known:
            self.known[key] = self._find(self.library.cells[cell], pin, "", state, rises)
        return [table for _, table in self.known[key]]

    def of_output(
        self, cell: str, name: str, cause: str, state: State, rises: bool
    ) -> list[tuple[float, Table]]:
        """Tables of an edge of an output that an input caused, with their shares."""
        key = (cell, name, cause, rises, *state.values())
        if key not in self.known:
            self.known[key] = self._find(self.library.cells[cell], name, cause, state, rises)
        return self.known[key]

    def _find(
        self, cell: LibertyCell, pin: str, cause: str, state: State, rises: bool
    ) -> list[tuple[float, Table]]:
        edge = EDGES[0 if rises else 1]
        powers = [power for power in cell.pins[pin].powers if edge in power.energy]
        found: list[tuple[float, Table]] = []
        for supply in dict.fromkeys(power.supply for power in powers):
            groups = [power for power in powers if power.supply == supply]
            if cause:
                # a toggle that the library gives no group for costs the mean of the others
                groups = [p for p in groups if p.related_pin in (cause, "")] or groups
            holding = [p for p in groups if p.when and _holds(p.when, state)]
            general = [p for p in groups if not p.when]
            chosen = holding or general or (groups if cause else [])
            # several inputs' groups that hold together are alternatives, an input's own add up
            share = 1 / len(chosen) if cause and chosen else 1.0
            found += [(share, power.energy[edge]) for power in chosen]
        return found


def _holds(condition: str, state: State) -> bool:
    function = parse_function(condition)
    if not set(function.variables()) <= state.keys():  # a supply: it is there
        return True
    return bool(function.evaluate(state))
