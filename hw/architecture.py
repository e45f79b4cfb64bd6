"""Which of several architectures of one function a design is built in."""

from dataclasses import dataclass
from typing import Any

from macsmith.hw.heap import HeapOrder
from macsmith.hw.partial_products import MAX_TABLE_BITS, Multiplier
from macsmith.hw.path_choice import resolve_path
from macsmith.hw.placement import Alignment, Signs
from macsmith.hw.terms import is_integer_product, operand_shape
from macsmith.model.config import Implementation, MacConfig

__all__ = ["DEFAULT_ARCHITECTURE", "Architecture", "resolve_architecture"]


@dataclass(frozen=True)
class Architecture:
    """The choices of `macsmith.model.config.ARCHITECTURE_CHOICES`, none of them ``auto``."""

    goal: str = "area"
    path: str = "single"
    multiply: Multiplier = "array"
    align: Alignment = "split"
    signs: Signs = "word"
    reduce: HeapOrder = "dadda"


DEFAULT_ARCHITECTURE = Architecture()


def resolve_architecture(config: MacConfig, implementation: Implementation) -> Architecture:
    """The architecture a design is built in: what was asked for, else what was measured best.

    Raises
    ------
    ValueError
        What was asked for cannot be built for this configuration.
    """
    return Architecture(
        goal=implementation.goal,
        path=resolve_path(config, implementation),
        **_dot_choices(config, implementation),
    )


def _dot_choices(config: MacConfig, implementation: Implementation) -> dict[str, Any]:
    """How products are formed, put in their places and summed."""
    used: dict[str, str] = {}
    for key in ("multiply", "align", "signs", "reduce"):
        asked = getattr(implementation, key)
        if asked != "auto":
            used[key] = asked
    if used.get("multiply") == "table":
        _check_table(config)
    return used


def _check_table(config: MacConfig) -> None:
    bits = [
        fmt.bits if is_integer_product(config) else operand_shape(fmt).significand_bits
        for fmt in (config.a, config.b)
    ]
    if sum(bits) > MAX_TABLE_BITS:
        raise ValueError(
            f"multiply=table: the numbers multiplied must have at most {MAX_TABLE_BITS} bits "
            f"together, not {bits[0]} and {bits[1]}; choose multiply=array"
        )
