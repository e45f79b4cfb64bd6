"""Dot-product units of block formats in one flow: area, delay and energy per lane.

    python benchmarks/block_units.py [--keep] [--tech asap7 ...] [--recipe ...] [DESIGN ...]

Every unit takes 32 products a step (NVFP4: two blocks of 16, one a step, hence 16) and adds them to
a binary32 sum. Each is mapped by one recipe, with full-adder cells (without them, as ``--recipe
smallest`` is, ABC needs many minutes for a whole block), and simulated in time, glitches included,
with the operands of a layer of SmolLM2, quantised in blocks by the format's own rule. ``--keep``
writes the table to ``benchmarks/results/block_units.csv``; rows there of other units, technologies
and recipes stay.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

from macsmith.hw.emit import generate
from macsmith.model.design import parse_design
from macsmith.reports.activities import operand_waveforms
from macsmith.synth.price import price
from macsmith.synth.recipes import recipe

DESIGNS = (
    "mxfp4:fp32:lanes32:unit",
    "nvfp4:fp32:lanes16:unit",
    "mxfp6_e2m3:fp32:lanes32:unit",
    "mxfp6_e3m2:fp32:lanes32:unit",
    "mxint8:fp32:lanes32:unit",
    "mxfp8_e4m3:fp32:lanes32:unit",
    "mxfp8_e5m2:fp32:lanes32:unit",
)
RESULTS = Path(__file__).parent / "results" / "block_units.csv"
KEY = ("design", "technology", "recipe")


def measure(text: str, tech: str, recipe_name: str) -> dict[str, str]:
    """Price one unit as one recipe makes it."""
    design = parse_design(text)
    lanes = design.mac.lanes
    start = time.process_time()
    waves, first = operand_waveforms(design, "smollm2")
    with tempfile.TemporaryDirectory() as name:
        record = price(
            generate(design, Path(name) / "rtl").verilog,
            design.id,
            tech,
            build_dir=Path(name) / "synth",
            waveforms=waves,
            first_counted_cycle=first,
            macs_per_cycle=lanes,
            valid_ports={} if design.implementation.form == "unit" else {"o_data": "o_valid"},
            recipes=[recipe(recipe_name)],
        )
    print(f"{time.process_time() - start:.0f} s", end=" ")
    area, delay = record["area_um2"] / lanes, record["delay_ps"]
    row = {
        "design": text,
        "technology": tech,
        "recipe": recipe_name,
        "area_um2_per_lane": f"{area:.2f}",
        "delay_ps": f"{delay:.0f}",
        "area_um2_ns_per_lane": f"{area * delay / 1000:.1f}",
        "cells": str(record["cells"]),
    }
    for column in (
        *("", "settled_", "decode_", "multiply_", "scale_", "align_", "accumulate_", "round_"),
        *("control_", "ports_", "register_", "clock_", "wire_"),
    ):
        energy = 1000 * record[f"{column}energy_pj_per_mac"]
        row[f"{column}energy_fj_per_mac"] = f"{energy:.2f}"
    return row


def keep(rows: list[dict[str, str]]) -> None:
    """Write rows over those of the same unit, technology and recipe."""
    kept: dict[tuple[str, ...], dict[str, str]] = {}
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            kept = {tuple(row[name] for name in KEY): row for row in csv.DictReader(file)}
    kept |= {tuple(row[name] for name in KEY): row for row in rows}
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept.values())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("design", nargs="*", default=list(DESIGNS))
    parser.add_argument("--tech", nargs="+", default=["asap7"])
    parser.add_argument("--recipe", nargs="+", default=["smallest-fa"])
    parser.add_argument("--keep", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    for tech in arguments.tech:
        for recipe_name in arguments.recipe:
            for text in arguments.design:
                row = measure(text, tech, recipe_name)
                print(" ".join(row.values()), flush=True)
                if arguments.keep:
                    keep([row])


if __name__ == "__main__":
    main()
