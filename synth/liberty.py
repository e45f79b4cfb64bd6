"""Reads Liberty files: what their groups mean, in one set of units.

Everything is converted to ps, fF, nW, fJ, V and um2 whatever the file's own units are.
"""

import fnmatch
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from macsmith.sim.netlist_function import FunctionError, parse_function
from macsmith.synth.liberty_library import (
    EDGES,
    Arc,
    Edge,
    LibertyCell,
    LibertyFlipFlop,
    LibertyPin,
    Library,
    Power,
    Table,
)
from macsmith.synth.liberty_syntax import Group, LibertyError, read_groups
from numpy.typing import NDArray

__all__ = ["LibertyError", "Library", "read_liberty", "reasons"]


def read_liberty(paths: Sequence[Path], dont_use: Iterable[str] = ()) -> Library:
    """Read Liberty files, plain or gzip, as one library.

    Parameters
    ----------
    paths
        Files of the same corner. Name, voltage and slew convention come from the first.
    dont_use
        Shell patterns of cell names to mark unusable, besides the file's own ``dont_use``.

    Raises
    ------
    LibertyError
        A file is unreadable or not Liberty; two files disagree on voltage or slew convention, or
        define the same cell; or not one cell is left that can be used as a gate.
    """
    if not paths:
        raise LibertyError("no Liberty file given; at least one must be named")
    patterns = tuple(dont_use)
    first: Library | None = None
    cells: dict[str, LibertyCell] = {}
    for path in paths:
        library = _read_one(Path(path), patterns)
        if first is None:
            first = library
        elif _convention(library) != _convention(first):
            raise LibertyError(
                f"{path}: voltage and slew convention {_convention(library)} differ from "
                f"{_convention(first)} of {paths[0]}; files must be of one corner"
            )
        for name, cell in library.cells.items():
            if name in cells:
                raise LibertyError(f"{path}: cell {name} is defined twice; give each file once")
            cells[name] = cell
    assert first is not None  # paths is not empty
    if not any(not cell.unusable and cell.flip_flop is None for cell in cells.values()):
        why = reasons(cell.unusable for cell in cells.values())
        raise LibertyError(
            f"{paths[0]}: no usable combinational cell; the file must describe a cell library{why}"
        )
    return Library(
        first.name,
        first.voltage_v,
        first.temperature_c,
        first.slew_lower_percent,
        first.slew_upper_percent,
        first.slew_derate,
        cells,
        tuple(Path(path).name for path in paths),
    )


def reasons(left_out: Iterable[str]) -> str:
    """The three most frequent of the reasons why cells cannot be used, as the end of a message."""
    counts = Counter(reason for reason in left_out if reason).most_common(3)
    told = ", ".join(f"{count} for {reason}" for reason, count in counts)
    return f" (cells left out: {told})" if told else ""


def _convention(library: Library) -> tuple[float, ...]:
    return (
        library.voltage_v,
        library.slew_lower_percent,
        library.slew_upper_percent,
        library.slew_derate,
    )


_SCALES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}


@dataclass(frozen=True)
class _Units:
    """Factors from the file's units to ours."""

    time_ps: float
    capacitance_ff: float
    leakage_nw: float
    voltage_v: float

    @property
    def energy_fj(self) -> float:
        # Liberty: the unit of internal energy is that of voltage squared times capacitance.
        return self.capacitance_ff * self.voltage_v**2


def _read_one(path: Path, patterns: tuple[str, ...]) -> Library:
    top = read_groups(path)
    values = top.values
    model = values.get("delay_model", "table_lookup")
    if model != "table_lookup":
        raise LibertyError(f"{path}: delay_model {model}; must be table_lookup (NLDM)")
    load_unit = top.lists.get("capacitive_load_unit")
    if load_unit is None or len(load_unit) != 2:
        raise LibertyError(f"{path}: capacitive_load_unit is missing; must be (number, ff or pf)")
    units = _Units(
        time_ps=_unit(path, values.get("time_unit", "1ns"), "s") * 1e12,
        capacitance_ff=_number(path, load_unit[0])
        * _unit(path, "1" + load_unit[1].lower(), "f")
        * 1e15,
        leakage_nw=_unit(path, values.get("leakage_power_unit", "1nW"), "W") * 1e9,
        voltage_v=_unit(path, values.get("voltage_unit", "1V"), "V"),
    )
    templates = {
        group.arguments[0]: group
        for group in top.groups
        if group.kind in ("lu_table_template", "power_lut_template") and group.arguments
    }
    reader = _CellReader(path, units, templates, values)
    cells: dict[str, LibertyCell] = {}
    for group in top.children("cell"):
        cell = reader.cell(group, patterns)
        if cell.name in cells:
            raise LibertyError(f"{path}: cell {cell.name} is defined twice")
        cells[cell.name] = cell
    return Library(
        name=top.arguments[0] if top.arguments else path.stem,
        voltage_v=_voltage(path, top) * units.voltage_v,
        temperature_c=_number(path, values.get("nom_temperature", "25")),
        slew_lower_percent=_number(path, values.get("slew_lower_threshold_pct_rise", "20")),
        slew_upper_percent=_number(path, values.get("slew_upper_threshold_pct_rise", "80")),
        slew_derate=_number(path, values.get("slew_derate_from_library", "1")),
        cells=cells,
        files=(path.name,),
    )


def _voltage(path: Path, top: Group) -> float:
    """The nominal one, else that of the operating conditions: energies go by its square."""
    stated = top.values.get("nom_voltage")
    if stated is None:
        default = top.values.get("default_operating_conditions", "")
        conditions = list(top.children("operating_conditions"))
        named = [each for each in conditions if each.arguments == (default,)] or conditions
        stated = named[0].values.get("voltage") if named else None
    if stated is None:
        raise LibertyError(f"{path}: nom_voltage is missing; must be the supply's, in voltage_unit")
    return _number(path, stated)


def _unit(path: Path, text: str, symbol: str) -> float:
    body = text.strip()
    digits = len(body) - len(body.lstrip("0123456789."))
    number, word = body[:digits], body[digits:]
    prefix = word[: -len(symbol)] if word.lower().endswith(symbol.lower()) else None
    if not number or prefix is None or prefix not in _SCALES:
        raise LibertyError(f"{path}: unit {text!r}; must be a number and a unit of {symbol}")
    return float(number) * _SCALES[prefix]


def _number(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise LibertyError(f"{path}: {text!r} must be a number") from None


class _CellReader:
    """Turns cell groups of one file into `LibertyCell`s."""

    def __init__(
        self, path: Path, units: _Units, templates: dict[str, Group], defaults: dict[str, str]
    ) -> None:
        self.path = path
        self.units = units
        self.templates = templates
        self.defaults = defaults

    def number(self, group: Group, name: str, default: str) -> float:
        return _number(self.path, group.values.get(name, default))

    def cell(self, group: Group, patterns: tuple[str, ...]) -> LibertyCell:
        if not group.arguments:
            raise LibertyError(f"{self.path}: a cell without a name")
        name = group.arguments[0]
        pins: dict[str, LibertyPin] = {}
        try:
            for pin_group in group.children("pin"):
                for pin_name in pin_group.arguments:
                    pin = self.pin(pin_name, pin_group)
                    if pin is not None:
                        pins[pin_name] = pin
            flip_flop = self.flip_flop(group)
        except FunctionError as error:
            raise LibertyError(f"{self.path}: cell {name}: {error}") from error
        return LibertyCell(
            name=name,
            area_um2=self.number(group, "area", "0"),
            leakage_nw=self.leakage(group),
            pins=pins,
            flip_flop=flip_flop,
            unusable=_why_unusable(name, group, pins, flip_flop, patterns),
        )

    def leakage(self, group: Group) -> float:
        """Unconditional leakage if given, else the mean over the states listed."""
        general: dict[str, float] = {}
        by_state: dict[str, list[float]] = {}
        for entry in group.children("leakage_power"):
            supply = entry.values.get("related_pg_pin", "")
            value = self.number(entry, "value", "0") * self.units.leakage_nw
            if "when" in entry.values:
                by_state.setdefault(supply, []).append(value)
            else:
                general[supply] = value
        if general:
            return sum(general.values())
        if "cell_leakage_power" in group.values:
            return self.number(group, "cell_leakage_power", "0") * self.units.leakage_nw
        return float(sum(np.mean(values) for values in by_state.values()))

    def flip_flop(self, group: Group) -> LibertyFlipFlop | None:
        entry = group.child("ff")
        if entry is None:
            return None
        if len(entry.arguments) < 2 or not {"clocked_on", "next_state"} <= entry.values.keys():
            raise LibertyError(
                f"{self.path}: cell {group.arguments[0]}: ff must name two states, clocked_on "
                "and next_state"
            )
        clear, preset = entry.values.get("clear"), entry.values.get("preset")
        return LibertyFlipFlop(
            state=entry.arguments[0],
            inverted_state=entry.arguments[1],
            clocked_on=parse_function(entry.values["clocked_on"]),
            next_state=parse_function(entry.values["next_state"]),
            clear=parse_function(clear) if clear else None,
            preset=parse_function(preset) if preset else None,
        )

    def pin(self, name: str, group: Group) -> LibertyPin | None:
        direction = group.values.get("direction", "")
        if direction not in ("input", "output"):
            return None
        is_output = direction == "output"
        function = group.values.get("function")
        capacitance, least, most = self.capacitances(group, direction)
        return LibertyPin(
            name=name,
            is_output=is_output,
            capacitance_ff=capacitance,
            least_ff=least,
            most_ff=most,
            max_load_ff=self.number(
                group, "max_capacitance", self.defaults.get("default_max_capacitance", "0")
            )
            * self.units.capacitance_ff,
            function=parse_function(function) if function else None,
            is_clock=group.values.get("clock", "false").lower() == "true",
            arcs=tuple(arc for entry in group.children("timing") for arc in self.arcs(entry)),
            powers=tuple(
                power for entry in group.children("internal_power") for power in self.powers(entry)
            ),
        )

    def capacitances(
        self, group: Group, direction: str
    ) -> tuple[float, tuple[float, float], tuple[float, float]]:
        """Mean of both edges, and the ends of the range by edge, fF."""
        default = self.defaults.get(f"default_{direction}_pin_cap", "0")
        scale = self.units.capacitance_ff
        both = self.number(group, "capacitance", default) * scale
        given: list[float] = []
        ranges: list[tuple[float, float]] = []
        for edge in EDGES:
            value = both
            if f"{edge}_capacitance" in group.values:
                value = self.number(group, f"{edge}_capacitance", default) * scale
                given.append(value)
            ends = self.floats(group.lists.get(f"{edge}_capacitance_range", ())) * scale
            ranges.append((float(ends.min()), float(ends.max())) if ends.size else (value, value))
        # The mean of both edges is what a charge per toggle means; SKY130 gives only these two.
        mean = sum(given) / len(given) if given else both
        (rise_least, rise_most), (fall_least, fall_most) = ranges
        return mean, (rise_least, fall_least), (rise_most, fall_most)

    def arcs(self, group: Group) -> list[Arc]:
        kind = group.values.get("timing_type", "combinational")
        if kind.startswith(("setup", "hold", "recovery", "removal")):
            delay_names, slew_names = ("rise_constraint", "fall_constraint"), ("", "")
        else:
            delay_names = ("cell_rise", "cell_fall")
            slew_names = ("rise_transition", "fall_transition")
        delay = self.edge_tables(group, delay_names, self.units.time_ps)
        slew = self.edge_tables(group, slew_names, self.units.time_ps)
        sense = group.values.get("timing_sense", "non_unate")
        related = group.values.get("related_pin", "").split()
        return [Arc(pin, kind, sense, delay, slew) for pin in related] if delay else []

    def powers(self, group: Group) -> list[Power]:
        energy = self.edge_tables(group, ("rise_power", "fall_power"), self.units.energy_fj)
        both = group.child("power")
        if both is not None and not energy:
            table = self.table(both, self.units.energy_fj)
            energy = {"rise": table, "fall": table}
        when = group.values.get("when", "")
        supply = group.values.get("related_pg_pin", "")
        related = group.values.get("related_pin", "").split() or [""]
        return [Power(pin, when, supply, energy) for pin in related] if energy else []

    def edge_tables(self, group: Group, names: tuple[str, str], scale: float) -> dict[Edge, Table]:
        tables: dict[Edge, Table] = {}
        for edge, name in zip(EDGES, names, strict=True):
            child = group.child(name) if name else None
            if child is not None:
                tables[edge] = self.table(child, scale)
        return tables

    def table(self, group: Group, scale: float) -> Table:
        """A table with the input (or constrained) slew first, whatever the file's order."""
        template = self.templates.get(group.arguments[0]) if group.arguments else None
        variables = [
            template.values.get(f"variable_{axis}", "") if template is not None else ""
            for axis in (1, 2)
        ]
        axes: list[NDArray[np.float64]] = []
        for number in ("index_1", "index_2"):
            points = group.lists.get(number)
            if points is None and template is not None:
                points = template.lists.get(number)
            axes.append(self.floats(points) if points else np.zeros(1))
        if "values" not in group.lists:
            raise LibertyError(f"{self.path}: table {group.kind} has no values")
        flat = self.floats(group.lists["values"])
        if flat.size == 1:
            axes = [np.zeros(1), np.zeros(1)]
        if flat.size != axes[0].size * axes[1].size:
            raise LibertyError(
                f"{self.path}: table {group.kind} has {flat.size} values; must be "
                f"{axes[0].size} x {axes[1].size}"
            )
        values = flat.reshape(axes[0].size, axes[1].size) * scale
        first_is_load = "capacitance" in variables[0]
        # a setup table: the slew of the data first, then that of the clock
        if first_is_load or "related_pin" in variables[0]:
            axes.reverse()
            values = values.T
        second_is_load = first_is_load or "capacitance" in variables[1]
        load_scale = self.units.capacitance_ff if second_is_load else self.units.time_ps
        return Table(
            axes[0] * self.units.time_ps, axes[1] * load_scale, np.ascontiguousarray(values)
        )

    def floats(self, texts: tuple[str, ...]) -> NDArray[np.float64]:
        try:
            plain = " ".join(texts).replace(",", " ").replace("\\", " ")
            return np.array(plain.split(), dtype=np.float64)
        except ValueError as error:
            raise LibertyError(f"{self.path}: {error} in a table; must be numbers") from None


def _why_unusable(
    name: str,
    group: Group,
    pins: dict[str, LibertyPin],
    flip_flop: LibertyFlipFlop | None,
    patterns: tuple[str, ...],
) -> str:
    outputs = [pin for pin in pins.values() if pin.is_output]
    if group.values.get("dont_use", "false").lower() == "true":
        return "dont_use in the Liberty file"
    for pattern in patterns:
        if fnmatch.fnmatchcase(name, pattern):
            return f"dont_use pattern {pattern}"
    if not outputs:
        return "no output pin"
    if group.child("latch") or group.child("latch_bank") or group.child("ff_bank"):
        return "latch or register bank"
    if group.child("statetable") or "clock_gating_integrated_cell" in group.values:
        return "clock gate or state table"
    if group.child("test_cell") is not None:
        return "scan flip-flop"
    if any(g.values.get("three_state") for g in group.children("pin")):
        return "three-state output"
    if any(g.values.get("direction") in ("inout", "internal") for g in group.children("pin")):
        return "inout or internal pin"
    if any(pin.function is None for pin in outputs):
        return "an output without function"
    if not float(group.values.get("area", "0")) > 0:
        return "no area"
    known = set(pins) | ({flip_flop.state, flip_flop.inverted_state} if flip_flop else set())
    for pin in outputs:
        if pin.function is not None and not set(pin.function.variables()) <= known:
            return f"function of {pin.name} uses something that is no pin"
    return ""
