"""Energy from structure and operand statistics.

A group of logic takes energy in proportion to its area and to how busy the operands keep it; the
areas are those of the fitted area model, so energy adds a coefficient for each kind of activity of
a group only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from macsmith.model.cost.features import Features
from macsmith.model.cost.widths import COMPACT, DUAL, SINGLE, Numbers, Widths, log2
from numpy.typing import NDArray

__all__ = [
    "ENERGY",
    "GROUPS",
    "TERMS",
    "energy_features",
    "group_areas",
    "pooled_term",
    "predict_energy",
]

ENERGY = "energy_fj_per_mac"
"""Name of the figure."""

_OF_MULTIPLY = (
    "integer.partial_products",
    "integer.rows",
    "integer.lanes",
    "lane.partial_products",
    "lane.product",
    "lane.adders_of_product",
    "lane.exponents",
    "lane.specials",
    "lane.subnormals",
    "lane.ones",
    "float.",
    "dual.rows",
    "aligned.partial_products",
    "posit.",
)
#: Names of area features by their beginnings, the first that fits.
_PREFIXES: dict[str, tuple[str, ...]] = {
    "multiply": _OF_MULTIPLY,
    "register": ("register.", "edge.", "array."),
    "stage": ("stage.",),
    "convert": ("convert.",),
    "outer": ("outer.",),
    "block": ("block.",),
    "place": ("lane.places", "lane.adders"),
    "aligned place": ("aligned.places", "aligned.adders", "aligned.keys"),
    "aligned": ("aligned.",),
    "window": ("window.",),
    "float": ("adder.", "dual.", "single."),
    "sum": ("",),
}
GROUPS = tuple(_PREFIXES)
"""Groups of area features."""

_PLACE = (
    "a_toggles",
    "b_toggles",
    "exponent_toggles",
    "moved_toggles",
    "placed_toggles",
    "product_toggles",
    "product_mixed",
    "ripple_toggles",
    "product_changes",
    "sign_changes",
)
_ADD = (
    "product_changes",
    "sign_changes",
    "exponent_toggles",
    "moved_toggles",
    "significand_toggles",
    "product_toggles",
    "product_mixed",
    "ripple_toggles",
    "total_toggles",
    "total_mixed",
    "carry_toggles",
    "sum_toggles",
    "aligned_toggles",
    "state_changes",
    "state_toggles",
    # glitches that come in: more of them, the longer the way, and none through a register
    "sign_changes x levels",
    "exponent_toggles x levels",
    "ripple_toggles x levels",
    "product_changes x levels",
    "product_toggles x levels",
    "total_toggles x levels",
    "state_toggles x levels",
)
_ADD_FLOATS = (*_ADD, "distance_toggles", "normalise_toggles", "distance_toggles x levels")
# a finished chunk waits in a register; a unit adds it on the spot
_OUTER = (
    "always x clocked",
    "always x chunks",
    "state_toggles x clocked",
    "state_toggles x unit",
    "sum_toggles x unit",
    "product_changes x unit",
    "sign_changes x unit",
    "total_toggles x unit",
    "exponent_toggles x unit",
)
_USED: dict[str, tuple[str, ...]] = {
    "multiply": (
        "a_toggles",
        "b_toggles",
        "product_changes",
        "partial_toggles",
        "partial_mixed",
        "significand_toggles",
        "significand_mixed",
        # glitches of a tree: more of them, the more is added one behind the other
        "partial_toggles x depth",
        "partial_mixed x depth",
        "significand_toggles x depth",
        "significand_mixed x depth",
    ),
    "place": _PLACE,
    "aligned place": _PLACE,
    "sum": _ADD,
    "float": _ADD_FLOATS,
    "window": _ADD_FLOATS,
    "aligned": _ADD_FLOATS,
    "outer": _OUTER,
    "block": _OUTER,
    "convert": ("always", "state_toggles", "state_changes"),
    "register": ("always", "state_toggles"),
    "stage": ("always", "a_toggles", "b_toggles", "product_changes", "product_toggles"),
}
TERMS = tuple(f"{group} x {name}" for group, names in _USED.items() for name in names)
"""All features: a group, what keeps it busy, and for some what of the design that grows with."""


_APART = ("multiply", "convert", "register", "stage")


def pooled_term(term: str) -> str:
    """A term of the model in which all groups that place and add are one."""
    group, name, *factor = term.split(" x ")
    if group in _APART:
        return term
    is_own = factor[:1] == ["levels"] or name == "always"
    return " x ".join(("add", name, *factor)) if is_own else f"add x {name}"


def _group(name: str) -> str:
    return next(group for group, begins in _PREFIXES.items() if name.startswith(begins))


def _step_adders(w: Widths) -> Features:
    """What of the features named ``adder.`` is in steps, not in outer accumulators."""
    kind, m = w["kind"], w["precision"]
    is_step = (kind == COMPACT) | (kind == DUAL) | (kind == SINGLE)
    adders = np.where(is_step, w["rows"] * w["columns"], 0.0)
    width = np.maximum(m, w["product"])
    return {
        "adder.ones": adders,
        "adder.precision": adders * m,
        "adder.exponent": adders * w["exponent"],
        "adder.width": adders * width,
        "adder.shifts": adders * width * log2(width),
    }


def group_areas(
    coefficients: Mapping[str, float], features: Features, w: Widths
) -> dict[str, Numbers]:
    """Area of each group, um2."""
    zero = np.zeros_like(next(iter(features.values())))
    found: dict[str, Numbers] = dict.fromkeys(GROUPS, zero)
    steps = _step_adders(w)
    for name, value in coefficients.items():
        if name not in features:
            continue
        area, group = value * features[name], _group(name)
        if name in steps:
            step = np.minimum(value * steps[name], area)
            scaled = np.where(w["is_block"] > 0, area - step, 0.0)
            found["block"] = found["block"] + scaled
            found["outer"] = found["outer"] + (area - step - scaled)
            area = step
        found[group] = found[group] + area
    return found


def _factors(w: Widths) -> Features:
    """What of a design, beside areas, its activity grows with."""
    product = np.log2(np.maximum(w["pa"] + w["pb"], 2.0))
    levels = product + log2(w["lanes"]) + log2(w["range"] + 1)
    beats = np.maximum(w["chunk"] / w["lanes"], 1.0)
    return {
        "depth": product,
        "levels": levels / (1.0 + np.where(w["is_unit"] > 0, 0.0, w["stages"])),
        "unit": w["is_unit"],
        "clocked": 1.0 - w["is_unit"],
        "chunks": (1.0 - w["is_unit"]) / beats,
    }


def energy_features(
    areas: Mapping[str, Numbers],
    w: Widths,
    statistics: Mapping[str, Numbers],
    terms: Iterable[str] = TERMS,
) -> Features:
    """Busy area of each group for one product, um2 times a statistic.

    Parameters
    ----------
    areas
        Of `group_areas`.
    statistics
        A number for each design, or one for all, by the names of
        `macsmith.model.cost.activity.STATISTICS`.
    terms
        Those of `TERMS` that are asked for.
    """
    macs = w["lanes"] * w["rows"] * w["columns"]
    busy = {"always": np.ones_like(macs)} | dict(statistics)
    factors = _factors(w)
    each = {group: area / macs for group, area in areas.items()}
    found: Features = {}
    for term in terms:
        group, name, *factor = term.split(" x ")
        value = each[group] * busy[name]
        found[term] = value * factors[factor[0]] if factor else value
    return found


def predict_energy(
    coefficients: Mapping[str, float],
    areas: Mapping[str, Numbers],
    w: Widths,
    statistics: Mapping[str, Numbers],
    rows: NDArray[np.intp] | None = None,
) -> Numbers:
    """Sum of `energy_features` times their coefficients, in one pass for each group and factor.

    Parameters
    ----------
    rows
        For each design the place of its number in `statistics`; None: theirs or one for all.
    """
    activities: dict[tuple[str, ...], Numbers] = {}
    for term, value in coefficients.items():
        group, name, *factor = term.split(" x ")
        busy = value * (statistics[name] if name != "always" else np.ones(1))
        key = (group, *factor)
        activities[key] = activities[key] + busy if key in activities else busy
    factors = _factors(w)
    total = np.zeros_like(w["lanes"])
    for (group, *factor), activity in activities.items():
        if rows is not None and activity.size > 1:
            activity = activity[rows]
        busy = areas[group] * activity
        total = total + (busy * factors[factor[0]] if factor else busy)
    return total / (w["lanes"] * w["rows"] * w["columns"])
