"""Exploration: all points of a sweep through all steps, resumable, and the report of it."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from macsmith.model.accuracy.scaling import scaling_for
from macsmith.model.config import MacConfig
from macsmith.model.design import Design, parse_design
from macsmith.reports.checks import STORE_FOLDER
from macsmith.reports.executors import Executor, LocalPool, held
from macsmith.reports.leases import remove_left
from macsmith.reports.points import (
    DESIGN_STEPS,
    AccuracyPoint,
    DesignPoint,
    Point,
    is_nearly_lossless,
    point_records,
)
from macsmith.reports.progress import job_progress
from macsmith.reports.screening import STATES, Screening, screen
from macsmith.reports.search_report import write_search
from macsmith.reports.stages import DEFAULT_BUILD_DIR, step_folder
from macsmith.reports.store import Record, ResultStore
from macsmith.reports.sweep import DEFAULT_TECHNOLOGIES, Search, Sweep
from macsmith.reports.table import design_rows, write_if_changed

__all__ = ["ExploreResult", "explore", "sweep_points"]

#: From so many files of single results on they are moved into packs.
PACK_AT = 5000

log = logging.getLogger(__name__)

Work = Callable[[Path, bool, Point], list[Record] | None]


@dataclass(frozen=True)
class ExploreResult:
    """What an exploration found.

    Attributes
    ----------
    rows
        One a design and technology; see `macsmith.reports.metrics` and `macsmith.reports.table`.
    report_dir
        Folder of the report: ``index.html``, ``pareto.png``, ``results.csv``,
        ``results.parquet``, ``verilog/``.
    points, computed_points, failed_points
        How many points the sweep has, how many were computed in this run, how many failed.
    screenings
        One a technology, where the sweep searches; the rows are then those of the fronts.
    """

    rows: list[dict[str, Any]] = field(repr=False)
    report_dir: Path
    files: tuple[Path, ...]
    points: int
    computed_points: int
    failed_points: int
    seconds: float
    screenings: tuple[Screening, ...] = field(default=(), repr=False)

    @property
    def summary(self) -> str:
        """A few lines for people."""
        kept = self.points - self.computed_points
        lines = [screening.summary for screening in self.screenings]
        lines += [
            f"{len(self.rows)} rows from {self.points} points: {self.computed_points} computed now "
            f"in {self.seconds:.0f} s, {kept} kept from before"
        ]
        if self.failed_points:
            is_one = self.failed_points == 1
            words = (
                "point failed; its rows say why:"
                if is_one
                else "points failed; their rows say why:"
            )
            lines.append(f"{self.failed_points} {words}")
            failures = {
                str(row["design"]): str(row["failure"]) for row in self.rows if "failure" in row
            }
            lines += [f"  {design}: {failure}" for design, failure in failures.items()]
        lines += [f"wrote {path}" for path in self.files]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {
            "report": str(self.report_dir),
            "files": [str(path) for path in self.files],
            "points": self.points,
            "computed_points": self.computed_points,
            "failed_points": self.failed_points,
            "seconds": round(self.seconds, 1),
            "searches": [
                {
                    "technology": each.technology,
                    "objectives": list(each.objectives),
                    "designs": len(each.rows),
                    "seconds": round(each.seconds, 1),
                    **{state: each.count(state) for state in STATES},
                }
                for each in self.screenings
            ],
            "rows": self.rows,
        }


def sweep_points(sweep: Sweep) -> list[Point]:
    """The points of a sweep: designs and networks in turn, so that not all processes wait for
    the same kind of work; each arithmetic once."""
    designs: list[Point] = [
        DesignPoint(design.text, sweep.technologies, sweep.seed, sweep.operands)
        for design in sweep.designs
    ]
    networks = {
        _accuracy_point(sweep, task, mode, own_sums): None
        for own_sums in (True, False)
        for task in sweep.tasks
        for design in sweep.designs
        for mode in design.mode_designs
    }
    # the long ones first, so that no process is left with one at the end
    ordered = sorted(networks, key=lambda point: (not point.own_sums, point.task != "smollm2"))
    mixed = itertools.zip_longest(ordered, designs)
    return [point for pair in mixed for point in pair if point is not None]


def _accuracy_point(sweep: Sweep, task: str, design: Design, own_sums: bool) -> AccuracyPoint:
    """The point that a design's accuracy comes from, the same for all that compute the same.

    Where no sum is ever rounded, a design's own sums are the exact ones; so they are taken for
    where none is rounded to less than binary32, for exact sums are computed in that themselves.
    """
    scaling = scaling_for(design.mac, sweep.scaling)
    if own_sums and not is_nearly_lossless(design.mac):
        # words are cheap: that task takes its whole sample bit by bit too
        tokens = sweep.bit_exact_tokens if task == "smollm2" else None
        text = Design(mac=design.mac).text
        return AccuracyPoint(task, text, True, sweep.seed, tokens, scaling)
    a, b = design.mac.operand_names
    # no accumulator counts here; an exact one over all scales of blocks may be too wide to build
    accumulator = "exact" if design.mac.block is None else "fp32"
    exact = MacConfig.model_validate({"a": a, "b": b, "accumulator": accumulator})
    return AccuracyPoint(task, Design(mac=exact).text, False, sweep.seed, None, scaling)


def _check_names(sweep: Sweep) -> None:
    """ValueError for a technology or task that does not exist, before any work is done."""
    from macsmith.model.accuracy.scaling import check_scalings
    from macsmith.model.accuracy.stimulus import parse_operands
    from macsmith.model.accuracy.tasks import find_task
    from macsmith.synth.fpga import family_of
    from macsmith.synth.price import resolve_technology

    where = sweep.source or "sweep"
    try:
        check_scalings(sweep.scaling)
    except ValueError as error:
        raise ValueError(f"{where}: scaling: {error}") from None
    for name in sweep.technologies:
        if family_of(name) is None:
            try:
                resolve_technology(name)
            except ValueError as error:
                raise ValueError(f"{where}: technologies: {error}") from None
    wanted = [("tasks", name) for name in sweep.tasks]
    if sweep.operands is not None:
        try:
            parse_operands(sweep.operands)
        except ValueError as error:
            raise ValueError(f"{where}: operands: {error}") from None
    for field_name, name in wanted:
        try:
            find_task(name)
        except ValueError as error:
            raise ValueError(f"{where}: {field_name}: {error}") from None


def _work(build_dir: Path, wait: bool, point: Point) -> list[Record] | None:
    """What a worker process does: the records, or None if another sweep has the point in hand."""
    return point_records(point, build_dir, wait=wait)


def _died(point: Point, reason: str) -> list[Record]:
    """A record for a point whose process died; it is not kept, so the next run tries again."""
    step = "accuracy" if isinstance(point, AccuracyPoint) else "generate"
    return [Record(step, {"seed": point.seed}, {}, reason, 0.0)]


def _outcome_text(records: Sequence[Record]) -> str:
    failed = [record for record in records if record.is_failed]
    if failed:
        reason = (failed[0].failure or "").splitlines()[0]
        return f"FAILED in {failed[0].step}: {reason}"
    checks = [record for record in records if record.step == "verify"]
    if checks and not checks[0].values["passed"]:
        return "CHECK FAILED"
    return f"{sum(record.seconds for record in records):.0f} s"


def _is_failed(records: Sequence[Record]) -> bool:
    return any(
        record.is_failed or (record.step == "verify" and not record.values["passed"])
        for record in records
    )


def explore(
    sweep: Sweep | Iterable[Design | str],
    build_dir: Path = DEFAULT_BUILD_DIR,
    *,
    report_dir: Path | None = None,
    technologies: Sequence[str] | None = None,
    tasks: Sequence[str] = (),
    scaling: Sequence[str] = (),
    jobs: int = 2,
    executor: Executor | None = None,
    work: Work = _work,
    screen: Callable[..., Screening] = screen,
) -> ExploreResult:
    """Generate, verify, price and rate all designs of a sweep, and write the report.

    What was computed before, by this sweep or another one, is taken from the store in
    ``<build_dir>/store``; so an interrupted run goes on where it was, and a second one computes
    nothing and leaves the same files.

    Parameters
    ----------
    sweep
        A sweep, or designs (then with `technologies` and `tasks`).
    report_dir
        Where the report goes, ``<build_dir>/report`` by default.
    technologies, tasks, scaling
        Only where `sweep` is a list of designs; see `macsmith.reports.sweep.Sweep`.
    jobs
        Processes at once, on this machine.
    executor
        Where else the points are computed, see `macsmith.reports.executors`; then `jobs` does not
        count.
    work, screen
        What is done for a point, a function of a module, and for a search; for tests.

    Raises
    ------
    ValueError
        A design text, technology or task is wrong.
    StoreFullError
        The disk is full; what was kept before is whole.
    KeyboardInterrupt
        Interrupted; the message says how many points are kept.
    """
    start = time.perf_counter()
    if not isinstance(sweep, Sweep):
        designs = [parse_design(d) if isinstance(d, str) else d for d in sweep]
        unique = {design.text: design for design in designs}
        sweep = Sweep(
            tuple(unique.values()),
            DEFAULT_TECHNOLOGIES if technologies is None else tuple(technologies),
            tuple(tasks),
            scaling=tuple(scaling),
        )
    if not sweep.designs:
        raise ValueError("a sweep must have at least 1 design, not 0")
    _check_names(sweep)
    build_dir, folder = Path(build_dir), report_dir or Path(build_dir) / "report"
    # whether it can be written is known before any work is done
    folder.mkdir(parents=True, exist_ok=True)
    executor = executor or LocalPool(jobs)
    with held(executor):
        return _explore(sweep, build_dir, folder, executor, work, screen, start)


def _explore(
    sweep: Sweep,
    build_dir: Path,
    folder: Path,
    executor: Executor,
    work: Work,
    screen: Callable[..., Screening],
    start: float,
) -> ExploreResult:
    """`explore`, with everything given."""
    screenings: tuple[Screening, ...] = ()
    search_files: list[Path] = []
    if sweep.search is not None:
        screenings = _screen(sweep, sweep.search, build_dir, executor, screen)
        search_files = write_search(screenings, folder)
        front = {design.text: design for each in screenings for design in each.front}
        if not (sweep.search.explore and front):
            return _only_screened(screenings, folder, search_files, time.perf_counter() - start)
        sweep = replace(sweep, designs=tuple(front.values()))
    points = sweep_points(sweep)
    found: dict[Point, list[Record]] = {}
    for point in points:
        records = point_records(point, build_dir, may_compute=False)
        if records is not None:
            found[point] = records
    missing = [point for point in points if point not in found]
    if missing:
        _compute(missing, found, build_dir, executor, work, len(points))
        pack_if_many(build_dir)
    remove_left(build_dir / STORE_FOLDER / ".leases")
    # in the order of the points, not of their completion: the report must not depend on that
    found = {point: found[point] for point in points}
    own = {point.design: point for point in points if isinstance(point, DesignPoint)}
    rows = [
        row
        for design in sweep.designs
        for row in _rows(design, sweep, found[own[design.text]], found)
    ]
    from macsmith.reports.report import write_report  # plots are slow to import

    files = write_report(sweep, rows, found, folder) + search_files
    _copy_verilog(sweep.designs, build_dir, folder)
    return ExploreResult(
        rows=rows,
        report_dir=folder,
        files=tuple(files),
        points=len(points),
        computed_points=len(missing),
        failed_points=sum(_is_failed(records) for records in found.values()),
        seconds=time.perf_counter() - start,
        screenings=screenings,
    )


def _screen(
    sweep: Sweep,
    search: Search,
    build_dir: Path,
    executor: Executor,
    screen: Callable[..., Screening],
) -> tuple[Screening, ...]:
    if not sweep.technologies:
        raise ValueError(f"{sweep.source or 'sweep'}: a search must have at least 1 technology")
    try:
        return tuple(
            screen(sweep, search, technology, build_dir, executor)
            for technology in sweep.technologies
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: what was synthesised is kept; the same command goes on from there"
        ) from None


def _only_screened(
    screenings: tuple[Screening, ...], folder: Path, files: list[Path], seconds: float
) -> ExploreResult:
    rows = [row for each in screenings for row in each.rows if row["state"] == "front"]
    return ExploreResult(rows, folder, tuple(files), 0, 0, 0, seconds, screenings)


def pack_if_many(build_dir: Path) -> None:
    """Move results from files of their own into packs where there are thousands.

    That only saves files: if it cannot be done, they stay, and it is told as a warning.
    """
    store = ResultStore(build_dir / STORE_FOLDER)
    for step in (*DESIGN_STEPS, "accuracy"):
        try:
            store.pack(step, least=PACK_AT)
        except OSError as error:
            log.warning("results of %s stay in files of their own: %s", step, error)


def _compute(
    missing: Sequence[Point],
    found: dict[Point, list[Record]],
    build_dir: Path,
    executor: Executor,
    work: Work,
    total: int,
) -> None:
    """Compute the missing points, into `found`; at last those that another sweep had in hand."""
    with job_progress(len(missing), "exploring") as progress:
        for wait in (False, True):
            outcomes = executor.run(
                partial(work, build_dir, wait),
                [point for point in missing if point not in found],
                on_start=lambda running: progress.started([point.name for point in running]),
            )
            try:
                for outcome in outcomes:
                    records = outcome.result
                    if outcome.death is not None:
                        records = _died(outcome.job, outcome.death)
                    if records is not None:
                        found[outcome.job] = records
                        progress.finished(outcome.job.name, _outcome_text(records))
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    f"interrupted: {len(found)} of {total} points are kept; the same command goes "
                    "on from there"
                ) from None
            finally:
                outcomes.close()  # ends the workers


def _rows(
    design: Design, sweep: Sweep, records: list[Record], found: dict[Point, list[Record]]
) -> list[dict[str, Any]]:
    accuracies = [
        {
            task: (
                found[_accuracy_point(sweep, task, mode, False)][0],
                found[_accuracy_point(sweep, task, mode, True)][0],
            )
            for task in sweep.tasks
        }
        for mode in design.mode_designs
    ]
    return design_rows(design, sweep.technologies, records, accuracies)


def _copy_verilog(designs: Sequence[Design], build_dir: Path, folder: Path) -> None:
    """The emitted Verilog beside the page, so that its links work wherever the folder goes."""
    copies = folder / "verilog"
    copies.mkdir(parents=True, exist_ok=True)
    for design in designs:
        source = step_folder(build_dir, design, "generate") / f"{design.id}.v"
        target = copies / source.name
        if source.is_file():
            write_if_changed(target, source.read_bytes())
