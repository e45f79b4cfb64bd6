"""The report page: one HTML file that needs no network, with charts, table and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata, resources
from typing import Any

import numpy as np
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

__all__ = ["front_indices", "page_data", "render_page"]


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


def page_data(rows: Sequence[Row], technology_labels: Mapping[str, str]) -> dict[str, Any]:
    """What the page's script works on, as JSON can hold it."""
    technologies = list(dict.fromkeys(str(row["technology"]) for row in rows))
    accuracy = present(ACCURACY_METRICS, rows)
    costs = present(COST_METRICS, rows)

    def technologies_with(metric: Metric) -> list[str]:
        return [
            technology
            for technology in technologies
            if present([metric], (row for row in rows if row["technology"] == technology))
        ]

    return {
        "rows": [
            {key: value for key, value in row.items() if value is not None and value == value}
            for row in rows
        ],
        "technologies": technologies,
        "technology_labels": dict(technology_labels),
        "accuracy": [asdict(metric) for metric in accuracy],
        "costs": [asdict(metric) | {"technologies": technologies_with(metric)} for metric in costs],
        "fronts": {
            f"{technology}|{first.column}|{second.column}": front_indices(
                rows, technology, first.column, second.column
            )
            for technology in technologies
            for first in accuracy
            for second in costs
        },
        "colours": operand_colours(rows),
        "operand_labels": {name: pretty_operands(name) for name in operand_colours(rows)},
        "marks": {name: mark.plotly for name, mark in accumulator_marks(rows).items()},
        "change_unit": CHANGE_UNIT,
        "energy_parts": _energy_columns(ENERGY_PARTS, rows),
        "energy_beside": _energy_columns(ENERGY_BESIDE, rows),
    }


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
        {"value": str(len(designs)), "label": "designs", "kind": ""},
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

    Raises
    ------
    ValueError
        There are no rows.
    """
    from jinja2 import Environment, StrictUndefined
    from plotly.offline import get_plotlyjs

    if not rows:
        raise ValueError("a report must have at least 1 row, not 0")
    folder = resources.files("macsmith.reports") / "templates"
    parts = {
        name: (folder / name).read_text(encoding="utf-8")
        for name in ("report.html.j2", "report.css", "report.js", "energy.js")
    }
    data = json.dumps(
        page_data(rows, technology_labels or {}), separators=(",", ":"), allow_nan=False
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(parts["report.html.j2"])
    return template.render(
        title=title,
        version=metadata.version("macsmith"),
        css=parts["report.css"],
        script=parts["energy.js"] + parts["report.js"],
        plotly=get_plotlyjs(),
        # a "</script>" inside a text must not end the element
        data=data.replace("<", "\\u003c"),
        facts=_facts(rows),
        notes=list(notes),
        provenance=dict(provenance),
    )
