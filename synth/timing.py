"""Static timing of a mapped netlist over a technology's linear delays.

One pass in topological order carries the latest arrival and its slew for both edges of each net.
Wires have no resistance and no capacitance; a net's load is the sum of the pins it drives, plus
`Technology.output_load_ff` on an output port. The clock is ideal.
"""

from dataclasses import dataclass

from macsmith.sim.netlist_graph import Instance, Netlist, combinational_order
from macsmith.synth.cells import Cell, LinearTiming, Technology

__all__ = [
    "NetTiming",
    "PathStep",
    "TimingReport",
    "analyse_timing",
    "arrival_times",
    "net_loads_ff",
    "net_timing",
]


@dataclass(frozen=True)
class PathStep:
    """One step of the longest path: after `instance` (empty: a port) the signal is there."""

    instance: str
    cell: str
    net: str
    arrival_ps: float


@dataclass(frozen=True)
class TimingReport:
    """Delay of the longest path and the path itself.

    `delay_ps` is the least clock period the netlist allows (register to register, port to register
    and register to port, clock-to-output and setup included) or, without registers, the delay
    from inputs to outputs; 0 where there is no path at all. `endpoint` is where it ends.
    """

    delay_ps: float
    endpoint: str
    path: tuple[PathStep, ...]


@dataclass(frozen=True)
class NetTiming:
    """Loads and slews of a netlist.

    Attributes
    ----------
    loads_ff
        By net: the pins it drives, and `Technology.output_load_ff` on an output port.
    slews_ps
        By net: worst slew of the rising and of the falling edge; none for constants.
    clock_slew_ps
        Slew on the clock pins of flip-flops.
    """

    loads_ff: list[float]
    slews_ps: dict[int, tuple[float, float]]
    clock_slew_ps: float


@dataclass(frozen=True)
class _Arrival:
    """Latest edge on a net: time, slew, and which net and edge it came from."""

    time_ps: float
    slew_ps: float
    source_net: int = -1
    source_rises: bool = True
    instance: Instance | None = None


def net_loads_ff(
    netlist: Netlist, technology: Technology, *, output_load_ff: float = 0.0
) -> list[float]:
    """Capacitance of the pins on each net, fF, plus `output_load_ff` per output port on it."""
    loads = [0.0] * netlist.net_count
    for instance in netlist.instances:
        cell = technology.cells[instance.cell]
        for name, pin in cell.inputs.items():
            loads[instance.pins[name]] += pin.capacitance_ff
    for port in netlist.ports.values():
        if port.is_output:
            for net in port.nets:
                loads[net] += output_load_ff
    return loads


def analyse_timing(netlist: Netlist, technology: Technology) -> TimingReport:
    """Longest path of a netlist mapped onto `technology`.

    An input port is driven by `Technology.driver_cell`: it gives the slew, and the part of its
    delay that the load causes counts as arrival time.

    Raises
    ------
    NetlistError
        A cell that is not in the technology, or a combinational loop.
    """
    return _Analysis(netlist, technology).report()


def arrival_times(netlist: Netlist, technology: Technology) -> dict[int, float]:
    """When the later edge of each net arrives, ps; none for constants. Errors as above."""
    analysis = _Analysis(netlist, technology)
    analysis.propagate()
    return {net: max(at.time_ps for at in edges) for net, edges in analysis.arrivals.items()}


def net_timing(netlist: Netlist, technology: Technology) -> NetTiming:
    """Loads and slews as `analyse_timing` finds them, and with its errors."""
    analysis = _Analysis(netlist, technology)
    analysis.propagate()
    slews = {net: (rise.slew_ps, fall.slew_ps) for net, (rise, fall) in analysis.arrivals.items()}
    return NetTiming(analysis.loads, slews, analysis.clock_slew_ps)


class _Analysis:
    def __init__(self, netlist: Netlist, technology: Technology) -> None:
        self.netlist = netlist
        self.technology = technology
        self.order, self.registers = combinational_order(netlist, technology.models())
        self.loads = net_loads_ff(netlist, technology, output_load_ff=technology.output_load_ff)
        # arrivals[net] = (rise, fall); constants and unreached nets have none.
        self.arrivals: dict[int, tuple[_Arrival, _Arrival]] = {}
        self.clock_slew_ps = technology.driver_arc.rise.slew_ps(0.0, technology.output_load_ff)

    def report(self) -> TimingReport:
        self.propagate()
        return self._finish()

    def propagate(self) -> None:
        """Arrivals of all nets."""
        self._start()
        for instance in self.order:
            cell = self.technology.cells[instance.cell]
            if cell.flip_flop is None:
                self._propagate(instance, cell)

    def _start(self) -> None:
        arc = self.technology.driver_arc
        for port in self.netlist.ports.values():
            for net in () if port.is_output else port.nets:
                load = self.loads[net]
                rise, fall = (
                    _Arrival(
                        line.delay_ps(0.0, load) - line.delay_ps(0.0, 0.0), line.slew_ps(0.0, load)
                    )
                    for line in (arc.rise, arc.fall)
                )
                self.arrivals[net] = (rise, fall)
        for instance in self.registers:
            cell = self.technology.cells[instance.cell]
            assert cell.flip_flop is not None
            for name, output in cell.outputs.items():
                launch = output.arcs.get(cell.flip_flop.clock_pin)
                launched = instance.pins.get(name)
                if launch is None or launched is None:
                    continue
                load, slew = self.loads[launched], self.clock_slew_ps
                rise, fall = (
                    _Arrival(line.delay_ps(slew, load), line.slew_ps(slew, load), instance=instance)
                    for line in (launch.rise, launch.fall)
                )
                self.arrivals[launched] = (rise, fall)

    def _propagate(self, instance: Instance, cell: Cell) -> None:
        # Some full adders have an arc from one output to the other: that one comes first.
        for name in sorted(cell.outputs, key=lambda pin: _depends_on_output(cell, pin)):
            output, net = cell.outputs[name], instance.pins.get(name)
            if net is None:
                continue
            rises: list[_Arrival] = []
            falls: list[_Arrival] = []
            for source, arc in output.arcs.items():
                source_net = instance.pins.get(source, 0)
                arrived = self.arrivals.get(source_net)
                if arrived is None:  # a constant, or an output left open
                    continue
                load = self.loads[net]
                for rises_in, at in zip((True, False), arrived, strict=True):
                    if arc.sense == "both" or (arc.sense == "positive") == rises_in:
                        rises.append(_step(at, arc.rise, load, source_net, rises_in, instance))
                    if arc.sense == "both" or (arc.sense == "negative") == rises_in:
                        falls.append(_step(at, arc.fall, load, source_net, rises_in, instance))
            if rises and falls:
                self.arrivals[net] = (_latest(rises), _latest(falls))

    def _finish(self) -> TimingReport:
        worst, end, label = 0.0, None, ""
        for port in self.netlist.ports.values():
            for position, net in enumerate(port.nets if port.is_output else ()):
                for rising, at in self._edges(net):
                    if at.time_ps > worst:
                        worst, end, label = at.time_ps, (net, rising), f"{port.name}[{position}]"
        for instance in self.registers:
            register = self.technology.cells[instance.cell].flip_flop
            assert register is not None
            for pin, setup in register.setup_ps.items():
                net = instance.pins[pin]
                for rising, at in self._edges(net):
                    if at.time_ps + setup > worst:
                        worst = at.time_ps + setup
                        end, label = (net, rising), f"{instance.name}.{pin} (setup {setup:g} ps)"
        return TimingReport(worst, label, self._trace(end))

    def _edges(self, net: int) -> list[tuple[bool, _Arrival]]:
        arrived = self.arrivals.get(net)
        return list(zip((True, False), arrived, strict=True)) if arrived else []

    def _trace(self, end: tuple[int, bool] | None) -> tuple[PathStep, ...]:
        steps: list[PathStep] = []
        while end is not None:
            net, rising = end
            at = self.arrivals[net][0 if rising else 1]
            instance = at.instance
            steps.append(
                PathStep(
                    instance.name if instance else "",
                    instance.cell if instance else "",
                    self.netlist.net_names[net],
                    at.time_ps,
                )
            )
            end = (at.source_net, at.source_rises) if at.source_net >= 0 else None
        return tuple(reversed(steps))


def _depends_on_output(cell: Cell, pin: str) -> bool:
    return any(source in cell.outputs for source in cell.outputs[pin].arcs)


def _step(
    at: _Arrival,
    line: LinearTiming,
    load_ff: float,
    source_net: int,
    source_rises: bool,
    instance: Instance,
) -> _Arrival:
    return _Arrival(
        at.time_ps + line.delay_ps(at.slew_ps, load_ff),
        line.slew_ps(at.slew_ps, load_ff),
        source_net,
        source_rises,
        instance,
    )


def _latest(candidates: list[_Arrival]) -> _Arrival:
    """The latest arrival, with the worst slew of all: the usual pessimistic merge."""
    latest = max(candidates, key=lambda at: at.time_ps)
    slew = max(at.slew_ps for at in candidates)
    return _Arrival(latest.time_ps, slew, latest.source_net, latest.source_rises, latest.instance)
