"""How far estimates are from synthesis: each sample predicted by a fit that has not seen it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from macsmith.model.cost.features import FAMILIES
from macsmith.model.cost.samples import read_samples
from macsmith.model.cost.training import fold_of, trainings
from macsmith.reports.table import write_if_changed

if TYPE_CHECKING:
    import pandas

__all__ = ["cross_validated", "draw_errors", "error_table"]

_INK, _SOFT, _GRID = "#1c2126", "#5c6670", "#eef1f4"
_COLOURS = (
    "#1769aa",
    "#c2334d",
    "#1b8a5a",
    "#d98200",
    "#7a3fa0",
    "#18a5b8",
    "#9a6a43",
    "#3a3f47",
    "#8aa62b",
    "#b08f00",
)
#: Figures that are drawn, with their unit.
_DRAWN = {"area_um2": "Area, µm²", "delay_ps": "Delay, ps", "lut": "LUTs"}


def cross_validated() -> pandas.DataFrame:
    """Measured and predicted figures of all committed samples.

    Returns
    -------
    pandas.DataFrame
        Columns ``technology``, ``target``, ``figure``, ``family``, ``design``, ``measured``,
        ``predicted``: five folds, each predicted by a fit to the four others.
    """
    import pandas as pd

    parts = []
    for technology, target, figure, training in trainings(read_samples()):
        errors = training.errors(fold_of)
        parts.append(
            pd.DataFrame(
                {
                    "technology": technology,
                    "target": target,
                    "figure": figure,
                    "family": [FAMILIES[int(number)] for number in training.families.tolist()],
                    "design": [sample.design for sample in training.samples],
                    "measured": training.target,
                    "predicted": training.target * (1 + errors),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def error_table(frame: pandas.DataFrame) -> str:
    """Mean and worst relative error by technology, clock target and figure, as Markdown."""
    size = 100 * (frame["predicted"] / frame["measured"] - 1).abs()
    keys = ["technology", "target", "figure"]
    groups = size.groupby([frame[key] for key in keys], sort=False)
    lines = [
        "| technology | clock target | figure | samples | mean error, % | worst, % |",
        "|---|---|---|---|---|---|",
    ]
    for (technology, target, figure), errors in groups:
        lines.append(
            f"| {technology} | {target} | {figure} | {len(errors)} | {errors.mean():.1f} "
            f"| {errors.max():.1f} |"
        )
    return "\n".join(lines)


def draw_errors(frame: pandas.DataFrame, path: Path) -> None:
    """Draw predicted against synthesised figures, one panel a technology and figure, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    here = frame[frame["figure"].isin(_DRAWN)]
    technologies = list(dict.fromkeys(here["technology"]))
    cells = [name for name in technologies if "area_um2" in set(_of(here, name)["figure"])]
    others = [name for name in technologies if name not in cells]
    panels = [[(name, figure) for name in cells] for figure in ("area_um2", "delay_ps")]
    if others:
        panels.append([(name, "lut") for name in others])
    width = max(len(row) for row in panels)
    figure = Figure(figsize=(4.1 * width, 4.1 * len(panels) + 0.5), dpi=130, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(panels), width, squeeze=False)
    colours = dict(zip(FAMILIES, _COLOURS, strict=False))
    for axes, row in zip(grid, panels, strict=True):
        for axis in axes[len(row) :]:
            axis.set_visible(False)
        for axis, (technology, name) in zip(axes, row, strict=False):
            points = _of(here, technology)
            points = points[points["figure"] == name]
            for family, members in points.groupby("family", sort=False):
                axis.loglog(
                    members["measured"],
                    members["predicted"],
                    ls="",
                    marker="o",
                    ms=3.4,
                    mec="none",
                    alpha=0.75,
                    color=colours[str(family)],
                    label=family,
                )
            ends = np.array([points["measured"].min() * 0.8, points["measured"].max() * 1.25])
            axis.plot(ends, ends, color=_SOFT, lw=0.8, zorder=0)
            for factor in (0.9, 1.1):
                axis.plot(ends, ends * factor, color=_SOFT, lw=0.6, ls=(0, (3, 3)), zorder=0)
            error = 100 * (points["predicted"] / points["measured"] - 1).abs()
            axis.set_title(
                f"{technology}: {len(points)} samples, mean error {error.mean():.1f} %",
                fontsize=9.5,
                loc="left",
                color=_INK,
            )
            axis.set_xlabel(f"{_DRAWN[name]}, synthesised", fontsize=9, color=_INK)
            axis.set_ylabel("predicted", fontsize=9, color=_INK)
            for scale in (axis.xaxis, axis.yaxis):
                decades = float(np.log10(ends[1] / ends[0]))
                scale.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,)))
                scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
                scale.set_minor_formatter(NullFormatter())
            axis.grid(color=_GRID, lw=0.7)
            axis.tick_params(labelsize=8, color="#c6ccd3")
            for side in ("top", "right"):
                axis.spines[side].set_visible(False)
    handles = {
        label: handle
        for axis in grid.flat
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.5 / (4.1 * len(panels) + 0.5)))
    figure.legend(
        handles.values(), handles.keys(), loc="upper left", ncols=10, frameon=False, fontsize=9
    )
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    write_if_changed(path, picture.getvalue())


def _of(frame: pandas.DataFrame, technology: str) -> pandas.DataFrame:
    return frame[frame["technology"] == technology]
