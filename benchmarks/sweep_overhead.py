"""Time that a sweep takes beside its steps, per point.

    python benchmarks/sweep_overhead.py [--designs 300] [--jobs 2] [--build-dir DIR]

Explores designs with steps that do nothing (each design is "generated", "checked" and "priced" in
one technology), so all of the time is the sweep's own: processes, leases, the store, the table.
Prints wall-clock milliseconds per point of a first run, and of a second one that finds all kept.
The report is timed apart: a first sweep is repeated with a report of one row.
"""

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

from macsmith.model.design import parse_design
from macsmith.reports import points, stages
from macsmith.reports.explore import explore
from macsmith.reports.points import Point
from macsmith.reports.store import Record


class _Passed:
    def to_dict(self) -> dict[str, object]:
        names = ("results compared", "products in them", "coverage bins filled")
        checks = [{"name": name, "count": 1} for name in names]
        return {"passed": True, "seed": 0, "checks": checks, "failures": []}


def _generate(design: object, *, build_dir: Path, **_: object) -> str:
    folder = stages.step_folder(build_dir, design, "generate")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{design.id}.v").write_text("module m; endmodule\n")
    return "generated"


def work(build_dir: Path, wait: bool, point: Point) -> list[Record] | None:
    """What a worker does: steps that do nothing."""
    with (
        mock.patch.object(stages, "generate", _generate),
        mock.patch.object(stages, "verify", return_value=_Passed()),
        mock.patch.object(stages, "synthesize", return_value={"area_um2": 1.0}),
    ):
        return points.point_records(point, build_dir, wait=wait)


def designs(count: int) -> list[str]:
    """So many distinct designs."""
    texts = (
        f"e{exponent}m{fraction}:exact:lanes{lanes}"
        for lanes in range(1, 33)
        for exponent, fraction in itertools.product((2, 3, 4, 5), (1, 2, 3))
    )
    return [parse_design(text).text for text in itertools.islice(texts, count)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--designs", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, count in (("start and report", 1), ("first run", options.designs)):
            build = Path(folder) / name
            start = time.perf_counter()
            explore(designs(count), build, technologies=["asap7"], jobs=options.jobs, work=work)
            first = time.perf_counter() - start
            start = time.perf_counter()
            explore(designs(count), build, technologies=["asap7"], jobs=options.jobs, work=work)
            second = time.perf_counter() - start
            print(
                f"{name}: {count} points: {first:.2f} s, {1e3 * first / count:.1f} ms a point; "
                f"again: {second:.2f} s, {1e3 * second / count:.1f} ms a point",
                file=sys.stdout,
            )


if __name__ == "__main__":
    main()
