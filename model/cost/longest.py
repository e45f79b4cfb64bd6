"""Non-negative fits of delays to the longest of several paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from macsmith.model.cost.fit import RIDGE, fit_nonnegative, predict
from numpy.typing import NDArray
from scipy.optimize import nnls

__all__ = ["SHARPNESS", "fit_longest", "predict_longest"]

Numbers = NDArray[np.floating[Any]]

Paths = Mapping[str, Mapping[str, Numbers]]

SHARPNESS = 16
"""Of several paths the delay is the norm of this order: two of one length count 4 % more, for the
cells of one cannot be chosen without the other's."""

#: Orders of the norm in the rounds of a fit: paths that are not the longest yet are heard too.
_ORDERS = (3.0, 6.0, *(float(SHARPNESS),) * 5)
#: Least part of the way to a round's coefficients that is tried.
_LEAST_STEP = 0.1
#: Share of the first path at one of the starts, the others' being 1.
_EMPHASIS = 8.0
#: Weight of the pull toward 0, or a prior, of a feature that few samples have, in samples of which
#: it makes all: so few do not decide it.
_FEW, _FEW_WITH_PRIOR = 0.1, 0.3
#: Samples above which a prior weighs no more than it does in so many.
_PRIOR_SAMPLES = 8
_TINY = 1e-9


def _norm(lengths: Numbers, order: float) -> Numbers:
    """Norm of the paths (rows) of each sample."""
    top = np.maximum(lengths.max(axis=0), _TINY)
    return np.asarray(top * ((lengths / top) ** order).sum(axis=0) ** (1.0 / order))


def predict_longest(coefficients: Mapping[str, float], paths: Paths) -> Numbers:
    """About the longest of several paths, whose features share their coefficients."""
    lengths = np.array([predict(coefficients, features) for features in paths.values()])
    return _norm(lengths, SHARPNESS) if len(lengths) > 1 else np.asarray(lengths[0])


def fit_longest(
    paths: Paths,
    target: Numbers,
    *,
    prior: Mapping[str, float] | None = None,
    ridge: float = RIDGE,
) -> dict[str, float]:
    """As `macsmith.model.cost.fit.fit_nonnegative`, of the norm of several paths.

    The norm is linear in the paths with weights that depend on the last round's lengths, so a few
    rounds of linear fits find it.
    """
    if len(paths) == 1:
        return fit_nonnegative(next(iter(paths.values())), target, prior=prior, ridge=ridge)
    names = list(dict.fromkeys(name for features in paths.values() for name in features))
    zero = np.zeros_like(target)
    # feature, path, sample; relative to what was measured
    stacked = np.array([[f.get(name, zero) for f in paths.values()] for name in names]) / target
    given = prior or {}
    wanted = np.array([given.get(name, 0.0) for name in names])
    if prior is not None:
        ridge *= min(1.0, _PRIOR_SAMPLES / len(target))
    # each path there counts alike at first, or the first one more, or as the prior says
    there = (stacked.sum(axis=0) > 0) * 1.0
    first = there * np.where(np.arange(len(paths)) == 0, _EMPHASIS, 1.0)[:, None]
    starts = [shares / np.maximum(shares.sum(axis=0), 1.0) for shares in (there, first)]
    if prior is not None:
        starts.append(_weights(_lengths(wanted, stacked), _ORDERS[0]))
    fits = [_fit(stacked, weights, wanted, ridge) for weights in starts]
    found = min(fits, key=lambda coefficients: _error(coefficients, stacked, SHARPNESS))
    kept = {name: float(value) for name, value in zip(names, found, strict=True) if value > 0}
    return kept | {name: v for name, v in given.items() if name not in names and v > 0}


def _lengths(coefficients: Numbers, stacked: Numbers) -> Numbers:
    # by no library of linear algebra, whose threads cost more than they save at this size
    return np.asarray(np.einsum("f,fps->ps", coefficients, stacked))


def _weights(lengths: Numbers, order: float) -> Numbers:
    """Derivative of the norm by each path."""
    return np.asarray((lengths / np.maximum(_norm(lengths, order), _TINY)) ** (order - 1.0))


def _error(coefficients: Numbers, stacked: Numbers, order: float) -> float:
    """Mean square of the relative error."""
    return float(np.mean((_norm(_lengths(coefficients, stacked), order) - 1.0) ** 2))


def _fit(stacked: Numbers, weights: Numbers, wanted: Numbers, ridge: float) -> Numbers:
    """Coefficients, from weights of the paths to begin with."""
    found = _solve((stacked * weights).sum(axis=1), wanted, ridge)
    for order in _ORDERS:
        weights = _weights(_lengths(found, stacked), order)
        aim = _solve((stacked * weights).sum(axis=1), wanted, ridge)
        # from the last round's coefficients to those of this one as far as errors get less
        least, step = _error(found, stacked, order), 1.0
        while step > _LEAST_STEP:
            tried = found + step * (aim - found)
            if _error(tried, stacked, order) < least:
                found = tried
                break
            step /= 2
    return found


def _solve(columns: Numbers, wanted: Numbers, ridge: float) -> Numbers:
    """Non-negative coefficients of features (rows) that sum to 1 for each sample."""
    few = _FEW_WITH_PRIOR if wanted.any() else _FEW
    # so that a feature that few samples have counts too
    size = np.sqrt((columns**2).sum(axis=1) + few / ridge * (columns**2).max(axis=1))
    there = size > 0
    scaled = columns[there] / size[there, None]
    pull = np.sqrt(ridge)
    rows = np.vstack([scaled.T, pull * np.eye(len(scaled))])
    aim = np.concatenate([np.ones(columns.shape[1]), pull * wanted[there] * size[there]])
    solution, _ = nnls(rows, aim, maxiter=50 * len(scaled))
    found = np.array(wanted, dtype=np.float64)
    found[there] = solution / size[there]
    return found
