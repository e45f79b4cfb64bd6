"""Pareto fronts, compared with the definition spelled out pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from macsmith.reports.pareto import hypervolume, pareto_front

NAN = float("nan")


def by_definition(points: np.ndarray) -> list[bool]:
    front = []
    for mine in points:
        beaten = any(
            all(o <= m for o, m in zip(other, mine, strict=True))
            and any(o < m for o, m in zip(other, mine, strict=True))
            for other in points
        )
        front.append(not beaten)
    return front


def test_two_objectives() -> None:
    points = [[1, 5], [2, 2], [3, 3], [5, 1], [2, 4]]
    assert pareto_front(points).tolist() == [True, True, False, True, False]


def test_equal_points_are_both_on_the_front() -> None:
    assert pareto_front([[1, 2], [1, 2], [0, 3], [1, 3]]).tolist() == [True, True, True, False]


def test_a_tie_in_one_objective_is_beaten_by_the_better_other() -> None:
    assert pareto_front([[1, 2], [1, 1]]).tolist() == [False, True]


def test_a_missing_objective_neither_stands_on_the_front_nor_beats() -> None:
    points = [[NAN, 0], [1, 1], [0, NAN], [2, 0.5]]
    assert pareto_front(points).tolist() == [False, True, False, True]


def test_senses() -> None:
    assert pareto_front([[1, 1], [1, 2]], senses=["min", "max"]).tolist() == [False, True]


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_random_points_with_ties_agree_with_the_definition(objectives: int) -> None:
    points = np.random.default_rng(objectives).integers(0, 6, size=(120, objectives)).astype(float)
    front = pareto_front(points)
    assert front.tolist() == by_definition(points)
    assert 0 < front.sum() < len(points)


def test_no_points() -> None:
    assert pareto_front([]).tolist() == []
    assert pareto_front(np.zeros((0, 2))).tolist() == []


def test_errors_tell_what_must_be() -> None:
    with pytest.raises(ValueError, match=r"at least 2 objectives, not \(3, 1\)"):
        pareto_front([[1], [2], [3]])
    with pytest.raises(ValueError, match="senses must name 2 objectives, not 1"):
        pareto_front([[1, 2]], senses=["min"])
    with pytest.raises(ValueError, match="a sense must be 'min' or 'max', not 'most'"):
        pareto_front([[1, 2]], senses=["min", "most"])  # type: ignore[list-item]


def test_hypervolume_is_the_area_of_a_staircase() -> None:
    # 3 x 1 right of (1, 4), 2 x 2 right of (2, 2), up to the corner (4, 5): a beaten point and one
    # beyond the corner add nothing
    points = [[1, 4], [2, 2], [3, 3], [2, 4], [9, 0], [NAN, 1]]
    assert hypervolume(points, [4, 5]) == 3 * 1 + 2 * 2
    assert hypervolume([], [4, 5]) == 0.0
    with pytest.raises(ValueError, match=r"must be \[points, 2\] and the corner \[2\]"):
        hypervolume([[1, 2, 3]], [1, 2])


def test_hypervolume_is_that_of_counted_cells() -> None:
    random = np.random.default_rng(3)
    points = random.integers(0, 20, size=(30, 2))
    cells = sum(
        bool(((points[:, 0] <= x) & (points[:, 1] <= y)).any())
        for x in range(20)
        for y in range(20)
    )
    assert hypervolume(points, [20, 20]) == cells
