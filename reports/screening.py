"""Screening: of the many designs of a sweep, those on the front of estimated cost and accuracy.

Costs of all designs are estimated (`macsmith.model.cost`), accuracy is the error of one layer's
sums, computed bit for bit, and `macsmith.reports.search` says which designs to synthesise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from macsmith.model.accuracy.cache import remember
from macsmith.model.accuracy.layer_error import layer_error_percent
from macsmith.model.accuracy.scaling import scaling_for
from macsmith.model.design import Design, parse_design
from macsmith.reports.checks import STORE_FOLDER
from macsmith.reports.executors import Executor
from macsmith.reports.fingerprints import source_digest, versions
from macsmith.reports.leases import lease
from macsmith.reports.points import StepFailedError, Steps, is_lossless
from macsmith.reports.progress import job_progress
from macsmith.reports.search import Confirmed, Intervals, confirm_front, possible_front
from macsmith.reports.store import Record, ResultStore, content_key
from macsmith.reports.sweep import LAYER_ERROR, Search, Sweep
from numpy.typing import NDArray

__all__ = ["STATES", "ConfirmPoint", "Screening", "confirm_point", "screen"]

CONFIRM_STEP = "confirm"
#: Estimates outside of what their model was fitted to: their intervals reach this factor further,
#: until some of them are synthesised; then so far as the greatest error among these, as a power.
OUTSIDE_FACTOR = 2.0
OUTSIDE_POWER = 1.25

#: Digits of a layer error that count: what differs less is the luck of the sample.
ERROR_DIGITS = 2
#: Arithmetics whose errors are computed in one job.
ERRORS_AT_ONCE = 128

#: What a design of a search may be, in the order in which that is asked.
STATES = ("failed", "front", "confirmed", "open", "discarded")


class Estimates(Protocol):
    """What an estimator gives for many designs; see `macsmith.model.cost.estimate`."""

    @property
    def figures(self) -> Mapping[str, NDArray[Any]]: ...

    @property
    def macs(self) -> NDArray[Any]: ...

    @property
    def is_inside(self) -> NDArray[np.bool_]: ...


_Ends = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
Estimator = Callable[[Sequence[Design], str, str | None], Estimates]


@dataclass(frozen=True)
class ConfirmPoint:
    """A design to synthesise for one clock target."""

    design: str
    technology: str
    target: str | None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.design} in {self.technology}"


ConfirmWork = Callable[[Path, bool, ConfirmPoint], Record | None]


def _determinants(point: ConfirmPoint) -> dict[str, Any]:
    return {
        "design": point.design,
        "technology": point.technology,
        "target": point.target,
        "source": source_digest("hw", "model", "synth", "synth/data"),
        "versions": versions("amaranth", "pyosys", "macsmith"),
    }


def confirm_point(build_dir: Path, wait: bool, point: ConfirmPoint) -> Record | None:
    """The record of a point, from the store or computed now; None if another process has it in
    hand and `wait` is false."""
    determinants = _determinants(point)
    store = ResultStore(build_dir / STORE_FOLDER)
    name = content_key(CONFIRM_STEP, determinants)
    with lease(store.root / ".leases", name, wait=wait) as is_mine:
        if not is_mine:
            return None
        steps = Steps(store, may_compute=True)
        try:
            steps.step(CONFIRM_STEP, determinants, partial(synthesize_point, point))
        except StepFailedError as error:
            return error.record
        return steps.records[0]


def synthesize_point(point: ConfirmPoint) -> Mapping[str, Any]:
    """Area and delay, or LUTs, of a design by the recipe of a clock target."""
    from tempfile import TemporaryDirectory

    from macsmith.synth.samples import Job, measure

    with TemporaryDirectory(prefix="macsmith-") as folder:
        records = measure(Job(point.design, point.technology), Path(folder))
    for record in records:
        if point.target in (None, record["target"]):
            return record
    targets = " or ".join(record["target"] for record in records)
    raise ValueError(f"target must be {targets} in {point.technology}, not {point.target!r}")


@dataclass(frozen=True)
class Screening:
    """The designs of a sweep in one technology, as far as they are known.

    Attributes
    ----------
    technology
        Its name.
    objectives
        What was minimised.
    rows
        One a design: estimates with their intervals, what was measured, and its ``state``:
        ``discarded``, ``confirmed`` (measured, and beaten), ``front``, ``failed``, or ``open``
        (the search ended at its limit before it was this design's turn).
    front
        Designs of the confirmed front.
    seconds
        Wall-clock time.
    """

    technology: str
    objectives: tuple[str, ...]
    rows: list[dict[str, Any]]
    front: tuple[Design, ...]
    seconds: float

    def count(self, state: str) -> int:
        """How many designs are in a state."""
        return sum(row["state"] == state for row in self.rows)

    @property
    def summary(self) -> str:
        """One line for people."""
        measured = self.count("front") + self.count("confirmed")
        text = (
            f"{self.technology}: {len(self.rows)} designs, {self.count('discarded')} discarded by "
            f"estimates, {measured} synthesised, {len(self.front)} on the front "
            f"({', '.join(self.objectives)}), {self.seconds:.0f} s"
        )
        if failed := self.count("failed"):
            text += f"; {failed} could not be synthesised"
        if left := self.count("open"):
            text += f"; {left} more could be on it: raise confirm to settle them"
        return text


def _default_estimator(designs: Sequence[Design], technology: str, target: str | None) -> Estimates:
    from macsmith.model.cost.estimate import estimate_table

    return estimate_table(designs, technology, target)


def _figure(estimates: Estimates, objective: str) -> _Ends:
    """Low, middle and high of an objective; ValueError if it is not estimated, or not measured by
    the synthesis that confirms it."""
    name, is_per_mac = objective, False
    if name not in estimates.figures and name.endswith("_per_mac"):
        name, is_per_mac = name.removesuffix("_per_mac"), True
    if name not in estimates.figures or name.startswith("energy_"):
        known = [each for each in estimates.figures if f"{each}_low" in estimates.figures]
        known = [each for each in known if not each.startswith("energy_")]
        known += [f"{each}_per_mac" for each in known if each in ("area_um2", "lut")]
        problem = (
            "is not measured by the synthesis that confirms a front (the steps of explore = true "
            "measure it on the front's designs)"
            if name.startswith("energy_")
            else "is not estimated"
        )
        raise ValueError(
            f"search: objectives: {objective} {problem}; must be one of "
            f"{', '.join([*known, LAYER_ERROR])}"
        )
    middle = estimates.figures[name]
    low, high = (estimates.figures.get(f"{name}_{end}", middle) for end in ("low", "high"))
    share = estimates.macs if is_per_mac else 1.0
    return low / share, middle / share, high / share


def _measured(record: Record, objective: str, macs: float) -> float:
    """An objective of a synthesised design; NaN if synthesis does not tell it."""
    if objective in record.values:
        return float(record.values[objective])
    name = objective.removesuffix("_per_mac")
    return float(record.values[name]) / macs if name in record.values else float("nan")


def _error(operands: str, seed: int, scaling: tuple[str, ...], text: str) -> float:
    """Layer error of a design text, in so many digits as count."""
    config = parse_design(text).mac
    rule = scaling_for(config, scaling)
    error = layer_error_percent(config, operands, seed=seed, scaling=rule)
    return float(f"{error:.{ERROR_DIGITS}g}")


def _some_errors(
    operands: str, seed: int, scaling: tuple[str, ...], texts: tuple[str, ...]
) -> list[float]:
    """What a worker process does."""
    return [_error(operands, seed, scaling, text) for text in texts]


def _errors(
    designs: Sequence[Design],
    operands: str,
    seed: int,
    scaling: tuple[str, ...],
    executor: Executor,
) -> NDArray[np.float64]:
    """Layer error of each design; what computes the same is computed once, and remembered."""
    texts = []
    for design in designs:
        config = design.mac
        if is_lossless(config) and config.block is None:
            config = config.model_copy(update={"lanes": 1})
        texts.append(Design(mac=config).text)
    unique = sorted(set(texts))

    def compute() -> dict[str, NDArray[Any]]:
        if len(unique) <= ERRORS_AT_ONCE:
            return {"errors": np.array(_some_errors(operands, seed, scaling, tuple(unique)))}
        parts = [
            tuple(unique[start : start + ERRORS_AT_ONCE])
            for start in range(0, len(unique), ERRORS_AT_ONCE)
        ]
        found: dict[tuple[str, ...], list[float]] = {}
        with job_progress(len(parts), "layer errors") as progress:
            for outcome in executor.run(partial(_some_errors, operands, seed, scaling), parts):
                if outcome.result is None:
                    raise RuntimeError(f"layer errors: {outcome.death}")
                found[outcome.job] = outcome.result
                progress.finished(f"{len(outcome.job)} arithmetics", "done")
        return {"errors": np.array([error for part in parts for error in found[part]])}

    content = {"layer_errors": unique, "operands": operands, "seed": seed, "digits": ERROR_DIGITS}
    content |= {"scaling": scaling} if scaling else {}
    by_text = dict(zip(unique, remember(content, compute)["errors"], strict=True))
    return np.array([by_text[text] for text in texts])


def screen(
    sweep: Sweep,
    search: Search,
    technology: str,
    build_dir: Path,
    executor: Executor,
    *,
    estimator: Estimator = _default_estimator,
    work: ConfirmWork = confirm_point,
) -> Screening:
    """Find the front of a sweep's designs in one technology.

    Parameters
    ----------
    sweep
        The designs; switchable ones have no one accuracy and are refused where that counts.
    search
        Objectives, clock target and limit.
    estimator, work
        What estimates many designs, and what synthesises one; for tests.

    Raises
    ------
    ValueError
        An objective that is not estimated, or no cost model of the technology.
    StoreFullError
        The disk is full; what was kept before is whole.
    KeyboardInterrupt
        Interrupted; what was synthesised is kept.
    """
    start = time.perf_counter()
    designs = sweep.designs
    estimates = estimator(designs, technology, search.target)
    columns: list[_Ends] = []
    for objective in search.objectives:
        if objective == LAYER_ERROR:
            switched = [design.text for design in designs if design.is_switchable]
            if switched:
                raise ValueError(f"{switched[0]}: {LAYER_ERROR} is that of one mode; explore it")
            operands = sweep.operands or "smollm2"
            errors = _errors(designs, operands, sweep.seed, sweep.scaling, executor)
            columns.append((errors, errors, errors))
        else:
            columns.append(_figure(estimates, objective))
    parts = [np.stack(part, axis=1) for part in zip(*columns, strict=True)]
    macs = estimates.macs
    records: dict[int, Record] = {}

    def measure(rows: Sequence[int]) -> list[list[float] | None]:
        points = {row: ConfirmPoint(designs[row].text, technology, search.target) for row in rows}
        found = _computed(list(points.values()), build_dir, executor, work)
        records.update({row: found[point] for row, point in points.items()})
        return [
            None
            if records[row].is_failed
            else [_measured(records[row], name, macs[row]) for name in search.objectives]
            for row in rows
        ]

    known = _widened(Intervals(*parts), ~estimates.is_inside, measure, search, sweep.seed)
    confirmed = confirm_front(known, measure, limit=search.confirm, batch=search.batch)
    rows = [
        _row(design, technology, search.objectives, index, known, confirmed, records.get(index))
        for index, design in enumerate(designs)
    ]
    front = tuple(design for design, chosen in zip(designs, confirmed.front, strict=True) if chosen)
    seconds = time.perf_counter() - start
    return Screening(technology, search.objectives, rows, front, seconds)


def _widened(
    intervals: Intervals,
    outside: NDArray[np.bool_],
    measure: Callable[[Sequence[int]], Sequence[Sequence[float] | None]],
    search: Search,
    seed: int,
) -> Intervals:
    """Intervals that also hold for designs outside of what the cost model was fitted to.

    Some of those that could be on the front are drawn and measured; the greatest error of their
    estimates says how wide the intervals of all of them must be.
    """

    def reaching(factors: NDArray[np.float64]) -> Intervals:
        # a figure that is no estimate has no interval to widen
        is_estimated = outside[:, np.newaxis] & (intervals.high > intervals.low)
        return Intervals(
            np.where(is_estimated, intervals.low / factors, intervals.low),
            intervals.middle,
            np.where(is_estimated, intervals.high * factors, intervals.high),
        )

    factors = np.full(intervals.middle.shape[1], OUTSIDE_FACTOR)
    wide = reaching(factors)
    rows = np.flatnonzero(possible_front(wide) & outside)
    if len(rows) <= search.calibrate:
        return wide
    random = np.random.default_rng(seed)
    drawn = [int(row) for row in np.sort(random.choice(rows, search.calibrate, replace=False))]
    pairs = [(row, found) for row, found in zip(drawn, measure(drawn), strict=True) if found]
    if not pairs:
        return wide
    measured = np.array([found for _, found in pairs])
    estimated = intervals.middle[[row for row, _ in pairs]]
    errors = np.abs(np.log(measured / estimated))
    for column in range(errors.shape[1]):
        of_it = errors[np.isfinite(errors[:, column]), column]
        if len(of_it):
            factors[column] = float(np.exp(OUTSIDE_POWER * of_it.max()))
    return reaching(factors)


def _computed(
    points: Sequence[ConfirmPoint], build_dir: Path, executor: Executor, work: ConfirmWork
) -> dict[ConfirmPoint, Record]:
    """Records of all points, kept or computed now; one whose process died has a failure."""
    store = ResultStore(build_dir / STORE_FOLDER)
    found: dict[ConfirmPoint, Record] = {}
    for point in points:
        kept = store.get(CONFIRM_STEP, _determinants(point))
        if kept is not None and not kept.is_failed:
            found[point] = kept
    with job_progress(len(points) - len(found), "confirming") as progress:
        for wait in (False, True):
            missing = [point for point in points if point not in found]
            for outcome in executor.run(
                partial(work, build_dir, wait),
                missing,
                on_start=lambda running: progress.started([point.name for point in running]),
            ):
                record = outcome.result
                if outcome.death is not None:
                    record = Record(CONFIRM_STEP, {}, {}, outcome.death, 0.0)
                if record is not None:
                    found[outcome.job] = record
                    text = (record.failure or f"{record.seconds:.0f} s").splitlines()[0]
                    progress.finished(outcome.job.name, text)
    return found


def _row(
    design: Design,
    technology: str,
    objectives: Sequence[str],
    index: int,
    estimated: Intervals,
    confirmed: Confirmed,
    record: Record | None,
) -> dict[str, Any]:
    row: dict[str, Any] = {"design": design.text, "technology": technology}
    low, middle, high = estimated.low, estimated.middle, estimated.high
    for number, name in enumerate(objectives):
        if name == LAYER_ERROR:
            row[name] = float(middle[index, number])
            continue
        row[f"estimated_{name}"] = float(middle[index, number])
        row[f"estimated_{name}_low"] = float(low[index, number])
        row[f"estimated_{name}_high"] = float(high[index, number])
        if confirmed.measured[index]:
            row[name] = float(confirmed.intervals.middle[index, number])
    flags = (confirmed.failed, confirmed.front, confirmed.measured, confirmed.open)
    row["state"] = next(
        (state for state, flag in zip(STATES, flags, strict=False) if flag[index]), STATES[-1]
    )
    if record is not None and record.failure is not None:
        row["failure"] = record.failure.splitlines()[0]
    return row
