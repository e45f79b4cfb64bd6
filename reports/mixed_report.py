"""Mixed precision: costs of its designs, and what it leaves: tables and a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from macsmith.model.design import Design, parse_design
from macsmith.reports.executors import Executor
from macsmith.reports.mixed import MixedResult
from macsmith.reports.packs import rows_table, temporary_beside
from macsmith.reports.table import write_if_changed
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["estimated_costs", "mixed_text", "priced_costs", "write_mixed"]

#: Of the loss axis: linear up to here.
_LINEAR_LOSS = 0.01

_MARKS = {"uniform": ("s", "#3a3f47"), "additive": ("o", "#1769aa"), "search": ("^", "#1b8a5a")}


def _parsed(texts: Sequence[str]) -> list[Design]:
    designs = [parse_design(text) for text in texts]
    for design in designs:
        if design.is_switchable:
            raise ValueError(f"{design.text}: must be a design of one mode; state that mode's")
    return designs


def estimated_costs(
    texts: Sequence[str], technology: str, cost_name: str, task: str | None = None
) -> list[float]:
    """Costs of designs by the cost model, without synthesis.

    Parameters
    ----------
    cost_name
        A figure of the cost model, also per MAC, or ``energy_pj_per_mac``, as prices have it.
    task
        Whose operands an energy is of; None: no one's in particular.

    Raises
    ------
    ValueError
        A wrong design text, no cost model of the technology, or a figure that it does not have,
        at all or for one of the designs.
    """
    from macsmith.model.cost.estimate import estimate_table
    from macsmith.model.cost.operands import operand_columns

    designs = _parsed(texts)
    is_energy = cost_name.startswith("energy_") and task is not None
    statistics = operand_columns(designs, str(task)) if is_energy else None
    table = estimate_table(designs, technology, operands=statistics)
    name: str = cost_name
    share: NDArray[Any] = np.ones(len(texts))
    if name == "energy_pj_per_mac":
        name, share = "energy_fj_per_mac", 1000 * share
    if name not in table.figures and name.endswith("_per_mac"):
        name, share = name.removesuffix("_per_mac"), table.macs
    if name not in table.figures:
        known = [each for each in table.figures if not each.endswith(("_low", "_high"))]
        raise ValueError(f"cost {cost_name!r} is not estimated; must be one of {', '.join(known)}")
    costs = [float(value) for value in table.figures[name] / share]
    for design, value in zip(designs, costs, strict=True):
        if not np.isfinite(value):
            raise ValueError(
                f"{design.text}: {cost_name} is not estimated of such designs; let it be measured "
                "(without --estimate), or state another cost, such as area_um2_per_mac"
            )
    return costs


def priced_costs(
    texts: Sequence[str],
    technology: str,
    cost_name: str,
    task: str,
    build_dir: Path,
    folder: Path,
    executor: Executor,
) -> list[float]:
    """Costs of designs as a sweep finds them: generated, checked and priced with the network's
    operands; kept in the store. The sweep's report goes to `folder`.

    Raises
    ------
    ValueError
        A wrong design text or technology, or a figure that prices do not have.
    RuntimeError
        A design could not be priced; the message has the reason.
    """
    from macsmith.reports.explore import explore
    from macsmith.reports.sweep import Sweep
    from macsmith.synth.fpga import family_of

    designs = _parsed(texts)
    if family_of(technology) is not None and cost_name.startswith(("energy_", "area_", "delay_")):
        raise ValueError(
            f"cost {cost_name!r} is none of the FPGA family {technology}; must be a count such as "
            "lut4_per_mac"
        )
    sweep = Sweep(tuple(dict.fromkeys(designs)), (technology,), operands=task)
    found = explore(sweep, build_dir, report_dir=folder, executor=executor)
    rows = {str(row["design"]): row for row in found.rows}
    costs = []
    for design in designs:
        row = rows[design.text]
        if "failure" in row:
            raise RuntimeError(f"{design.text}: {row['failure']}")
        if not isinstance(row.get(cost_name), int | float):
            known = [name for name, value in row.items() if isinstance(value, float)]
            raise ValueError(f"cost {cost_name!r} is no figure; must be one of {', '.join(known)}")
        costs.append(float(row[cost_name]))
    return costs


def write_mixed(result: MixedResult, folder: Path) -> list[Path]:
    """Write ``mixed.csv`` (a row a candidate), ``sensitivity.csv`` (a row a group) and
    ``mixed.png`` into a folder; give their paths."""
    from pyarrow import csv

    folder.mkdir(parents=True, exist_ok=True)
    names = [folder / name for name in ("mixed.csv", "sensitivity.csv", "mixed.png")]
    groups: list[dict[str, Any]] = [
        {
            "group": group,
            "share_of_macs": float(share),
            **{design: float(loss) for design, loss in zip(result.designs, losses, strict=True)},
        }
        for group, share, losses in zip(result.groups, result.shares, result.losses, strict=True)
    ]
    for path, rows in zip(names, (result.rows(), groups), strict=False):
        with temporary_beside(path) as part:
            csv.write_csv(rows_table(rows), part)
    write_if_changed(names[2], _picture(result))
    return names


def _picture(result: MixedResult) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_front(left, result)
    _draw_sensitivity(right, result)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def _draw_front(axes: Axes, result: MixedResult) -> None:
    shown = [each for each in result.candidates if np.isfinite(each.loss)]
    for kind, (mark, colour) in _MARKS.items():
        points = [each for each in shown if each.kind == kind]
        if points:
            axes.errorbar(
                [each.cost for each in points],
                [each.loss for each in points],
                yerr=[each.standard_error or 0.0 for each in points],
                fmt=mark,
                color=colour,
                markersize=7 if kind == "uniform" else 4,
                elinewidth=0.6,
                label=kind,
            )
    for each in shown:
        if each.kind == "uniform":
            text = result.designs[each.assignment[0]]
            axes.annotate(
                text, (each.cost, each.loss), (6, 6), textcoords="offset points", fontsize=8
            )
    pairs = zip(result.candidates, result.front, strict=True)
    front = sorted((each.cost, each.loss) for each, chosen in pairs if chosen)
    axes.plot(*zip(*front, strict=True), color="#9fb3c4", linewidth=1, zorder=0, label="front")
    axes.set_yscale("symlog", linthresh=_LINEAR_LOSS)
    unit = "phoneme" if result.task == "g2p" else "token"
    axes.set(xlabel=f"{result.cost_name}, mean of the network", ylabel=f"loss, nats a {unit}")
    axes.grid(visible=True, color="#eef1f4")
    axes.set_title(f"{result.task}: a design for each group of layers", loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=8)


def _draw_sensitivity(axes: Axes, result: MixedResult) -> None:
    losses = np.maximum(result.losses, 1e-5)
    image = axes.imshow(
        np.log10(np.where(np.isfinite(losses), losses, np.nan)), aspect="auto", cmap="magma_r"
    )
    axes.set_xticks(range(len(result.designs)), result.designs, rotation=45, ha="right", fontsize=8)
    every = max(1, len(result.groups) // 30)
    axes.set_yticks(range(0, len(result.groups), every), result.groups[::every], fontsize=7)
    axes.set_title("loss of one group alone", loc="left", fontsize=11)
    bar = axes.figure.colorbar(image, ax=axes)
    bar.set_label("log10 of nats", fontsize=8)


def mixed_text(result: MixedResult, files: Sequence[Path]) -> str:
    """The front for people, the cheapest first."""
    from itertools import groupby

    lines = [
        f"{result.task}: {len(result.candidates)} assignments of {len(result.designs)} designs to "
        f"{len(result.groups)} groups of layers; the front:"
    ]
    chosen = [each for each, is_on in zip(result.candidates, result.front, strict=True) if is_on]
    for each in sorted(chosen, key=lambda candidate: candidate.cost):
        pairs = sorted(zip(each.assignment, result.groups, strict=True), key=lambda pair: pair[0])
        parts = [
            f"{result.designs[index]}: {_short([group for _, group in members])}"
            for index, members in (
                (index, list(members))
                for index, members in groupby(pairs, key=lambda pair: pair[0])
            )
        ]
        lines.append(
            f"  {each.cost:10.4g}  {each.loss:+.4f} ± {each.standard_error or 0:.4f}  "
            f"{each.kind:8}  {'; '.join(parts)}"
        )
    lines.insert(1, f"  {result.cost_name}, loss, found by, designs")
    return "\n".join(lines + [f"wrote {path}" for path in files])


def _short(groups: Sequence[str]) -> str:
    return ", ".join(groups) if len(groups) <= 8 else f"{len(groups)} groups"
