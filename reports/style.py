"""How designs look in every picture: one colour a pair of operand formats, one mark a kind of
accumulator, so that page and PNG agree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from macsmith.reports.metrics import Row

__all__ = ["Mark", "accumulator_marks", "operand_colours", "pretty_operands"]

# Told apart in the usual colour-vision deficiencies by lightness too; grey and brown for integers.
_FIXED_COLOURS = {
    "e4m3": "#1769aa",
    "e5m2": "#c2334d",
    "e4m3xe5m2": "#7a3fa0",
    "e3m2": "#1b8a5a",
    "e2m3": "#d98200",
    "e2m1": "#18a5b8",
    "int8": "#3a3f47",
    "int6": "#7d8590",
    "int4": "#9a6a43",
}
_OTHER_COLOURS = ("#5b6abf", "#8aa62b", "#b3508f", "#4f7f86", "#a8741a", "#6b8e23", "#8c564b")


@dataclass(frozen=True)
class Mark:
    """The mark of an accumulator: its name in Plotly and in Matplotlib, filled or hollow."""

    plotly: str
    matplotlib: str
    is_filled: bool


def operand_colours(rows: Iterable[Row]) -> dict[str, str]:
    """A colour for each pair of operand formats, in the order of the rows."""
    colours: dict[str, str] = {}
    others = 0
    for row in rows:
        operands = str(row["operands"])
        if operands in colours:
            continue
        if operands in _FIXED_COLOURS:
            colours[operands] = _FIXED_COLOURS[operands]
        else:
            colours[operands] = _OTHER_COLOURS[others % len(_OTHER_COLOURS)]
            others += 1
    return colours


def accumulator_marks(rows: Iterable[Row]) -> dict[str, Mark]:
    """A mark for each accumulator, in the order of the rows.

    The shape tells its kind (circle: exact; triangle: integer; square: float; diamond: chunked);
    the first of a kind is filled, the second hollow, further ones point down.
    """
    shapes = {
        "exact": ("circle", "o"),
        "int": ("triangle-up", "^"),
        "float": ("square", "s"),
        "chunked": ("diamond", "D"),
    }
    marks: dict[str, Mark] = {}
    seen: dict[str, int] = {}
    for row in rows:
        accumulator = str(row["accumulator"])
        if accumulator in marks:
            continue
        if "/" in accumulator:
            kind = "chunked"
        elif accumulator.startswith("int"):
            kind = "int"
        else:
            kind = "exact" if accumulator == "exact" else "float"
        before = seen.get(kind, 0)
        seen[kind] = before + 1
        plotly, matplotlib = shapes[kind] if before < 2 else ("triangle-down", "v")
        is_filled = before != 1
        marks[accumulator] = Mark(plotly if is_filled else f"{plotly}-open", matplotlib, is_filled)
    return marks


def pretty_operands(operands: str) -> str:
    """Operand formats as people write them: ``E4M3 × E5M2``, ``MXFP8 E4M3``."""
    # no format's name but those that begin with "mx" has an x in it
    parts = re.split(r"(?<!m)x", operands)
    return " × ".join(parts).upper().replace("_", " ")
