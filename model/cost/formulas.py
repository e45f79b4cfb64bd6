"""The model written out: its formulas, and what each of their terms is for a design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from macsmith.model.cost.columns import design_columns
from macsmith.model.cost.delay_features import delay_paths
from macsmith.model.cost.features import Features, area_features
from macsmith.model.cost.fit import predict
from macsmith.model.cost.fitted import fitted_figures, fitted_model
from macsmith.model.cost.register_features import STAGES, register_bits, stage_features
from macsmith.model.cost.widths import derive_widths
from macsmith.model.design import Design, parse_design

__all__ = ["Term", "formula_terms", "formulas"]


def formulas(technology: str = "asap7", target: str | None = None) -> str:
    """The model of a technology and clock target as formulas.

    Raises
    ------
    ValueError
        There is no such model.
    """
    chosen, entry = fitted_figures(technology, target)
    lines = [f"{technology}, {chosen}"]
    for metric, trained in entry.items():
        lines.append(f"{metric} =")
        lines += [
            f"  {'+' if index else ' '} {value:.4g} {name}"
            for index, (name, value) in enumerate(trained["coefficients"].items())
        ]
    return "\n".join(lines)


@dataclass(frozen=True)
class Term:
    """A term of a formula, for one design.

    Attributes
    ----------
    figure
        ``area_um2``, ``lut``, ``flip_flops``; of delay the path too: ``delay_ps of loop``.
    piece
        What is counted.
    count
        How many there are.
    coefficient
        What one of them takes.
    """

    figure: str
    piece: str
    count: float
    coefficient: float

    @property
    def product(self) -> float:
        """What they take together."""
        return self.count * self.coefficient


def formula_terms(
    design: Design | str, technology: str = "asap7", target: str | None = None
) -> list[Term]:
    """Terms of a design's estimates that are not 0.

    Those of area or LUTs, and of flip-flops, add up to the figure. Those of delay add up to the
    length of a path; the figure is the norm of order `macsmith.model.cost.longest.SHARPNESS` of
    all its paths' lengths. Energies are not written out.

    Raises
    ------
    ValueError
        As `formulas`, or the text is no design's.
    """
    _, entry = fitted_figures(technology, target)
    parsed = parse_design(design) if isinstance(design, str) else design
    widths = derive_widths(design_columns([parsed]))
    cuts, cut_coefficients = stage_features(widths), fitted_model()[STAGES]["coefficients"]
    exact: Features = {"counted": register_bits(widths)}
    found = _terms("flip_flops", {"counted": 1.0}, exact)
    found += _terms("flip_flops", cut_coefficients, cuts)
    for metric, trained in entry.items():
        coefficients = trained["coefficients"]
        if metric == "delay_ps":
            for path, features in delay_paths(widths).items():
                found += _terms(f"{metric} of {path}", coefficients, features)
        elif metric in ("area_um2", "lut"):
            pieces = area_features(widths, predict(cut_coefficients, cuts))
            found += _terms(metric, coefficients, pieces)
    return found


def _terms(figure: str, coefficients: Mapping[str, float], features: Features) -> list[Term]:
    terms = [
        Term(figure, name, float(features[name].flat[0]), value)
        for name, value in coefficients.items()
        if name in features
    ]
    return [term for term in terms if term.product]
