"""Pareto fronts: which points no other point beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Sense", "hypervolume", "pareto_front"]

Sense = Literal["min", "max"]


def pareto_front(objectives: ArrayLike, senses: Sequence[Sense] | None = None) -> NDArray[np.bool_]:
    """Which rows are on the Pareto front.

    A point is beaten if another one is at least as good in every objective and better in one.
    Points equal in every objective do not beat each other: both are on the front or none is.
    A point that misses an objective (NaN) cannot be compared: it is not on the front and beats
    nobody.

    Parameters
    ----------
    objectives
        Shape [points, objectives], at least two objectives; NaN where a metric is missing.
    senses
        ``"min"`` or ``"max"`` an objective; all are minimised by default.

    Returns
    -------
    numpy.ndarray
        bool, shape [points].

    Raises
    ------
    ValueError
        The array is not two-dimensional, has fewer than two objectives, or `senses` does not fit.
    """
    points = np.asarray(objectives, dtype=np.float64)
    if points.size == 0 and points.ndim < 2:
        return np.zeros(0, dtype=np.bool_)
    if points.ndim != 2 or points.shape[1] < 2:
        raise ValueError(
            f"objectives must be [points, objectives], at least 2 objectives, not {points.shape}"
        )
    if senses is not None:
        if len(senses) != points.shape[1]:
            raise ValueError(
                f"senses must name {points.shape[1]} objectives, not {len(senses)}: {list(senses)}"
            )
        unknown = [sense for sense in senses if sense not in ("min", "max")]
        if unknown:
            raise ValueError(f"a sense must be 'min' or 'max', not {unknown[0]!r}")
        points = points * np.where(np.asarray(senses) == "max", -1.0, 1.0)
    front = np.zeros(len(points), dtype=np.bool_)
    complete = ~np.isnan(points).any(axis=1)
    candidates = points[complete]
    if len(candidates):
        # each point once, in an order in which whatever beats a point comes before it
        distinct, places = np.unique(candidates, axis=0, return_inverse=True)
        is_kept = np.zeros(len(distinct), dtype=np.bool_)
        rest = np.arange(len(distinct))
        while len(rest):
            is_kept[rest[0]] = True
            rest = rest[~(distinct[rest] >= distinct[rest[0]]).all(axis=1)]
        front[complete] = is_kept[places.reshape(-1)]
    return front


def hypervolume(points: ArrayLike, corner: ArrayLike) -> float:
    """Area that points dominate in two objectives, both minimised, up to a worst corner.

    Parameters
    ----------
    points
        Shape [points, 2]; those beyond the corner add nothing. NaN: left out.
    corner
        Shape [2].

    Raises
    ------
    ValueError
        There are not two objectives.
    """
    found = np.asarray(points, dtype=np.float64)
    worst = np.asarray(corner, dtype=np.float64)
    if worst.shape != (2,) or (found.size and (found.ndim != 2 or found.shape[1] != 2)):
        raise ValueError(
            f"points must be [points, 2] and the corner [2], not {found.shape} and {worst.shape}"
        )
    if not found.size:
        return 0.0
    inside = found[(found < worst).all(axis=1)]
    volume, lowest = 0.0, worst[1]
    for x, y in inside[np.lexsort((inside[:, 1], inside[:, 0]))]:
        if y < lowest:
            volume += float((worst[0] - x) * (lowest - y))
            lowest = y
    return volume
