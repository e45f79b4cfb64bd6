"""Energy from structure and operand statistics.

A group of logic takes energy in proportion to its area and to how busy the operands keep it; the
areas are those of the fitted area model, so energy adds a few coefficients only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from macsmith.model.cost.features import Features
from macsmith.model.cost.widths import Numbers, Widths

__all__ = ["ENERGY", "GROUPS", "REFERENCE_STATISTICS", "energy_features", "group_areas"]

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
    "float.partial_products",
    "float.rows",
    "float.subnormals",
    "float.exponents",
    "float.normalise",
    "posit.decode",
)
_PREFIXES = {
    "register": ("register.", "edge.", "array."),
    "stage": ("stage.",),
    "convert": ("convert.",),
    "outer": ("outer.", "block."),
    "place": ("lane.places", "lane.adders", "aligned.places", "aligned.adders", "aligned.keys"),
}
GROUPS = ("multiply", "place", "sum", "outer", "convert", "register", "stage")
"""Groups of area features."""

ENERGY = "energy_fj_per_mac"
"""Name of the figure."""

#: Statistics that are meant where none are given: those of normally distributed operands in E4M3.
REFERENCE_STATISTICS: dict[str, float] = {
    "a_toggles": 0.41,
    "b_toggles": 0.41,
    "a_changes": 0.99,
    "b_changes": 0.99,
    "product_zeros": 0.01,
    "sign_changes": 0.5,
    "exponent_spread": 2.2,
    "product_toggles": 0.42,
    "sum_toggles": 0.3,
}


def _group(name: str) -> str:
    if name in _OF_MULTIPLY:
        return "multiply"
    for group, prefixes in _PREFIXES.items():
        if name.startswith(prefixes):
            return group
    return "sum"


def group_areas(coefficients: Mapping[str, float], features: Features) -> dict[str, Numbers]:
    """Area of each group, um2."""
    zero = np.zeros_like(next(iter(features.values())))
    found: dict[str, Numbers] = dict.fromkeys(GROUPS, zero)
    for name, value in coefficients.items():
        if name in features:
            group = _group(name)
            found[group] = found[group] + value * features[name]
    return found


def energy_features(
    areas: Mapping[str, Numbers], w: Widths, statistics: Mapping[str, Numbers]
) -> Features:
    """Busy area of each group for one product, um2 times a statistic.

    Parameters
    ----------
    areas
        Of `group_areas`.
    statistics
        A number for each design, or one for all, by the names of
        `macsmith.model.cost.activity.STATISTICS`.
    """
    macs = w["lanes"] * w["rows"] * w["columns"]
    busy = 1.0 - statistics["product_zeros"]
    changes = np.maximum(statistics["a_changes"], statistics["b_changes"])
    activities = {
        "always": np.ones_like(macs),
        "a_toggles": statistics["a_toggles"],
        "b_toggles": statistics["b_toggles"],
        "both": statistics["a_toggles"] * statistics["b_toggles"],
        "products": busy * changes,
        "signs": statistics["sign_changes"] * busy,
        "spread": statistics["exponent_spread"] * busy,
        "product_toggles": statistics["product_toggles"],
        "sum_toggles": statistics["sum_toggles"],
    }
    used = {
        "multiply": ("a_toggles", "b_toggles", "both", "products", "product_toggles"),
        "place": ("a_toggles", "b_toggles", "products", "spread", "product_toggles"),
        "sum": ("always", "products", "signs", "product_toggles", "sum_toggles"),
        "outer": ("always", "products"),
        "convert": ("always",),
        "register": ("always", "products", "sum_toggles"),
        "stage": ("always", "products", "product_toggles"),
    }
    found: Features = {}
    for group, names in used.items():
        for name in names:
            found[f"{group} x {name}"] = areas[group] / macs * activities[name]
    # glitches of a deep tree: more of them, the more is added one behind the other
    deep = np.log2(np.maximum(w["pa"] + w["pb"], 2.0))
    found["multiply x products x depth"] = areas["multiply"] / macs * busy * deep
    return found
