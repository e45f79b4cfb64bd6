"""Errors of the cost model, and the picture of estimated against synthesised figures.

    python benchmarks/cost_model.py [--plot docs/cost_model.png]

Every point is estimated by a fit without the fifth of the designs that it is in. Needs no tools:
the samples are in the project.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from macsmith.model.cost.energy_training import EnergyTraining, read_energy_samples
from macsmith.model.cost.features import FAMILIES
from macsmith.model.cost.samples import read_register_counts, read_samples
from macsmith.model.cost.training import (
    StageTraining,
    Training,
    fold_of,
    has_bits,
    train,
    trainings,
)
from macsmith.reports.model_errors import cross_validated, draw_errors
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def summary(errors: Numbers) -> str:
    """Number, mean and worst in percent."""
    if not len(errors):
        return "-"
    size = 100 * np.abs(errors)
    return f"{len(size)}: {size.mean():.1f}, {size.max():.0f}"


def rows() -> Iterator[tuple[list[str], Training, Numbers]]:
    """A row of the table for each model, with its training and errors."""
    for technology, target, metric, training in trainings(read_samples()):
        errors = training.errors(fold_of)
        unseen = training.errors_without(lambda sample: has_bits(sample, 6))
        integers = training.families == FAMILIES.index("integers")
        row = [technology, target, metric]
        row += [summary(errors), summary(errors[integers]), summary(errors[~integers])]
        yield [*row, summary(unseen)], training, errors


def energy_trainings() -> Iterator[tuple[str, EnergyTraining]]:
    """Clock targets of ASAP7, with the energies of each."""
    model = train(read_samples())
    samples = read_energy_samples()
    for target in sorted({sample.target for sample in samples}):
        yield (
            target,
            EnergyTraining(
                [sample for sample in samples if sample.target == target],
                model["asap7"][target]["area_um2"]["coefficients"],
                model["pipeline stages"]["coefficients"],
            ),
        )


def energy_rows() -> Iterator[list[str]]:
    """Errors of energy: streams never seen, with and without a figure of the design, designs."""
    for target, training in energy_trainings():
        errors = [
            training.errors(lambda sample: sample.operands, calibrated=True),
            training.errors(lambda sample: sample.operands),
            training.errors(lambda sample: fold_of(sample.design)),
        ]
        blind = training.errors_without_operands(lambda sample: fold_of(sample.design))
        kinds = np.array([_kind_of(sample.operands) for sample in training.samples])
        everything = np.ones(len(kinds), dtype=np.bool_)
        parts = [("all", everything)]
        parts += [(kind, kinds == kind) for kind in dict.fromkeys(kinds.tolist())]
        parts += [(name, training.families == n) for n, name in enumerate(FAMILIES)]
        for name, chosen in parts:
            if chosen.any():
                told = chosen & ~np.isnan(blind)
                last = f"{100 * np.median(np.abs(blind[told])):.0f}" if told.any() else ""
                yield [target, name, *(summary(found[chosen]) for found in errors), last]


def _kind_of(operands: str) -> str:
    return "layers of networks" if "/" in operands else operands.partition(" ")[0]


def table(heads: list[str], body: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Print the tables, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    found = list(rows())
    heads = ["technology", "target", "figure", "all", "integers", "others", "6-bit formats unseen"]
    print("Samples: mean and worst error, %\n")
    print(table(heads, [row for row, _, _ in found]))
    print(f"\nasap7 by family: {'; '.join(by_family(found))}")
    stages = StageTraining(read_samples(), read_register_counts()).errors(fold_of)
    print(f"\nflip-flops of pipelined designs: {summary(stages)}\n")
    heads = ["target", "samples", "streams unseen, design measured", "streams unseen"]
    heads += ["designs unseen", "the same without operands: median"]
    print(table(heads, list(energy_rows())))
    if arguments.plot is not None:
        draw_errors(cross_validated(), arguments.plot)


def by_family(found: list[tuple[list[str], Training, Numbers]]) -> Iterator[str]:
    """Errors of each family in ASAP7."""
    for row, training, errors in found:
        if row[0] != "asap7":
            continue
        parts = [
            f"{name} {summary(errors[training.families == number])}"
            for number, name in enumerate(FAMILIES)
            if (training.families == number).any()
        ]
        yield f"{row[1]} {row[2]}: {', '.join(parts)}"


if __name__ == "__main__":
    main()
