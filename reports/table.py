"""Report rows: what the steps of all points found, joined into one flat row a design and
technology, and written as CSV and Parquet."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macsmith.model.design import Design
from macsmith.reports.checks import checked_text
from macsmith.reports.packs import temporary_beside
from macsmith.reports.points import is_lossless
from macsmith.reports.store import Record

if TYPE_CHECKING:
    import pandas

__all__ = ["accuracy_columns", "as_frame", "design_rows", "write_if_changed", "write_tables"]

# Columns first, in this order; whatever else a row has follows as it comes.
_FIRST = (
    "design",
    "technology",
    "checked",
    "failure",
    "area_um2_per_mac",
    "energy_pj_per_mac",
    "delay_ps",
    "operands",
    "accumulator",
)


def _metrics(record: Record) -> dict[str, Any]:
    """What an accuracy record found; its provenance is told once, not in every row."""
    return {
        name: value
        for name, value in record.values.items()
        if isinstance(value, float) or name in ("tokens", "non_finite_outputs")
    }


def accuracy_columns(task: str, exact: Record | None, own: Record | None) -> dict[str, Any]:
    """Columns of one task for one design.

    ``<task>_exact_sums_<metric>`` are figures with exact sums, ``<task>_own_sums_<metric>`` those
    in which every sum was computed as the design's hardware does (on a smaller sample), and
    ``<task>_<metric>`` the best estimate for the design:

    - where it rounds no sum, the figures with exact sums;
    - for ``g2p``, whose sample is the same, those with its own sums;
    - for ``smollm2``, the change with exact sums on the whole text plus the change from exact to
      own sums on the sub-sample, the standard errors added as if independent.

    ``<task>_sum_error_percent`` is the root mean square error of single sums in the design's
    accumulator against exact sums of the same products, relative to their root mean square.

    Parameters
    ----------
    exact
        Record with exact sums.
    own
        Record with the design's own sums; `exact` itself where no sum is rounded.
    """
    exact = None if exact is None or exact.is_failed else exact
    own = None if own is None or own.is_failed else own
    is_same = exact is not None and own is not None and own.key == exact.key
    columns: dict[str, Any] = {}
    if exact is not None:
        columns |= {f"{task}_exact_sums_{name}": value for name, value in _metrics(exact).items()}
    if own is not None and not is_same:
        columns |= {f"{task}_own_sums_{name}": value for name, value in _metrics(own).items()}
    if exact is None or own is None:
        return columns
    if is_same:
        columns[f"{task}_sum_error_percent"] = 0.0
    elif "accumulator_relative_rms_error" in own.values:
        columns[f"{task}_sum_error_percent"] = 100 * own.values["accumulator_relative_rms_error"]
    if task != "smollm2" or is_same:
        return columns | {f"{task}_{name}": value for name, value in _metrics(own).items()}
    mean, error = "nll_change_per_token", "nll_change_standard_error"
    parts = (exact.values, own.values)
    if mean in parts[0] and f"accumulator_{mean}" in parts[1]:
        columns[f"{task}_{mean}"] = parts[0][mean] + parts[1][f"accumulator_{mean}"]
        columns[f"{task}_{error}"] = math.hypot(parts[0][error], parts[1][f"accumulator_{error}"])
    return columns


def _scaling(
    accuracies: Sequence[Mapping[str, tuple[Record | None, Record | None]]],
) -> dict[str, str]:
    """The rule for the scales of operands, the same in all tasks; of a switchable design's modes
    each, where they differ."""
    records = [record for by_task in accuracies for pair in by_task.values() for record in pair]
    told = [record.values.get("scaling") for record in records if record is not None]
    rules = dict.fromkeys(str(rule) for rule in told if rule is not None)
    return {"scaling": ", ".join(rules)} if rules else {}


def design_rows(
    design: Design,
    technologies: Sequence[str],
    records: Sequence[Record],
    accuracies: Sequence[Mapping[str, tuple[Record | None, Record | None]]],
) -> list[dict[str, Any]]:
    """The rows of a design, one a technology (one without prices if there are none).

    Parameters
    ----------
    records
        Of the design's own steps, as `point_records` gives them.
    accuracies
        For each mode of the design, by task: the records with exact and with the mode's own sums.
        Columns of a switchable design begin with ``mode0_``, ``mode1_``, ...: it has no one
        accuracy.
    """
    steps = {record.step: record for record in records if record.step != "synth"}
    prices = {
        record.determinants["technology"]: record for record in records if record.step == "synth"
    }
    checked, checked_results = checked_text(steps.get("verify"))
    mac = design.mac
    base: dict[str, Any] = {
        "design": design.text,
        "design_id": design.id,
        "operands": design.text.split(":")[0],
        "a": mac.operand_names[0],
        "b": mac.operand_names[1],
        "accumulator": design.text.split(":")[1],
        "lanes": mac.lanes,
        "rows": design.implementation.rows,
        "columns": design.implementation.columns,
        "stages": design.implementation.stages,
        "form": design.implementation.form,
        "checked": checked,
        "checked_results": checked_results,
    }
    if "generate" in steps and not steps["generate"].is_failed:
        base["verilog_sha256"] = steps["generate"].values["verilog_sha256"]
        base["verilog"] = f"verilog/{design.id}.v"
    base |= _scaling(accuracies)
    failures = [f"{name}: {record.failure}" for name, record in steps.items() if record.is_failed]
    verified = steps.get("verify")
    if verified is not None and not verified.is_failed and not verified.values["passed"]:
        failures.append(f"verify: {verified.values['failures'][0]}")
    for mode, accuracy in enumerate(accuracies):
        prefix = f"mode{mode}_" if design.is_switchable else ""
        for task, (exact, own) in accuracy.items():
            columns = accuracy_columns(task, exact, own)
            if own is exact and not is_lossless(design.modes[mode]):
                # nobody has computed this design's own sums
                columns.pop(f"{task}_sum_error_percent", None)
            base |= {prefix + name: value for name, value in columns.items()}
            told = dict.fromkeys(record.failure for record in (exact, own) if record is not None)
            failures += [
                f"accuracy {prefix}{task}: {failure}" for failure in told if failure is not None
            ]
    rows = []
    for technology in technologies or ("none",):
        row = base | {"technology": technology}
        price = prices.get(technology)
        row_failures = list(failures)
        if price is not None and price.is_failed:
            row_failures.append(f"synth: {price.failure}")
        elif price is not None:
            scalars = {
                name: value
                for name, value in price.values.items()
                # the check is the row's own: a kept price may be older
                if isinstance(value, str | int | float) and name not in ("top", "flow", "checked")
            }
            row |= scalars | {"technology": technology}
        if row_failures:
            row["failure"] = "; ".join(text.splitlines()[0] for text in row_failures)
        rows.append({name: value for name, value in row.items() if value is not None})
    return rows


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """The rows as a data frame; a missing metric is missing (NaN or None), never 0."""
    import pandas as pd

    names = list(dict.fromkeys(name for row in rows for name in row))
    ordered = [name for name in _FIRST if name in names]
    ordered += [name for name in names if name not in ordered]
    frame = pd.DataFrame([dict(row) for row in rows], columns=ordered)
    return frame.convert_dtypes()


def write_if_changed(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and not if it holds this already."""
    if path.is_file() and path.read_bytes() == content:
        return
    with temporary_beside(path) as part:
        part.write_bytes(content)


def write_tables(rows: Sequence[Mapping[str, Any]], folder: Path) -> tuple[Path, Path]:
    """Write ``results.csv`` and ``results.parquet`` into a folder; give their paths."""
    frame = as_frame(rows)
    csv, parquet = folder / "results.csv", folder / "results.parquet"
    write_if_changed(csv, frame.to_csv(index=False).encode())
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_if_changed(parquet, buffer.getvalue())
    return csv, parquet
