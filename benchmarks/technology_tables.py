"""Technology tables against the full Liberty files they were made from.

    python benchmarks/technology_tables.py LIBERTY_FOLDER [LIBRARY ...] [--designs DESIGN ...]
        [--without area] [-o FILE.csv]

Every design, by a few recipes:

- area: the flow with the table's minimal Liberty file against the same flow with the full files;
- delay: the netlist of the table's flow timed over lines and over the full look-up tables, the
  same analysis (`benchmarks/opensta.py` compares that with OpenSTA);
- energy, without leakage: one figure for each toggle against every edge charged with the library's
  own group for its cause and state (`macsmith.synth.event_energy`), for the same toggles of uniform
  operands in a simulation with gate delays.

Default wire loads of the libraries are taken out, for the table's flow has no wires either.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from liberty_settings import Setting, find_files, load_setting, without_wire_loads
from macsmith.hw.emit import generate
from macsmith.model.design import parse_design
from macsmith.reports.activities import operand_waveforms
from macsmith.sim.netlist_graph import Netlist, read_netlist
from macsmith.synth.energy import EnergyModel
from macsmith.synth.event_energy import measure_events
from macsmith.synth.flow import run_front_ends, run_recipes
from macsmith.synth.recipes import Recipe, recipes_for
from macsmith.synth.synthesize import liberty_file
from macsmith.synth.technology import TECHNOLOGIES
from macsmith.synth.timing import analyse_timing
from rich.console import Console
from rich.table import Table as Grid

DESIGNS = (
    "int8:int32",
    "int8:int32:lanes4:unit",
    "int4:int16:lanes4:unit",
    "e4m3:exact",
    "e4m3:exact:unit",
    "e4m3:e6m9",
    "e4m3:e6m9:unit:path=dual",
    "e4m3xe5m2:e6m9/64",
    "e5m2:e6m5:unit",
    "e2m1:exact:lanes8:unit",
    "e3m2:exact:lanes4:unit",
    "e2m3:e5m10:lanes2",
    "bf16:fp32:unit",
)
RECIPES = (
    Recipe("smallest"),
    Recipe("balanced"),
    Recipe("fastest"),
    Recipe("smallest", full_adders="cells"),
    Recipe("balanced", full_adders="cells"),
)
CYCLES = 40
METRICS = ("area", "delay", "energy")

Row = dict[str, str | float]


def compare(
    name: str, setting: Setting, text: str, metrics: Sequence[str], folder: Path
) -> list[Row]:
    """One row for each recipe: both figures of every metric and the difference in percent."""
    design = parse_design(text)
    verilog = generate(design, folder / "rtl").verilog
    chosen = recipes_for(
        RECIPES,
        full_adders=True,
        full_adder_cells=setting.lines.full_adder is not None,
        inverting_flip_flop=False,
    )
    fronts = list(dict.fromkeys(recipe.front for recipe in chosen))
    run_front_ends([verilog], design.id, fronts, [], folder)
    full_areas: dict[str, float] = {}
    if "area" in metrics:
        files = without_wire_loads(setting.files, folder)
        run_recipes(chosen, setting.lines, files, [], folder, dont_use=setting.lines.dont_use)
        areas = {cell.name: cell.area_um2 for cell in setting.library.cells.values()}
        for recipe in chosen:
            netlist = read_netlist(folder / f"{recipe.name}.json", design.id)
            full_areas[recipe.name] = _area_um2(netlist, areas)
    run_recipes(chosen, setting.lines, [liberty_file(setting.lines)], [], folder)
    rows: list[Row] = []
    for recipe in chosen:
        netlist = read_netlist(folder / f"{recipe.name}.json", design.id)
        row: Row = {"library": name, "design": text, "recipe": recipe.name}
        if "area" in metrics:
            areas = {cell.name: cell.area_um2 for cell in setting.lines.cells.values()}
            _put(row, "area_um2", _area_um2(netlist, areas), full_areas[recipe.name])
        if "delay" in metrics:
            figures = (analyse_timing(netlist, t).delay_ps for t in (setting.lines, setting.tables))
            _put(row, "delay_ps", *figures)
        if "energy" in metrics:
            _put(row, "energy_fj_per_cycle", *_energies_fj(netlist, setting, text))
        rows.append(row)
    return rows


def _put(row: Row, metric: str, figure: float, full: float) -> None:
    row[metric] = round(figure, 3)
    row[f"full_{metric}"] = round(full, 3)
    row[f"{metric.split('_')[0]}_differs_percent"] = round(100 * (figure / full - 1), 3)


def _area_um2(netlist: Netlist, areas_um2: dict[str, float]) -> float:
    return sum(areas_um2[cell] * count for cell, count in netlist.cell_counts().items())


def _energies_fj(netlist: Netlist, setting: Setting, text: str) -> tuple[float, float]:
    """Energy of a cycle by the table and by the full library, for the same edges of all nets."""
    waveforms, first = operand_waveforms(text, "uniform", streams=1)
    events = measure_events(
        netlist,
        setting.tables,
        setting.library,
        {port: wave[: first + CYCLES, 0] for port, wave in waveforms.items()},
        first_counted_cycle=first,
    )
    model = EnergyModel(netlist, setting.lines)
    lines = model.measure(events.result, period_ps=1.0, macs_per_cycle=1.0)
    lines_fj = 1e3 * (lines.energy_pj_per_mac - lines.leakage_pj)
    return lines_fj, events.energy_fj / events.result.counted_cycles


def summary(rows: Sequence[Row]) -> Grid:
    """Mean, mean of the absolute values, and ends of the differences, by library and recipe."""
    grid = Grid(title="differences from the full library, %")
    for head in ("library", "recipe", "metric", "cases", "mean", "mean of size", "least", "most"):
        grid.add_column(head, justify="left" if head in ("library", "recipe") else "right")
    for name in dict.fromkeys(str(row["library"]) for row in rows):
        of_library = [row for row in rows if row["library"] == name]
        for recipe in (*dict.fromkeys(str(row["recipe"]) for row in of_library), "all"):
            chosen = [row for row in of_library if recipe in ("all", row["recipe"])]
            for metric in METRICS:
                key = f"{metric}_differs_percent"
                values = np.array([float(row[key]) for row in chosen if key in row])
                if values.size:
                    figures = (values.mean(), np.abs(values).mean(), values.min(), values.max())
                    texts = [f"{figure:+.2f}" for figure in figures]
                    grid.add_row(name, recipe, metric, str(values.size), *texts)
    return grid


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder with the Liberty files")
    parser.add_argument("names", nargs="*", default=list(TECHNOLOGIES), metavar="LIBRARY")
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), metavar="DESIGN")
    parser.add_argument("--without", nargs="+", default=[], choices=METRICS)
    parser.add_argument("-o", "--output", type=Path, help="also write the rows as CSV")
    options = parser.parse_args()
    metrics = [metric for metric in METRICS if metric not in options.without]
    console = Console(width=110)
    rows: list[Row] = []
    for name in options.names:
        setting = load_setting(name, find_files(options.folder, name))
        for design in options.designs:
            with tempfile.TemporaryDirectory(prefix="macsmith-") as folder:
                found = compare(name, setting, design, metrics, Path(folder))
            for row in found:
                console.print(*row.values(), highlight=False)
            rows += found
            if options.output:
                with options.output.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                    writer.writeheader()
                    writer.writerows(rows)
    console.print(summary(rows))


if __name__ == "__main__":
    main()
