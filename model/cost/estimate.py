"""Estimates of area, delay and LUTs without synthesis, one design or a table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from macsmith.model.cost.activity import STATISTICS, OperandStatistics
from macsmith.model.cost.columns import Columns, design_columns, table_columns
from macsmith.model.cost.delay_features import delay_paths
from macsmith.model.cost.energy import ENERGY, energy_features, group_areas, predict_energy
from macsmith.model.cost.energy_training import own_coefficients
from macsmith.model.cost.features import FAMILIES, Features, area_features, families
from macsmith.model.cost.fit import predict
from macsmith.model.cost.fitted import fitted_figures, fitted_model
from macsmith.model.cost.longest import predict_longest
from macsmith.model.cost.register_features import STAGES, register_bits, stage_features
from macsmith.model.cost.widths import Widths, derive_widths
from macsmith.model.design import Design, parse_design
from numpy.typing import NDArray

__all__ = [
    "EstimateTable",
    "estimate",
    "estimate_energy",
    "estimate_table",
]

Numbers = NDArray[np.float64]

#: Designs whose delays are estimated at a time.
_ROWS = 4096


@dataclass(frozen=True)
class EstimateTable:
    """Estimates of many designs; arrays of one number each.

    Attributes
    ----------
    technology, target
        Cell library and clock target, or FPGA family and ``lut``.
    figures
        ``area_um2`` and ``delay_ps``, or ``lut``; ``flip_flops``; each of the whole design. Where
        it was measured ``energy_fj_per_mac`` of one product (NaN for families without samples).
        With ``<figure>_low`` and ``<figure>_high``: between them nine of ten samples lay when they
        were left out of the fit.
    macs
        Products a cycle.
    family
        Index into `macsmith.model.cost.features.FAMILIES`.
    is_inside
        Whether the design lies within the samples of its family.
    """

    technology: str
    target: str
    figures: dict[str, Numbers]
    macs: Numbers
    family: NDArray[np.intp]
    is_inside: NDArray[np.bool_]
    _widths: Widths
    _unmodelled: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.macs)

    def outside(self, row: int) -> str:
        """Why a design is outside of what was sampled; empty if it is inside."""
        if self.is_inside[row]:
            return ""
        if self._unmodelled[row]:
            return "a choice of its text is not in the model"
        family = FAMILIES[self.family[row]]
        region = _region(self.technology, self.target).get(family)
        if region is None:
            return f"no samples of {family}"
        reasons = [
            f"{name} {self._widths[name][row]:g} (samples: {low:g} to {high:g})"
            for name, (low, high) in region.items()
            if not low <= self._widths[name][row] <= high
        ]
        return f"{family}: {', '.join(reasons)}"

    def record(self, row: int) -> dict[str, Any]:
        """One design's estimates as JSON can hold them."""
        found: dict[str, Any] = {"technology": self.technology, "target": self.target}
        found["family"] = FAMILIES[self.family[row]]
        found |= {
            name: float(f"{column[row]:.5g}")
            for name, column in self.figures.items()
            if not np.isnan(column[row])
        }
        found["macs"] = int(self.macs[row])
        found["is_inside"] = bool(self.is_inside[row])
        if not self.is_inside[row]:
            found["outside"] = self.outside(row)
        return found

    def columns(self) -> dict[str, NDArray[Any]]:
        """All of it as columns, ready for a DataFrame."""
        names = np.array(FAMILIES, dtype=object)
        return {
            **self.figures,
            "macs": self.macs,
            "family": names[self.family],
            "is_inside": self.is_inside,
        }


def _region(technology: str, target: str) -> dict[str, dict[str, list[float]]]:
    """Least and largest of each number, by family."""
    _, entry = fitted_figures(technology, target)
    main = next(iter(entry.values()))
    return {name: family["region"] for name, family in main["families"].items()}


def estimate_table(
    designs: Sequence[Design | str] | Mapping[str, Any],
    technology: str = "asap7",
    target: str | None = None,
    operands: OperandStatistics | Mapping[str, Any] | None = None,
) -> EstimateTable:
    """Estimates of many designs at once.

    Parameters
    ----------
    designs
        Designs or their texts; or, some hundred times as quick, columns
        (`macsmith.model.cost.columns.TABLE_DEFAULTS`), a DataFrame for example.
    technology
        A cell library or FPGA family that was sampled.
    target
        ``area`` or ``speed`` of a cell library (the first by default); ``lut`` of an FPGA family.
    operands
        Statistics of the operands (`macsmith.model.cost.activity.operand_statistics`), each one
        number or one for each design, for the energy; what is not given is that of normally
        distributed ones in the samples of the design's family.

    Raises
    ------
    ValueError
        A design text or column is wrong, or there is no model of the technology or target.
    """
    chosen, entry = fitted_figures(technology, target)
    if isinstance(designs, Mapping) or hasattr(designs, "columns"):
        columns = table_columns(designs)  # type: ignore[arg-type]
    else:
        parsed = [parse_design(each) if isinstance(each, str) else each for each in designs]
        columns = design_columns(parsed)
    statistics: dict[str, Any] = {}
    if operands is not None:
        statistics = asdict(operands) if isinstance(operands, OperandStatistics) else dict(operands)
        unknown = sorted(statistics.keys() - set(STATISTICS))
        if unknown:
            raise ValueError(
                f"operand statistics {unknown[0]!r} are unknown; must be among "
                f"{', '.join(STATISTICS)}"
            )
    return _estimated(columns, technology.strip().lower(), chosen, entry, statistics)


def _estimated(
    columns: Columns,
    technology: str,
    target: str,
    entry: dict[str, Any],
    statistics: Mapping[str, Any],
) -> EstimateTable:
    widths = derive_widths(columns)
    family = families(widths).astype(np.intp)
    stage_bits = predict(fitted_model()[STAGES]["coefficients"], stage_features(widths))
    pieces = {"all": area_features(widths, stage_bits)}
    figures: dict[str, Numbers] = {}
    for metric, trained in entry.items():
        if metric == ENERGY:
            value = _energy(entry, pieces["all"], widths, family, statistics)
        elif metric == "delay_ps":
            value = _delays(trained["coefficients"], widths)
        else:
            value = _doubles(predict(trained["coefficients"], pieces["all"]))
        figures[metric] = value
        low, high = np.empty((2, len(FAMILIES)))
        # without operands there is what is not known of them too
        kind = "interval" if metric != ENERGY or statistics else "interval_without_operands"
        for number, name in enumerate(FAMILIES):
            found = trained["families"].get(name, trained)
            low[number], high[number] = found[kind]
        figures[f"{metric}_low"] = value * low[family]
        figures[f"{metric}_high"] = value * high[family]
    figures["flip_flops"] = _doubles(register_bits(widths) + stage_bits)
    unmodelled = columns["unmodelled"] > 0
    inside = ~unmodelled
    regions = _region(technology, target)
    for number, name in enumerate(FAMILIES):
        rows = family == number
        if not rows.any():
            continue
        if name not in regions:
            inside &= ~rows
            continue
        for quantity, (least, most) in regions[name].items():
            found = widths[quantity]
            inside &= ~rows | ((found >= least) & (found <= most))
    macs = _doubles(widths["lanes"] * widths["rows"] * widths["columns"])
    return EstimateTable(technology, target, figures, macs, family, inside, widths, unmodelled)


def _delays(coefficients: Mapping[str, float], widths: Widths) -> Numbers:
    """Delays, some rows at a time: their levels stay in the cache then."""
    found = np.empty(len(widths["lanes"]))
    for start in range(0, len(found), _ROWS):
        rows = slice(start, start + _ROWS)
        paths = delay_paths({name: column[rows] for name, column in widths.items()})
        found[rows] = predict_longest(coefficients, paths)
    return found


def _energy(
    entry: dict[str, Any],
    pieces: Features,
    widths: Widths,
    family: NDArray[np.intp],
    statistics: Mapping[str, Any],
) -> Numbers:
    """Energy for one product; NaN for families of which none was measured."""
    known = entry[ENERGY]["families"]
    given = {name: np.asarray(value, dtype=np.float64) for name, value in statistics.items()}
    numbers, rows = dict(given), None if given else family
    for name in STATISTICS:
        if name not in given:
            of_family = [known[f]["statistics"][name] if f in known else 0.0 for f in FAMILIES]
            numbers[name] = np.array(of_family) if rows is not None else np.array(of_family)[family]
    areas = group_areas(entry["area_um2"]["coefficients"], pieces, widths)
    value = predict_energy(entry[ENERGY]["coefficients"], areas, widths, numbers, rows)
    measured = np.array([name in entry[ENERGY]["families"] for name in FAMILIES])
    return _doubles(np.where(measured[family], value, np.nan))


def _doubles(value: NDArray[np.floating[Any]]) -> Numbers:
    return np.asarray(value, dtype=np.float64)


def estimate(
    design: Design | str,
    technology: str = "asap7",
    target: str | None = None,
    operands: OperandStatistics | Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Estimate of one design; see `EstimateTable.record`.

    Raises
    ------
    ValueError
        As `estimate_table`.
    """
    parsed = parse_design(design) if isinstance(design, str) else design
    table = estimate_table([parsed], technology, target, operands)
    return {"design": parsed.text, **table.record(0)}


def estimate_energy(
    design: Design | str,
    operands: Sequence[OperandStatistics],
    measured: Sequence[tuple[OperandStatistics, float]],
    technology: str = "asap7",
    target: str | None = None,
) -> Numbers:
    """Energy of one product, fJ, with other operands than those that a design was simulated with.

    Parameters
    ----------
    operands
        For which it is asked.
    measured
        Statistics of the streams that were simulated, and the energy of one product with each, fJ.

    Raises
    ------
    ValueError
        As `estimate_table`; nothing measured, or no energies of the technology and target.
    """
    parsed = parse_design(design) if isinstance(design, str) else design
    _, entry = fitted_figures(technology, target)
    if not measured or ENERGY not in entry:
        raise ValueError(
            f"{parsed.text}: must have one measured energy or more, and a technology and target "
            "with energy samples"
        )
    streams = [*(found for found, _ in measured), *operands]
    rows = [asdict(stream) for stream in streams]
    statistics = {name: np.array([row[name] for row in rows]) for name in STATISTICS}
    widths = derive_widths(design_columns([parsed] * len(rows)))
    stage_bits = predict(fitted_model()[STAGES]["coefficients"], stage_features(widths))
    areas = group_areas(
        entry["area_um2"]["coefficients"], area_features(widths, stage_bits), widths
    )
    features = energy_features(areas, widths, statistics)
    known = {name: column[: len(measured)] for name, column in features.items()}
    own = own_coefficients(
        entry[ENERGY]["coefficients"], known, np.array([energy for _, energy in measured])
    )
    asked = {name: column[len(measured) :] for name, column in features.items()}
    return _doubles(predict(own, asked))
