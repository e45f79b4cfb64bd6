"""The report of an exploration: page, picture and tables, with where every figure comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from macsmith.reports.fingerprints import versions
from macsmith.reports.metrics import ACCURACY_METRICS, COST_METRICS, present
from macsmith.reports.page import ModuleAreas, render_page
from macsmith.reports.picture import draw_pareto
from macsmith.reports.points import AccuracyPoint, DesignPoint, Point
from macsmith.reports.store import Record
from macsmith.reports.sweep import Sweep, default_sweep_path
from macsmith.reports.table import write_if_changed, write_tables

__all__ = ["technology_facts", "write_report"]

DEFAULT_TITLE = "Number formats and accumulators"

_NOTES: tuple[tuple[str, str], ...] = (
    (
        "Area",
        "is the sum of the cells of the whole emitted MAC, handshake, registers and the conversion "
        "to the result format included, divided by the products it sums per cycle. No wires.",
    ),
    (
        "Core area",
        "is that of the arithmetic step with its partial sum alone, each module mapped for itself "
        "by the smallest recipe. What is outside it (above all the conversion of an exact sum to "
        "binary32) an array has once a column, not once a MAC, and an exact sum of integers has "
        "not at all: so the core is the fairer comparison of formats. Mapped module by module, "
        "what the modules could share is lost: the core of wide designs can be larger than their "
        "whole area.",
    ),
    (
        "Delay",
        "is the longest register-to-register path by static timing over the library's linear "
        "model, without wires, with an ideal clock.",
    ),
    (
        "Recipes:",
        "several are run; the figures are those of the netlist with the least area times delay. "
        "The smallest area and the shortest delay of any recipe are columns of their own.",
    ),
    (
        "Energy",
        "is that of the whole MAC, from toggles of the mapped netlist under operands captured from "
        "a real network, simulated with gate delays, so that glitches count. Energy without "
        "glitches (each net's change from one cycle's end to the next) is a column of its own. "
        "Wires are estimated from fan-out and cell area (energy without them is in the table "
        "files); the clock tree is missing.",
    ),
    (
        "Accuracy:",
        "operands are quantised to the design's formats and summed in its own accumulator. For "
        "letters to phonemes every sum is computed bit for bit as the hardware does. For SmolLM2 "
        "the figure is the change with exact sums on the whole text plus the change from exact "
        "sums to the design's own, bit for bit, on a sub-sample (none where the design rounds no "
        "sum). With 'exact sums' the accumulator is left out.",
    ),
    (
        "SmolLM2",
        "is scored by the change of negative log-likelihood against the unquantised network on "
        "the same tokens: 0 is no loss, +0.1 is a perplexity 10.5 percent higher. Below 0 lies "
        "noise. Its axis is linear near 0 and logarithmic far from it.",
    ),
    (
        "Checked",
        "is the number of results of the emitted Verilog, simulated by Verilator, that were "
        "compared with the golden model bit for bit. A design whose check did not run or did not "
        "pass says unchecked.",
    ),
    (
        "Front:",
        "a design is on it if no other design in the same technology is at least as good in both "
        "figures and better in one. Differences within the standard errors are noise, and so may "
        "be a place on the front.",
    ),
)


def technology_facts(name: str) -> tuple[str, str]:
    """Title of a technology and its provenance, for people.

    Raises
    ------
    ValueError
        There is no such technology.
    """
    from macsmith.synth.fpga import FAMILIES, family_of
    from macsmith.synth.price import resolve_technology

    family = family_of(name)
    if family is not None:
        return FAMILIES[
            family
        ].title, "FPGA family: LUTs, carries and flip-flops as mapped, not placed"
    technology = resolve_technology(name)
    return (
        technology.title,
        f"{technology.source}; corner {technology.corner}; licence {technology.licence}",
    )


def _first(records: Sequence[Record], step: str, field: str) -> Any:
    for record in records:
        if record.step == step and not record.is_failed and field in record.values:
            return record.values[field]
    return None


def _provenance(
    sweep: Sweep, found: Mapping[Point, list[Record]], technologies: Mapping[str, str]
) -> dict[str, str]:
    records = [record for point_records in found.values() for record in point_records]
    is_default = sweep.source == str(default_sweep_path())
    name = "" if is_default else f" {Path(sweep.source).name}" if sweep.source else " ..."
    facts = {
        "Remade by": f"macsmith explore{name}",
        "Sweep": f"{len(sweep.designs)} designs, seed {sweep.seed}"
        + (f", scaling {' and '.join(sweep.scaling)}" if sweep.scaling else ""),
    }
    tools = versions("macsmith", "amaranth", "cocotb", "verilator", "pyosys", "numpy")
    synthesis = _first(records, "synth", "tool_versions")
    if isinstance(synthesis, dict):
        tools |= {key: str(value) for key, value in synthesis.items()}
    facts["Tools"] = ", ".join(f"{name} {version}" for name, version in tools.items())
    for title, source in technologies.items():
        facts[title] = source
    flow = _first(records, "synth", "flow")
    if flow:
        facts["Synthesis"] = str(flow)
    dont_use = _first(records, "synth", "dont_use")
    if dont_use:
        facts["Cells not used"] = ", ".join(dont_use)
    method = _first(records, "synth", "energy_method")
    if method:
        facts["Energy"] = f"{method}; operands: {_first(records, 'synth', 'energy_operands')}"
    facts |= _accuracy_provenance(found)
    return facts


def _accuracy_provenance(found: Mapping[Point, list[Record]]) -> dict[str, str]:
    samples: dict[str, Mapping[str, Any]] = {}
    scalings: dict[str, dict[str, None]] = {}
    for point, records in found.items():
        if not isinstance(point, AccuracyPoint) or records[0].is_failed:
            continue
        name = f"{point.task}, {'own accumulator' if point.own_sums else 'exact sums'}"
        samples.setdefault(name, records[0].values)
        # rows and blocks of several formats may each have a rule of their own
        scalings.setdefault(name, {}).setdefault(str(records[0].values["scaling"]))
    return {
        name: f"{values['tokens']} {'words' if name.startswith('g2p') else 'tokens'}; "
        f"{values['text']}; scales: one a {', one a '.join(scalings[name])}; "
        f"quantised: {values['quantised_layers']}; {values['versions']}"
        for name, values in samples.items()
    }


def _module_areas(found: Mapping[Point, list[Record]]) -> ModuleAreas:
    """Where the area of each design goes, by technology."""
    return {
        (point.design, record.determinants["technology"]): record.values["module_area_um2"]
        for point, records in found.items()
        if isinstance(point, DesignPoint)
        for record in records
        if record.step == "synth" and "module_area_um2" in record.values
    }


def _finished(found: Mapping[Point, list[Record]]) -> dict[str, float]:
    """When the last step of each design was kept."""
    times = {
        point.design: [record.finished_unix_s for record in records]
        for point, records in found.items()
        if isinstance(point, DesignPoint) and records
    }
    return {
        design: max(time for time in kept if time is not None)
        for design, kept in times.items()
        if None not in kept
    }


def write_report(
    sweep: Sweep,
    rows: Sequence[Mapping[str, Any]],
    found: Mapping[Point, list[Record]],
    folder: Path,
) -> list[Path]:
    """Write ``index.html``, ``pareto.png``, ``results.csv`` and ``results.parquet``.

    The same rows and records give the same bytes. The picture is left out where no row has both
    an accuracy and a cost, which is so for a sweep without tasks or technologies.

    Returns
    -------
    list of Path
        The files, the page first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    technologies = {name: technology_facts(name) for name in sweep.technologies}
    title = sweep.title or DEFAULT_TITLE
    finished = _finished(found)
    page = render_page(
        # only for the page: a table says what was found, not when
        [
            {**row, "finished_unix_s": finished.get(str(row["design"]))} if finished else row
            for row in rows
        ],
        title=title,
        provenance=_provenance(sweep, found, dict(technologies.values())),
        notes=[{"title": name, "text": text} for name, text in _NOTES],
        technology_labels={name: label for name, (label, _) in technologies.items()},
        module_areas=_module_areas(found),
    )
    files = [folder / "index.html"]
    write_if_changed(files[0], page.encode())
    if present(ACCURACY_METRICS, rows) and present(COST_METRICS, rows):
        files.append(folder / "pareto.png")
        technology = sweep.technologies[0]
        footnote = (
            f"{technologies[technology][0]}. Area: arithmetic and partial sum, no wires. Energy: "
            "the whole MAC, real operands, glitches, estimated wires. Line: front; bars: one "
            "standard error."
        )
        draw_pareto(rows, files[-1], technology=technology, title=title, footnote=footnote)
    files += write_tables(rows, folder)
    return files
