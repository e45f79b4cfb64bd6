"""From a Liberty library's tables to a technology's linear figures.

The straight lines are fitted over the part of each table that small arithmetic circuits use: input
slews up to an eighth of the largest tabulated one, loads up to an eighth of the largest. Points
are spaced evenly in the logarithm and the squared error is taken relative to the value, so short
delays count as much as long ones.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from macsmith.synth.cells import (
    Cell,
    Constraint,
    FlipFlop,
    InputPin,
    LinearTiming,
    OutputPin,
    Sense,
    Technology,
    TimingArc,
)
from macsmith.synth.liberty import LibertyError, reasons
from macsmith.synth.liberty_library import (
    EDGES,
    Arc,
    Edge,
    LibertyCell,
    LibertyFlipFlop,
    LibertyPin,
    Library,
    Table,
)
from macsmith.synth.linear_energy import Usual, cell_energy
from macsmith.synth.tabulated import constraint_tables, is_data_arc
from numpy.typing import NDArray

__all__ = ["technology_from_library"]

# ABC matches functions of at most six inputs, so wider gates would never be chosen.
MOST_INPUTS = 6
SLEW_POINTS = 6
LOAD_POINTS = 6
# Slew and load of half of all gates lie below these, in slews of the clock and loads of an output:
# medians over twelve mapped designs are 2.3 to 2.7 and 0.65 to 0.85 in three libraries.
SLEW_IN_USE = 2.5
LOAD_IN_USE = 0.75
SLEW_SHARE = 8.0
LOAD_SHARE = 8.0


def technology_from_library(
    library: Library,
    *,
    name: str = "",
    title: str = "",
    source: str = "",
    corner: str = "",
    licence: str = "",
    attribution: str = "",
    dont_use: Sequence[str] = (),
    driver_cell: str = "",
    output_load_ff: float = 0.0,
) -> Technology:
    """Reduce a library to a table of facts.

    Cells the library marks unusable are left out. Without `driver_cell` the second smallest
    buffer is taken (the only one if there is one, else the smallest inverter); without
    `output_load_ff` 2.5 times the input capacitance of the smallest inverter.

    Raises
    ------
    LibertyError
        No inverter, no flip-flop, or a driver cell that is not there.
    """
    cells = {
        cell.name: _linear_cell(cell)
        for cell in library.cells.values()
        if not cell.unusable and _has_timing(cell) and _is_narrow(cell)
    }
    table = Technology(
        name=name or library.name,
        title=title or library.name,
        source=source or ", ".join(library.files),
        corner=corner or f"{library.voltage_v:g} V, {library.temperature_c:g} C",
        licence=licence or "as the Liberty files state",
        attribution=attribution,
        voltage_v=library.voltage_v,
        temperature_c=library.temperature_c,
        slew_lower_percent=library.slew_lower_percent,
        slew_upper_percent=library.slew_upper_percent,
        slew_derate=library.slew_derate,
        dont_use=tuple(dont_use),
        driver_cell=driver_cell,
        output_load_ff=output_load_ff,
        cells=cells,
    )
    try:
        inverter = table.inverter
    except ValueError:
        raise LibertyError(_lacks("inverter", table.name, library)) from None
    if not any(cell.flip_flop for cell in cells.values()):
        raise LibertyError(_lacks("flip-flop", table.name, library))
    if not driver_cell:
        candidates = [*table.buffers()[1:2], *table.buffers()[:1], inverter]
        driver_cell = candidates[0].name
    if driver_cell not in cells:
        raise LibertyError(f"{table.name}: driver cell {driver_cell!r} is not a usable cell")
    if not output_load_ff:
        (pin,) = inverter.inputs.values()
        output_load_ff = 2.5 * pin.capacitance_ff
    table = replace(table, driver_cell=driver_cell, output_load_ff=output_load_ff)
    slew = table.clock_slew_ps
    usual = Usual(SLEW_IN_USE * slew, LOAD_IN_USE * output_load_ff)
    for name, cell in cells.items():
        given = library.cells[name]
        cells[name] = _with_energy(_with_constraints(cell, given, slew), given, usual)
    return replace(table, cells=cells)


def _lacks(what: str, name: str, library: Library) -> str:
    why = reasons(
        cell.unusable or ("" if _has_timing(cell) else "an output without timing")
        for cell in library.cells.values()
    )
    return f"{name}: no usable {what}; the library must have one{why}"


def _has_timing(cell: LibertyCell) -> bool:
    # Tie cells have outputs without arcs: nothing in the flow asks for them.
    return all(any(arc.slew for arc in pin.arcs) for pin in cell.pins.values() if pin.is_output)


def _is_narrow(cell: LibertyCell) -> bool:
    inputs = sum(not pin.is_output for pin in cell.pins.values())
    return cell.flip_flop is not None or inputs <= MOST_INPUTS


def _linear_cell(cell: LibertyCell) -> Cell:
    """The cell without energies, setup and hold, which go by the slews that are usual."""
    register = cell.flip_flop
    inputs = {
        pin.name: InputPin(pin.capacitance_ff, 0.0, late_ff=pin.most_ff, early_ff=pin.least_ff)
        for pin in cell.pins.values()
        if not pin.is_output
    }
    return Cell(
        name=cell.name,
        area_um2=cell.area_um2,
        leakage_nw=cell.leakage_nw,
        inputs=inputs,
        outputs={pin.name: _linear_output(pin) for pin in cell.pins.values() if pin.is_output},
        flip_flop=_linear_flip_flop(register) if register else None,
    )


def _linear_output(pin: LibertyPin) -> OutputPin:
    assert pin.function is not None  # cells without are unusable
    arcs: dict[str, TimingArc] = {}
    sources = dict.fromkeys(arc.input_pin for arc in pin.arcs if is_data_arc(arc))
    for source in sources:
        group = [arc for arc in pin.arcs if arc.input_pin == source and is_data_arc(arc)]
        if all(set(arc.delay) == set(EDGES) == set(arc.slew) for arc in group):
            arcs[source] = _linear_arc(pin, group)
    return OutputPin(
        function=pin.function,
        energy_fj=0.0,
        max_load_ff=pin.max_load_ff,
        arcs=arcs,
    )


def _linear_arc(pin: LibertyPin, group: list[Arc]) -> TimingArc:
    senses = {arc.sense for arc in group}
    sense: Sense = "both"
    if senses == {"positive_unate"}:
        sense = "positive"
    elif senses == {"negative_unate"}:
        sense = "negative"
    return TimingArc(sense, _fit_edge(pin, group, "rise"), _fit_edge(pin, group, "fall"))


def _fit_edge(pin: LibertyPin, group: list[Arc], edge: Edge) -> LinearTiming:
    """The line through the slowest of the arcs (they differ in state or in input edge)."""
    slews, loads = fit_range(group[0].delay[edge], pin.max_load_ff)

    delay = fit_line(slews, loads, _slowest([arc.delay[edge] for arc in group], slews, loads))
    slew = fit_line(slews, loads, _slowest([arc.slew[edge] for arc in group], slews, loads))
    return LinearTiming(*delay, *slew)


def _slowest(
    tables: list[Table], slews: NDArray[np.float64], loads: NDArray[np.float64]
) -> NDArray[np.float64]:
    grids = np.stack([table.grid(slews, loads) for table in tables])
    result: NDArray[np.float64] = grids.max(axis=0)
    return result


def fit_range(table: Table, max_load_ff: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slews (ps) and loads (fF) at which a table is sampled for the fit."""
    loads_top = max(max_load_ff, float(table.loads_ff[-1]))
    return (
        _spread(table.slews_ps, float(table.slews_ps[-1]) / SLEW_SHARE, SLEW_POINTS),
        _spread(table.loads_ff, loads_top / LOAD_SHARE, LOAD_POINTS),
    )


def _spread(axis: NDArray[np.float64], top: float, points: int) -> NDArray[np.float64]:
    """Points from the axis' low end (but no less than a twentieth of `top`) up to `top`."""
    if len(axis) == 1:
        return np.full(points, axis[0])
    top = max(top, float(axis[1]))
    return np.geomspace(max(float(axis[0]), top / 20), top, points)


def fit_line(
    slews: NDArray[np.float64], loads: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Least relative squares of ``base + per_slew * slew + per_ff * load``.

    `values` has shape ``[slews, loads]``; the three coefficients come back in that order.
    """
    slew_grid, load_grid = np.meshgrid(slews, loads, indexing="ij")
    flat = values.ravel()
    # A floor on the weight: delays near zero (or negative, at slow inputs) must not rule the fit.
    weights = 1.0 / np.maximum(np.abs(flat), 0.25 * float(np.median(np.abs(flat))) + 1e-9)
    matrix = np.column_stack([np.ones(flat.size), slew_grid.ravel(), load_grid.ravel()])
    solution, *_ = np.linalg.lstsq(matrix * weights[:, None], flat * weights, rcond=None)
    base, per_slew, per_ff = (float(number) for number in solution)
    return base, per_slew, per_ff


def _linear_flip_flop(register: LibertyFlipFlop) -> FlipFlop:
    return FlipFlop(
        state=register.state,
        inverted_state=register.inverted_state,
        clocked_on=register.clocked_on,
        next_state=register.next_state,
        clear=register.clear,
        preset=register.preset,
        clock_energy_fj=0.0,
        setup_ps={},
        hold_ps={},
    )


def _with_constraints(cell: Cell, source: LibertyCell, clock_slew_ps: float) -> Cell:
    """The cell with setup and hold of its data pins, lines at the given slew of the clock."""
    if cell.flip_flop is None:
        return cell
    lines: dict[str, dict[str, Constraint]] = {"setup": {}, "hold": {}}
    for kind, by_pin in lines.items():
        for pin in source.pins.values():
            tables = constraint_tables(pin.arcs, kind)
            if tables:
                rise, fall = (_fit_constraint(tables[r], clock_slew_ps) for r in (True, False))
                by_pin[pin.name] = Constraint(*rise, *fall)
    register = replace(cell.flip_flop, setup_ps=lines["setup"], hold_ps=lines["hold"])
    return replace(cell, flip_flop=register)


def _with_energy(cell: Cell, source: LibertyCell, usual: Usual) -> Cell:
    energy = cell_energy(source, usual)
    register = cell.flip_flop
    if register is not None:
        register = replace(register, clock_energy_fj=energy.clock_fj)
    inputs = {
        name: replace(pin, energy_fj=energy.inputs_fj[name]) for name, pin in cell.inputs.items()
    }
    outputs = {
        name: replace(pin, energy_fj=energy.outputs_fj[name]) for name, pin in cell.outputs.items()
    }
    return replace(cell, inputs=inputs, outputs=outputs, flip_flop=register)


def _fit_constraint(tables: Sequence[Table], clock_slew_ps: float) -> tuple[float, float]:
    """Least squares of ``base + per_slew * slew`` over the slews that data have."""
    slews, _ = fit_range(tables[0], 0.0)
    clock = np.array([clock_slew_ps])
    values = _slowest(list(tables), slews, clock)[:, 0]
    matrix = np.column_stack([np.ones(slews.size), slews])
    solution, *_ = np.linalg.lstsq(matrix, values, rcond=None)
    return float(solution[0]), float(solution[1])
