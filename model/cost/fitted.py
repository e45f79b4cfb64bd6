"""The committed model: coefficients and errors, as `macsmith.model.cost.training` fits them."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from macsmith.model.cost.register_features import STAGES

__all__ = ["DEFAULT_TARGET", "estimated_technologies", "fitted_figures", "fitted_model"]

DEFAULT_TARGET = {"asic": "area", "fpga": "lut"}
"""Clock target that is meant where none is stated."""


@cache
def fitted_model() -> dict[str, Any]:
    """Coefficients, errors, intervals and regions, by technology, clock target and figure."""
    path = resources.files("macsmith.model.cost") / "coefficients.json"
    model: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return model


def estimated_technologies() -> dict[str, tuple[str, ...]]:
    """Technologies that can be estimated, with the clock targets of each."""
    return {name: tuple(targets) for name, targets in fitted_model().items() if name != STAGES}


def fitted_figures(technology: str, target: str | None) -> tuple[str, dict[str, Any]]:
    """Clock target that is meant, and what was fitted for it, by figure.

    Raises
    ------
    ValueError
        There is no such model.
    """
    model = fitted_model()
    name = technology.strip().lower()
    if name not in model or name == STAGES:
        known = ", ".join(estimated_technologies())
        raise ValueError(f"technology {technology!r} has no cost model; must be one of {known}")
    targets = model[name]
    chosen = target or next(
        iter(DEFAULT_TARGET[kind] for kind in DEFAULT_TARGET if DEFAULT_TARGET[kind] in targets)
    )
    if chosen not in targets:
        raise ValueError(
            f"clock target {chosen!r} is not one of {name}; must be {' or '.join(targets)}"
        )
    return chosen, targets[chosen]
