"""Synthesised points that the cost model is fitted to: one resumable command.

    python -m macsmith.synth.samples run [--rounds 0] [--tech NAME] [--workers 2] [--store FILE]
    python -m macsmith.synth.samples table [--store FILE] [-o FILE]

``run`` synthesises the designs of the committed table, and with ``--rounds`` newly drawn ones, as
far as they are not in the store yet; it appends each result as a line, so that it can be ended at
any time. ``table`` writes the store as the compact table that
the model is fitted to. Two clock targets are sampled of a cell library, one recipe each
(`TARGETS`); FPGA families have one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macsmith.hw.emit import design_verilog
from macsmith.model.cost.samples import SAMPLES_FILE, read_samples, write_table
from macsmith.model.design import parse_design
from macsmith.synth.fpga import FAMILIES, family_of, map_to_fpga
from macsmith.synth.recipes import recipe
from macsmith.synth.sample_designs import SEED, sample_designs
from macsmith.synth.synthesize import MappedDesign, synthesize
from macsmith.synth.technology import TECHNOLOGIES, technology
from macsmith.synth.yosys import tool_versions

__all__ = ["TARGETS", "Job", "sample_jobs"]

TARGETS: dict[str, tuple[str, ...]] = {
    "area": ("smallest-fa-folded", "smallest-folded"),
    "speed": ("fastest",),
}
"""Clock targets of a cell library, and the recipe of each: the first one that can be run (a library
may have no full adders)."""

#: Every design in ASAP7; of the other technologies each takes a part of them.
_TURNS: dict[str, tuple[int, int]] = {
    "asap7": (1, 0),
    "sky130": (3, 0),
    "ihp-sg13g2": (3, 1),
    "ecp5": (6, 2),
    "ice40": (6, 5),
    "xilinx7": (20, 4),
}
DEFAULT_STORE = Path("build/cost/samples.jsonl")


@dataclass(frozen=True)
class Job:
    """A design in a technology."""

    design: str
    technology: str


def sample_jobs(rounds: int, technologies: Sequence[str]) -> Iterator[Job]:
    """Those of the committed table, then newly drawn ones, design by design."""
    known = dict.fromkeys(Job(s.design, s.technology) for s in read_samples())
    yield from (job for job in known if job.technology in technologies)
    for index, design in enumerate(sample_designs(rounds)):
        for name in technologies:
            every, first = _TURNS[name]
            job = Job(design.text, name)
            if index % every == first and job not in known:
                yield job


def _asic_figures(mapped: MappedDesign) -> dict[str, Any]:
    return {
        "recipe": mapped.recipe,
        "area_um2": round(mapped.area_um2, 4),
        "sequential_area_um2": round(mapped.sequential_area_um2, 4),
        "delay_ps": round(mapped.delay_ps, 2),
        "leakage_nw": round(mapped.leakage_nw, 4),
        "flip_flops": mapped.flip_flops,
    }


def measure(job: Job, folder: Path) -> list[dict[str, Any]]:
    """Synthesise: one record for each clock target, or one of an FPGA family."""
    design = parse_design(job.design)
    text = design_verilog(design)
    verilog = folder / f"{design.id}.v"
    verilog.write_text(text, encoding="utf-8")
    provenance = {
        "design": job.design,
        "technology": job.technology,
        "verilog_sha256": hashlib.sha256(text.encode()).hexdigest()[:12],
        "tools": tool_versions(),
    }
    family = family_of(job.technology)
    if family is not None:
        found = map_to_fpga([verilog], design.id, family, build_dir=folder / "map")
        return [provenance | {"target": "lut"} | found.metrics]
    tech = technology(job.technology)
    names = [names[0 if tech.full_adder else -1] for names in TARGETS.values()]
    result = synthesize(
        [verilog],
        design.id,
        tech,
        build_dir=folder / "map",
        recipes=[recipe(name) for name in names],
    )
    return [
        provenance | {"target": target} | _asic_figures(mapped)
        for target, mapped in zip(TARGETS, result.designs, strict=True)
    ]


def _kept(store: Path) -> set[Job]:
    if not store.exists():
        return set()
    kept = set()
    for line in store.read_text(encoding="utf-8").splitlines():
        record = _record(line)
        if record is not None:
            kept.add(Job(record["design"], record["technology"]))
    return kept


def _record(line: str) -> dict[str, Any] | None:
    """A whole line; the last one may have been cut off."""
    try:
        record: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record


def _timed(job: Job) -> tuple[Job, list[dict[str, Any]], float]:
    """A job's records, none where a tool failed, and how long it took."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="macsmith-") as folder:
        try:
            records = measure(job, Path(folder))
        except RuntimeError as error:  # a tool's; told, kept for nobody, tried again next time
            print(f"{job.design} {job.technology}: {error}", file=sys.stderr, flush=True)
            records = []
    return job, records, time.monotonic() - start


def run(store: Path, jobs: Sequence[Job], workers: int = 1) -> None:
    """Do the jobs that the store does not have, and append their records as they come."""
    store.parent.mkdir(parents=True, exist_ok=True)
    kept = _kept(store)
    missing = [job for job in jobs if job not in kept]
    print(f"{len(jobs) - len(missing)} of {len(jobs)} jobs are done", flush=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        pending = [pool.submit(_timed, job) for job in missing]
        for done, future in enumerate(as_completed(pending), start=1):
            job, records, seconds = future.result()
            with store.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(record, sort_keys=True) + "\n" for record in records)
            figures = ", ".join(
                f"{r['target']} {r.get('area_um2', r.get('lut4', r.get('lut6')))}" for r in records
            )
            print(
                f"{done}/{len(missing)} {job.technology} {job.design}: {figures} ({seconds:.1f} s)",
                flush=True,
            )


_COLUMNS = (
    "design",
    "technology",
    "target",
    "area_um2",
    "sequential_area_um2",
    "delay_ps",
    "leakage_nw",
    "flip_flops",
    "lut",
    "carry",
    "wide_mux",
    "verilog_sha256",
)


def write_samples(store: Path, path: Path) -> None:
    """Write the store as the committed table, sorted, with where it comes from."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    tools: set[str] = set()
    for line in store.read_text(encoding="utf-8").splitlines():
        record = _record(line)
        if record is None:
            continue
        tools |= {f"{name} {version}" for name, version in record.pop("tools").items()}
        for name in ("lut4", "lut6"):
            if name in record:
                record["lut"] = record.pop(name)
        row = {name: record[name] for name in _COLUMNS if name in record}
        rows[row["technology"], row["target"], row["design"]] = row
    recipes = "; ".join(f"{target}: {' or '.join(names)}" for target, names in TARGETS.items())
    comments = [
        f"{len(rows)} synthesised points, most of them drawn with seed {SEED}; "
        f"{', '.join(sorted(tools))}",
        f"recipes of the clock targets: {recipes}; of lut: Yosys' own flow without DSP blocks",
        "remade by: python -m macsmith.synth.samples run; python -m macsmith.synth.samples table",
    ]
    write_table(path, comments, _COLUMNS, [rows[key] for key in sorted(rows)])
    print(f"{len(rows)} points in {path}")


def main() -> None:
    """Run, or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--rounds", type=int, default=0, help="of new draws, beyond the table")
    parser.add_argument("--workers", type=int, default=1, help="processes that synthesise")
    parser.add_argument("--tech", action="append", choices=list(_TURNS))
    parser.add_argument("--store", type=Path, default=DEFAULT_STORE)
    parser.add_argument("-o", "--output", type=Path, default=Path("model/cost") / SAMPLES_FILE)
    arguments = parser.parse_args()
    if arguments.what == "table":
        write_samples(arguments.store, arguments.output)
        return
    technologies = arguments.tech or [*TECHNOLOGIES, *FAMILIES]
    run(arguments.store, list(sample_jobs(arguments.rounds, technologies)), arguments.workers)


if __name__ == "__main__":
    main()
