"""Gate delays of a mapped netlist, for timed simulation: from load and slew, over linear timing."""

from macsmith.sim.netlist_graph import Instance, Netlist
from macsmith.sim.timed import OutputDelay
from macsmith.synth.cells import Cell, OutputPin, Technology, TimingArc
from macsmith.synth.timing import NetTiming, net_timing

__all__ = ["output_delays"]


def output_delays(netlist: Netlist, technology: Technology) -> dict[tuple[str, str], OutputDelay]:
    """Rise and fall delay of every output of every instance.

    Each arc is taken at the slew that static timing finds on its input and the load on the output.
    Where pins differ in delay, the slower ones act later by the difference, the same for both
    edges; a flip-flop's delay counts from the clock edge.

    Returns
    -------
    dict
        By instance and output pin.

    Raises
    ------
    NetlistError
        A cell that is not in the technology, or a combinational loop.
    """
    timing = net_timing(netlist, technology)
    delays: dict[tuple[str, str], OutputDelay] = {}
    for instance in netlist.instances:
        cell = technology.cells[instance.cell]
        for name, output in cell.outputs.items():
            if name in instance.pins:
                delays[instance.name, name] = _delay(instance, cell, name, output, timing)
    return delays


def _delay(
    instance: Instance, cell: Cell, name: str, output: OutputPin, timing: NetTiming
) -> OutputDelay:
    load_ff = timing.loads_ff[instance.pins[name]]
    by_pin: dict[str, tuple[float, float]] = {}
    for pin, arc in output.arcs.items():
        if cell.flip_flop is not None and pin == cell.flip_flop.clock_pin:
            slews = (timing.clock_slew_ps, timing.clock_slew_ps)
        else:
            slews = timing.slews_ps.get(instance.pins.get(pin, 0), (0.0, 0.0))
        by_pin[pin] = (
            _edge_ps(arc, slews, load_ff, rises=True),
            _edge_ps(arc, slews, load_ff, rises=False),
        )
    inputs = {pin: edges for pin, edges in by_pin.items() if pin not in cell.outputs}
    if not inputs:
        return OutputDelay(0.0, 0.0)
    quickest = min(sum(edges) for edges in inputs.values()) / 2
    later = {pin: sum(edges) / 2 - quickest for pin, edges in inputs.items()}
    count = len(inputs)
    return OutputDelay(
        rise_ps=max(sum(edges[0] - later[pin] for pin, edges in inputs.items()) / count, 0.0),
        fall_ps=max(sum(edges[1] - later[pin] for pin, edges in inputs.items()) / count, 0.0),
        later_ps={} if cell.flip_flop is not None else later,
    )


def _edge_ps(
    arc: TimingArc, slews_ps: tuple[float, float], load_ff: float, *, rises: bool
) -> float:
    """Delay to one output edge, from the input edge (or the mean of both) that causes it."""
    found = [
        (edge, slew)
        for rises_in, slew in zip((True, False), slews_ps, strict=True)
        if (edge := arc.edge(rises_in, rises)) is not None
    ]
    return sum(edge.delay_ps(slew, load_ff) for edge, slew in found) / len(found)
