"""From samples to a model: fits by technology and clock target, their errors, where they hold.

    python -m macsmith.model.cost.training [--check]

writes ``coefficients.json``; with ``--check`` it compares instead, and fails on a difference.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from macsmith.model.cost.columns import design_columns
from macsmith.model.cost.delay_features import delay_paths
from macsmith.model.cost.energy import ENERGY
from macsmith.model.cost.energy_training import (
    EnergySample,
    EnergyTraining,
    read_energy_samples,
)
from macsmith.model.cost.features import FAMILIES, Features, area_features, families
from macsmith.model.cost.fit import fit_nonnegative, predict
from macsmith.model.cost.longest import fit_longest, predict_longest
from macsmith.model.cost.register_features import (
    STAGES,
    register_bits,
    stage_features,
    stage_pieces,
)
from macsmith.model.cost.samples import Sample, read_register_counts, read_samples
from macsmith.model.cost.widths import Widths, derive_widths
from macsmith.model.design import parse_design
from numpy.typing import NDArray

__all__ = [
    "FOLDS",
    "METRICS",
    "REGION",
    "StageTraining",
    "Training",
    "fold_of",
    "has_bits",
    "train",
    "trainings",
]

Numbers = NDArray[np.floating[Any]]

FOLDS = 5
#: Share of cross-validated errors that an interval holds.
COVERAGE = 0.9
#: Figures, and whether their features are those of delay.
METRICS = {"area_um2": False, "delay_ps": True, "lut": False}
#: Technology from which the others take what their fewer samples leave open.
REFERENCE = "asap7"
LEAST_SAMPLES, LEAST_OF_FAMILY = 10, 4
REFERENCE_RIDGE, OTHER_RIDGE, LUT_RIDGE, STAGE_RIDGE = 0.003, 0.1, 0.05, 0.003

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
    "interleave",
    "rows",
    "columns",
    "fpga",
)


#: Whose coefficients those of a target and figure are drawn to, where they are not the same one's.
_REFERENCES = {("lut", "lut"): ("area", "area_um2")}


class StageTraining:
    """Flip-flops of pipeline stages, the same in all technologies and for all clock targets.

    Parameters
    ----------
    samples
        Synthesised designs, whose flip-flops count too.
    counts
        Flip-flops of other designs, by their texts.
    """

    def __init__(self, samples: Sequence[Sample], counts: Mapping[str, int] | None = None) -> None:
        mapped = {
            s.design: s for s in _modelled(samples) if "flip_flops" in s.figures and _is_staged(s)
        }
        others = [
            Sample(text, "", "", {"flip_flops": float(count)})
            for text, count in (counts or {}).items()
            if text not in mapped
        ]
        self.samples = [*mapped.values(), *filter(_is_staged, others)]
        widths = derive_widths(design_columns([parse_design(s.design) for s in self.samples]))
        self.features, self.registers = stage_features(widths), register_bits(widths)
        self.families = families(widths)
        self.target = np.array([s.figures["flip_flops"] for s in self.samples]) - self.registers

    def fit(self, used: Callable[[Sample], bool] = lambda sample: True) -> dict[str, float]:
        """Coefficients of `stage_features`."""
        chosen = np.array([used(sample) for sample in self.samples])
        features = {name: column[chosen] for name, column in self.features.items()}
        target = self.target[chosen]
        size = target + self.registers[chosen]  # errors count by all flip-flops of a design
        return fit_nonnegative(features, target, ridge=STAGE_RIDGE, size=size)

    def errors(self, fold: Callable[[Sample], int]) -> Numbers:
        """Relative error of all flip-flops of each sample, as of `Training.errors`."""
        folds = np.array([fold(sample) for sample in self.samples])
        predicted = np.empty_like(self.target)
        for k in np.unique(folds).tolist():
            held = folds == k
            found = self.fit(lambda sample, k=k: fold(sample) != k)  # type: ignore[misc]
            predicted[held] = predict(found, {n: c[held] for n, c in self.features.items()})
        return np.asarray((predicted + self.registers) / (self.target + self.registers) - 1.0)


def _is_staged(sample: Sample) -> bool:
    return ":stages" in sample.design


def _modelled(samples: Sequence[Sample]) -> list[Sample]:
    # sums in the forms for FPGAs are built of other pieces
    return [sample for sample in samples if ":fpga=" not in sample.design]


class Training:
    """Samples of one figure in one technology for one clock target, with their features.

    Parameters
    ----------
    samples
        Of one technology and clock target.
    metric
        One of `METRICS`.
    stages
        Flip-flops of pipeline stages, which area has as pieces.
    reference
        Training of the reference technology, whose coefficients, in this one's units, those here
        are drawn to; None: drawn to 0.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        metric: str,
        stages: StageTraining,
        reference: Training | None = None,
    ) -> None:
        self.samples = [s for s in _modelled(samples) if s.figures.get(metric, 0) > 0]
        self.stages, self.reference = stages, reference
        self.ridge = LUT_RIDGE if metric == "lut" else OTHER_RIDGE
        designs = [parse_design(s.design) for s in self.samples]
        found = families(derive_widths(design_columns(designs))).astype(np.intp)
        # a family of few samples would be guessed, and is left out
        kept = np.bincount(found, minlength=len(FAMILIES))[found] >= LEAST_OF_FAMILY
        self.samples = [s for s, is_kept in zip(self.samples, kept, strict=True) if is_kept]
        designs = [d for d, is_kept in zip(designs, kept, strict=True) if is_kept]
        self.widths: Widths = derive_widths(design_columns(designs))
        self.families = families(self.widths)
        self.paths: dict[str, Features] = {}
        if METRICS[metric]:
            self.paths = delay_paths(self.widths)
        else:
            self.paths["all"] = area_features(self.widths, np.zeros(len(designs)))
        self.target = np.array([s.figures[metric] for s in self.samples])

    def use(self, coefficients: dict[str, float]) -> None:
        """Count the flip-flops of stages by these coefficients."""
        if "all" in self.paths:
            found = predict(coefficients, stage_features(self.widths))
            self.paths["all"] |= stage_pieces(self.widths, found)

    def fit(self, used: Callable[[Sample], bool] = lambda sample: True) -> dict[str, float]:
        """Coefficients fitted to some of the samples, here and in the reference."""
        self.use(self.stages.fit(used))
        chosen = np.array([used(sample) for sample in self.samples])
        paths, target = self._paths(chosen), self.target[chosen]
        if self.reference is None:
            return fit_longest(paths, target, ridge=REFERENCE_RIDGE)
        prior = self.reference.fit(used)
        scale = float(np.median(target / np.maximum(predict_longest(prior, paths), 1e-9)))
        prior = {name: scale * value for name, value in prior.items()}
        return fit_longest(paths, target, prior=prior, ridge=self.ridge)

    def _paths(self, chosen: NDArray[np.bool_]) -> dict[str, Features]:
        return {
            path: {name: column[chosen] for name, column in features.items()}
            for path, features in self.paths.items()
        }

    def errors(self, fold: Callable[[Sample], int]) -> Numbers:
        """Relative error of each sample, predicted by a fit without those of its fold."""
        folds = np.array([fold(sample) for sample in self.samples])
        errors = np.empty_like(self.target)
        for k in np.unique(folds).tolist():
            errors[folds == k] = self.errors_without(lambda sample, k=k: fold(sample) == k)  # type: ignore[misc]
        return errors

    def errors_without(self, held: Callable[[Sample], bool]) -> Numbers:
        """Relative errors of the samples held out of the fit."""
        chosen = np.array([held(sample) for sample in self.samples])
        if chosen.all() or not chosen.any():
            return np.empty(0)
        coefficients = self.fit(lambda sample: not held(sample))
        predicted = predict_longest(coefficients, self._paths(chosen))
        return np.asarray(predicted / self.target[chosen] - 1.0)


def fold_of(sample: Sample | str) -> int:
    """One of `FOLDS`, the same for a design in all technologies, forms and clock targets."""
    text = sample if isinstance(sample, str) else sample.design
    return crc32(text.split(":fpga=")[0].split(":unit")[0].encode()) % FOLDS


def has_bits(sample: Sample, bits: int) -> bool:
    """Whether an operand of a sample's design has so many bits."""
    mac = parse_design(sample.design).mac
    return bits in (mac.a.bits, mac.b.bits)


def _rounded(coefficients: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.5g}") for name, value in coefficients.items()}


def _summary(errors: Numbers) -> dict[str, Any]:
    size = np.abs(errors)
    return {
        "samples": len(errors),
        "mean_percent": round(100 * float(size.mean()), 2),
        "worst_percent": round(100 * float(size.max()), 2),
    }


def _interval(errors: Numbers) -> list[float]:
    """Measured over estimated, between which `COVERAGE` of the samples lie."""
    ratio = 1.0 / np.maximum(1.0 + errors, 1e-3)
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
    record: dict[str, Any] = {
        "coefficients": _rounded(training.fit()),
        "cross_validated": _summary(errors),
        "interval": _interval(errors),
        "families": {},
    }
    unseen = training.errors_without(lambda sample: has_bits(sample, 6))
    if len(unseen):
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
    stages = StageTraining(samples, read_register_counts())
    references: dict[tuple[str, str], Training] = {}
    ordered = sorted(groups, key=lambda key: (key[0] != REFERENCE, *key))
    for technology, target in ordered:
        for metric in METRICS:
            base = references.get(_REFERENCES.get((target, metric), (target, metric)))
            training = Training(groups[technology, target], metric, stages, base)
            if technology == REFERENCE:
                references[target, metric] = training
            if len(training.samples) >= LEAST_SAMPLES:
                yield technology, target, metric, training


def _trained_energy(training: EnergyTraining) -> dict[str, Any]:
    unseen = training.errors(lambda sample: fold_of(sample.design))
    streams = training.errors(lambda sample: sample.operands)
    blind = training.errors_without_operands(lambda sample: fold_of(sample.design))
    is_known = ~np.isnan(blind)
    record: dict[str, Any] = {
        "coefficients": _rounded(training.fit()),
        "cross_validated": _summary(unseen),
        "streams_unseen": _summary(streams),
        "streams_unseen_of_a_measured_design": _summary(
            training.errors(lambda sample: sample.operands, calibrated=True)
        ),
        "without_operands": {
            "samples": int(is_known.sum()),
            "median_percent": round(100 * float(np.median(np.abs(blind[is_known]))), 2),
        },
        "interval": _interval(unseen),
        "interval_without_operands": _interval(blind[is_known]),
        "families": {},
    }
    for number, statistics in training.reference_statistics().items():
        chosen = training.families == number
        designs = {s.design for s, c in zip(training.samples, chosen, strict=True) if c}
        few = len(designs) < 10  # then the interval is that of all
        record["families"][FAMILIES[int(number)]] = _summary(unseen[chosen]) | {
            "designs": len(designs),
            "interval": record["interval"] if few else _interval(unseen[chosen]),
            "interval_without_operands": record["interval_without_operands"]
            if few
            else _interval(blind[chosen & is_known]),
            "statistics": statistics,
        }
    return record


def train(samples: Sequence[Sample], energies: Sequence[EnergySample] = ()) -> dict[str, Any]:
    """The model as JSON can hold it: technology, clock target, figure, then what was fitted."""
    stages = StageTraining(samples, read_register_counts())
    model: dict[str, Any] = {
        STAGES: {"coefficients": _rounded(stages.fit()), "error": _summary(stages.errors(fold_of))}
    }
    for technology, target, metric, training in trainings(samples):
        entry = model.setdefault(technology, {}).setdefault(target, {})
        entry[metric] = _trained(training)
    for technology, target in sorted({(e.technology, e.target) for e in energies}):
        chosen = [e for e in energies if (e.technology, e.target) == (technology, target)]
        entry = model[technology][target]
        area = entry["area_um2"]["coefficients"]
        training_of_energy = EnergyTraining(chosen, area, model[STAGES]["coefficients"])
        entry[ENERGY] = _trained_energy(training_of_energy)
    return model


def main() -> None:
    """Fit, and write or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    path = Path(str(resources.files("macsmith.model.cost") / "coefficients.json"))
    text = json.dumps(train(read_samples(), read_energy_samples()), indent=1) + "\n"
    if not arguments.check:
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        sys.exit(f"{path}: is not what the samples give; run without --check")


if __name__ == "__main__":
    main()
