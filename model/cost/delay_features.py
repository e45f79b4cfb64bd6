"""Levels of logic on each kind of path through a design, which its delay grows with."""

from __future__ import annotations

import numpy as np
from macsmith.model.cost.features import Features
from macsmith.model.cost.widths import (
    ALIGNED,
    COMPACT,
    DUAL,
    FIXED,
    SINGLE,
    WINDOW,
    Widths,
    log2,
)

__all__ = ["delay_paths"]


def delay_paths(w: Widths) -> dict[str, Features]:
    """Levels of logic on each kind of path, by name; the longest path is the delay.

    ``step`` goes from the operands, a stage of them in a pipeline, to the partial sum; ``loop``
    from the partial sum to itself; ``outer`` from a finished chunk to the outer sum; ``convert``
    from a sum to the result. The bare step of a unit has them all behind each other. A path that a
    design does not have is 0.
    """
    feed, loop = _feed_levels(w), _loop_levels(w)
    scaling, adding, convert = _scaling_levels(w), _outer_levels(w), _convert_levels(w)
    clocked = (w["is_unit"] == 0) * 1.0
    staged = clocked * (w["stages"] > 0)
    share = 1.0 / (1.0 + w["stages"])
    register: Features = {"register.ones": clocked}
    step = {name: value * share for name, value in feed.items()}
    step |= {name: value * (1 - staged) for name, value in loop.items()}
    step |= {name: value * (1 - clocked) for name, value in (scaling | adding).items()} | register
    has_outer = clocked * np.maximum(w["is_chunked"], w["is_block"])
    outer = {name: value * share for name, value in scaling.items()} | adding
    paths: dict[str, Features] = {"step": step}
    for path, features, there in (
        ("loop", loop, staged),
        ("outer", outer, has_outer),
        ("convert", convert, clocked * w["converts"] * share),
    ):
        paths[path] = {name: value * there for name, value in (features | register).items()}
    return paths


def _feed_levels(w: Widths) -> Features:
    f: Features = {}
    kind = w["kind"]
    single = (kind == COMPACT) | (kind == DUAL) | (kind == SINGLE)
    placed = (w["is_integer"] == 0) & ~single
    narrow = np.minimum(w["pa"], w["pb"])
    for name, chosen in (("integer", w["is_integer"] > 0), ("lane", placed), ("float", single)):
        f[f"{name}.multiply_levels"] = chosen * log2(narrow)
        f[f"{name}.multiply_rows"] = chosen * (w["pa"] + w["pb"])
        f[f"{name}.multiply_ones"] = chosen * 1.0
    f["lane.place_levels"] = placed * log2(w["range"] + 1)
    f["lane.subnormals"] = placed * np.minimum(w["subnormals"], 1)
    f["float.subnormals"] = single * np.minimum(w["subnormals"], 1)
    f["float.normalise"] = (kind == SINGLE) * log2(w["product"])
    f["lanes.levels"] = np.where(single, 0.0, log2(w["lanes"]))
    f["aligned.keys"] = (kind == ALIGNED) * log2(w["lanes"]) * log2(w["key_bits"])
    f["posit.levels"] = (w["is_posit"] > 0) * log2(w["code_bits"])
    return f


def _loop_levels(w: Widths) -> Features:
    f: Features = {}
    kind = w["kind"]
    fixed = kind == FIXED
    is_integer = w["is_integer"] > 0
    for name, chosen in (("integer", fixed & is_integer), ("fixed", fixed & ~is_integer)):
        f[f"{name}.ones"] = chosen * 1.0
        f[f"{name}.carry"] = chosen * w["sum"]
        f[f"{name}.carry_levels"] = chosen * log2(w["sum"])
    m = w["precision"]
    for name, which in (
        ("compact", COMPACT),
        ("dual", DUAL),
        ("single", SINGLE),
        ("window", WINDOW),
        ("aligned", ALIGNED),
    ):
        chosen = kind == which
        f[f"{name}.ones"] = chosen * 1.0
        f[f"{name}.carry"] = chosen * m
        f[f"{name}.levels"] = chosen * log2(m)
        f[f"{name}.exponent"] = chosen * w["exponent"]
    # what the ways to add one product have in common
    single = (kind == COMPACT) | (kind == DUAL) | (kind == SINGLE)
    f["adder.ones"] = single * 1.0
    f["adder.carry"] = single * m
    f["adder.levels"] = single * log2(m)
    f["adder.exponent"] = single * w["exponent"]
    f["single.beyond"] = (kind == SINGLE) * np.maximum(w["product"] - m, 0)
    f["window.sum"] = (kind == WINDOW) * w["window"]
    f["window.sum_levels"] = (kind == WINDOW) * log2(w["window"])
    f["aligned.sum"] = (kind == ALIGNED) * w["aligned_sum"]
    f["aligned.sum_levels"] = (kind == ALIGNED) * log2(w["aligned_sum"])
    f["aligned.slow"] = ((kind == ALIGNED) & (w["speed"] == 0)) * w["aligned_sum"]
    f["random.bits"] = w["random_bits"] * 1.0
    return f


def _scaling_levels(w: Widths) -> Features:
    """What is done to a block or a chunk before it is added, in stages too."""
    scaled, outer = w["is_block"] > 0, w["is_chunked"] > 0
    bits = w["block_bits"]
    return {
        "block.ones": scaled * 1.0,
        "block.bits": scaled * bits,
        "block.levels": scaled * log2(bits),
        "block.scale": scaled * log2(w["scale_factor"]),
        "chunk.converts": outer * w["chunk_converts"] * w["inner_bits"],
        "chunk.convert_levels": outer * w["chunk_converts"] * log2(w["inner_bits"]),
    }


def _outer_levels(w: Widths) -> Features:
    """The addition of a block or a chunk."""
    has_outer = np.maximum(w["is_block"], w["is_chunked"])
    om = w["outer_precision"]
    return {
        "outer.ones": has_outer,
        "outer.precision": has_outer * om,
        "outer.levels": has_outer * log2(om),
        "outer.exponent": has_outer * w["outer_exponent"],
    }


def _convert_levels(w: Widths) -> Features:
    rounds = (w["last_bits"] > w["output_precision"]) * 1.0
    return {
        "convert.ones": np.ones_like(w["last_bits"]),
        "convert.rounds": rounds,
        "convert.bits": w["last_bits"],
        "convert.levels": log2(w["last_bits"]),
        "convert.precision": rounds * w["output_precision"],
    }
