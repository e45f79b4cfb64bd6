"""The report page: one HTML file that needs no network, with charts, table and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata, resources
from typing import Any

import numpy as np
from macsmith.model.design import Design, parse_design
from macsmith.reports.columns import page_columns, shared_texts
from macsmith.reports.layout import FAMILIES, design_words, format_family
from macsmith.reports.metrics import (
    ACCURACY_METRICS,
    CHANGE_UNIT,
    COST_METRICS,
    ENERGY_BESIDE,
    ENERGY_PARTS,
    EnergyColumn,
    Metric,
    Row,
    metric_value,
    present,
)
from macsmith.reports.pareto import pareto_front
from macsmith.reports.style import accumulator_marks, operand_colours, pretty_operands

__all__ = ["ModuleAreas", "front_indices", "page_data", "render_page"]

#: By design text and technology: of each module its ``instances`` and ``own_area_um2``.
ModuleAreas = Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]

#: In this order they make up one script.
_SCRIPTS = ("data.js", "charts.js", "energy.js", "table.js", "compare.js", "report.js")


def front_indices(rows: Sequence[Row], technology: str, accuracy: str, cost: str) -> list[int]:
    """Indices of the rows of a technology that are on the front of two metrics, both minimised."""
    here = [index for index, row in enumerate(rows) if row["technology"] == technology]
    objectives = np.array(
        [
            [
                np.nan if (value := metric_value(rows[index], column)) is None else value
                for column in (accuracy, cost)
            ]
            for index in here
        ],
        dtype=np.float64,
    ).reshape(-1, 2)
    front = pareto_front(objectives)
    return [index for index, is_on_front in zip(here, front, strict=True) if is_on_front]


def page_data(
    rows: Sequence[Row],
    technology_labels: Mapping[str, str],
    module_areas: ModuleAreas | None = None,
) -> dict[str, Any]:
    """What the page's script works on, as JSON can hold it.

    Rows are held by column (``columns``): a list of numbers, of 6 digits, with null where one is
    missing, or distinct ``texts`` with a ``codes`` list of their places, -1 where one is missing.
    """
    technologies = list(dict.fromkeys(str(row["technology"]) for row in rows))
    accuracy = present(ACCURACY_METRICS, rows)
    costs = present(COST_METRICS, rows)
    by_technology = {
        technology: [row for row in rows if row["technology"] == technology]
        for technology in technologies
    }

    def technologies_with(metric: Metric) -> list[str]:
        return [name for name in technologies if present([metric], by_technology[name])]

    designs = {text: parse_design(text) for text in dict.fromkeys(str(r["design"]) for r in rows)}
    families = {text: format_family(design) for text, design in designs.items()}
    colours = operand_colours(rows)
    return {
        "count": len(rows),
        "columns": page_columns([{**row, "family": families[str(row["design"])]} for row in rows]),
        "technologies": technologies,
        "technology_labels": dict(technology_labels),
        "accuracy": [asdict(metric) for metric in accuracy],
        "costs": [asdict(metric) | {"technologies": technologies_with(metric)} for metric in costs],
        "families": [name for name in FAMILIES if name in set(families.values())],
        "colours": colours,
        "operand_labels": {name: pretty_operands(name) for name in colours},
        "marks": {name: mark.plotly for name, mark in accumulator_marks(rows).items()},
        "change_unit": CHANGE_UNIT,
        "energy_parts": _energy_columns(ENERGY_PARTS, rows),
        "energy_beside": _energy_columns(ENERGY_BESIDE, rows),
        "words": shared_texts(
            {text: _word_rows(design) for text, design in designs.items()},
            [str(row["design"]) for row in rows],
        ),
        "modules": [_module_rows(row, module_areas or {}) if module_areas else [] for row in rows],
    }


def _word_rows(design: Design) -> list[list[Any]]:
    return [
        [word.role, word.name, [[field.kind, field.bits] for field in word.fields]]
        for word in design_words(design)
    ]


def _module_rows(row: Row, module_areas: ModuleAreas) -> list[list[Any]]:
    """Modules of a row, largest first: name without the design's, instances, area of all."""
    areas = module_areas.get((str(row["design"]), str(row["technology"])), {})
    prefix = f"{row['design_id']}_"
    found = [
        [
            "top" if name == row["design_id"] else name.removeprefix(prefix),
            module["instances"],
            float(f"{module['instances'] * module['own_area_um2']:.6g}"),
        ]
        for name, module in areas.items()
        if "own_area_um2" in module
    ]
    return sorted((entry for entry in found if entry[2] > 0), key=lambda entry: -entry[2])


def _energy_columns(columns: Sequence[EnergyColumn], rows: Sequence[Row]) -> list[dict[str, str]]:
    """Those that a row has."""
    return [
        asdict(column)
        for column in columns
        if any(metric_value(row, column.column) is not None for row in rows)
    ]


def _facts(rows: Sequence[Row]) -> list[dict[str, str]]:
    """The figures under the heading."""
    designs = {str(row["design"]): row for row in rows}
    checked = sum(row.get("checked", "unchecked") != "unchecked" for row in designs.values())
    results = sum(int(row.get("checked_results") or 0) for row in designs.values())
    failed = sum(bool(row.get("failure")) for row in rows)
    facts = [
        {"value": str(len(designs)), "label": f"design{'s' * (len(designs) != 1)}", "kind": ""},
        {
            "value": f"{checked}",
            "label": "passed their check against the golden model",
            "kind": "good" if checked == len(designs) else "bad",
        },
    ]
    if results:
        facts.append({"value": f"{results:,}", "label": "results compared bit for bit", "kind": ""})
    if failed:
        facts.append({"value": str(failed), "label": "points failed", "kind": "bad"})
    return facts


def render_page(
    rows: Sequence[Row],
    *,
    title: str,
    provenance: Mapping[str, str],
    notes: Sequence[Mapping[str, str]] = (),
    technology_labels: Mapping[str, str] | None = None,
    module_areas: ModuleAreas | None = None,
) -> str:
    """The page as HTML text.

    Parameters
    ----------
    rows
        Report rows; see `macsmith.reports.metrics`. At least one.
    title
        Heading.
    provenance
        Name and text of everything that the figures depend on.
    notes
        What one must know to read the figures: mappings with ``title`` and ``text``.
    technology_labels
        Names of technologies for people.
    module_areas
        Where the area of a design goes, drawn when it is compared.

    Raises
    ------
    ValueError
        There are no rows, or one is of no design.
    """
    from jinja2 import Environment, StrictUndefined
    from plotly.offline import get_plotlyjs

    if not rows:
        raise ValueError("a report must have at least 1 row, not 0")
    folder = resources.files("macsmith.reports") / "templates"
    parts = {
        name: (folder / name).read_text(encoding="utf-8")
        for name in ("report.html.j2", "report.css", *_SCRIPTS)
    }
    data = json.dumps(
        page_data(rows, technology_labels or {}, module_areas),
        separators=(",", ":"),
        allow_nan=False,
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(parts["report.html.j2"])
    return template.render(
        title=title,
        version=metadata.version("macsmith"),
        css=parts["report.css"],
        script="(() => {\n" + "\n".join(parts[name] for name in _SCRIPTS) + "})();\n",
        plotly=get_plotlyjs(),
        # a "</script>" inside a text must not end the element
        data=data.replace("<", "\\u003c"),
        facts=_facts(rows),
        notes=list(notes),
        provenance=dict(provenance),
    )
