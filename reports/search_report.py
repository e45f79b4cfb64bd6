"""What a search leaves: a table of all designs and a picture of the front, per sweep."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from macsmith.reports.packs import rows_table, temporary_beside
from macsmith.reports.screening import Screening
from macsmith.reports.table import write_if_changed

__all__ = ["draw_search", "write_search"]

#: Colours and sizes of the states that are drawn, the last on top.
_MARKS = {
    "discarded": ("#b8c2cc", 3.0, "estimated, discarded"),
    "open": ("#d98200", 7.0, "estimated, open"),
    "confirmed": ("#1769aa", 12.0, "synthesised"),
    "front": ("#c2334d", 22.0, "synthesised, on the front"),
}


def write_search(screenings: Sequence[Screening], folder: Path) -> list[Path]:
    """Write ``search.csv``, ``search.parquet`` and ``search.png`` into a folder; give their paths.

    The same screenings give the same bytes.
    """
    from pyarrow import csv, parquet

    folder.mkdir(parents=True, exist_ok=True)
    table = rows_table([row for screening in screenings for row in screening.rows])
    paths = [folder / name for name in ("search.csv", "search.parquet", "search.png")]
    with temporary_beside(paths[0]) as part:
        csv.write_csv(table, part)
    with temporary_beside(paths[1]) as part:
        parquet.write_table(table, part)
    draw_search(screenings, paths[2])
    return paths


def draw_search(screenings: Sequence[Screening], path: Path) -> None:
    """Draw the first two objectives of each technology, estimated and confirmed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4 * len(screenings), 4.6), layout="constrained")
    for number, screening in enumerate(screenings):
        x_name, y_name = screening.objectives[:2]
        axes = figure.add_subplot(1, len(screenings), number + 1)
        for state, (colour, size, label) in _MARKS.items():
            points = np.array(
                [
                    [row.get(name, row.get(f"estimated_{name}")) for name in (x_name, y_name)]
                    for row in screening.rows
                    if row["state"] == state
                ]
            ).reshape(-1, 2)
            if len(points):
                label = f"{label} ({len(points):,})"
                axes.scatter(
                    points[:, 0], points[:, 1], s=size, color=colour, label=label, linewidths=0
                )
        axes.set(xscale="log", yscale="log", xlabel=_words(x_name), ylabel=_words(y_name))
        axes.set_title(screening.technology, loc="left", fontsize=11)
        axes.grid(visible=True, which="major", color="#eef1f4")
        axes.set_axisbelow(True)
        axes.legend(frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150, metadata={"Software": None})
    write_if_changed(path, buffer.getvalue())


def _words(name: str) -> str:
    units = {"um2": "µm²", "ps": "ps", "pj": "pJ", "percent": "%"}
    per_mac = name.endswith("_per_mac")
    parts = name.removesuffix("_per_mac").split("_")
    unit = units.get(parts[-1])
    text = " ".join(parts[:-1] if unit else parts)
    return text + (", " + unit if unit else "") + (" per MAC" if per_mac else "")
