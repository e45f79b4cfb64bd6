"""Flip-flops of designs, counted; those of pipeline stages from what can be cut.

What is not staged is counted exactly. Where a generator puts the registers of stages depends on
the logic; their bits are fitted to designs whose flip-flops were counted.
"""

from __future__ import annotations

import numpy as np
from macsmith.model.cost.widths import (
    ALIGNED,
    COMPACT,
    DUAL,
    FIXED,
    SINGLE,
    WINDOW,
    Features,
    Numbers,
    Widths,
    log2,
)

__all__ = ["STAGES", "outer_adders", "register_bits", "stage_features", "stage_pieces"]

STAGES = "pipeline stages"
"""Entry of a model beside its technologies: flip-flops of stages."""


def outer_adders(w: Widths) -> Numbers:
    """Outer adders: one in each element, or one for a column whose rows' chunks it can take in turn
    (`macsmith.hw.architecture.resolve_architecture`)."""
    rows, columns = w["rows"], w["columns"]
    beats = np.floor(w["chunk"] / w["lanes"])
    is_shared = (w["is_chunked"] > 0) & (rows >= 2) & (rows <= beats)
    return np.where(is_shared, columns, rows * columns)


def register_bits(w: Widths) -> Numbers:
    """Flip-flops of a MAC or array but for pipeline stages: sums, results, a waiting chunk, the
    source of random bits, what an array passes on and how its results leave it."""
    rows, columns = w["rows"], w["columns"]
    is_array = rows * columns > 1
    has_outer = w["outer_state"] > 0
    is_shared = outer_adders(w) < rows * columns
    # a finished chunk waits in a register, with its scales, and the chunk's beats are counted
    chunk = np.where(has_outer, w["inner_bits"] + w["scale_bits"] + 2, 0.0)
    beats = np.where(has_outer, np.ceil(log2(w["chunk"] / w["lanes"])), 0.0)
    # bits of a sum or result that are always 0 have no registers
    last_bits = w["last_bits"] - w["constant_state"]
    own = w["inner_state"] - w["constant_state"]
    own = own + np.where(is_shared, 0.0, w["outer_state"] + chunk)
    single = own + last_bits + beats + 1
    # an element passes its operands on with what goes along, and its result waits to be fetched
    along = 3 + (has_outer & ~is_shared) + w["random_bits"]
    moved = [w[f"{side}_moved_bits"] for side in "ab"]
    element = own + moved[0] + moved[1] + along + np.where(is_shared, w["inner_bits"], last_bits)
    skewed = (moved[0] * rows * (rows - 1) + moved[1] * columns * (columns - 1)) / 2
    output_bits = w["output_bits"] - np.maximum(w["constant_output"], w["constant_state"])
    leaving = output_bits * columns * (columns + 1) / 2 + (along - 1) * (rows - 1)
    waits = rows - 1 + (has_outer & ~is_shared)  # cycles until a result is at the edge
    counters = np.where(rows == 2, 0.0, 2 * np.ceil(log2(rows)))  # of 2 rows: those of the delay
    drain = waits + rows - 1 + counters + columns + 2
    shared = columns * (rows + 1) * w["outer_state"] + 1 + waits + 1 + 2 * (columns + 1)
    array = rows * columns * element + skewed + leaving + drain + beats
    array = array + np.where(is_shared, shared, 0.0)
    source = np.where(w["random_bits"] > 0, w["source_bits"], 0.0)
    return np.where(w["is_unit"] > 0, 0.0, np.where(is_array, array, single) + source)


#: What the boundaries between stages are counted from, by how products are added: bits that can be
#: cut there, at the last boundary before the accumulator and at each of those before it.
_CUTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "integers": (("products", "sum"), ("sum", "pair")),
    "fixed": (("products", "sum", "ones"), ("pair",)),
    "float": (("operands", "products", "specials", "ones"), ("operands",)),
    "window": (("sum", "specials"), ("narrow", "precision")),
    "aligned": (("operands", "products", "ones"), ("operands", "sum", "aligned")),
    "posits": (("operands", "sum", "ones"), ("operands", "sum", "narrow")),
    "blocks": (("levels", "ones"), ("operands",)),
}


def stage_features(w: Widths) -> Features:
    """What the flip-flops of pipeline stages are counted from, by name."""
    f: Features = {}
    kind, lanes, columns = w["kind"], w["lanes"], w["columns"]
    elements = w["rows"] * columns
    stages = np.where(w["is_unit"] > 0, 0.0, w["stages"])
    is_array = elements > 1
    is_float = (kind == COMPACT) | (kind == DUAL) | (kind == SINGLE)
    is_block, is_posit = w["is_block"] > 0, w["is_posit"] > 0
    is_integer = w["is_integer"] > 0
    operands, lane_sum = w["operand_bits"], w["lane_sum"]
    bits = {
        "operands": operands,
        "products": lanes * w["product"],
        "sum": lane_sum,
        "pair": np.minimum(operands, 2 * lane_sum),
        "narrow": np.minimum(operands, lane_sum),
        "aligned": w["aligned_sum"],
        "precision": w["precision"],
        "specials": lanes * (w["flags"] > 0),
        "levels": lane_sum * log2(lanes),
        "ones": np.ones_like(lanes),
    }
    chosen = {
        "integers": is_integer & ~is_block,
        "fixed": (kind == FIXED) & ~is_integer & ~is_posit & ~is_block,
        "float": is_float,
        "window": kind == WINDOW,
        "aligned": kind == ALIGNED,
        "posits": is_posit,
        "blocks": is_block,
    }
    boundaries = (("last", (stages > 0) * 1.0), ("others", np.maximum(stages - 1, 0.0)))
    for name, cuts in _CUTS.items():
        for (which, count), parts in zip(boundaries, cuts, strict=True):
            for part in parts:
                used = np.where(chosen[name] & ~is_array, count, 0.0)
                f[f"stage.{name}.{which}.{part}"] = used * bits[part]
    # an element's delayed operands are those that it passes on, and have no registers of their own
    for name, is_kind in (("integers", is_integer), ("float", is_float)):
        used = np.where(is_array & is_kind, stages, 0.0)
        f[f"stage.array.{name}.product"] = used * elements * w["product"]
        f[f"stage.array.{name}.exponents"] = used * elements * w["exponent_field_bits"]
        f[f"stage.array.{name}.rows"] = used * w["rows"]
    converted = stages * w["converts"] * columns
    f["stage.convert.sum"] = converted * w["last_bits"]
    f["stage.convert.result"] = converted * np.minimum(w["last_bits"], w["output_precision"])
    chunk = stages * w["chunk_converts"] * np.where(is_array, columns, 1.0)
    f["stage.chunk.sum"], f["stage.chunk.ones"] = chunk * w["inner_bits"], chunk
    f["stage.chunk.ends"] = stages * w["is_chunked"]
    f["stage.block.sum"] = stages * is_block * w["block_bits"]
    f["stage.block.ones"] = stages * is_block
    return f


def stage_pieces(w: Widths, stage_bits: Numbers) -> Features:
    """The features of area that count flip-flops; `stage_bits` are those of pipeline stages."""
    return {"register.bits": register_bits(w) + stage_bits, "stage.bits": stage_bits}
