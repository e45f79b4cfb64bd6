"""Technologies by name: the tables of facts kept in the project, and how they are written down.

`macsmith.synth.make_tables` makes such tables from Liberty files; `macsmith.synth.liberty_write`
gives them back to Yosys and ABC in the form those read.
"""

import json
import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from macsmith.sim.netlist_function import parse_function
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

__all__ = [
    "DATA_FOLDER",
    "TECHNOLOGIES",
    "Technology",
    "dump_technology",
    "load_technology",
    "technology",
]

DATA_FOLDER = Path(__file__).parent / "data"

TECHNOLOGIES: dict[str, tuple[str, ...]] = {
    "asap7": ("asap7", "asap7sc7p5t", "7nm"),
    "sky130": ("sky130", "sky130hd", "sky130_fd_sc_hd", "130nm"),
    "ihp-sg13g2": ("ihp-sg13g2", "sg13g2", "ihp", "sg13g2_stdcell"),
}
"""Name of each table kept in the project, and the other words it answers to."""


def technology(name: str) -> Technology:
    """A technology kept in the project, by name or alias (case does not matter).

    Raises
    ------
    ValueError
        No such technology; the message lists those there are.
    """
    wanted = name.strip().lower()
    for canonical, aliases in TECHNOLOGIES.items():
        if wanted in aliases:
            return _load_cached(canonical)
    raise ValueError(
        f"technology {name!r} is unknown; must be one of {', '.join(TECHNOLOGIES)}, "
        "or give --liberty FILE"
    )


@cache
def _load_cached(canonical: str) -> Technology:
    return load_technology(DATA_FOLDER / f"{canonical}.json")


_FACTS = (
    "name",
    "title",
    "source",
    "corner",
    "licence",
    "attribution",
    "voltage_v",
    "temperature_c",
    "slew_lower_percent",
    "slew_upper_percent",
    "slew_derate",
    "driver_cell",
    "output_load_ff",
)
_SENSES: dict[str, Sense] = {"+": "positive", "-": "negative", "x": "both"}
_SIGNS = {sense: sign for sign, sense in _SENSES.items()}


def load_technology(path: Path) -> Technology:
    """Read a table written by `dump_technology`.

    Raises
    ------
    ValueError
        The file is not such a table.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        cells = {name: _cell_from_json(name, entry) for name, entry in data["cells"].items()}
        facts = {key: data[key] for key in _FACTS}
        return Technology(**facts, dont_use=tuple(data["dont_use"]), cells=cells)
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a technology table ({error!r}); remake it") from error


def _cell_from_json(name: str, entry: dict[str, Any]) -> Cell:
    register = entry.get("flip_flop")
    return Cell(
        name=name,
        area_um2=entry["area_um2"],
        leakage_nw=entry["leakage_nw"],
        inputs={pin: _input_from_json(*numbers) for pin, numbers in entry["inputs"].items()},
        outputs={
            pin: OutputPin(
                function=parse_function(output["function"]),
                energy_fj=output["energy_fj"],
                max_load_ff=output["max_load_ff"],
                arcs={
                    source: TimingArc(
                        _SENSES[row[0]], LinearTiming(*row[1:7]), LinearTiming(*row[7:13])
                    )
                    for source, row in output["arcs"].items()
                },
            )
            for pin, output in entry["outputs"].items()
        },
        flip_flop=None if register is None else _flip_flop_from_json(register),
    )


def _input_from_json(
    capacitance_ff: float, energy_fj: float, rise_ff: float, fall_ff: float
) -> InputPin:
    mean = (capacitance_ff, capacitance_ff)
    return InputPin(capacitance_ff, energy_fj, late_ff=(rise_ff, fall_ff), early_ff=mean)


def _flip_flop_from_json(entry: dict[str, Any]) -> FlipFlop:
    functions = {
        key: parse_function(entry[key]) if key in entry else None for key in ("clear", "preset")
    }
    return FlipFlop(
        state=entry["state"],
        inverted_state=entry["inverted_state"],
        clocked_on=parse_function(entry["clocked_on"]),
        next_state=parse_function(entry["next_state"]),
        clear=functions["clear"],
        preset=functions["preset"],
        clock_energy_fj=entry["clock_energy_fj"],
        setup_ps={pin: Constraint(*row) for pin, row in entry["setup_ps"].items()},
        hold_ps={pin: Constraint(*row) for pin, row in entry["hold_ps"].items()},
    )


def dump_technology(table: Technology) -> str:
    """The table as JSON text, one line per cell, numbers to four significant digits, the
    coefficients of lines to three (a line is some per cent off its table anyway).

    An arc is ``[sense, rise delay (base, per slew, per fF), rise slew (the same), fall delay,
    fall slew]``, an input ``[capacitance_ff, energy_fj, rise and fall of late_ff]``, a setup or
    hold time ``[rise (base, per slew of the data), fall]``.
    """
    facts: dict[str, Any] = {key: getattr(table, key) for key in _FACTS}
    facts["dont_use"] = list(table.dont_use)
    head = json.dumps(facts, indent=1, ensure_ascii=False)
    rows = [
        f" {json.dumps(cell.name)}: {json.dumps(_cell_to_json(cell), separators=(',', ':'))}"
        for cell in table.cells.values()
    ]
    return head[:-2] + ',\n "cells": {\n' + ",\n".join(rows) + "\n }\n}\n"


def round_figure(value: float, digits: int = 4) -> float | int:
    """A number to `digits` significant digits, as an integer where it is one."""
    if not math.isfinite(value):
        raise ValueError(f"figure {value} in a technology table must be finite")
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _round_all(values: Iterable[float], digits: int = 4) -> list[float | int]:
    return [round_figure(value, digits) for value in values]


def _cell_to_json(cell: Cell) -> dict[str, Any]:
    entry: dict[str, Any] = {
        # Area to all its digits: sums of areas are compared with other tools' to the last one.
        "area_um2": round_figure(cell.area_um2, 8),
        "leakage_nw": round_figure(cell.leakage_nw),
        "inputs": {
            name: _round_all((pin.capacitance_ff, pin.energy_fj, *pin.late_ff))
            for name, pin in cell.inputs.items()
        },
        "outputs": {
            name: {
                "function": str(pin.function),
                "energy_fj": round_figure(pin.energy_fj),
                "max_load_ff": round_figure(pin.max_load_ff),
                "arcs": {
                    source: [
                        _SIGNS[arc.sense],
                        *_round_all(arc.rise.numbers(), 3),
                        *_round_all(arc.fall.numbers(), 3),
                    ]
                    for source, arc in pin.arcs.items()
                },
            }
            for name, pin in cell.outputs.items()
        },
    }
    register = cell.flip_flop
    if register is not None:
        entry["flip_flop"] = {
            "state": register.state,
            "inverted_state": register.inverted_state,
            "clocked_on": str(register.clocked_on),
            "next_state": str(register.next_state),
            **({"clear": str(register.clear)} if register.clear else {}),
            **({"preset": str(register.preset)} if register.preset else {}),
            "clock_energy_fj": round_figure(register.clock_energy_fj),
            "setup_ps": {p: _round_all(c.numbers(), 3) for p, c in register.setup_ps.items()},
            "hold_ps": {p: _round_all(c.numbers(), 3) for p, c in register.hold_ps.items()},
        }
    return entry
