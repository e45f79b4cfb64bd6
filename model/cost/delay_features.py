"""Levels of logic on each kind of path through a design, which its delay grows with.

::

    codes - product -+- lanes --------------+- addition -+-> partial sum
    codes - keys ----+  partial sum - place -+            +-> chunk - scaling - outer addition
                                                          +-> result - conversion

A feature belongs to one segment of these, named ``part.what``: ``bits`` where a carry passes one
after the other, ``levels`` where a tree or a row of multiplexers halves them, ``ones`` for what is
there at any width.
"""

from __future__ import annotations

import numpy as np
from macsmith.model.cost.features import Features
from macsmith.model.cost.register_features import outer_adders, register_bits
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

__all__ = ["delay_paths"]

#: Copies of a module with registers from which on they are mapped apart; what drives all of them
#: gets no buffers then (`macsmith.synth.flow`).
_MAPPED_APART = 4


def delay_paths(w: Widths) -> dict[str, Features]:
    """Levels of logic on each kind of path, by name; delay is about that of the longest.

    ``product`` and ``keys`` go from the operands to the partial sum, ``loop`` from the partial sum
    to itself, ``chunk`` and ``outer`` from a finished chunk and the outer sum to the outer sum,
    ``convert`` from a sum to the result. The bare step of a unit has the outer addition behind the
    step. A path that a design does not have is 0.

    A pipeline divides a path in equal parts, but for the addition to a partial sum, which is one
    stage at least: that is ``loop``, or ``outer``.
    """
    clocked = (w["is_unit"] == 0) * 1.0
    staged = clocked * (w["stages"] > 0)
    share = 1.0 / (1.0 + clocked * w["stages"])
    single, aligned = _is_single(w), _is(w, ALIGNED)
    register = _register(w, clocked)
    placing, adding = _placing(w), _addition(w)
    # products of one lane that a dual path adds, and those in a window, are not waited for
    waits = 1.0 - np.maximum(np.maximum(_is(w, DUAL), _is(w, WINDOW)), aligned)
    lanes, ahead = _lanes(w, single), _own_sum(w, staged)
    scaling, outer = _scaling(w), _outer_addition(w)
    behind = _times(_sum(scaling, outer), 1.0 - clocked)
    marks: Features = {"stage.ones": staged}
    columns = _columns(w)
    product = _sum(_product(w, single), lanes, columns, ahead, _times(placing, waits), adding)
    # a late partial sum is added as floats are, to the rounded sum of the products
    late = _late_addition(w)
    is_early = 1.0 - w["is_late"]
    keys = _sum(_largest_key(w), lanes, placing, adding, late)
    # lanes that are summed in stages of their own are not passed
    loop = _sum(placing, _times(lanes, aligned), _times(columns, 1.0 - staged), adding)
    loop = _sum(_times(loop, is_early), late, _spread_sign(w, ahead["apart.ones"]))
    has_loop = np.where(w["kind"] == FIXED, staged, 1.0)
    has_outer = clocked * np.maximum(w["is_chunked"], w["is_block"])
    # a chunk in the outer format is not converted, which is not divided then
    is_divided = np.maximum(w["chunk_converts"], w["is_block"]) > 0
    chunk = _times(_sum(scaling, outer), np.where(is_divided, share, 1.0))
    return {
        "product": _sum(_times(product, share), behind, register, marks),
        "keys": _times(_sum(_times(keys, share), behind, register, marks), aligned),
        "loop": _times(_sum(loop, behind, register), has_loop),
        "apart": _times(_sum(ahead, register, marks), staged),
        "outer": _times(_sum(outer, register), has_outer),
        "chunk": _times(_sum(chunk, register), has_outer),
        "convert": _times(_sum(_times(_conversion(w), share), register), clocked * w["converts"]),
        "enable": _enable(w),
    }


def _sum(*parts: Features) -> Features:
    found: Features = {}
    for part in parts:
        for name, value in part.items():
            found[name] = found[name] + value if name in found else value
    return found


def _times(features: Features, factor: Numbers) -> Features:
    return {name: value * factor for name, value in features.items()}


def _is(w: Widths, kind: int) -> Numbers:
    return np.asarray((w["kind"] == kind) * 1.0)


def _is_single(w: Widths) -> Numbers:
    """Whether one product is added as floats are."""
    return _is(w, COMPACT) + _is(w, DUAL) + _is(w, SINGLE)


def _register(w: Widths, clocked: Numbers) -> Features:
    return {
        "register.ones": clocked,
        # the enable of the sums' registers
        "register.array": (w["rows"] * w["columns"] > 1) * 1.0,
        "register.levels": clocked * log2(w["last_bits"] + w["inner_bits"]),
    }


def _enable(w: Widths) -> Features:
    """The one signal that enables the registers of all elements of an array."""
    elements = w["rows"] * w["columns"]
    apart = (elements >= _MAPPED_APART) * 1.0
    bits = register_bits(w) + elements * w["stages"] * w["operand_bits"]
    # with logic at the array's edge it drives that first, by small cells one behind the other
    has_edge = np.maximum(w["converts"], outer_adders(w) < elements)
    return {"enable.bits": apart * bits, "enable.edge_bits": apart * has_edge * bits}


def _product(w: Widths, single: Numbers) -> Features:
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
    f["float.normalise_levels"] = _is(w, SINGLE) * log2(w["product"])
    return f


def _largest_key(w: Widths) -> Features:
    """The largest exponent of the products that are aligned to it."""
    levels = _is(w, ALIGNED) * log2(w["lanes"])
    return {
        "largest.levels": levels,
        "largest.key_bits": levels * w["key_bits"],
        "largest.key_levels": levels * log2(w["key_bits"]),
    }


def _lanes(w: Widths, single: Numbers) -> Features:
    """The tree of adders that several products are summed in."""
    is_dot = (single == 0) * 1.0
    return {
        "lanes.levels": is_dot * log2(w["lanes"]),
        "lanes.ones": is_dot * (w["lanes"] > 1),
    }


def _own_sum(w: Widths, staged: Numbers) -> Features:
    """With stages the sum of the lanes has an addition of its own."""
    is_several = (w["lanes"] > 1) | (w["is_integer"] > 0)
    apart = staged * is_several * (_is(w, FIXED) + _is(w, WINDOW))
    return {
        "apart.ones": apart,
        "apart.bits": apart * w["lane_sum"],
        "apart.levels": apart * log2(w["lane_sum"]),
    }


def _columns(w: Widths) -> Features:
    """A few lanes are summed column by column: each carry waits for the adders of its column."""
    lanes = w["lanes"]
    few = _is(w, WINDOW) * (w["speed"] == 0) * ((lanes > 1) & (lanes <= 4))
    bits = few * np.minimum(w["lane_sum"], w["window"] - w["window_low"])
    high = (lanes > 2) * 1.0
    return {
        "columns.bits": bits,
        "columns.high_bits": bits * high,
        "columns.high_ones": few * high,
    }


def _spread_sign(w: Widths, apart: Numbers) -> Features:
    """A sum of lanes that was added up before has its sign in all higher places."""
    return {"apart.sign_bits": apart * np.maximum(w["sum"] - w["lane_sum"], 0)}


def _placing(w: Widths) -> Features:
    """What a partial sum in a float format passes before it is added to."""
    f: Features = {}
    m, e = w["precision"], w["exponent"]
    for name, kind in (
        ("compact", COMPACT),
        ("dual", DUAL),
        ("window", WINDOW),
        ("aligned", ALIGNED),
    ):
        chosen = _is(w, kind)
        f[f"{name}.place_ones"] = chosen
        f[f"{name}.place_bits"] = chosen * e
        f[f"{name}.place_levels"] = chosen * (log2(e) + log2(m))
    window = _is(w, WINDOW)
    # carries begin at the window's end, below those of the products
    f["window.bits"] = window * w["window_low"]
    f["window.raise_levels"] = window * log2(w["raise"] + 1)
    f |= _float_placing(_is(w, SINGLE), e)
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


def _addition(w: Widths) -> Features:
    """The addition to the partial sum, whatever it is."""
    f: Features = {}
    m, e = w["precision"], w["exponent"]
    fixed, window, aligned = w["kind"] == FIXED, _is(w, WINDOW), _is(w, ALIGNED)
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
    for name, chosen in (("compact", _is(w, COMPACT)), ("dual", _is(w, DUAL)), ("window", window)):
        f[f"{name}.ones"] = chosen
        f[f"{name}.precision_bits"] = chosen * m
        f[f"{name}.levels"] = chosen * log2(m)
        f[f"{name}.shift_levels"] = chosen * log2(m) ** 2
        f[f"{name}.exponent_bits"] = chosen * e
        f[f"{name}.round_bits"] = chosen * w["is_nearest"] * m
    f["float.speed"] = _is_single(w) * w["speed"]
    f |= _float_addition(w, _is(w, SINGLE), m, w["product"], w["is_below"])
    f |= _window_addition(w, window)
    f |= _aligned_addition(w, aligned)
    f["random.bits"] = w["random_bits"] * 1.0
    return f


def _late_addition(w: Widths) -> Features:
    late, m = w["is_late"], w["precision"]
    below = np.zeros_like(m)
    return _sum(_float_placing(late, w["exponent"]), _float_addition(w, late, m, m, below))


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
        "aligned.unbuffered": aligned * np.where(lanes >= _MAPPED_APART, lanes, 0.0),
    }


def _scaled_bits(w: Widths) -> Numbers:
    return w["block_bits"] + w["scale_precision"] - 1


def _scaling(w: Widths) -> Features:
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


def _outer_addition(w: Widths) -> Features:
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


def _conversion(w: Widths) -> Features:
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
