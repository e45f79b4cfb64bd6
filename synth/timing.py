"""Static timing of a mapped netlist over a technology's delays.

One pass in topological order carries the latest (or the earliest) arrival and its slew for both
edges of each net. Delays are the technology's lines, or its library's look-up tables
(`macsmith.synth.tabulated`). Wires have no resistance; a net's load is the sum of the pins it
drives, `Technology.output_load_ff` on an output port, and what a wire model adds. The clock is
ideal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from macsmith.sim.netlist_graph import Instance, Netlist, combinational_order
from macsmith.synth.cells import Cell, EdgeTiming, FlipFlop, InputPin, Technology
from macsmith.synth.loads import WireModel, net_loads_ff
from macsmith.synth.timing_report import Endpoint, HoldReport, PathStep, TimingReport

__all__ = [
    "NetTiming",
    "analyse_hold",
    "analyse_timing",
    "arrival_times",
    "net_timing",
]

_EDGES = (True, False)  # rising, falling
_PIN_FF: dict[tuple[str, bool], Callable[[InputPin], float]] = {
    ("late", True): lambda pin: pin.late_ff[0],
    ("late", False): lambda pin: pin.late_ff[1],
    ("early", True): lambda pin: pin.early_ff[0],
    ("early", False): lambda pin: pin.early_ff[1],
    ("mean", True): lambda pin: pin.capacitance_ff,
}


@dataclass(frozen=True)
class NetTiming:
    """Loads and slews of a netlist.

    Attributes
    ----------
    loads_ff
        By net: the pins it drives, its wire, and `Technology.output_load_ff` on an output port.
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
    """An edge on a net: time, slew, and through which net, edge, instance and pin it came."""

    time_ps: float
    slew_ps: float
    source_net: int = -1
    source_rises: bool = True
    instance: Instance | None = None
    pin: str = ""


def analyse_timing(
    netlist: Netlist, technology: Technology, *, wire_ff: WireModel | None = None
) -> TimingReport:
    """Longest path of a netlist mapped onto `technology`, and the arrivals everywhere.

    An input port is driven by `Technology.driver_cell`: it gives the slew, and the part of its
    delay that the load causes counts as arrival time.

    Raises
    ------
    NetlistError
        A cell that is not in the technology, or a combinational loop.
    """
    analysis = _Analysis(netlist, technology, wire_ff)
    analysis.propagate()
    ends = sorted(analysis.endpoints(), key=lambda end: -end.total_ps)
    arrivals: dict[str, tuple[float, ...]] = {}
    for port in netlist.ports.values():
        if port.is_output:
            arrivals[port.name] = tuple(analysis.latest_ps(net) for net in port.nets)
    worst = ends[0] if ends and ends[0].total_ps > 0 else None
    label = worst.name if worst else ""
    if worst and worst.setup_ps:
        label += f" (setup {worst.setup_ps:g} ps)"
    return TimingReport(
        delay_ps=worst.total_ps if worst else 0.0,
        endpoint=label,
        path=analysis.trace(worst.net, worst.rises) if worst else (),
        endpoints=tuple(ends),
        arrivals_ps=arrivals,
        is_registered=bool(analysis.registers),
    )


def analyse_hold(
    netlist: Netlist, technology: Technology, *, wire_ff: WireModel | None = None
) -> HoldReport | None:
    """The register that new data reach soonest for its hold time; None if no path ends in one.

    Raises
    ------
    NetlistError
        As `analyse_timing`.
    """
    analysis = _Analysis(netlist, technology, wire_ff, "early")
    analysis.propagate()
    found = [
        HoldReport(f"{instance.name}.{pin}", at.time_ps, constraint.at(rises, at.slew_ps))
        for instance, register in analysis.flip_flops()
        for pin, constraint in register.hold_ps.items()
        for rises, at in analysis.edges(instance.pins[pin])
    ]
    return min(found, key=lambda hold: hold.slack_ps) if found else None


def arrival_times(netlist: Netlist, technology: Technology) -> dict[int, float]:
    """When the later edge of each net arrives at mean loads, ps; none for constants.

    Errors as of `analyse_timing`.
    """
    analysis = _Analysis(netlist, technology, None, "mean")
    analysis.propagate()
    return {net: analysis.latest_ps(net) for net in analysis.arrivals}


def net_timing(
    netlist: Netlist, technology: Technology, *, wire_ff: WireModel | None = None
) -> NetTiming:
    """Mean loads, and the latest slews with these; errors as of `analyse_timing`."""
    analysis = _Analysis(netlist, technology, wire_ff, "mean")
    analysis.propagate()
    slews = {net: (rise.slew_ps, fall.slew_ps) for net, (rise, fall) in analysis.arrivals.items()}
    return NetTiming(analysis.loads[0], slews, technology.clock_slew_ps)


class _Analysis:
    """Arrivals of one netlist.

    `corner` ``late``: the latest, with the most that pins may load. ``mean``: the latest with mean
    loads. ``early``: the earliest from registers, with the least that pins may load.
    """

    def __init__(
        self,
        netlist: Netlist,
        technology: Technology,
        wire_ff: WireModel | None = None,
        corner: Literal["late", "mean", "early"] = "late",
    ) -> None:
        self.netlist = netlist
        self.technology = technology
        self.earliest = corner == "early"
        self.order, self.registers = combinational_order(netlist, technology.models())
        # loads of rising and of falling edges
        self.loads = tuple(
            net_loads_ff(
                netlist,
                technology,
                output_load_ff=technology.output_load_ff,
                wire_ff=wire_ff,
                pin_ff=_PIN_FF[corner, rises],
            )
            for rises in ((True,) if corner == "mean" else _EDGES)
        )
        # arrivals[net] = (rise, fall); constants and unreached nets have none.
        self.arrivals: dict[int, tuple[_Arrival, _Arrival]] = {}

    def propagate(self) -> None:
        """Arrivals of all nets."""
        if not self.earliest:
            self._start_ports()
        self._start_registers()
        for instance in self.order:
            cell = self.technology.cells[instance.cell]
            if cell.flip_flop is None:
                self._propagate(instance, cell)

    def edges(self, net: int) -> list[tuple[bool, _Arrival]]:
        """Both edges of a net: whether it rises, and the arrival."""
        arrived = self.arrivals.get(net)
        return list(zip(_EDGES, arrived, strict=True)) if arrived else []

    def load_ff(self, net: int, rises: bool) -> float:
        """What an edge of a net charges."""
        return self.loads[0 if rises else -1][net]

    def latest_ps(self, net: int) -> float:
        """When the later edge of a net arrives; 0 where none does."""
        return max((at.time_ps for _, at in self.edges(net)), default=0.0)

    def flip_flops(self) -> list[tuple[Instance, FlipFlop]]:
        """The registers, with what makes them such."""
        pairs = [(i, self.technology.cells[i.cell].flip_flop) for i in self.registers]
        return [(instance, register) for instance, register in pairs if register is not None]

    def endpoints(self) -> list[Endpoint]:
        """The worse edge at every output bit and at every data pin that a path reaches."""
        found: list[Endpoint] = []
        for port in self.netlist.ports.values():
            for position, net in enumerate(port.nets if port.is_output else ()):
                name = f"{port.name}[{position}]"
                found += _worst([Endpoint(name, net, r, a.time_ps, 0) for r, a in self.edges(net)])
        for instance, register in self.flip_flops():
            for pin, setup in register.setup_ps.items():
                net, name = instance.pins[pin], f"{instance.name}.{pin}"
                found += _worst(
                    [
                        Endpoint(name, net, rises, at.time_ps, setup.at(rises, at.slew_ps))
                        for rises, at in self.edges(net)
                    ]
                )
        return found

    def trace(self, net: int, rises: bool) -> tuple[PathStep, ...]:
        """The path by which an edge came to a net, from its start."""
        steps: list[PathStep] = []
        while net >= 0:
            at = self.arrivals[net][0 if rises else 1]
            before = 0.0
            if at.source_net >= 0:
                before = self.arrivals[at.source_net][0 if at.source_rises else 1].time_ps
            steps.append(
                PathStep(
                    instance=at.instance.name if at.instance else "",
                    cell=at.instance.cell if at.instance else "",
                    pin=at.pin,
                    net=self.netlist.net_names[net],
                    rises=rises,
                    delay_ps=at.time_ps - before,
                    arrival_ps=at.time_ps,
                    slew_ps=at.slew_ps,
                    load_ff=self.load_ff(net, rises),
                )
            )
            net, rises = at.source_net, at.source_rises
        return tuple(reversed(steps))

    def _start_ports(self) -> None:
        for port in self.netlist.ports.values():
            for net in () if port.is_output else port.nets:
                rise, fall = (self._drive(net, rises) for rises in _EDGES)
                self.arrivals[net] = (rise, fall)

    def _drive(self, net: int, rises: bool) -> _Arrival:
        edge, load = self.technology.driver_edge(rises), self.load_ff(net, rises)
        delay = edge.delay_ps(0.0, load) - edge.delay_ps(0.0, 0.0)
        return _Arrival(delay, edge.slew_ps(0.0, load))

    def _start_registers(self) -> None:
        slew = self.technology.clock_slew_ps
        for instance, register in self.flip_flops():
            for name, output in self.technology.cells[instance.cell].outputs.items():
                launch = output.arcs.get(register.clock_pin)
                net = instance.pins.get(name)
                if launch is None or net is None:
                    continue
                rise, fall = (
                    _Arrival(
                        edge.delay_ps(slew, self.load_ff(net, rises)),
                        edge.slew_ps(slew, self.load_ff(net, rises)),
                        instance=instance,
                        pin=register.clock_pin,
                    )
                    for rises in _EDGES
                    for edge in [launch.launch(rises, self.earliest)]
                )
                self.arrivals[net] = (rise, fall)

    def _propagate(self, instance: Instance, cell: Cell) -> None:
        # Some full adders have an arc from one output to the other: that one comes first.
        for name in sorted(cell.outputs, key=lambda pin: _depends_on_output(cell, pin)):
            output, net = cell.outputs[name], instance.pins.get(name)
            if net is None:
                continue
            loads = self.load_ff(net, True), self.load_ff(net, False)
            found: tuple[list[_Arrival], list[_Arrival]] = ([], [])
            for source, arc in output.arcs.items():
                source_net = instance.pins.get(source, 0)
                arrived = self.arrivals.get(source_net)
                if arrived is None:  # a constant, or an output left open
                    continue
                for rises_in, at in zip(_EDGES, arrived, strict=True):
                    for candidates, rises_out, load in zip(found, _EDGES, loads, strict=True):
                        edge = arc.edge(rises_in, rises_out, self.earliest)
                        if edge is not None:
                            candidates.append(
                                _step(at, edge, load, source_net, rises_in, instance, source)
                            )
            if all(found):
                rise, fall = map(self._merge, found)
                self.arrivals[net] = (rise, fall)

    def _merge(self, candidates: Sequence[_Arrival]) -> _Arrival:
        """The latest arrival with the worst slew of all, or the earliest with the best."""
        choose = min if self.earliest else max
        at = choose(candidates, key=lambda candidate: candidate.time_ps)
        slew = choose(candidate.slew_ps for candidate in candidates)
        return _Arrival(at.time_ps, slew, at.source_net, at.source_rises, at.instance, at.pin)


def _worst(ends: Sequence[Endpoint]) -> list[Endpoint]:
    return [max(ends, key=lambda end: end.total_ps)] if ends else []


def _depends_on_output(cell: Cell, pin: str) -> bool:
    return any(source in cell.outputs for source in cell.outputs[pin].arcs)


def _step(
    at: _Arrival,
    edge: EdgeTiming,
    load_ff: float,
    source_net: int,
    source_rises: bool,
    instance: Instance,
    pin: str,
) -> _Arrival:
    return _Arrival(
        at.time_ps + edge.delay_ps(at.slew_ps, load_ff),
        edge.slew_ps(at.slew_ps, load_ff),
        source_net,
        source_rises,
        instance,
        pin,
    )
