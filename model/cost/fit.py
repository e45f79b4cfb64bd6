"""Non-negative fits of samples to features, on relative error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

__all__ = ["fit_longest", "fit_nonnegative", "predict", "predict_longest"]

Numbers = NDArray[np.floating[Any]]

#: Weight of the pull toward the prior (or 0), in samples of which a feature makes all.
RIDGE = 0.03


def predict(coefficients: Mapping[str, float], features: Mapping[str, Numbers]) -> Numbers:
    """Sum of features times their coefficients; a feature that is not there counts as 0."""
    return sum(
        (value * features[name] for name, value in coefficients.items() if name in features),
        np.zeros_like(next(iter(features.values()))),
    )


def fit_nonnegative(
    features: Mapping[str, Numbers],
    target: Numbers,
    *,
    prior: Mapping[str, float] | None = None,
    ridge: float = RIDGE,
) -> dict[str, float]:
    """Least squares of the relative error with coefficients that are not negative.

    Parameters
    ----------
    features
        A column for each feature.
    target
        What was measured, greater than 0.
    prior
        Coefficients that those which the samples hardly decide are drawn to; 0 without.
    ridge
        How strongly.

    Returns
    -------
    dict
        Coefficients greater than 0, by feature.
    """
    names = [name for name, column in features.items() if np.any(column)]
    matrix = np.column_stack([features[name] for name in names]) / target[:, None]
    size = np.sqrt((matrix**2).sum(axis=0))  # so that a feature that few samples have counts too
    scaled = matrix / size
    wanted = np.zeros(len(names))
    if prior is not None:
        wanted = np.array([prior.get(name, 0.0) for name in names]) * size
    pull = np.sqrt(ridge)
    solution, _ = nnls(
        np.vstack([scaled, pull * np.eye(len(names))]),
        np.concatenate([np.ones(len(target)), pull * wanted]),
        maxiter=50 * len(names),
    )
    found = dict(zip(names, (solution / size).tolist(), strict=True))
    kept = {name: value for name, value in found.items() if value > 0}
    if prior is not None:
        for name, value in prior.items():
            if name not in names and value > 0:
                kept[name] = value
    return kept


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
