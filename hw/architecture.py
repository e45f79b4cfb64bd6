"""Which of several architectures of one function a design is built in."""

from dataclasses import dataclass, replace

from macsmith.hw.heap import HeapOrder
from macsmith.hw.partial_products import Multiplier
from macsmith.hw.placement import Alignment, Signs
from macsmith.model.config import Implementation, MacConfig

__all__ = ["DEFAULT_ARCHITECTURE", "Architecture", "resolve_architecture"]


@dataclass(frozen=True)
class Architecture:
    """The choices of `macsmith.model.config.ARCHITECTURE_CHOICES`, none of them ``auto``."""

    goal: str = "area"
    multiply: Multiplier = "array"
    align: Alignment = "split"
    signs: Signs = "word"
    reduce: HeapOrder = "dadda"


DEFAULT_ARCHITECTURE = Architecture()


def resolve_architecture(config: MacConfig, implementation: Implementation) -> Architecture:
    """The architecture a design is built in: what was asked for, else what was measured best."""
    goal = implementation.goal
    given = {
        key: value
        for key in ("multiply", "align", "signs", "reduce")
        if (value := getattr(implementation, key)) != "auto"
    }
    return replace(Architecture(goal=goal), **given)
