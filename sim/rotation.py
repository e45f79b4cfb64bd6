"""The order of beats where several sums are computed in rotation (``interleaveN``)."""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rotation", "rotate"]


@dataclass(frozen=True)
class Rotation:
    """When the beats of sums are played.

    Attributes
    ----------
    source
        For each beat played, its number among all beats sum after sum; -1 for one of zeros, in a
        place that stays empty at the end.
    completed
        The sums in the order of their last beats, which is that of the results.
    """

    source: NDArray[np.int64]
    completed: NDArray[np.int64]


def rotate(steps: NDArray[np.int64], sums: int) -> Rotation:
    """Play sums of so many beats in `sums` places, one beat of each place in turn.

    A sum begins where a place is free first. With one place all stays as it is.
    """
    count, total = len(steps), int(steps.sum())
    if sums == 1:
        return Rotation(np.arange(total), np.arange(count))
    free = list(range(sums))  # the beat that each place is free at
    starts = np.empty(count, dtype=np.int64)
    for index, length in enumerate(steps.tolist()):
        starts[index] = heapq.heappop(free)
        heapq.heappush(free, int(starts[index]) + length * sums)
    lasts = starts + (steps - 1) * sums
    source = np.full(int(lasts.max()) + 1, -1, dtype=np.int64)
    first = np.cumsum(steps) - steps
    within = np.arange(total) - np.repeat(first, steps)
    source[np.repeat(starts, steps) + within * sums] = np.arange(total)
    return Rotation(source, np.argsort(lasts))
