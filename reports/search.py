"""Search: estimates discard most designs of a sweep, synthesis confirms the front of the rest.

Each design has an interval for each objective. One that another design beats even where its own
interval is taken at the best end and the other's at the worst is discarded; of the others the most
promising are synthesised, their figures take the place of the intervals, and so on, until nothing
that is left could be on the front.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from macsmith.reports.pareto import pareto_front
from numpy.typing import NDArray

__all__ = ["Confirmed", "Intervals", "confirm_front", "possible_front", "promise"]

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Points compared with all references at a time.
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Intervals:
    """What is known of the objectives of many designs, all to be minimised.

    Attributes
    ----------
    low, middle, high
        ``[designs, objectives]``; equal where a figure is certain.
    """

    low: Numbers
    middle: Numbers
    high: Numbers

    def with_measured(self, rows: NDArray[np.intp], measured: Numbers) -> Intervals:
        """The same with measured figures of some rows; NaN leaves an interval as it is."""
        parts = []
        for part in (self.low, self.middle, self.high):
            changed = part.copy()
            changed[rows] = np.where(np.isnan(measured), part[rows], measured)
            parts.append(changed)
        return Intervals(*parts)


def promise(intervals: Intervals, candidates: NDArray[np.intp], references: Numbers) -> Numbers:
    """How far into its intervals a design must be better than estimated to be on the front.

    Parameters
    ----------
    candidates
        Rows to rate.
    references
        ``[points, objectives]`` that must not beat it; no estimate of the candidate itself.

    Returns
    -------
    numpy.ndarray
        ``[candidates]``: 0 or less: no reference beats the estimate; between 0 and 1: none beats
        the point this part of the way from the estimate to the best end of all its intervals;
        above 1 or infinite: some reference beats even the best end.
    """
    found = np.empty(len(candidates))
    for start in range(0, len(candidates), _ROWS_AT_ONCE):
        rows = candidates[start : start + _ROWS_AT_ONCE]
        middle = intervals.middle[rows, np.newaxis]
        excess = middle - references
        width = np.broadcast_to(middle - intervals.low[rows, np.newaxis], excess.shape)
        # a reference is not better where the excess is gone; equal in all beats nobody
        part = np.full(excess.shape, np.inf)
        np.divide(excess, width, out=part, where=width > 0)
        part[(width <= 0) & (excess < 0)] = -np.inf
        same = (excess == 0).all(axis=2)
        needed = part.min(axis=2)
        # at this very part the point only draws level in one objective, unless it is below already
        needed[same] = -np.inf
        found[start : start + _ROWS_AT_ONCE] = needed.max(axis=1, initial=-np.inf)
    return found


def possible_front(intervals: Intervals) -> Flags:
    """Which designs may be on the front: no other one beats them for certain."""
    worst = np.flatnonzero(pareto_front(intervals.high))
    possible = np.ones(len(intervals.low), dtype=np.bool_)
    for row in worst:
        # with a margin of equality: a design does not beat one that can draw level with it
        better = (intervals.high[row] <= intervals.low).all(axis=1)
        possible &= ~(better & (intervals.high[row] < intervals.low).any(axis=1))
    return possible


@dataclass(frozen=True)
class Confirmed:
    """What a search found.

    Attributes
    ----------
    intervals
        With measured figures where there are any.
    measured
        Which designs were measured.
    failed
        Which could not be.
    front
        Which of the measured ones no other measured one beats.
    open
        Which were neither measured nor discarded: with none the front is confirmed; else the
        search ended at its limit, and these could still be on it.
    """

    intervals: Intervals
    measured: Flags
    failed: Flags
    front: Flags
    open: Flags


def confirm_front(
    intervals: Intervals,
    measure: Callable[[Sequence[int]], Sequence[Sequence[float] | None]],
    *,
    limit: int,
    batch: int,
) -> Confirmed:
    """Measure designs, the most promising first, until the front is certain.

    Parameters
    ----------
    intervals
        Estimates.
    measure
        Gives the objectives of each of some rows, NaN for one that it does not measure; None for
        a row that could not be measured.
    limit
        Most rows to measure.
    batch
        Least rows of one call of `measure`, if there are so many.
    """
    count = len(intervals.low)
    measured, failed = np.zeros((2, count), dtype=np.bool_)
    tried = 0
    while True:
        # who has failed beats nobody
        alive = np.flatnonzero(~failed)
        possible = np.zeros(count, dtype=np.bool_)
        possible[alive] = possible_front(
            Intervals(intervals.low[alive], intervals.middle[alive], intervals.high[alive])
        )
        rows = np.flatnonzero(possible & ~measured)
        if not len(rows) or tried >= limit:
            break
        chosen = _most_promising(intervals, rows, measured, batch)[: limit - tried]
        tried += len(chosen)
        for row, figures in zip(chosen, measure([int(row) for row in chosen]), strict=True):
            if figures is None:
                failed[row] = True
                continue
            measured[row] = True
            intervals = intervals.with_measured(np.array([row]), np.array([figures]))
    front = np.zeros(count, dtype=np.bool_)
    known = np.flatnonzero(measured)
    front[known] = pareto_front(intervals.middle[known])
    return Confirmed(intervals, measured, failed, front, possible & ~measured)


def _most_promising(
    intervals: Intervals, rows: NDArray[np.intp], measured: Flags, batch: int
) -> NDArray[np.intp]:
    """All that the estimates put on the front together with what was measured, or else the next
    ones, at least `batch` of them."""
    known = np.flatnonzero(measured)
    together = np.concatenate((known, rows))
    nominal = together[pareto_front(intervals.middle[together])]
    first = nominal[~measured[nominal]]
    if len(first) >= batch:
        return first
    needed = promise(intervals, rows, intervals.middle[nominal])
    needed[np.isin(rows, first)] = -np.inf
    return rows[np.argsort(needed, kind="stable")][: max(batch, len(first))]
