"""What `macsmith board` tells of a bitstream, and of the largest array that fits a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from macsmith.model.design import Design
    from macsmith.synth.boards import BoardBuild

__all__ = ["build_record", "fit_on_board", "fit_text"]


def build_record(made: BoardBuild) -> dict[str, Any]:
    """A bitstream for a record: where it is, clocks, cells, tool versions; `passed` where all
    clocks are reached."""
    return {
        "bitstream": str(made.bitstream),
        "clock_mhz": {
            clock: {"reached": reached, "wanted": wanted}
            for clock, (reached, wanted) in made.clocks.items()
        },
        "cells": {
            kind: {"used": used, "available": available}
            for kind, (used, available) in made.cells.items()
        },
        "versions": made.versions,
        "passed": all(reached >= wanted for reached, wanted in made.clocks.values()),
    }


def fit_on_board(
    name: str, design: Design, *, depth: int, baud: int, build_dir: Path, build: bool
) -> dict[str, Any]:
    """Search the largest array (`macsmith.synth.board_fit.largest_fit`).

    Returns
    -------
    dict
        `design`: the largest that fits; `rows`, `columns`; `tries`: size, cells used and available
        by kind, what is missing, whether placed and routed; with `build` the record of its
        bitstream too.
    """
    from macsmith.console import tell
    from macsmith.synth.board_fit import largest_fit

    found = largest_fit(name, design, depth, build_dir / "fit", baud=baud, build=build, tell=tell)
    result: dict[str, Any] = {
        "design": found.design.text,
        "rows": found.largest.rows,
        "columns": found.largest.columns,
        "tries": [
            {
                "rows": each.rows,
                "columns": each.columns,
                "cells": {
                    kind: {"used": used, "available": most}
                    for kind, (used, most) in each.cells.items()
                },
                "missing": each.missing,
                "placed": each.is_placed,
            }
            for each in found.tries
        ],
    }
    return result | (build_record(found.build) if found.build is not None else {})


def fit_text(result: dict[str, Any]) -> str:
    """All tries as a table, and what stops the next larger one."""
    from macsmith.console import columns

    tries = sorted(result["tries"], key=lambda each: each["rows"] * each["columns"])
    kinds = list(tries[0]["cells"])
    rows = []
    for each in tries:
        cells = [f"{each['cells'][kind]['used']}" for kind in kinds]
        lacks = ", ".join(f"{count} {kind}" for kind, count in each["missing"].items())
        how = "placed and routed" if each["placed"] else "counted by Yosys"
        verdict = f"lacks {lacks}" if lacks else "fits"
        rows.append((f"{each['rows']}x{each['columns']}", *cells, how, verdict))
    available = [f"{tries[0]['cells'][kind]['available']}" for kind in kinds]
    table = columns(("array", *kinds, "", ""), [*rows, ("the board has", *available, "", "")])
    return f"{table}\nlargest array that fits: {result['design']}"
