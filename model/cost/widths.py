"""Widths of designs, column by column: what `macsmith.model.widths` derives for one configuration.

All in float64, with logarithms in place of wide integers; the widths are the same to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from macsmith.model.cost.columns import (
    ALIGNED_SUM,
    EXACT,
    FLOAT,
    FLOAT_SUM,
    INT_SUM,
    INTEGER,
    POSIT,
    Columns,
)
from macsmith.model.random_source import LFSRS
from macsmith.model.rounding import Rounding
from macsmith.model.widths import DEFAULT_TERMS
from numpy.typing import NDArray

__all__ = [
    "ALIGNED",
    "COMPACT",
    "DUAL",
    "FIXED",
    "OTHER_SUM",
    "SINGLE",
    "WINDOW",
    "Features",
    "Numbers",
    "Widths",
    "derive_widths",
    "log2",
]

Numbers = NDArray[np.floating[Any]]
Widths = dict[str, Numbers]
Features = dict[str, Numbers]

#: How products are added; see `macsmith.hw.architecture.resolve_architecture`.
FIXED, COMPACT, DUAL, SINGLE, WINDOW, ALIGNED, OTHER_SUM = 0, 1, 2, 3, 4, 5, 6

_MODES = tuple(Rounding)
_NEAREST = (_MODES.index(Rounding.NEAREST_EVEN), _MODES.index(Rounding.NEAREST_AWAY))


def log2(value: Numbers) -> Numbers:
    """Base-2 logarithm of what is at least 1; 0 below."""
    return np.log2(np.maximum(value, 1.0))


def _bits_of(log2_value: Numbers) -> Numbers:
    """Bits of an integer whose logarithm is given."""
    return np.asarray(np.floor(log2_value + 1e-9) + 1.0)


def _source_bits(random_bits: Numbers) -> Numbers:
    """Flip-flops that random words come from."""
    found = np.zeros_like(random_bits)
    for degree, longest, _seed in reversed(LFSRS):
        found = np.where(random_bits <= longest, float(degree), found)
    return found


def _first_normal(c: Columns, side: str) -> Numbers:
    """Exponent of a float format's smallest binade with a hidden bit."""
    return c[f"{side}_least_exponent"] + c[f"{side}_precision"] - 1.0


def derive_widths(c: Columns) -> Widths:
    """Widths and ranges that features are made of.

    Parameters
    ----------
    c
        Columns of `macsmith.model.cost.columns`.

    Returns
    -------
    dict
        ``pa``, ``pb`` (significands), ``product`` (its bits), ``span`` (largest product in units
        of the least), ``range`` (exponents of a product), ``sum`` (fixed-point accumulator),
        ``inner_state`` and ``outer_state`` (bits kept between steps), ``precision``
        and ``exponent`` of a float partial sum, ``window``, ``kind`` (how products are added),
        and others named in the features.
    """
    w: Widths = {}
    lanes = c["lanes"]
    is_float = (c["a_kind"] == FLOAT) & (c["b_kind"] == FLOAT)
    is_integer = (c["a_kind"] == INTEGER) & (c["b_kind"] == INTEGER)
    w["is_integer"], w["lanes"] = is_integer * 1.0, lanes
    w["is_posit"] = ((c["a_kind"] == POSIT) | (c["b_kind"] == POSIT)) * 1.0
    w["pa"], w["pb"] = c["a_precision"], c["b_precision"]
    w["signed"] = c["a_signed"] + c["b_signed"]
    narrow, wide = np.minimum(w["pa"], w["pb"]), np.maximum(w["pa"], w["pb"])
    w["product"] = np.where(narrow == 1, wide, narrow + wide)
    log2_product = c["a_log2_max"] + c["b_log2_max"]
    w["span"] = _bits_of(log2_product)
    a_binades, b_binades = (c[f"{s}_last_binade"] - c[f"{s}_first_binade"] for s in "ab")
    w["range"] = a_binades + b_binades
    w["unit"] = c["a_least_exponent"] + c["b_least_exponent"]
    has_infinity = np.maximum(c["a_infinity"], c["b_infinity"])
    has_nan = np.maximum(np.maximum(c["a_nan"], c["b_nan"]), has_infinity)
    w["has_nan"], w["has_infinity"] = has_nan, has_infinity
    w["flags"] = np.where(has_infinity > 0, 2.0, has_nan)

    chunk, terms = c["chunk"], c["terms"]
    w["chunk"] = chunk
    is_chunked = chunk > 0
    is_block = (c["a_scale_bits"] + c["b_scale_bits"]) > 0
    is_whole_block = is_block & (chunk == lanes)
    count = np.where(is_chunked, chunk, np.where(terms > 0, terms, DEFAULT_TERMS))
    exact_bits = _bits_of(np.log2(np.maximum(count, 1)) + log2_product) + 1.0
    inner = c["inner_kind"]
    w["is_fixed"] = ((inner == EXACT) | (inner == INT_SUM)) * 1.0
    sum_bits = np.where(inner == EXACT, exact_bits, c["inner_bits"])
    w["sum"] = np.where(w["is_fixed"] > 0, sum_bits, 0.0)
    w["lane_sum"] = _bits_of(log2(lanes) + log2_product) + 1.0
    inner_bits = np.where(w["is_fixed"] > 0, sum_bits + w["flags"], c["inner_format_bits"])
    w["inner_bits"] = inner_bits
    w["inner_state"] = np.where(is_whole_block, 0.0, inner_bits)
    w["clips"] = c["inner_clips"]

    w["is_chunked"] = (is_chunked & ~is_block) * 1.0
    w["is_block"] = is_block * 1.0
    chunks = np.ceil(np.where(terms > 0, terms, DEFAULT_TERMS) / np.maximum(chunk, 1))
    outer_exact = sum_bits + np.ceil(np.log2(np.maximum(chunks, 1)))
    outer_fixed = np.where(c["outer_kind"] == EXACT, outer_exact, c["outer_bits"])
    outer_float = c["outer_format_bits"]
    w["outer_state"] = np.where(
        is_chunked, np.where(outer_float > 0, outer_float, outer_fixed), 0.0
    )
    w["outer_precision"] = c["outer_format_precision"]
    w["outer_exponent"] = c["outer_format_exponent_bits"]
    # the chunk is converted unless it is in the outer format already
    same = (c["inner_format_bits"] == outer_float) & (
        c["inner_format_precision"] == c["outer_format_precision"]
    )
    w["chunk_converts"] = (is_chunked & ~is_block & ~same & (outer_float > 0)) * 1.0
    scales = [c[f"{s}_scale_precision"] for s in "ab"]
    w["scale_factor"] = np.maximum(scales[0], 1) * np.maximum(scales[1], 1)
    w["scale_precision"] = np.maximum(scales[0], 1) + np.maximum(scales[1], 1) - 1
    w["scale_bits"] = c["a_scale_bits"] + c["b_scale_bits"]
    w["block_bits"] = np.where(is_whole_block, w["lane_sum"], sum_bits)

    w["precision"], w["exponent"] = c["inner_format_precision"], c["inner_format_exponent_bits"]
    w["random_bits"] = c["rounding_random_bits"]
    w["is_nearest"] = (np.isin(c["rounding_mode"], _NEAREST)) * 1.0
    w["aligned_fraction"], w["is_late"] = c["inner_fraction"], c["inner_late"]
    w["is_late"], w["is_bound"] = c["inner_late"], c["inner_bound"]
    w["rounds_terms"] = c["inner_rounds_terms"]
    w["kind"] = _kinds(c, w, is_float, is_integer)
    # whether the least product's top place lies below the sum's smallest binade
    w["is_below"] = (w["unit"] + w["product"] <= _first_normal(c, "inner_format")) * 1.0
    _derive_window(c, w, log2_product)
    _derive_output(c, w, is_chunked, is_integer, is_block)
    for name in ("unit", "stages", "interleave", "rows", "columns", "speed", "fpga"):
        w["is_unit" if name == "unit" else name] = c[name]
    w["operand_bits"] = lanes * (c["a_bits"] + c["b_bits"])
    for side in "ab":
        w[f"{side}_moved_bits"] = lanes * c[f"{side}_bits"] + c[f"{side}_scale_bits"]
    w["code_bits"] = c["a_bits"] + c["b_bits"]
    w["source_bits"] = _source_bits(w["random_bits"])
    w["exponent_field_bits"] = c["a_exponent_bits"] + c["b_exponent_bits"]
    w["subnormals"] = c["a_subnormals"] * (w["pa"] > 1) + c["b_subnormals"] * (w["pb"] > 1)
    return w


def _kinds(
    c: Columns, w: Widths, is_float: NDArray[np.bool_], is_integer: NDArray[np.bool_]
) -> Numbers:
    """How products are added, as `macsmith.hw.path_choice.resolve_path` decides."""
    is_float_sum = c["inner_kind"] == FLOAT_SUM
    is_one = is_float_sum & (c["lanes"] == 1) & ~is_integer
    term_precision = np.where(np.minimum(w["pa"], w["pb"]) == 1, w["product"], w["pa"] + w["pb"])
    least = c["inner_format_least_exponent"]
    obstacle = (
        ~is_float
        | (c["rounding_random_bits"] > 0)
        | (c["inner_format_subnormals"] == 0)
        | (term_precision > w["precision"])
        | (w["unit"] < least)
    )
    # the place below a term's top, in binades above the format's smallest
    lowest = np.zeros_like(least)
    offset = w["pa"] + w["pb"] - 2 - (_first_normal(c, "inner_format") - 1)
    for side in "ab":
        subnormals = c[f"{side}_subnormals"]
        lowest += np.where(subnormals > 0, 2.0 - c[f"{side}_precision"], 0.0)
        offset += c[f"{side}_least_exponent"] - subnormals
    is_limited = (w["is_nearest"] == 0) | (lowest + offset < w["precision"] + 3)
    auto = np.where(
        (c["speed"] > 0) & ~obstacle, DUAL, np.where(obstacle | is_limited, SINGLE, COMPACT)
    )
    auto = np.where((c["fpga"] > 0), COMPACT, auto)
    paths = c["path"].astype(np.intp)
    asked = np.where(c["path"] == 0, auto, np.array([0, SINGLE, COMPACT, DUAL])[paths])
    kind = np.full(len(least), OTHER_SUM, dtype=np.float64)
    kind[w["is_fixed"] > 0] = FIXED
    kind[is_float_sum] = WINDOW
    kind = np.where(is_one, asked, kind)
    kind[c["inner_kind"] == ALIGNED_SUM] = ALIGNED
    return kind


def _derive_window(c: Columns, w: Widths, log2_product: Numbers) -> None:
    """Places of the window in which several products meet a float partial sum."""
    least, precision = c["inner_format_least_exponent"], w["precision"]
    binades = np.maximum(c["inner_format_last_binade"] - c["inner_format_first_binade"] + 1, 1)
    lowest_place = least - w["unit"]
    below = np.where(w["random_bits"] > 0, w["random_bits"] + 1, 2.0)
    highest = np.maximum(w["lane_sum"] + below - 1, lowest_place)
    top_place = lowest_place + binades - 1
    w["raise"] = np.maximum(top_place - highest, 0)
    low_bits = np.minimum(np.maximum(-lowest_place, 0), precision + below)
    place = np.minimum(top_place, highest)
    w["window_shift"] = np.maximum(place - np.maximum(lowest_place, -low_bits), 0)
    ones = precision + np.log1p(-(2.0 ** -np.maximum(precision, 1))) / np.log(2)
    largest = ones + np.maximum(place + low_bits, 0)
    lanes = log2(c["lanes"]) + log2_product + low_bits
    total = np.maximum(largest, lanes) + np.log1p(2.0 ** -np.abs(largest - lanes)) / np.log(2)
    w["window"] = np.where(w["kind"] == WINDOW, np.floor(total + 1e-9) + 2, 0.0)
    w["window_low"] = low_bits
    w["window_cut"] = np.maximum(-lowest_place - low_bits, 0)
    above = w["unit"] - low_bits + w["window"] - 2 - _first_normal(c, "inner_format")
    w["window_zeros"] = np.clip(above + w["raise"], 0, np.maximum(w["window"] - 1, 0))
    # aligned terms
    fraction, bits = w["aligned_fraction"], np.maximum(w["product"], 1)
    point = np.maximum(w["pa"] + w["pb"] - 2, 0)
    above = np.maximum(bits - point, 1)
    rounds = c["inner_rounds_terms"]
    w["aligned_bits"] = np.where(w["kind"] == ALIGNED, fraction + above + rounds, 0.0)
    w["aligned_sum"] = np.where(
        w["kind"] == ALIGNED, fraction + above + 1 + log2(c["lanes"] + 1), 0.0
    )
    significands = 2.0 - 2.0 ** (1 - np.maximum(w["pa"], 1))
    significands = significands * (2.0 - 2.0 ** (1 - np.maximum(w["pb"], 1)))
    reached = np.floor(fraction + np.log2(c["lanes"] * significands + 2)) + 1
    kept = np.minimum(reached, c["inner_kept"] + 1)
    is_whole = (w["kind"] == ALIGNED) & (c["inner_late"] == 0)
    w["constant_state"] = np.where(is_whole, np.maximum(precision - kept, 0), 0.0)
    w["key_bits"] = np.ceil(log2(w["range"] + 2))


def _derive_output(
    c: Columns,
    w: Widths,
    is_chunked: NDArray[np.bool_],
    is_integer: NDArray[np.bool_],
    is_block: NDArray[np.bool_],
) -> None:
    """Whether the result is converted, and to what; as `MacConfig.output_format` decides."""
    last = {
        name: np.where(is_chunked, c[f"outer_{name}"], c[f"inner_{name}"])
        for name in ("format_bits", "format_precision", "format_exponent_bits")
    }
    is_code = last["format_bits"] > 0
    is_raw = (c["output_raw"] > 0) | (
        (c["output_stated"] == 0) & (is_code | (is_integer & ~is_block))
    )
    stated = c["output_bits"] > 0
    posit = (c["a_kind"] == POSIT) | (c["b_kind"] == POSIT)
    widest = np.maximum(
        np.where(c["a_kind"] == POSIT, c["a_bits"], 0),
        np.where(c["b_kind"] == POSIT, c["b_bits"], 0),
    )
    bits = np.where(stated, c["output_bits"], np.where(posit, widest, 32.0))
    precision = np.where(
        stated, c["output_precision"], np.where(posit, np.maximum(w["pa"], w["pb"]), 24.0)
    )
    same = (bits == last["format_bits"]) & (precision == last["format_precision"])
    last_bits = np.where(is_chunked, w["outer_state"], w["inner_bits"])
    w["last_bits"] = last_bits
    w["converts"] = (~is_raw & ~same) * 1.0
    w["output_bits"] = np.where(is_raw, last_bits, bits)
    w["output_precision"] = np.where(is_raw | same, 0.0, precision)
    # a float of more places than the sum has
    is_wide = (w["converts"] > 0) & (last["format_bits"] == 0)
    w["constant_output"] = np.where(is_wide, np.maximum(precision - w["sum"], 0), 0.0)
