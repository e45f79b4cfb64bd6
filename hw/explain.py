"""What a design's architecture is and why, for people and for records."""

from typing import Any

from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.switch_unit import shared_step
from macsmith.model.design import Design
from macsmith.model.implementation import ARCHITECTURE_CHOICES

__all__ = ["explain_architecture"]


def explain_architecture(design: Design) -> dict[str, dict[str, Any]]:
    """Each architecture choice of a design.

    Returns
    -------
    dict
        By name of the choice: ``value`` in use, ``asked`` (whether the design states it; otherwise
        it is the one measured to be best for the goal), and all ``choices`` there are.
    """
    used = resolve_architecture(design.mac, design.mode_designs[0].implementation)
    rows: dict[str, dict[str, Any]] = {}
    for key, choices in ARCHITECTURE_CHOICES.items():
        if key == "share":
            if not design.is_switchable:
                continue
            value = shared_step(design)
        elif hasattr(used, key):
            value = getattr(used, key)
        else:
            continue
        rows[key] = {
            "value": str(value),
            "asked": getattr(design.implementation, key) != choices[0],
            "choices": [choice for choice in choices if choice != "auto"],
        }
    return rows
