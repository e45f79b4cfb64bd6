"""How long one design point takes: emit, verify, price; and the command line's start.

    python benchmarks/design_point.py [DESIGN] [--report]

With --report it also times `macsmith explore` on a store that is already full. Everything is
computed in a fresh folder; compiled parts that all designs share (Verilator's runtime, the fast
model) are kept in the user's cache and counted only when they are missing there.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from macsmith.model.design import parse_design
from macsmith.reports import stages


def seconds_of_help() -> float:
    """Best of five starts of ``macsmith --help``."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        command = [sys.executable, "-m", "macsmith.cli", "--help"]
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


def point_rows(text: str) -> list[tuple[str, float, str]]:
    """Seconds of each step of a design, with the bound it must stay under."""
    design = parse_design(text)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        start = begin = time.perf_counter()
        generated = stages.generate(design, build_dir=build)
        rows.append((f"emit {text}", time.perf_counter() - start, ""))
        start = time.perf_counter()
        result = stages.verify(design, build, generated=generated)
        if not result.passed:
            raise SystemExit(f"{text}: its check failed: {result.failures[0]}")
        label = f"verify {text}: {result.vectors:,} results"
        rows.append((label, time.perf_counter() - start, ""))
        start = time.perf_counter()
        record = stages.synthesize(design, "asap7", build, generated=generated)
        label = f"synthesise and price {text}: {len(record['recipes_run'])} recipes"
        rows.append((label, time.perf_counter() - start, ""))
        rows.append((f"one design point, {text}", time.perf_counter() - begin, "60"))
    return rows


def warm_report_seconds() -> float:
    """Seconds of `macsmith explore` where everything is kept already."""
    command = [sys.executable, "-m", "macsmith.cli", "explore"]
    subprocess.run(command, check=False, capture_output=True)
    start = time.perf_counter()
    subprocess.run(command, check=False, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("design", nargs="?", default="e4m3:e6m9/64")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    rows = [("macsmith --help, best of 5", seconds_of_help(), "0.5")]
    rows += point_rows(arguments.design)
    if arguments.report:
        rows.append(("macsmith explore, second run", warm_report_seconds(), "15"))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} (more than the cores: seconds are too high),")
    print(f"Python {platform.python_version()}\n")
    print(f"{'what':60} {'seconds':>8} {'must be under':>14}")
    for name, seconds, bound in rows:
        print(f"{name:60} {seconds:8.2f} {bound:>14}")


if __name__ == "__main__":
    main()
