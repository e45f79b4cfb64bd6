"""From samples to a model: fits by technology and clock target, their errors, where they hold.

    python -m macsmith.model.cost.training [--check]

writes ``coefficients.json``; with ``--check`` it compares instead, and fails on a difference.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from macsmith.model.cost.columns import design_columns
from macsmith.model.cost.features import FAMILIES, Features, area_features, delay_paths, families
from macsmith.model.cost.fit import fit_longest, predict_longest
from macsmith.model.cost.samples import Sample, read_samples
from macsmith.model.cost.widths import Widths, derive_widths
from macsmith.model.design import parse_design
from numpy.typing import NDArray

__all__ = ["FOLDS", "METRICS", "REGION", "Training", "fold_of", "has_bits", "train", "trainings"]

Numbers = NDArray[np.float64]

FOLDS = 5
#: Share of cross-validated errors that an interval holds.
COVERAGE = 0.9
#: Figures, and whether their features are those of delay.
METRICS = {"area_um2": False, "delay_ps": True, "lut": False, "flip_flops": False}
#: Technology from which the others take what their fewer samples leave open.
REFERENCE = "asap7"
LEAST_SAMPLES = 10
REFERENCE_RIDGE, OTHER_RIDGE = 0.01, 0.1

#: Numbers between whose least and largest in a family's samples an estimate is inside the region.
REGION = (
    "lanes",
    "pa",
    "pb",
    "span",
    "sum",
    "precision",
    "exponent",
    "window",
    "aligned_bits",
    "outer_precision",
    "block_bits",
    "random_bits",
    "stages",
    "rows",
    "columns",
    "fpga",
)


#: Whose coefficients those of a target and figure are drawn to, where they are not the same one's.
_REFERENCES = {("lut", "lut"): ("area", "area_um2"), ("lut", "flip_flops"): ("area", "flip_flops")}


class Training:
    """Samples of one figure in one technology for one clock target, with their features.

    Parameters
    ----------
    samples
        Of one technology and clock target.
    metric
        One of `METRICS`.
    reference
        Training of the reference technology, whose coefficients, in this one's units, those here
        are drawn to; None: drawn to 0.
    """

    def __init__(
        self, samples: Sequence[Sample], metric: str, reference: Training | None = None
    ) -> None:
        # sums in the forms for FPGAs are built of other pieces
        self.samples = [
            s for s in samples if s.figures.get(metric, 0) > 0 and ":fpga=" not in s.design
        ]
        self.reference = reference
        designs = [parse_design(s.design) for s in self.samples]
        self.widths: Widths = derive_widths(design_columns(designs))
        self.families = families(self.widths)
        self.paths: dict[str, Features] = {"all": area_features(self.widths)}
        if METRICS[metric]:
            self.paths = delay_paths(self.widths)
        self.target = np.array([s.figures[metric] for s in self.samples])

    def fit(self, used: Callable[[Sample], bool] = lambda sample: True) -> dict[str, float]:
        """Coefficients fitted to some of the samples, here and in the reference."""
        chosen = np.array([used(sample) for sample in self.samples])
        paths, target = self._paths(chosen), self.target[chosen]
        if self.reference is None:
            return fit_longest(paths, target, ridge=REFERENCE_RIDGE)
        prior = self.reference.fit(used)
        scale = float(np.median(target / np.maximum(predict_longest(prior, paths), 1e-9)))
        prior = {name: scale * value for name, value in prior.items()}
        return fit_longest(paths, target, prior=prior, ridge=OTHER_RIDGE)

    def _paths(self, chosen: NDArray[np.bool_]) -> dict[str, Features]:
        return {
            path: {name: column[chosen] for name, column in features.items()}
            for path, features in self.paths.items()
        }

    def errors(self, fold: Callable[[Sample], int]) -> Numbers:
        """Relative error of each sample, predicted by a fit without those of its fold."""
        folds = np.array([fold(sample) for sample in self.samples])
        predicted = np.empty_like(self.target)
        for k in np.unique(folds).tolist():
            held = folds == k
            coefficients = self.fit(lambda sample, k=k: fold(sample) != k)  # type: ignore[misc]
            predicted[held] = predict_longest(coefficients, self._paths(held))
        return np.asarray(predicted / self.target - 1.0)


def fold_of(sample: Sample) -> int:
    """One of `FOLDS`, the same for a design in all technologies, forms and clock targets."""
    return crc32(sample.design.split(":fpga=")[0].split(":unit")[0].encode()) % FOLDS


def has_bits(sample: Sample, bits: int) -> bool:
    """Whether an operand of a sample's design has so many bits."""
    mac = parse_design(sample.design).mac
    return bits in (mac.a.bits, mac.b.bits)


def _summary(errors: Numbers) -> dict[str, Any]:
    size = np.abs(errors)
    return {
        "samples": len(errors),
        "mean_percent": round(100 * float(size.mean()), 2),
        "worst_percent": round(100 * float(size.max()), 2),
    }


def _interval(errors: Numbers) -> list[float]:
    """Measured over estimated, between which `COVERAGE` of the samples lie."""
    ratio = 1.0 / (1.0 + errors)
    outside = (1 - COVERAGE) / 2
    low, high = np.quantile(ratio, [outside, 1 - outside])
    return [round(float(min(low, 1.0)), 4), round(float(max(high, 1.0)), 4)]


def _region(widths: Widths, chosen: NDArray[np.bool_]) -> dict[str, list[float]]:
    return {
        name: [float(widths[name][chosen].min()), float(widths[name][chosen].max())]
        for name in REGION
    }


def _trained(training: Training) -> dict[str, Any]:
    errors = training.errors(fold_of)
    held = np.array([has_bits(sample, 6) for sample in training.samples])
    record: dict[str, Any] = {
        "coefficients": {name: float(f"{value:.5g}") for name, value in training.fit().items()},
        "cross_validated": _summary(errors),
        "interval": _interval(errors),
        "families": {},
    }
    if held.any() and not held.all():
        unseen = training.errors(lambda sample: int(has_bits(sample, 6)))[held]
        record["without_6_bit_formats"] = _summary(unseen)
    for number, name in enumerate(FAMILIES):
        chosen = training.families == number
        if not chosen.any():
            continue
        few = chosen.sum() < 10  # then the interval is that of all
        record["families"][name] = _summary(errors[chosen]) | {
            "interval": record["interval"] if few else _interval(errors[chosen]),
            "region": _region(training.widths, chosen),
        }
    return record


def trainings(samples: Sequence[Sample]) -> Iterator[tuple[str, str, str, Training]]:
    """Technology, clock target, figure and training of all that there are samples enough for, the
    reference technology first."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.technology, sample.target), []).append(sample)
    references: dict[tuple[str, str], Training] = {}
    ordered = sorted(groups, key=lambda key: (key[0] != REFERENCE, *key))
    for technology, target in ordered:
        for metric in METRICS:
            base = references.get(_REFERENCES.get((target, metric), (target, metric)))
            training = Training(groups[technology, target], metric, base)
            if technology == REFERENCE:
                references[target, metric] = training
            if len(training.samples) >= LEAST_SAMPLES:
                yield technology, target, metric, training


def train(samples: Sequence[Sample]) -> dict[str, Any]:
    """The model as JSON can hold it: technology, clock target, figure, then what was fitted."""
    model: dict[str, Any] = {}
    for technology, target, metric, training in trainings(samples):
        model.setdefault(technology, {}).setdefault(target, {})[metric] = _trained(training)
    return model


def main() -> None:
    """Fit, and write or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    path = Path(str(resources.files("macsmith.model.cost") / "coefficients.json"))
    text = json.dumps(train(read_samples()), indent=1) + "\n"
    if not arguments.check:
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        sys.exit(f"{path}: is not what the samples give; run without --check")


if __name__ == "__main__":
    main()
