"""Non-negative fits of delays to the longest of several paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from macsmith.model.cost.fit import RIDGE, fit_nonnegative, predict
from numpy.typing import NDArray

__all__ = ["fit_longest", "predict_longest"]

Numbers = NDArray[np.floating[Any]]

Paths = Mapping[str, Mapping[str, Numbers]]

_ROUNDS = 12


def predict_longest(coefficients: Mapping[str, float], paths: Paths) -> Numbers:
    """The longest of several paths, whose features share their coefficients."""
    lengths = np.array([predict(coefficients, features) for features in paths.values()])
    return np.asarray(lengths.max(axis=0))


def fit_longest(
    paths: Paths,
    target: Numbers,
    *,
    prior: Mapping[str, float] | None = None,
    ridge: float = RIDGE,
) -> dict[str, float]:
    """As `fit_nonnegative`, of the longest path.

    Which path of a sample is the longest is decided by the last fit, in a few rounds; in the first
    it is the one with the most levels. The round of least error counts.
    """
    names = list(dict.fromkeys(name for features in paths.values() for name in features))
    stacked = {
        name: np.array([features.get(name, np.zeros_like(target)) for features in paths.values()])
        for name in names
    }
    lengths = np.sum(list(stacked.values()), axis=0)
    if prior is not None:
        lengths = np.array([predict(prior, features) for features in paths.values()])
    rows = np.arange(len(target))
    best: dict[str, float] = {}
    least = np.inf
    for _ in range(_ROUNDS):
        longest = np.argmax(lengths, axis=0)
        chosen = {name: column[longest, rows] for name, column in stacked.items()}
        found = fit_nonnegative(chosen, target, prior=prior, ridge=ridge)
        lengths = np.array([predict(found, features) for features in paths.values()])
        error = float(np.mean((lengths.max(axis=0) / target - 1.0) ** 2))
        if error >= least:
            break
        best, least = found, error
    return best
