"""The columns of a report row that are drawn: what they mean, their unit, how to show them.

A row is a flat mapping. Beside the metrics here it has what names the design (``design``,
``design_id``, ``operands``, ``accumulator``, ``technology``), ``checked`` (which check of this very
design passed, or ``unchecked``), ``failure`` and provenance. A metric that could not be had is
missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "ACCURACY_METRICS",
    "COST_METRICS",
    "ENERGY_BESIDE",
    "ENERGY_PARTS",
    "EnergyColumn",
    "Metric",
    "Row",
    "metric_value",
    "present",
]

Row = Mapping[str, Any]
Scale = Literal["linear", "log", "change"]

#: Changes below this are drawn on a nearly linear scale, larger ones on a nearly logarithmic one.
CHANGE_UNIT = 0.01


@dataclass(frozen=True)
class Metric:
    """A column; less is better in all of them.

    Attributes
    ----------
    column
        Its name in a row, with the unit.
    label, unit
        For an axis.
    short
        For the head of a table.
    note
        What one must know to read it.
    error_column
        Column of its standard error, if it has one.
    reference_column
        Column of the same figure of the unquantised network, if that is not 0.
    scale
        ``change``: both signs and several decades, drawn as asinh(value / 0.01).
    decimals
        Digits after the point in a table.
    in_table
        Whether the page's table has a column for it; charts and hover texts have all.
    """

    column: str
    label: str
    unit: str
    short: str
    note: str = ""
    error_column: str = ""
    reference_column: str = ""
    scale: Scale = "linear"
    decimals: int = 1
    in_table: bool = True


_OWN = "computed with this design's own accumulator"
_EXACT = "operands in the design's formats, sums exact, whatever its accumulator"


def _smollm2(infix: str, label: str, note: str) -> Metric:
    return Metric(
        f"smollm2_{infix}nll_change_per_token",
        f"SmolLM2-135M{label}: change of negative log-likelihood",
        "nats per token",
        f"SmolLM2{label}",
        note,
        error_column=f"smollm2_{infix}nll_change_standard_error",
        scale="change",
        decimals=3,
    )


def _g2p(infix: str, label: str, kind: str, note: str) -> Metric:
    return Metric(
        f"g2p_{infix}{kind}_error_percent",
        f"Letters to phonemes{label}: {kind} error",
        "%",
        f"g2p {kind} error{label}",
        note,
        reference_column=f"g2p_{infix}reference_{kind}_error_percent",
        decimals=1,
        in_table=not infix,
    )


_SUMS = Metric(
    "smollm2_sum_error_percent",
    "SmolLM2-135M: rms error of single sums",
    "% of their rms",
    "Sum error",
    "single sums of the linear layers against exact sums of the same products: what the "
    "accumulator alone does, without the noise of a sample of text; 0 where no sum is rounded",
    decimals=2,
)

ACCURACY_METRICS: tuple[Metric, ...] = (
    _smollm2("", "", _OWN),
    _g2p("", "", "phoneme", _OWN),
    _g2p("", "", "word", _OWN),
    _SUMS,
    _smollm2("exact_sums_", ", exact sums", _EXACT),
    _g2p("exact_sums_", ", exact sums", "phoneme", _EXACT),
    _g2p("exact_sums_", ", exact sums", "word", _EXACT),
)

# The first two are what the charts show at first. The core comes before the whole MAC because a
# single MAC carries a conversion of its own to the result format, which would otherwise decide
# between formats: an exact sum of floats leaves as binary32, one of integers as it is.
COST_METRICS: tuple[Metric, ...] = (
    Metric(
        "core_area_um2_per_mac",
        "Cell area per MAC, arithmetic and partial sum",
        "µm²",
        "Core area / MAC",
    ),
    Metric("energy_pj_per_mac", "Energy per MAC", "pJ", "Energy / MAC", decimals=4),
    Metric(
        "settled_energy_pj_per_mac",
        "Energy per MAC without glitches",
        "pJ",
        "Energy / MAC, settled",
        decimals=4,
        in_table=False,
    ),
    Metric("area_um2_per_mac", "Cell area per MAC, everything emitted", "µm²", "Area / MAC"),
    Metric(
        "smallest_area_um2_per_mac",
        "Cell area per MAC, everything, smallest recipe",
        "µm²",
        "Least area / MAC",
        in_table=False,
    ),
    Metric("delay_ps", "Critical path", "ps", "Delay", decimals=0),
    Metric(
        "fastest_delay_ps",
        "Critical path, fastest recipe",
        "ps",
        "Least delay",
        decimals=0,
        in_table=False,
    ),
    Metric("lut4_per_mac", "LUT4 per MAC", "LUT4", "LUT4 / MAC", decimals=0),
    Metric("lut6_per_mac", "LUT6 per MAC", "LUT6", "LUT6 / MAC", decimals=0),
    Metric("carry_per_mac", "Carry bits per MAC", "carries", "Carry / MAC", decimals=0),
    Metric("flip_flops_per_mac", "Flip-flops per MAC", "flip-flops", "FF / MAC", decimals=0),
)


@dataclass(frozen=True)
class EnergyColumn:
    """A part of a row's energy, or its energy with other operands; column, label, colour."""

    column: str
    label: str
    colour: str


ENERGY_PARTS: tuple[EnergyColumn, ...] = tuple(
    EnergyColumn(f"{name}_energy_pj_per_mac", label, colour)
    for name, label, colour in (
        ("decode", "decode", "#8fb8de"),
        ("multiply", "multiply", "#1769aa"),
        ("scale", "scales of blocks", "#7a3fa0"),
        ("align", "align", "#18a5b8"),
        ("accumulate", "accumulate", "#1b8a5a"),
        ("round", "round, convert", "#8aa62b"),
        ("control", "control", "#9a6a43"),
        ("ports", "input ports", "#c9b08c"),
        ("register", "registers", "#d98200"),
        ("clock", "clock", "#7d8590"),
        ("leakage", "leakage", "#3a3f47"),
    )
)
"""They add up to ``energy_pj_per_mac``."""

ENERGY_BESIDE: tuple[EnergyColumn, ...] = tuple(
    EnergyColumn(f"{name}_energy_pj_per_mac", label, colour)
    for name, label, colour in (
        ("uniform", "uniform codes: knows no values", "#c2334d"),
        ("gaussian", "Gaussian numbers", "#7a3fa0"),
        ("zero_operand", "A zero", "#5c6670"),
        ("idle", "idle", "#1c2126"),
        ("no_wires", "without wires", "#b08f00"),
    )
)
"""The same netlist otherwise."""


def metric_value(row: Row, column: str) -> float | None:
    """The number in a column of a row; None if it is missing (or NaN, as a data frame has it)."""
    value = row.get(column)
    if value is None or isinstance(value, str):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def present(metrics: Iterable[Metric], rows: Iterable[Row]) -> list[Metric]:
    """The metrics that at least one row has, in their order."""
    rows = list(rows)
    return [
        metric
        for metric in metrics
        if any(metric_value(row, metric.column) is not None for row in rows)
    ]
