"""Which of several architectures of one function a design is built in."""

from dataclasses import dataclass
from typing import Any

from macsmith.hw.heap import HeapOrder
from macsmith.hw.partial_products import MAX_TABLE_BITS, Multiplier
from macsmith.hw.path_choice import resolve_path
from macsmith.hw.placement import Alignment, Signs
from macsmith.hw.terms import is_integer_product, operand_shape
from macsmith.model.accumulators import ChunkedAccumulator
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
    outer: str = "own"
    loop: str = "merged"
    fpga: str = "none"
    dsp: str = "off"


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
        outer=implementation.outer
        if implementation.outer != "auto"
        else _best_outer(config, implementation),
        loop=implementation.loop if implementation.loop != "auto" else _best_loop(implementation),
        fpga=implementation.fpga,
        dsp=implementation.dsp,
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


def _best_loop(implementation: Implementation) -> str:
    """Whether the partial sum joins the tree of the products, or is added to their sum.

    In one tree there is one addition with carries, but the partial sum may pass several adders of
    the tree, and this loop is not pipelined. With stages it is added behind the tree.
    """
    return "apart" if implementation.stages else "merged"


def _best_outer(config: MacConfig, implementation: Implementation) -> str:
    """One outer adder per column wherever chunks are long enough for it.

    ASAP7, um2 per MAC @ ps of the whole array, own against shared: e4m3:e6m5/64:4x4 92.0 @ 2732
    and 70.3 @ 2842 (smallest), 127.3 @ 1397 and 103.5 @ 1403 (fastest); the same order for both
    goals. Random words go along with the operands, not to the edge.
    """
    accumulator = config.accumulator
    is_shared = (
        not config.random_bits_of(config.last_accumulator)
        and isinstance(accumulator, ChunkedAccumulator)
        and 2 <= implementation.rows <= accumulator.length // config.lanes
    )
    return "shared" if is_shared else "own"
