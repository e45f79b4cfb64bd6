"""Which of several architectures of one function a design is built in."""

from dataclasses import dataclass
from typing import Any

from macsmith.hw.dsp_plan import pairs_columns, plan_products
from macsmith.hw.heap import HeapOrder
from macsmith.hw.loose_term import has_float_product
from macsmith.hw.partial_products import MAX_TABLE_BITS, Multiplier
from macsmith.hw.path_choice import resolve_path
from macsmith.hw.placement import Alignment, Signs
from macsmith.hw.segment_plan import SegmentPlan, moves_products
from macsmith.hw.terms import is_integer_product, operand_shape
from macsmith.model.accumulators import ChunkedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.implementation import Implementation
from macsmith.model.widths import mac_widths

__all__ = ["DEFAULT_ARCHITECTURE", "Architecture", "resolve_architecture", "uses_block"]


@dataclass(frozen=True)
class Architecture:
    """`macsmith.model.implementation.ARCHITECTURE_CHOICES`, each made: none is ``auto``."""

    goal: str = "area"
    path: str = "single"
    normalise: str = "early"
    count: str = "shift"
    multiply: Multiplier = "array"
    align: Alignment = "split"
    signs: Signs = "word"
    reduce: HeapOrder = "dadda"
    outer: str = "own"
    loop: str = "merged"
    accumulate: str = "whole"
    fpga: str = "none"
    dsp: str = "off"
    pair: str = "off"
    feed: str = "passed"


DEFAULT_ARCHITECTURE = Architecture()


def resolve_architecture(config: MacConfig, implementation: Implementation) -> Architecture:
    """The architecture a design is built in: what was asked for, else what was measured best.

    Raises
    ------
    ValueError
        What was asked for cannot be built for this configuration.
    """
    if implementation.dsp == "on":
        plan_products(config, implementation.fpga)  # raises what stands in the way
    if implementation.fpga != "none":
        implementation = _chain_choices(config, implementation)
    normalise = _normalise(config, implementation)
    asks_late = implementation.normalise == "late"
    path = "single" if asks_late else resolve_path(config, implementation)
    return Architecture(
        goal=implementation.goal,
        path=path,
        normalise=normalise,
        count=_count(implementation, path),
        outer=implementation.outer
        if implementation.outer != "auto"
        else _best_outer(config, implementation),
        loop=_loop(config, implementation),
        accumulate=_accumulate(config, implementation),
        fpga=implementation.fpga,
        dsp=implementation.dsp,
        pair="columns" if pairs_columns(config, implementation) else "off",
        feed=implementation.feed,
        **_dot_choices(config, implementation, path),
    )


def _chain_choices(config: MacConfig, implementation: Implementation) -> Implementation:
    """What else is decided by a form for FPGAs: float sums have it on the compact path alone."""
    if mac_widths(config).inner.format is None:
        return implementation
    family = implementation.fpga
    for key, only in (("path", "compact"), ("normalise", ""), ("count", ""), ("multiply", "")):
        asked = getattr(implementation, key)
        if asked not in ("auto", only):
            raise ValueError(
                f"fpga={family}: float sums have one form for FPGAs, which leaves no choice of "
                f"{key}: leave {key}={asked} or fpga={family} out"
            )
    if config.aligned is not None:
        raise ValueError(
            f"fpga={family}: sums of aligned terms have no form for FPGAs: leave it out"
        )
    if implementation.dsp == "on" and not has_float_product(config):
        raise ValueError(
            f"dsp=on: {config.a.name} x {config.b.name} into a float sum is no product of two "
            "floats: leave it out"
        )
    chosen = implementation.model_copy(update={"path": "compact", "goal": "area"})
    try:
        resolve_path(config, chosen)
    except ValueError as error:
        raise ValueError(
            f"fpga={family}: float sums have a form for FPGAs only where path=compact can be "
            f"built, but {str(error).rpartition(', but ')[2].partition(';')[0]}; leave it out"
        ) from None
    return chosen


def uses_block(config: MacConfig, architecture: Architecture) -> bool:
    """Whether the one product of a float sum is formed in a DSP block."""
    if architecture.dsp == "off":
        return False
    return plan_products(config, architecture.fpga).kind == "single"


def _dot_choices(config: MacConfig, implementation: Implementation, path: str) -> dict[str, Any]:
    """How products are formed, put in their places and summed.

    Measured on ASAP7 with 32 lanes (16 of INT8), um2 per product, each pair by one flow:

    - `reduce`, smallest-fa: ``columns`` 22.8, 11.8, 10.8, 5.5, 17.5 against ``dadda`` 23.5, 12.2,
      11.0, 5.6, 18.0 for E4M3, E3M2, E2M3, E2M1 and INT8: 1 to 3 % less for 14 to 31 % more delay.
      With one lane ``dadda`` is smaller too (25.4 and 26.0), and on ECP5 it takes 9 to 12 % fewer
      LUTs. So it is the default for both goals, but for small area of a few lanes that are added to
      a float partial sum: E4M3 into binary16, 2 lanes with 8 random bits ``columns`` 40.0 and
      ``dadda`` 43.3 (10 % more delay); with 8 lanes 26.6 and 27.2 (45 % more).
    - `signs`, smallest-fa, by columns: ``word`` 22.8, 11.8, 10.8, 5.5 against ``block`` 23.6, 12.5,
      11.9, 6.0; E5M2 by columns in ``block`` 30.9 @ 5852 ps, by ``dadda`` in ``word`` 31.0 @ 4440.
    - `multiply`: E2M1, smallest-fa: ``operator`` 5.49, ``array`` 5.58, ``table`` 5.60. The lesser
      area x delay of fastest and fastest-fa, in 1,000 um2 ps: E2M1 ``operator`` 7.0, ``array`` 7.4,
      ``dadda`` 7.5; E2M3 ``dadda`` 17.4, ``array`` 18.0, ``operator`` 18.7; E4M3
      (fastest-fa-kepthancarlson) ``dadda`` 39.1, ``array`` 45.5.
    - `multiply` of one product that is added to a float, `smallest-fa` on the compact path and
      `fastest` on the dual one, ``array``, ``dadda``, ``booth``, ``operator``, ``table``: E4M3 into
      (1,6,9) 34.9, 34.8, 37.2, 34.7, 36.6 um2 and 75.7, 70.8, 79.6, 68.6, 73.8 thousand um2 ps;
      E3M2 into (1,6,5) 23.9, 23.4, 24.7, 23.4, 23.4 um2; E5M2 into (1,6,9), which is on the single
      path for area, 68.2, 67.3, 67.9, 71.9, 69.3 thousand um2 ps.
    - `align`: E2M1 ``split`` 5.58 (smallest-fa) and 7.0 (fastest-fa), ``shift`` 5.85 and 7.7.
    """
    used = {"multiply": "array", "align": "split", "signs": "word", "reduce": "dadda"}
    if path != "single":
        used["multiply"] = "operator" if path == "compact" else "dadda"
    elif not is_integer_product(config) and not _adds_one_number(config):
        if max(operand_shape(fmt).significand_bits for fmt in (config.a, config.b)) <= 2:
            used["multiply"] = "operator"
        elif implementation.goal == "speed":
            used["multiply"] = "dadda"
    adds_float = mac_widths(config).inner.format is not None and config.aligned is None
    if implementation.goal == "area" and adds_float and 2 <= config.lanes <= 4:
        used["reduce"] = "columns"
    for key in used:
        asked = getattr(implementation, key)
        if asked != "auto":
            used[key] = asked
    if used["multiply"] == "table":
        _check_table(config)
    return used


def _normalise(config: MacConfig, implementation: Implementation) -> str:
    """Whether a product is normalised before it is added to a float, or the sum only.

    ASAP7, um2 by `smallest-fa`, um2 @ ps by `fastest`, late against early on the single path: E4M3
    into (1,6,9) 83.4, 123.9 @ 2023 and 37.9, 65.4 @ 1405; E5M2 87.0, 139.8 @ 2176 and 34.8,
    65.2 @ 1384. Sums of several products are always normalised late, and so are those of integers.
    """
    asked = implementation.normalise
    is_float = mac_widths(config).inner.format is not None and config.aligned is None
    is_choice = is_float and config.lanes == 1 and not is_integer_product(config)
    if asked != "auto" and not is_choice:
        raise ValueError(
            f"normalise={asked}: must add one product of floats a step to a float accumulator; all "
            "others normalise the sum only; leave it out"
        )
    if asked == "late" and implementation.path not in ("auto", "single"):
        raise ValueError(
            f"normalise=late adds in fixed point, on a single path: leave path="
            f"{implementation.path} out"
        )
    if asked != "auto":
        return asked
    return "early" if is_choice else "late"


def _count(implementation: Implementation, path: str) -> str:
    """How leading zeros of a difference are found.

    ASAP7, um2 by `smallest-fa`, um2 @ ps by `fastest`, ``anticipate`` against ``shift``: E4M3 into
    (1,6,9) 40.0, 66.9 @ 1276 and 34.7, 58.7 @ 1360; E3M2 into (1,6,5) 25.8, 42.8 @ 1086 and 23.4,
    36.2 @ 1057. Where speed counts the dual path is better.
    """
    asked = implementation.count
    if asked == "anticipate" and path != "compact":
        raise ValueError(
            "count=anticipate finds the leading zeros beside the subtraction of two normalised "
            f"numbers: the path must be compact, not {path}; leave it out"
        )
    return "shift" if asked == "auto" else asked


def _adds_one_number(config: MacConfig) -> bool:
    """Whether products are aligned or added as floats, not in fixed point."""
    is_float = mac_widths(config).inner.format is not None
    return config.aligned is not None or (is_float and config.lanes == 1)


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


def _loop(config: MacConfig, implementation: Implementation) -> str:
    """How the partial sum is added to, and how a new one begins.

    ``restart`` where operands are broadcast on the iCE40, whose cells have one output each: a
    flip-flop behind an adder's LUT shares its cell only if nothing else reads the sum.
    e4m3:exact:terms64:outraw:4x4 with dsp=on, accelerator and serial line, LUT4 and flip-flops
    behind none: ``merged`` 5320, ``restart`` 4620; with operands passed on, 6163.
    """
    widths = mac_widths(config)
    can_restart = (
        widths.inner.format is None
        and widths.inner.posit is None
        and widths.outer is None
        and not widths.inner.clips
        and config.aligned is None
        and not implementation.is_weight_stationary
    )
    if implementation.loop == "restart":
        if not (can_restart and implementation.is_array and implementation.fpga != "none"):
            raise ValueError(
                "loop=restart keeps a finished sum until the next one replaces it: it must be an "
                "array built for FPGAs (fpga=), whose sums are exact or intN, do not clip, and "
                "have no chunks; leave it out"
            )
        return "restart"
    if implementation.loop != "auto":
        return implementation.loop
    if implementation.feed == "broadcast" and implementation.fpga == "ice40" and can_restart:
        return "restart"
    return _best_loop(implementation)


def _best_loop(implementation: Implementation) -> str:
    """Whether the partial sum joins the tree of the products, or is added to their sum.

    In one tree there is one addition with carries, but the partial sum may pass several adders of
    the tree, and this loop is not pipelined. With stages it is added behind the tree.

    A carry-save sum is faster, but not better in area x delay: int8:int32:lanes16:stages4 on ASAP7,
    um2 @ ps: apart 686.5 @ 385, carrysave 965.6 @ 272; e4m3:exact:lanes8:stages4 714.9 @ 497 and
    1129.2 @ 493.
    """
    return "apart" if implementation.stages else "merged"


def _accumulate(config: MacConfig, implementation: Implementation) -> str:
    """Whether the partial sum is one number, or is kept in parts.

    ASAP7, a MAC with raw results, um2 @ ps and pJ per product by smallest-fa-folded and by
    fastest-kepthancarlson-folded: e5m2:exact whole 103.8 @ 3285, 0.452 and 177.8 @ 661, 0.625;
    segments16 126.7 @ 2375, 0.398 and 193.6 @ 748, 0.433; buckets16 181.3 @ 2248, 0.558 and
    263.9 @ 717, 0.746. Less energy, but neither less area nor the least area x delay.
    """
    asked = implementation.accumulate
    if asked == "auto":
        return "whole"
    if asked.startswith("buckets") and not moves_products(config):
        raise ValueError(
            f"accumulate={asked}: must add one product of floats a step, whose exponent says which "
            "bucket takes it; leave it out"
        )
    if asked.startswith("segments"):
        bits = int(asked.removeprefix("segments"))
        if len(SegmentPlan.of(config, bits).starts) < 2:
            raise ValueError(
                f"accumulate={asked}: must have two segments or more, but the partial sum has only "
                f"{mac_widths(config).inner.integer_bits} bits; take shorter segments or leave it "
                "out"
            )
    return asked


def _best_outer(config: MacConfig, implementation: Implementation) -> str:
    """One outer adder per column wherever chunks are long enough for it.

    ASAP7, um2 per MAC @ ps of the whole array, own against shared: e4m3:e6m5/64:4x4 92.0 @ 2732
    and 70.3 @ 2842 (smallest), 127.3 @ 1397 and 103.5 @ 1403 (fastest); the same order for both
    goals. Where the outer sum is rounded stochastically, a chunk takes its random bits along.
    """
    accumulator = config.accumulator
    is_shared = (
        isinstance(accumulator, ChunkedAccumulator)
        and config.block is None
        and implementation.feed == "passed"
        and 2 <= implementation.rows <= accumulator.length // config.lanes
    )
    return "shared" if is_shared else "own"
