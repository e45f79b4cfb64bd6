"""The Pareto chart as a picture (PNG, for a README or a paper)."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macsmith.reports.labels import place_labels
from macsmith.reports.metrics import (
    ACCURACY_METRICS,
    CHANGE_UNIT,
    COST_METRICS,
    Metric,
    Row,
    metric_value,
    present,
)
from macsmith.reports.page import front_indices
from macsmith.reports.style import accumulator_marks, operand_colours, pretty_operands
from macsmith.reports.table import write_if_changed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_fronts", "draw_pareto"]

_INK, _SOFT, _GRID, _FRONT = "#1c2126", "#5c6670", "#eef1f4", "#9fb3c4"

# More entries than this take two lines.
_LEGEND_COLUMNS = 14

# From here on: small marks, no error bars, and names of designs and formats on a front only.
_MANY_POINTS = 1500
_MOST_NAMES = 24


def draw_pareto(
    rows: Sequence[Row],
    path: Path,
    *,
    technology: str | None = None,
    accuracy: str | None = None,
    title: str = "",
    footnote: str = "",
) -> None:
    """Draw accuracy against the first two cost metrics of a technology, fronts marked, as PNG.

    Parameters
    ----------
    rows
        Report rows.
    path
        PNG file to write.
    technology, accuracy
        Which ones; by default the first that the rows have.
    title, footnote
        Text above and below.

    Raises
    ------
    ValueError
        No row has an accuracy and a cost to draw.
    """
    if technology is None and rows:
        technology = str(rows[0]["technology"])
    here = [row for row in rows if row["technology"] == technology]
    metrics = present(ACCURACY_METRICS, here)
    chosen = next((m for m in metrics if accuracy in (None, m.column)), None)
    costs = present(COST_METRICS, here)[:2]
    if technology is None or chosen is None or not costs:
        raise ValueError(
            f"a picture must have an accuracy and a cost metric, not {len(metrics)} and "
            f"{len(costs)} (technology {technology}, accuracy {accuracy or 'any'})"
        )
    _draw_panels(
        rows,
        path,
        [[(technology, cost) for cost in costs]],
        chosen,
        title=title,
        footnote=footnote,
    )


def draw_fronts(
    rows: Sequence[Row],
    path: Path,
    technologies: Mapping[str, str],
    *,
    accuracy: str,
    costs: Sequence[str],
    title: str = "",
    footnote: str = "",
) -> None:
    """Draw accuracy against costs in several technologies, fronts marked, as PNG.

    Parameters
    ----------
    rows
        Report rows.
    path
        PNG file to write: a column of panels a technology, a row of panels a cost.
    technologies
        Names, with what to write above their panels.
    accuracy, costs
        Columns, of `ACCURACY_METRICS` and `COST_METRICS`.

    Raises
    ------
    ValueError
        A column is unknown, or the rows of a technology lack it.
    """
    chosen = _metric(ACCURACY_METRICS, accuracy)
    panels = [
        [(technology, _metric(COST_METRICS, cost)) for technology in technologies] for cost in costs
    ]
    for technology, cost in (panel for row in panels for panel in row):
        here = [row for row in rows if row["technology"] == technology]
        if chosen not in present([chosen], here) or cost not in present([cost], here):
            raise ValueError(
                f"rows of {technology} must have {chosen.column} and {cost.column} to be drawn"
            )
    _draw_panels(rows, path, panels, chosen, title=title, footnote=footnote, heads=technologies)


def _metric(metrics: Sequence[Metric], column: str) -> Metric:
    found = next((metric for metric in metrics if metric.column == column), None)
    if found is None:
        known = ", ".join(metric.column for metric in metrics)
        raise ValueError(f"a column to draw must be one of {known}, not {column}")
    return found


def _draw_panels(
    rows: Sequence[Row],
    path: Path,
    panels: Sequence[Sequence[tuple[str, Metric]]],
    accuracy: Metric,
    *,
    title: str,
    footnote: str,
    heads: Mapping[str, str] | None = None,
) -> None:
    """A grid of panels, each a technology and a cost, under one title and one legend."""
    # The object-oriented interface: no window system, no global state of pyplot.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    colours, marks = operand_colours(rows), accumulator_marks(rows)
    on_front = [rows[index] for index in _on_any_front(rows, panels, accuracy)]
    named_operands = _named(colours, [str(row["operands"]) for row in on_front])
    named_marks = _named(marks, [str(row["accumulator"]) for row in on_front])
    handles: list[Any] = [
        Line2D([], [], marker="o", ls="", color=colours[name], label=pretty_operands(name), ms=6)
        for name in named_operands
    ]
    accumulators: list[Any] = [
        Line2D([], [], marker=mark.matplotlib, ls="", ms=6, color=_INK, label=name)
        if mark.is_filled
        else Line2D([], [], marker=mark.matplotlib, ls="", ms=6, mfc="white", mec=_INK, label=name)
        for name, mark in marks.items()
        if name in named_marks
    ]
    # heights in inches: what stands above and below the panels does not grow with them
    legend_rows = 1 if len(handles) + len(accumulators) <= _LEGEND_COLUMNS else 2
    head, foot = 1.0 + 0.3 * (legend_rows - 1) + (0.2 if heads else 0.0), 0.96
    height = head + foot + 4.24 * len(panels) + 0.75 * (len(panels) - 1)
    width = 12.4 if len(panels[0]) <= 2 else 6.2 * len(panels[0])
    figure = Figure(figsize=(width, height), dpi=160, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    grid = figure.subplots(len(panels), len(panels[0]), squeeze=False)
    figure.subplots_adjust(
        left=0.81 / width,
        right=1 - 0.19 / width,
        top=1 - head / height,
        bottom=foot / height,
        wspace=0.16,
        hspace=0.75 / 4.24,
    )
    for axes, row in zip(grid, panels, strict=True):
        for axis, (technology, cost) in zip(axes, row, strict=True):
            here = [row for row in rows if row["technology"] == technology]
            _draw_axes(axis, here, accuracy, cost, colours, marks)
    for axis, (technology, _) in zip(grid[0], panels[0], strict=True):
        if heads:
            axis.set_title(heads[technology], loc="left", fontsize=11, color=_INK)

    def write(inches_from_top: float, text: str, **style: Any) -> None:
        place = (0.15 / width, 1 - inches_from_top / height)
        figure.text(*place, text, va="center", **style)

    write(0.28, title, fontsize=15, fontweight="bold", color=_INK)
    write(0.59, f"{accuracy.label}, {accuracy.unit}", fontsize=10.5, color=_SOFT)
    write(height - 0.19, footnote, fontsize=8.5, color=_SOFT)
    legend: dict[str, Any] = {
        "frameon": False,
        "fontsize": 9,
        "handletextpad": 0.1,
        "columnspacing": 1.0,
    }
    top = 1 - 0.71 / height
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.06 / width, top), ncols=24, **legend
    )
    second = 1 - 0.95 / height if legend_rows == 2 else top
    place: dict[str, Any] = (
        {"loc": "upper left", "bbox_to_anchor": (0.06 / width, second)}
        if legend_rows == 2
        else {"loc": "upper right", "bbox_to_anchor": (1 - 0.12 / width, top)}
    )
    figure.legend(handles=accumulators, ncols=24, **place, **legend)
    canvas.draw()  # type: ignore[no-untyped-call]
    for axis in grid.flat:
        place_labels(axis, canvas)
    picture = io.BytesIO()
    # no date or version in the file: the same rows give the same bytes
    figure.savefig(picture, format="png", metadata={"Software": None})
    write_if_changed(path, picture.getvalue())


def _on_any_front(
    rows: Sequence[Row], panels: Sequence[Sequence[tuple[str, Metric]]], accuracy: Metric
) -> list[int]:
    return [
        index
        for technology, cost in (panel for row in panels for panel in row)
        for index in front_indices(rows, technology, accuracy.column, cost.column)
    ]


def _named(names: Iterable[str], on_front: Sequence[str]) -> list[str]:
    """What the legend names: all, or of very many some that are on a front."""
    everything = list(names)
    if len(everything) <= _MOST_NAMES:
        return everything
    return list(dict.fromkeys(on_front))[: _MOST_NAMES // 2]


def _draw_axes(
    axis: Axes,
    rows: Sequence[Row],
    accuracy: Metric,
    cost: Metric,
    colours: dict[str, str],
    marks: dict[str, Any],
) -> None:
    from matplotlib.patheffects import withStroke

    points = [
        (index, x, y)
        for index, row in enumerate(rows)
        if (x := metric_value(row, cost.column)) is not None
        and (y := metric_value(row, accuracy.column)) is not None
    ]
    technology = str(rows[0]["technology"])
    front = set(front_indices(rows, technology, accuracy.column, cost.column))
    line = sorted((x, -y) for index, x, y in points if index in front)
    axis.plot(
        [x for x, _ in line],
        [-y for _, y in line],
        drawstyle="steps-post",
        color=_FRONT,
        lw=1.8,
        zorder=1,
    )
    if accuracy.scale == "change":
        axis.set_yscale("asinh", linear_width=CHANGE_UNIT)
        _change_ticks(axis, [y for _, _, y in points])
    reference = 0.0 if accuracy.scale == "change" else None
    if accuracy.reference_column:
        references = [metric_value(row, accuracy.reference_column) for row in rows]
        reference = next((value for value in references if value is not None), None)
    if reference is not None:
        axis.axhline(reference, color=_SOFT, lw=0.8, ls=(0, (2, 2)), zorder=0)
        axis.annotate(
            "unquantised network",
            (1, reference),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8,
            color=_SOFT,
        )
    labelled = [index for index, _, _ in points if index in front]
    widest = max((x for _, x, _ in points), default=1.0)
    if len(points) > _MANY_POINTS:
        cloud = [point for point in points if point[0] not in front]
        axis.scatter(
            [x for _, x, _ in cloud],
            [y for _, _, y in cloud],
            s=4,
            c=[colours[str(rows[index]["operands"])] for index, _, _ in cloud],
            alpha=0.5,
            linewidths=0,
            zorder=2,
        )
        points = [point for point in points if point[0] in front]
        by_cost = [index for index, _, _ in sorted(points, key=lambda point: point[1])]
        labelled = by_cost[:: max(1, -(-len(by_cost) // _MOST_NAMES))]
    for index, x, y in points:
        row = rows[index]
        mark, colour = marks[str(row["accumulator"])], colours[str(row["operands"])]
        error = metric_value(row, accuracy.error_column) if accuracy.error_column else None
        if error is not None:
            axis.errorbar(x, y, yerr=error, color=colour, alpha=0.45, lw=1, fmt="none", zorder=2)
        axis.plot(
            x,
            y,
            marker=mark.matplotlib,
            ms=8.5 if index in front else 6.5,
            mfc=colour if mark.is_filled else "white",
            mec="white" if mark.is_filled else colour,
            mew=0.8 if mark.is_filled else 1.6,
            ls="",
            zorder=4 if index in front else 3,
            gid="point",
        )
        if index in labelled:
            axis.annotate(
                str(row["design"]),
                (x, y),
                xytext=(8, 0),
                textcoords="offset points",
                fontsize=8.5,
                fontweight="bold",
                color=colour,
                va="center",
                gid="label",
                zorder=5,
                path_effects=[withStroke(linewidth=3, foreground="white")],
                arrowprops={
                    "arrowstyle": "-",
                    "color": colour,
                    "lw": 0.7,
                    "shrinkA": 0,
                    "shrinkB": 5,
                },
            )
    axis.set_xlim(0, widest * 1.12)
    axis.set_xlabel(f"{cost.label}, {cost.unit}", color=_INK, fontsize=10.5)
    axis.grid(color=_GRID, lw=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(colors=_INK, labelsize=9, length=3, color="#c6ccd3")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color("#c6ccd3")


def _change_ticks(axis: Axes, values: Sequence[float]) -> None:
    """Ticks 0, +-0.01, +-0.03, +-0.1, ... and limits with room for labels."""
    low, high = min([*values, 0.0]), max([*values, 0.0])
    places = [math.asinh(value / CHANGE_UNIT) for value in (low, high)]
    room = 0.08 * (places[1] - places[0] or 1.0)
    axis.set_ylim(
        math.sinh(places[0] - room) * CHANGE_UNIT, math.sinh(places[1] + room) * CHANGE_UNIT
    )
    magnitudes = [factor * 10.0**decade for decade in range(-2, 4) for factor in (1, 3)]
    ticks = sorted([0.0, *magnitudes, *(-value for value in magnitudes)])
    bottom, top = axis.get_ylim()
    ticks = [tick for tick in ticks if bottom <= tick <= top]
    axis.set_yticks(ticks, [f"{tick:+.2g}".replace("-", "−") if tick else "0" for tick in ticks])
    axis.set_yticks([], minor=True)
