"""The committed samples: synthesised designs, one row each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

__all__ = [
    "ENERGY_FILE",
    "REGISTERS_FILE",
    "SAMPLES_FILE",
    "Sample",
    "read_energy_rows",
    "read_register_counts",
    "read_samples",
    "read_table",
    "write_table",
]

SAMPLES_FILE = "samples.csv"
ENERGY_FILE = "energy_samples.csv"
REGISTERS_FILE = "register_samples.csv"


@dataclass(frozen=True)
class Sample:
    """A design as it was synthesised.

    Attributes
    ----------
    design
        Its text.
    technology, target
        Cell library and clock target (``area`` or ``speed``), or FPGA family and ``lut``.
    figures
        ``area_um2`` and ``delay_ps``, or ``lut``; ``flip_flops`` and others.
    """

    design: str
    technology: str
    target: str
    figures: dict[str, float]


def _path(name: str) -> Path:
    return Path(str(resources.files("macsmith.model.cost") / name))


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Comment lines (their ``# `` taken off) and rows of a table."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return comments, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def write_table(
    path: Path, comments: Sequence[str], names: Sequence[str], rows: Sequence[dict[str, object]]
) -> None:
    """Write comments and rows; what a row does not have is left empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {comment}\n" for comment in comments)
        writer = csv.DictWriter(file, list(names), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


_TEXT = ("design", "technology", "target", "recipe", "verilog_sha256", "operands")


def read_samples(path: Path | None = None) -> list[Sample]:
    """All samples, of `path` or the committed ones."""
    _, rows = read_table(path or _path(SAMPLES_FILE))
    return [
        Sample(
            row["design"],
            row["technology"],
            row["target"],
            {name: float(text) for name, text in row.items() if name not in _TEXT and text},
        )
        for row in rows
    ]


def read_energy_rows(path: Path | None = None) -> list[dict[str, str]]:
    """Rows of the energy table, of `path` or the committed one."""
    return read_table(path or _path(ENERGY_FILE))[1]


def read_register_counts(path: Path | None = None) -> dict[str, int]:
    """Flip-flops by design text, of `path` or the committed table; empty without one."""
    found = path or _path(REGISTERS_FILE)
    if not found.exists():
        return {}
    return {row["design"]: int(row["flip_flops"]) for row in read_table(found)[1]}
