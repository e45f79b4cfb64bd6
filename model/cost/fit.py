"""Non-negative fits of samples to features, on relative error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

__all__ = ["RIDGE", "fit_nonnegative", "predict"]

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
    size: Numbers | None = None,
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
    size
        What errors are relative to; None: the target.

    Returns
    -------
    dict
        Coefficients greater than 0, by feature.
    """
    size = target if size is None else size
    names = [name for name, column in features.items() if np.any(column)]
    matrix = np.column_stack([features[name] for name in names]) / size[:, None]
    norms = np.sqrt((matrix**2).sum(axis=0))  # so that a feature that few samples have counts too
    scaled = matrix / norms
    wanted = np.zeros(len(names))
    if prior is not None:
        wanted = np.array([prior.get(name, 0.0) for name in names]) * norms
    pull = np.sqrt(ridge)
    solution, _ = nnls(
        np.vstack([scaled, pull * np.eye(len(names))]),
        np.concatenate([target / size, pull * wanted]),
        maxiter=50 * len(names),
    )
    found = dict(zip(names, (solution / norms).tolist(), strict=True))
    kept = {name: value for name, value in found.items() if value > 0}
    if prior is not None:
        for name, value in prior.items():
            if name not in names and value > 0:
                kept[name] = value
    return kept
