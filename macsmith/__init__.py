"""Macsmith: number formats to MAC hardware, checked and priced.

>>> from macsmith import parse_design
>>> parse_design("e4m3:e6m9/64").id
'e4m3_e6m9_64'

Names are loaded when they are first used: ``import macsmith`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from macsmith.model.config import MacConfig
    from macsmith.model.cost.estimate import estimate, estimate_table
    from macsmith.model.design import Design, parse_design
    from macsmith.model.formats import FloatFormat, Format, IntFormat, parse_format
    from macsmith.model.implementation import Implementation
    from macsmith.reports.explore import explore
    from macsmith.reports.stages import accuracy, generate, synthesize, verify
    from macsmith.reports.sweep import Sweep, load_sweep

__all__ = [
    "Design",
    "FloatFormat",
    "Format",
    "Implementation",
    "IntFormat",
    "MacConfig",
    "Sweep",
    "accuracy",
    "estimate",
    "estimate_table",
    "explore",
    "generate",
    "load_sweep",
    "parse_design",
    "parse_format",
    "synthesize",
    "verify",
]

_HOME = {
    "Design": "model.design",
    "Implementation": "model.implementation",
    "MacConfig": "model.config",
    "parse_design": "model.design",
    "FloatFormat": "model.formats",
    "Format": "model.formats",
    "IntFormat": "model.formats",
    "parse_format": "model.formats",
    "estimate": "model.cost.estimate",
    "estimate_table": "model.cost.estimate",
    "accuracy": "reports.stages",
    "generate": "reports.stages",
    "synthesize": "reports.stages",
    "verify": "reports.stages",
    "explore": "reports.explore",
    "Sweep": "reports.sweep",
    "load_sweep": "reports.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'macsmith' has no attribute {name!r}")
    return getattr(importlib.import_module(f"macsmith.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
