"""Segments of paths through a design, each with its levels of logic.

A feature is named ``part.what``: ``bits`` where a carry passes one after the other, ``levels``
where a tree or a row of multiplexers halves them, ``ones`` for what is there at any width.
"""

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
    Numbers,
    Widths,
    log2,
)

__all__ = [
    "MAPPED_APART",
    "addition",
    "columns",
    "conversion",
    "is_kind",
    "is_single",
    "joined",
    "lane_tree",
    "largest_key",
    "late_addition",
    "outer_addition",
    "own_sum",
    "placing",
    "product",
    "scaling",
    "spread_sign",
    "times",
]

MAPPED_APART = 4
"""Copies of a module with registers from which on they are mapped apart; what drives all of them
gets no buffers then (`macsmith.synth.flow`)."""


def joined(*parts: Features) -> Features:
    """One segment behind the other."""
    found: Features = {}
    for part in parts:
        for name, value in part.items():
            found[name] = found[name] + value if name in found else value
    return found


def times(features: Features, factor: Numbers) -> Features:
    """A segment where a factor is 1, or a part of it."""
    # of a table's designs many features are 0
    return {name: value * factor if value.any() else value for name, value in features.items()}


def is_kind(w: Widths, kind: int) -> Numbers:
    """Whether products are added in this way."""
    return np.asarray((w["kind"] == kind) * 1.0)


def is_single(w: Widths) -> Numbers:
    """Whether one product is added as floats are."""
    return is_kind(w, COMPACT) + is_kind(w, DUAL) + is_kind(w, SINGLE)


def product(w: Widths, single: Numbers) -> Features:
    """From the operands to a product that can be added."""
    f: Features = {}
    is_integer, is_posit = w["is_integer"] > 0, w["is_posit"] > 0
    placed = ~is_integer & ~is_posit & (single == 0)
    narrow = np.minimum(w["pa"], w["pb"])
    parts = (("integer", is_integer), ("lane", placed), ("posit", is_posit), ("float", single))
    for name, chosen in parts:
        f[f"{name}.rows"] = chosen * (w["pa"] + w["pb"])
        f[f"{name}.row_levels"] = chosen * log2(narrow)
    f["posit.span_levels"] = is_posit * log2(w["span"])
    has_subnormals = single * np.minimum(w["subnormals"], 1)
    f["float.subnormal_levels"] = has_subnormals * log2(np.maximum(w["pa"], w["pb"]))
    f["float.normalise_levels"] = is_kind(w, SINGLE) * log2(w["product"])
    return f


def largest_key(w: Widths) -> Features:
    """The largest exponent of the products that are aligned to it."""
    levels = is_kind(w, ALIGNED) * log2(w["lanes"])
    return {
        "largest.levels": levels,
        "largest.key_bits": levels * w["key_bits"],
        "largest.key_levels": levels * log2(w["key_bits"]),
    }


def lane_tree(w: Widths, single: Numbers) -> Features:
    """The tree of adders that several products are summed in."""
    is_dot = (single == 0) * 1.0
    return {
        "lanes.levels": is_dot * log2(w["lanes"]),
        "lanes.ones": is_dot * (w["lanes"] > 1),
    }


def own_sum(w: Widths, staged: Numbers) -> Features:
    """With stages the sum of the lanes has an addition of its own."""
    is_several = (w["lanes"] > 1) | (w["is_integer"] > 0)
    apart = staged * is_several * (is_kind(w, FIXED) + is_kind(w, WINDOW))
    return {
        "apart.ones": apart,
        "apart.bits": apart * w["lane_sum"],
        "apart.levels": apart * log2(w["lane_sum"]),
    }


def columns(w: Widths) -> Features:
    """A few lanes are summed column by column: each carry waits for the adders of its column."""
    lanes = w["lanes"]
    few = is_kind(w, WINDOW) * (w["speed"] == 0) * ((lanes > 1) & (lanes <= 4))
    bits = few * np.minimum(w["lane_sum"], w["window"] - w["window_low"])
    high = (lanes > 2) * 1.0
    return {
        "columns.bits": bits,
        "columns.high_bits": bits * high,
        "columns.high_ones": few * high,
    }


def spread_sign(w: Widths, apart: Numbers) -> Features:
    """A sum of lanes that was added up before has its sign in all higher places."""
    return {"apart.sign_bits": apart * np.maximum(w["sum"] - w["lane_sum"], 0)}


def placing(w: Widths) -> Features:
    """What a partial sum in a float format passes before it is added to."""
    f: Features = {}
    m, e = w["precision"], w["exponent"]
    for name, kind in (
        ("compact", COMPACT),
        ("dual", DUAL),
        ("window", WINDOW),
        ("aligned", ALIGNED),
    ):
        chosen = is_kind(w, kind)
        f[f"{name}.place_ones"] = chosen
        f[f"{name}.place_bits"] = chosen * e
        f[f"{name}.place_levels"] = chosen * (log2(e) + log2(m))
    window = is_kind(w, WINDOW)
    # carries begin at the window's end, below those of the products
    f["window.bits"] = window * w["window_low"]
    f["window.raise_levels"] = window * log2(w["raise"] + 1)
    f |= _float_placing(is_kind(w, SINGLE), e)
    return f


def _float_placing(chosen: Numbers, exponent: Numbers) -> Features:
    return {
        "single.place_ones": chosen,
        "single.place_bits": chosen * exponent,
        "single.place_levels": chosen * log2(exponent),
    }


def _float_addition(
    w: Widths, chosen: Numbers, precision: Numbers, term: Numbers, below: Numbers
) -> Features:
    """Of a term to a float, on a single path; either can be the wider. Where terms lie `below` the
    smallest binade, a difference can be negative."""
    width = np.maximum(precision, term)
    return {
        "single.ones": chosen,
        "single.bits": chosen * width,
        "single.levels": chosen * log2(width),
        "single.shift_levels": chosen * log2(width) ** 2,
        "single.round_bits": chosen * w["is_nearest"] * precision,
        "single.sign_ones": chosen * below,
        "single.sign_bits": chosen * below * width,
    }


def addition(w: Widths) -> Features:
    """The addition to the partial sum, whatever it is."""
    f: Features = {}
    m, e = w["precision"], w["exponent"]
    fixed, window, aligned = w["kind"] == FIXED, is_kind(w, WINDOW), is_kind(w, ALIGNED)
    is_integer, is_posit = w["is_integer"] > 0, w["is_posit"] > 0
    extension = fixed * np.maximum(w["sum"] - w["lane_sum"], 0)
    for name, chosen in (
        ("integer", fixed & is_integer),
        ("fixed", fixed & ~is_integer & ~is_posit),
        ("posit", fixed & is_posit),
    ):
        f[f"{name}.ones"] = chosen * 1.0
        f[f"{name}.bits"] = chosen * np.minimum(w["lane_sum"], w["sum"])
        f[f"{name}.levels"] = chosen * log2(w["sum"])
        f[f"{name}.extension_bits"] = chosen * extension
    # signs are added there too, by full adders
    f["integer.sign_bits"] = is_integer * (w["signed"] > 0) * extension
    for name, chosen in (
        ("compact", is_kind(w, COMPACT)),
        ("dual", is_kind(w, DUAL)),
        ("window", window),
    ):
        f[f"{name}.ones"] = chosen
        f[f"{name}.precision_bits"] = chosen * m
        f[f"{name}.levels"] = chosen * log2(m)
        f[f"{name}.shift_levels"] = chosen * log2(m) ** 2
        f[f"{name}.exponent_bits"] = chosen * e
        f[f"{name}.round_bits"] = chosen * w["is_nearest"] * m
    f["float.speed"] = is_single(w) * w["speed"]
    f |= _float_addition(w, is_kind(w, SINGLE), m, w["product"], w["is_below"])
    f |= _window_addition(w, window)
    f |= _aligned_addition(w, aligned)
    f["random.bits"] = w["random_bits"] * 1.0
    return f


def late_addition(w: Widths) -> Features:
    """Of the rounded sum of aligned products to a partial sum that comes late."""
    late, m = w["is_late"], w["precision"]
    below = np.zeros_like(m)
    return joined(_float_placing(late, w["exponent"]), _float_addition(w, late, m, m, below))


def _window_addition(w: Widths, window: Numbers) -> Features:
    carry = w["window"] - w["window_low"]
    zeros = log2(w["window_zeros"])
    return {
        "window.bits": window * carry,
        "window.zero_levels": window * zeros,
        "window.normalise_levels": window * zeros * log2(w["window"]),
        "window.cut": window * (w["window_cut"] > 0),
        "window.raised": window * (w["raise"] > 0),
    }


def _aligned_addition(w: Widths, aligned: Numbers) -> Features:
    width = w["aligned_sum"]
    slow = aligned * (w["speed"] == 0)
    lanes = np.where((w["is_unit"] == 0) & (w["stages"] > 0), w["lanes"], 0.0)
    return {
        "aligned.bits": aligned * width,
        "aligned.levels": aligned * log2(width),
        "aligned.normalise_levels": aligned * log2(width) ** 2,
        "aligned.slow_bits": slow * width,
        "aligned.slow_levels": slow * log2(width) ** 2,
        "aligned.key_bits": aligned * w["key_bits"],
        "aligned.term_levels": aligned * (log2(w["aligned_bits"]) + log2(w["range"] + 1)),
        "aligned.rounds": aligned * w["is_nearest"],
        # the common exponent drives all lanes
        "aligned.unbuffered": aligned * np.where(lanes >= MAPPED_APART, lanes, 0.0),
    }


def _scaled_bits(w: Widths) -> Numbers:
    return w["block_bits"] + w["scale_precision"] - 1


def scaling(w: Widths) -> Features:
    """What is done to a block or a chunk before it is added, in stages too."""
    scaled, term = w["is_block"], _scaled_bits(w)
    converts = w["is_chunked"] * w["chunk_converts"]
    return {
        "block.ones": scaled,
        "block.bits": scaled * w["block_bits"],
        "block.scale_levels": scaled * log2(w["scale_factor"]),
        "block.levels": scaled * log2(term),
        "block.normalise_levels": scaled * log2(term) ** 2,
        "chunk.bits": converts * w["inner_bits"],
        "chunk.levels": converts * log2(w["inner_bits"]),
        "chunk.ones": w["is_chunked"],
    }


def outer_addition(w: Widths) -> Features:
    """The addition of a block or a chunk to the outer sum."""
    has_outer = np.maximum(w["is_block"], w["is_chunked"])
    m = w["outer_precision"]
    floats, fixed = has_outer * (m > 0), has_outer * (m == 0)
    term = np.where(w["is_block"] > 0, _scaled_bits(w), m)
    return {
        **_float_placing(floats, w["outer_exponent"]),
        **_float_addition(w, floats, m, term, w["is_block"]),
        "outer.blocks": w["is_block"] * 1.0,
        "outer.fixed_ones": fixed,
        "outer.fixed_bits": fixed * w["outer_state"],
    }


def conversion(w: Widths) -> Features:
    """From a sum to the result."""
    kept = w["output_precision"]
    bits = w["last_bits"] - np.where(w["outer_state"] > 0, 0.0, w["is_fixed"] * w["flags"])
    # the most negative number has a bit more, and is a power of two
    rounds = (bits > kept + 1) * 1.0
    return {
        "convert.ones": np.ones_like(bits),
        "convert.bits": bits,
        "convert.levels": log2(bits),
        "convert.normalise_levels": log2(bits) ** 2,
        "convert.rounds": rounds,
        "convert.round_bits": rounds * kept,
        "convert.posit_ones": w["is_posit"],
        "convert.posit_bits": w["is_posit"] * kept,
    }
