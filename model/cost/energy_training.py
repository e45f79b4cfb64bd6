"""Fit of energy to simulated samples, and its errors on operands and designs never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from macsmith.model.cost.activity import STATISTICS
from macsmith.model.cost.columns import design_columns
from macsmith.model.cost.energy import energy_features, group_areas, pooled_term
from macsmith.model.cost.features import Features, area_features, families
from macsmith.model.cost.fit import fit_nonnegative, predict
from macsmith.model.cost.register_features import stage_features
from macsmith.model.cost.samples import read_energy_rows
from macsmith.model.cost.widths import derive_widths
from macsmith.model.design import parse_design
from numpy.typing import NDArray

__all__ = ["EnergySample", "EnergyTraining", "own_coefficients", "read_energy_samples"]

Numbers = NDArray[np.floating[Any]]

RIDGE, POOLED_RIDGE = 0.003, 0.003
#: Whose statistics are meant where none are given.
REFERENCE_OPERANDS = "gaussian 1"


@dataclass(frozen=True)
class EnergySample:
    """A design's energy for one product, with operands of one stream.

    Attributes
    ----------
    statistics
        Of the operands, by the names of `STATISTICS`.
    """

    design: str
    technology: str
    target: str
    operands: str
    energy_fj: float
    statistics: dict[str, float]


def read_energy_samples(path: Path | None = None) -> list[EnergySample]:
    """All energy samples, of `path` or the committed ones."""
    return [
        EnergySample(
            row["design"],
            row["technology"],
            row["target"],
            row["operands"],
            float(row["energy_fj_per_mac"]),
            {name: float(row[name]) for name in STATISTICS},
        )
        for row in read_energy_rows(path)
    ]


class EnergyTraining:
    """Energy samples of one technology and clock target, with their features.

    Parameters
    ----------
    samples
        Of one technology and clock target.
    area_coefficients, stage_coefficients
        Of the area model, whose groups' areas are the features.
    """

    def __init__(
        self,
        samples: Sequence[EnergySample],
        area_coefficients: dict[str, float],
        stage_coefficients: dict[str, float],
    ) -> None:
        self.samples = list(samples)
        designs = [parse_design(sample.design) for sample in samples]
        widths = derive_widths(design_columns(designs))
        self.families = families(widths)
        pieces = area_features(widths, predict(stage_coefficients, stage_features(widths)))
        self.statistics = {
            name: np.array([sample.statistics[name] for sample in samples]) for name in STATISTICS
        }
        self._areas, self._widths = group_areas(area_coefficients, pieces, widths), widths
        self.features = energy_features(self._areas, widths, self.statistics)
        self.target = np.array([sample.energy_fj for sample in samples])

    def fit(self, used: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Coefficients fitted to some of the samples, or to all."""
        chosen = np.ones(len(self.samples), dtype=np.bool_) if used is None else used
        rows, target = self._rows(chosen), self.target[chosen]
        # groups of few samples are drawn to what all ways to add have in common
        pooled: Features = {}
        for term, column in rows.items():
            name = pooled_term(term)
            pooled[name] = pooled[name] + column if name in pooled else column
        common = fit_nonnegative(pooled, target, ridge=RIDGE)
        names = {term: pooled_term(term) for term in rows}
        prior = {term: common[name] for term, name in names.items() if name in common}
        return fit_nonnegative(rows, target, prior=prior, ridge=POOLED_RIDGE)

    def errors(self, fold: Callable[[EnergySample], Any], *, calibrated: bool = False) -> Numbers:
        """Relative error of each sample, predicted by a fit without those of its fold.

        With `calibrated`, each design's own samples outside of the fold make its coefficients, as
        `own_coefficients` has it.
        """
        folds = np.array([fold(sample) for sample in self.samples])
        designs = np.array([sample.design for sample in self.samples])
        predicted = np.empty_like(self.target)
        for k in np.unique(folds):
            held = folds == k
            common = self.fit(~held)
            predicted[held] = predict(common, self._rows(held))
            for design in np.unique(designs[held]) if calibrated else ():
                same = designs == design
                known = same & ~held
                own = own_coefficients(common, self._rows(known), self.target[known])
                predicted[held & same] = predict(own, self._rows(held & same))
        return np.asarray(predicted / self.target - 1.0)

    def reference_statistics(self) -> dict[float, dict[str, float]]:
        """Medians of each family's statistics with `REFERENCE_OPERANDS`."""
        found = {}
        chosen = np.array([sample.operands == REFERENCE_OPERANDS for sample in self.samples])
        for family in np.unique(self.families).tolist():
            rows = chosen & (self.families == family)
            if rows.any():
                found[family] = {
                    name: float(f"{np.median(column[rows]):.4g}")
                    for name, column in self.statistics.items()
                }
        return found

    def errors_without_operands(self, fold: Callable[[EnergySample], Any]) -> Numbers:
        """As `errors`, of networks' layers, told nothing but the family's statistics.

        NaN of other operands.
        """
        errors = np.full_like(self.target, np.nan)
        folds = np.array([fold(sample) for sample in self.samples])
        is_layer = np.array(["/" in sample.operands for sample in self.samples])
        reference = self.reference_statistics()
        statistics = {
            name: np.array([reference[family][name] for family in self.families.tolist()])
            for name in self.statistics
        }
        features = energy_features(self._areas, self._widths, statistics)
        for k in np.unique(folds):
            held = folds == k
            predicted = predict(self.fit(~held), features)
            chosen = held & is_layer
            errors[chosen] = predicted[chosen] / self.target[chosen] - 1.0
        return errors

    def _rows(self, chosen: NDArray[np.bool_]) -> Features:
        return {name: column[chosen] for name, column in self.features.items()}


def own_coefficients(
    common: dict[str, float], features: Features, energies_fj: Numbers
) -> dict[str, float]:
    """Coefficients of one design that was simulated with some streams.

    Parameters
    ----------
    common
        Those of all designs, to whose proportions the design's own are drawn.
    features
        Of the design with each of the streams.
    energies_fj
        What it took.
    """
    scale = float(np.median(energies_fj / np.maximum(predict(common, features), 1e-9)))
    prior = {name: scale * value for name, value in common.items()}
    return fit_nonnegative(features, energies_fj, prior=prior, ridge=RIDGE)
