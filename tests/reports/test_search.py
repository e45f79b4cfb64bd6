"""Search: what intervals may discard, what is measured, and that the true front is found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from macsmith.reports.pareto import pareto_front
from macsmith.reports.search import Intervals, confirm_front, possible_front, promise


def made_up(count: int, objectives: int, seed: int, spread: float = 0.1) -> tuple[Intervals, ...]:
    """Estimates within their intervals of the truth, the last objective certain, and the truth."""
    random = np.random.default_rng(seed)
    truth = np.round(random.lognormal(size=(count, objectives)), 2) + 0.01
    middle = truth * random.uniform(1 - spread, 1 + spread, size=truth.shape)
    middle[:, -1] = truth[:, -1]
    low, high = middle / (1 + spread), middle / (1 - spread)
    low[:, -1] = high[:, -1] = middle[:, -1]
    return Intervals(low, middle, high), Intervals(truth, truth, truth)


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_the_confirmed_front_is_the_true_one(objectives: int, seed: int) -> None:
    intervals, truth = made_up(1000, objectives, seed)
    calls: list[int] = []

    def measure(rows: Sequence[int]) -> list[list[float]]:
        calls.extend(rows)
        return [list(truth.middle[row]) for row in rows]

    found = confirm_front(intervals, measure, limit=1000, batch=4)
    assert (found.front == pareto_front(truth.middle)).all()
    assert not found.open.any()
    assert len(calls) == len(set(calls)) == found.measured.sum()
    assert len(calls) < (120 if objectives == 2 else 500)


def test_nothing_that_may_be_on_the_front_is_discarded() -> None:
    for seed in range(20):
        intervals, truth = made_up(300, 2, seed, spread=0.3)
        possible = possible_front(intervals)
        assert (possible | ~pareto_front(truth.middle)).all()
        assert not possible.all()


def test_a_limit_leaves_open_what_was_not_measured() -> None:
    intervals, truth = made_up(500, 3, 1)
    found = confirm_front(
        intervals, lambda rows: [list(truth.middle[row]) for row in rows], limit=5, batch=4
    )
    assert found.measured.sum() == 5
    assert found.open.any()
    assert not (found.open & found.measured).any()


def test_what_fails_beats_nobody() -> None:
    middle = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    intervals = Intervals(middle * 0.9, middle, middle * 1.1)
    found = confirm_front(
        intervals,
        lambda rows: [None if row == 0 else list(middle[row]) for row in rows],
        limit=9,
        batch=1,
    )
    assert found.failed.tolist() == [True, False, False]
    assert found.measured.tolist() == [False, True, False]
    assert found.front.tolist() == [False, True, False]


def test_what_is_not_measured_keeps_its_interval() -> None:
    middle = np.array([[1.0, 1.0], [1.5, 0.5]])
    intervals = Intervals(middle * 0.9, middle, middle * 1.1)
    found = confirm_front(intervals, lambda rows: [[2.0, np.nan]] * len(rows), limit=1, batch=1)
    row = int(np.flatnonzero(found.measured)[0])
    assert found.intervals.high[row].tolist() == [2.0, 1.1 * middle[row, 1]]


def test_equal_designs_are_both_possible() -> None:
    same = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 2.0]])
    assert possible_front(Intervals(same, same, same)).tolist() == [True, True, False]


def test_promise_is_the_part_of_the_interval_that_is_needed() -> None:
    middle = np.array([[10.0, 4.0], [8.0, 4.0], [20.0, 4.0], [9.0, 5.0]])
    low = middle.copy()
    low[:, 0] -= 2
    intervals = Intervals(low, middle, middle)
    found = promise(intervals, np.arange(4), np.array([[9.0, 4.0]]))
    assert found[:3].tolist() == [0.5, -0.5, 5.5]
    assert found[3] == 0
