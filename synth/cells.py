"""What is known about the cells of a library: logic, area, capacitance, linear timing, energy.

Delay and slew are linear in input slew and output load, per input pin and output edge; energy is
one figure per output toggle, and for a flip-flop one per clock cycle and one per data toggle.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

from macsmith.sim.netlist_cells import CellModel, FlipFlopModel
from macsmith.sim.netlist_function import Function

__all__ = [
    "Cell",
    "Constraint",
    "EdgeTiming",
    "FlipFlop",
    "FullAdderCell",
    "InputPin",
    "LinearTiming",
    "OutputPin",
    "Sense",
    "Technology",
    "TimingArc",
]

Sense = Literal["positive", "negative", "both"]


class EdgeTiming(Protocol):
    """Delay and output slew of one arc for one edge in and one edge out, ps; load in fF."""

    def delay_ps(self, slew_ps: float, load_ff: float) -> float:
        """Delay from the input's to the output's 50 % crossing."""
        ...

    def slew_ps(self, slew_ps: float, load_ff: float) -> float:
        """Output slew in the library's convention."""
        ...


@dataclass(frozen=True)
class LinearTiming:
    """Delay and output slew of one arc for one output edge, all ps; load in fF.

    ``delay = delay_base_ps + delay_per_slew * slew + delay_ps_per_ff * load``, the same for slew.
    """

    delay_base_ps: float
    delay_per_slew: float
    delay_ps_per_ff: float
    slew_base_ps: float
    slew_per_slew: float
    slew_ps_per_ff: float

    def delay_ps(self, slew_ps: float, load_ff: float) -> float:
        """Delay from the input's to the output's 50 % crossing."""
        return self.delay_base_ps + self.delay_per_slew * slew_ps + self.delay_ps_per_ff * load_ff

    def slew_ps(self, slew_ps: float, load_ff: float) -> float:
        """Output slew in the library's convention, never below 0."""
        slew = self.slew_base_ps + self.slew_per_slew * slew_ps + self.slew_ps_per_ff * load_ff
        return max(slew, 0.0)

    def numbers(self) -> tuple[float, ...]:
        """The six coefficients in field order."""
        return (
            self.delay_base_ps,
            self.delay_per_slew,
            self.delay_ps_per_ff,
            self.slew_base_ps,
            self.slew_per_slew,
            self.slew_ps_per_ff,
        )


@dataclass(frozen=True)
class TimingArc:
    """From one input to one output.

    `sense` says which input edge makes the output rise: ``positive`` the rise, ``negative`` the
    fall, ``both`` either (the slower of the two then stands in the table).
    """

    sense: Sense
    rise: LinearTiming
    fall: LinearTiming

    def edge(self, rises_in: bool, rises_out: bool, earliest: bool = False) -> EdgeTiming | None:
        """Timing from an input edge to an output edge; None if the one never causes the other.

        With `earliest` the quickest that is known; a line is always the slowest.
        """
        if self.sense != "both" and (self.sense == "positive") != (rises_in == rises_out):
            return None
        return self.rise if rises_out else self.fall

    def launch(self, rises_out: bool, earliest: bool = False) -> EdgeTiming:
        """Timing of an edge of a flip-flop's output behind the active edge of its clock."""
        return self.rise if rises_out else self.fall


@dataclass(frozen=True)
class Constraint:
    """Setup or hold time of a data pin, ps, linear in the slew of the data by its edge.

    At the clock slew that the technology assumes (`Technology.clock_slew_ps`).
    """

    rise_base_ps: float
    rise_per_slew: float
    fall_base_ps: float
    fall_per_slew: float

    def at(self, rises: bool, slew_ps: float) -> float:
        """The time that an edge of the data of this slew must keep from the clock's."""
        if rises:
            return self.rise_base_ps + self.rise_per_slew * slew_ps
        return self.fall_base_ps + self.fall_per_slew * slew_ps

    def numbers(self) -> tuple[float, ...]:
        """The four coefficients in field order."""
        return self.rise_base_ps, self.rise_per_slew, self.fall_base_ps, self.fall_per_slew


@dataclass(frozen=True)
class InputPin:
    """An input.

    Attributes
    ----------
    capacitance_ff
        Mean of both edges: what a toggle charges.
    energy_fj
        Internal energy of a toggle of this pin that no output follows.
    late_ff, early_ff
        For a rising and a falling edge the most and the least that the library gives, for the
        latest and the earliest arrival. A table of the project holds no `early_ff`: the mean.
    """

    capacitance_ff: float
    energy_fj: float
    late_ff: tuple[float, float]
    early_ff: tuple[float, float]


@dataclass(frozen=True)
class OutputPin:
    """An output; `arcs` by input pin (for a flip-flop by clock pin).

    `function` is over the input pins, for a flip-flop over its state names. `energy_fj` is the
    internal energy of one toggle, the charging of the load not included. `max_load_ff` is 0 where
    the library gives none.
    """

    function: Function
    energy_fj: float
    max_load_ff: float
    arcs: dict[str, TimingArc]


@dataclass(frozen=True)
class FlipFlop:
    """What makes a cell a flip-flop.

    `clock_energy_fj` is the internal energy of one clock cycle in which no output changes;
    `setup_ps` and `hold_ps` are by data pin.
    """

    state: str
    inverted_state: str
    clocked_on: Function
    next_state: Function
    clear: Function | None
    preset: Function | None
    clock_energy_fj: float
    setup_ps: dict[str, Constraint]
    hold_ps: dict[str, Constraint]

    @property
    def clock_pin(self) -> str:
        """The pin whose edge loads the state."""
        return self.clocked_on.variables()[0]


@dataclass(frozen=True)
class Cell:
    """One cell of a technology."""

    name: str
    area_um2: float
    leakage_nw: float
    inputs: dict[str, InputPin]
    outputs: dict[str, OutputPin]
    flip_flop: FlipFlop | None

    def model(self) -> CellModel:
        """The cell's logic, as the netlist simulator takes it."""
        register = self.flip_flop
        return CellModel(
            name=self.name,
            inputs=tuple(self.inputs),
            outputs={name: pin.function for name, pin in self.outputs.items()},
            flip_flop=None
            if register is None
            else FlipFlopModel(
                state=register.state,
                inverted_state=register.inverted_state,
                clocked_on=register.clocked_on,
                next_state=register.next_state,
                clear=register.clear,
                preset=register.preset,
            ),
        )


@dataclass(frozen=True)
class FullAdderCell:
    """A library cell that is a full adder, with either output possibly inverted."""

    cell: Cell
    inputs: tuple[str, str, str]
    sum_pin: str
    sum_inverted: bool
    carry_pin: str
    carry_inverted: bool


@dataclass(frozen=True)
class Technology:
    """A cell library reduced to facts.

    Attributes
    ----------
    name
        Canonical name, as in `TECHNOLOGIES`, or what a user's Liberty file calls itself.
    title, source, corner, licence, attribution
        Provenance, for people.
    dont_use
        Shell patterns of cell names left out; part of the result, since areas move with it.
    driver_cell, output_load_ff
        What is assumed to drive every input port, and the load on every output port.
    """

    name: str
    title: str
    source: str
    corner: str
    licence: str
    attribution: str
    voltage_v: float
    temperature_c: float
    slew_lower_percent: float
    slew_upper_percent: float
    slew_derate: float
    dont_use: tuple[str, ...]
    driver_cell: str
    output_load_ff: float
    cells: dict[str, Cell] = field(repr=False)

    @cached_property
    def full_adder(self) -> FullAdderCell | None:
        """The smallest full-adder cell, or None if the library has none."""
        found: FullAdderCell | None = None
        for cell in self.cells.values():
            adder = _as_full_adder(cell)
            if adder and (found is None or cell.area_um2 < found.cell.area_um2):
                found = adder
        return found

    @cached_property
    def inverter(self) -> Cell:
        """The smallest inverter; the one with the least input capacitance among equals."""
        return min(self._single_input(inverting=True), key=_size)

    @property
    def driver_arc(self) -> TimingArc:
        """The arc of the cell that drives the input ports."""
        (output,) = self.cells[self.driver_cell].outputs.values()
        return next(iter(output.arcs.values()))

    def driver_edge(self, rises: bool) -> EdgeTiming:
        """Timing of an edge of an input port behind the driver cell."""
        arc = self.driver_arc
        edge = arc.edge(True, rises) or arc.edge(False, rises)
        assert edge is not None  # an arc causes either edge
        return edge

    @cached_property
    def clock_slew_ps(self) -> float:
        """Slew assumed on clock pins: what the driver cell makes of a step at an output's load."""
        return self.driver_arc.rise.slew_ps(0.0, self.output_load_ff)

    @property
    def has_leakage(self) -> bool:
        """Whether the library states leakage of any cell; otherwise there is no such figure."""
        return any(cell.leakage_nw > 0 for cell in self.cells.values())

    @property
    def has_internal_energy(self) -> bool:
        """Whether the library states energies inside cells, without which all are too small."""
        return any(
            output.energy_fj for cell in self.cells.values() for output in cell.outputs.values()
        )

    def models(self) -> dict[str, CellModel]:
        """Logic of every cell by name."""
        return {name: cell.model() for name, cell in self.cells.items()}

    def _single_input(self, inverting: bool) -> list[Cell]:
        cells = []
        for cell in self.cells.values():
            if len(cell.inputs) == 1 and len(cell.outputs) == 1 and cell.flip_flop is None:
                (pin,), (output,) = cell.inputs, cell.outputs.values()
                if output.function.truth_table((pin,)) == (0b01 if inverting else 0b10):
                    cells.append(cell)
        return cells

    def inverters(self) -> list[Cell]:
        """Inverters, smallest first."""
        return sorted(self._single_input(inverting=True), key=_size)

    def buffers(self) -> list[Cell]:
        """Buffers, smallest first."""
        return sorted(self._single_input(inverting=False), key=_size)


def _size(cell: Cell) -> tuple[float, float, str]:
    return cell.area_um2, sum(p.capacitance_ff for p in cell.inputs.values()), cell.name


# Truth tables over three inputs, bit k being the value for input bits k: a ^ b ^ c and majority.
_SUM_TABLE = 0b10010110
_CARRY_TABLE = 0b11101000


def _as_full_adder(cell: Cell) -> FullAdderCell | None:
    if len(cell.inputs) != 3 or len(cell.outputs) != 2 or cell.flip_flop is not None:
        return None
    a, b, c = cell.inputs
    sums: dict[str, bool] = {}
    carries: dict[str, bool] = {}
    for name, pin in cell.outputs.items():
        table = pin.function.truth_table((a, b, c))
        for wanted, found in ((_SUM_TABLE, sums), (_CARRY_TABLE, carries)):
            if table in (wanted, wanted ^ 0xFF):
                found[name] = table != wanted
    if len(sums) != 1 or len(carries) != 1:
        return None
    ((sum_pin, sum_inverted),) = sums.items()
    ((carry_pin, carry_inverted),) = carries.items()
    return FullAdderCell(cell, (a, b, c), sum_pin, sum_inverted, carry_pin, carry_inverted)
