"""The jobs of `benchmarks/qor.py`: units, the best public ones, aims; rows kept from run to run."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KEPT = Path(__file__).parent / "results" / "qor.csv"
TEXTBOOK = "textbook"
_KEY = ("technology", "job", "design", "recipe")
_FIGURES = ("area", "delay_ps", "carry")


@dataclass(frozen=True)
class Peer:
    """The best public unit for a job, mapped to ASAP7 by ``smallest`` and by ``fastest``."""

    name: str
    smallest_um2: float
    fastest_um2: float
    fastest_ps: float


@dataclass(frozen=True)
class Job:
    """One line of the table.

    `max_area_um2` and `max_ratio` are the aims: area per product by a ``smallest`` recipe, and area
    times delay by a ``fastest`` one as a part of the peer's. `has_register`: the partial sum's
    register, with its clear, is measured too.
    """

    name: str
    design: str
    peer: Peer
    max_area_um2: float
    max_ratio: float
    has_register: bool = False
    max_lut4: tuple[tuple[str, int], ...] = ()


JOBS = (
    Job("E4M3 into (1,6,9)", "e4m3:e6m9:unit", Peer("HardFloat", 59.1, 82.0, 1390), 40, 0.65,
        max_lut4=(("ecp5", 190), ("ice40", 240))),
    Job("E5M2 into (1,6,9)", "e5m2:e6m9:unit",
        Peer("recoded operands", 45.6, 71.7, 1038), 36, 0.75),
    Job("E4M3 dot of 32, exact", "e4m3:exact:lanes32:unit",
        Peer("MX-for-FPGA", 31.5, 40.9, 1587), 24, 0.65),
    Job("E5M2 dot of 32, exact", "e5m2:exact:lanes32:unit",
        Peer("MX-for-FPGA", 43.7, 53.4, 2072), 33, 0.65),
    Job("E3M2 dot of 32, exact", "e3m2:exact:lanes32:unit",
        Peer("MX-for-FPGA", 16.6, 22.6, 1166), 13, 0.7),
    Job("E2M3 dot of 32, exact", "e2m3:exact:lanes32:unit",
        Peer("MX-for-FPGA", 14.8, 21.5, 1073), 11.5, 0.7),
    Job("E2M1 dot of 32, exact", "e2m1:exact:lanes32:unit",
        Peer("MX-for-FPGA", 7.1, 10.6, 868), 5.5, 0.7),
    Job("INT8 dot of 16", "int8:int32:lanes16:unit",
        Peer("MX-for-FPGA", 31.0, 46.2, 1092), 22, 0.7),
    Job("E4M3 dot of 8 into FP32, aligned", "e4m3:fp32_aligned25:lanes8:rtz:unit",
        Peer("Vortex", 53.3, 74.1, 2760), 34, 0.5),
    Job("E4M3 dot of 2 into FP16, stochastic", "e4m3:fp16:lanes2:sr11:unit",
        Peer("CVFPU SDOTP", 70.6, 101.0, 2716), 42, 0.6),
    Job("E4M3 exact PE, 64 terms", "e4m3:exact:terms64:unit",
        Peer("textbook, 48 bits", 63.2, 78.2, 1175), 46, 0.7, has_register=True),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One netlist: area per product and delay, or LUTs and carries on an FPGA."""

    technology: str
    job: str
    design: str
    recipe: str
    area: float
    delay_ps: float
    carry: float = 0.0

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same row in another run."""
        return (self.technology, self.job, self.design, self.recipe)


def read_kept() -> dict[tuple[str, str, str, str], Row]:
    if not KEPT.exists():
        return {}
    with KEPT.open(encoding="utf-8", newline="") as file:
        rows = [
            Row(*(line[name] for name in _KEY), *(float(line[name]) for name in _FIGURES))
            for line in csv.DictReader(file)
        ]
    return {row.key: row for row in rows}


def write_kept(rows: Sequence[Row]) -> None:
    """Put the measured rows in the place of those kept for the same technology and job."""
    measured = {(row.technology, row.job) for row in rows}
    kept = [row for row in read_kept().values() if (row.technology, row.job) not in measured]
    order = {job.name: place for place, job in enumerate(JOBS)}
    every = sorted(
        [*kept, *rows], key=lambda r: (r.technology, order.get(r.job, 99), r.design, r.recipe)
    )
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_KEY, *_FIGURES])
        for row in every:
            writer.writerow([*row.key, f"{row.area:.4f}", f"{row.delay_ps:.1f}", f"{row.carry:g}"])
