"""A technology that keeps a library's own look-up tables beside the fitted lines.

Static timing and gate delays then come from the tables (bilinear interpolation, every timing group
by its own edges); the mapper still sees the lines, which `LinearTiming.numbers` gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from macsmith.synth.cells import (
    Cell,
    Constraint,
    EdgeTiming,
    FlipFlop,
    InputPin,
    OutputPin,
    Technology,
    TimingArc,
)
from macsmith.synth.liberty_library import EDGES, Arc, LibertyCell, LibertyPin, Library, Table

__all__ = ["TabulatedArc", "TabulatedConstraint", "TabulatedEdge", "is_data_arc", "with_tables"]

Transition = tuple[bool, bool]
"""Whether the input rises, and whether the output does."""

TRANSITIONS: tuple[Transition, ...] = tuple((i, o) for i in (True, False) for o in (True, False))


def is_data_arc(arc: Arc) -> bool:
    """Whether a timing group makes the output follow (not clear, preset or a constraint)."""
    return arc.kind in ("combinational", "rising_edge", "falling_edge")


@dataclass(frozen=True)
class TabulatedEdge:
    """The timing groups that one edge in and one edge out have in common: the slowest counts.

    `pairs` holds the tables of delay and slew, ps, of each group. With `is_earliest` the quickest
    counts.
    """

    pairs: tuple[tuple[Table, Table], ...]
    is_earliest: bool = False

    def delay_ps(self, slew_ps: float, load_ff: float) -> float:
        """As `EdgeTiming.delay_ps`."""
        choose = min if self.is_earliest else max
        return choose(delay.at(slew_ps, load_ff) for delay, _ in self.pairs)

    def slew_ps(self, slew_ps: float, load_ff: float) -> float:
        """As `EdgeTiming.slew_ps`, never below 0."""
        choose = min if self.is_earliest else max
        return max(0.0, choose(slew.at(slew_ps, load_ff) for _, slew in self.pairs))


@dataclass(frozen=True)
class TabulatedArc(TimingArc):
    """An arc with the library's tables, by edge in and edge out."""

    edges: dict[Transition, TabulatedEdge]
    early_edges: dict[Transition, TabulatedEdge]

    def edge(self, rises_in: bool, rises_out: bool, earliest: bool = False) -> EdgeTiming | None:
        """As `TimingArc.edge`, from the tables."""
        return (self.early_edges if earliest else self.edges).get((rises_in, rises_out))

    def launch(self, rises_out: bool, earliest: bool = False) -> EdgeTiming:
        """As `TimingArc.launch`, from the tables."""
        edges = self.early_edges if earliest else self.edges
        return edges.get((True, rises_out)) or edges[False, rises_out]


@dataclass(frozen=True)
class TabulatedConstraint(Constraint):
    """A constraint with the library's tables, by whether the data rise, at one clock slew."""

    tables: dict[bool, tuple[Table, ...]]
    clock_slew_ps: float

    def at(self, rises: bool, slew_ps: float) -> float:
        """As `Constraint.at`, from the tables."""
        return max(table.at(slew_ps, self.clock_slew_ps) for table in self.tables[rises])


def with_tables(technology: Technology, library: Library) -> Technology:
    """The same technology, timed over the tables of the library it was made from.

    Raises
    ------
    KeyError
        A cell that the library does not have.
    """
    slew = technology.clock_slew_ps
    cells = {n: _tabulated(c, library.cells[n], slew) for n, c in technology.cells.items()}
    return replace(technology, cells=cells)


def _tabulated(cell: Cell, source: LibertyCell, clock_slew_ps: float) -> Cell:
    outputs: dict[str, OutputPin] = {}
    for name, output in cell.outputs.items():
        arcs: dict[str, TimingArc] = {
            pin: _arc(arc, source.pins[name], pin) for pin, arc in output.arcs.items()
        }
        outputs[name] = replace(output, arcs=arcs)
    inputs: dict[str, InputPin] = {}
    for name, pin in cell.inputs.items():
        given = source.pins[name]
        inputs[name] = replace(pin, late_ff=given.most_ff, early_ff=given.least_ff)
    register = cell.flip_flop
    if register is not None:
        register = _flip_flop(register, source, clock_slew_ps)
    return replace(cell, inputs=inputs, outputs=outputs, flip_flop=register)


def _arc(arc: TimingArc, pin: LibertyPin, source: str) -> TabulatedArc:
    groups = [group for group in pin.arcs if group.input_pin == source and is_data_arc(group)]
    edges: dict[Transition, TabulatedEdge] = {}
    for rises_in, rises_out in TRANSITIONS:
        edge = EDGES[0 if rises_out else 1]
        pairs = tuple(
            (group.delay[edge], group.slew[edge])
            for group in groups
            if edge in group.delay and edge in group.slew and _causes(group, rises_in, rises_out)
        )
        if pairs:
            edges[rises_in, rises_out] = TabulatedEdge(pairs)
    early = {key: replace(edge, is_earliest=True) for key, edge in edges.items()}
    return TabulatedArc(arc.sense, arc.rise, arc.fall, edges, early)


def _causes(group: Arc, rises_in: bool, rises_out: bool) -> bool:
    if group.kind != "combinational":  # a clock: the kind says which edge, either output follows
        return rises_in == (group.kind == "rising_edge")
    if group.sense == "non_unate":
        return True
    return (group.sense == "positive_unate") == (rises_in == rises_out)


def _flip_flop(register: FlipFlop, source: LibertyCell, clock_slew_ps: float) -> FlipFlop:
    def tabulated(kind: str, lines: dict[str, Constraint]) -> dict[str, Constraint]:
        return {
            pin: TabulatedConstraint(
                **vars(line),
                tables=constraint_tables(source.pins[pin].arcs, kind),
                clock_slew_ps=clock_slew_ps,
            )
            for pin, line in lines.items()
        }

    return replace(
        register,
        setup_ps=tabulated("setup", register.setup_ps),
        hold_ps=tabulated("hold", register.hold_ps),
    )


def constraint_tables(arcs: Sequence[Arc], kind: str) -> dict[bool, tuple[Table, ...]]:
    """Tables of the ``setup`` or ``hold`` groups of a pin by whether the data rise.

    An edge that no group names has those of the other edge; empty if there are none at all.
    """
    found = {
        rises: tuple(
            arc.delay[edge] for arc in arcs if arc.kind.startswith(kind) and edge in arc.delay
        )
        for rises, edge in zip((True, False), EDGES, strict=True)
    }
    if not any(found.values()):
        return {}
    return {rises: tables or found[not rises] for rises, tables in found.items()}
