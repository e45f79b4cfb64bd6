"""Levels of logic on each kind of path through a design, which its delay grows with.

::

    codes - product -+- lanes --------------+- addition -+-> partial sum
    codes - keys ----+  partial sum - place -+            +-> chunk - scaling - outer addition
                                                          +-> result - conversion
"""

from __future__ import annotations

import numpy as np
from macsmith.model.cost import delay_segments as parts
from macsmith.model.cost.delay_segments import MAPPED_APART, is_kind, joined, times
from macsmith.model.cost.features import Features
from macsmith.model.cost.register_features import outer_adders, register_bits
from macsmith.model.cost.widths import ALIGNED, DUAL, FIXED, WINDOW, Numbers, Widths, log2

__all__ = ["delay_paths"]


def delay_paths(w: Widths) -> dict[str, Features]:
    """Levels of logic on each kind of path, by name; delay is about that of the longest.

    ``product`` and ``keys`` go from the operands to the partial sum, ``loop`` from the partial sum
    to itself, ``chunk`` and ``outer`` from a finished chunk and the outer sum to the outer sum,
    ``convert`` from a sum to the result. The bare step of a unit has the outer addition behind the
    step. A path that a design does not have is 0.

    A pipeline divides a path in equal parts, but for the addition to a partial sum, which is one
    stage at least: that is ``loop``, or ``outer``; and the sum of the lanes, ``apart``.
    """
    clocked = (w["is_unit"] == 0) * 1.0
    staged = clocked * (w["stages"] > 0)
    share = 1.0 / (1.0 + clocked * w["stages"])
    end, start = _register_ends(w, clocked), {"register.start_ones": clocked}
    register = joined(end, start)
    scaling, outer = parts.scaling(w), parts.outer_addition(w)
    ahead = parts.own_sum(w, staged)
    # operands come from outside, but in an array, and but for what a pipeline divides
    is_inside = np.maximum(staged, (w["rows"] * w["columns"] > 1) * 1.0)
    behind = times(joined(scaling, outer), 1.0 - clocked)
    first = joined(behind, end, times(start, is_inside))
    product, keys, loop = _steps(w, ahead, staged)
    has_loop = np.where(w["kind"] == FIXED, staged, 1.0)
    has_outer = clocked * np.maximum(w["is_chunked"], w["is_block"])
    # a chunk in the outer format is not converted, which is not divided then
    is_divided = np.maximum(w["chunk_converts"], w["is_block"]) > 0
    chunk = times(joined(scaling, outer), np.where(is_divided, share, 1.0))
    convert = joined(times(parts.conversion(w), share), start)
    return {
        "product": joined(times(product, share), first),
        "keys": times(joined(times(keys, share), first), is_kind(w, ALIGNED)),
        "loop": times(joined(loop, behind, register), has_loop),
        "apart": times(joined(ahead, register), staged),
        "outer": times(joined(outer, register), has_outer),
        "chunk": times(joined(chunk, register), has_outer),
        "convert": times(convert, clocked * w["converts"]),
        "enable": _enable(w),
    }


def _steps(w: Widths, ahead: Features, staged: Numbers) -> tuple[Features, Features, Features]:
    """From the products, from their exponents, and from the partial sum to the partial sum."""
    aligned, single = is_kind(w, ALIGNED), parts.is_single(w)
    placing, adding, late = parts.placing(w), parts.addition(w), parts.late_addition(w)
    lanes, columns = parts.lane_tree(w, single), parts.columns(w)
    # products that a dual path adds, and those in a window, are not waited for
    waits = 1.0 - np.maximum(np.maximum(is_kind(w, DUAL), is_kind(w, WINDOW)), aligned)
    product = joined(parts.product(w, single), lanes, columns, ahead, times(placing, waits), adding)
    # a late partial sum is added as floats are, to the rounded sum of the products
    keys = joined(parts.largest_key(w), lanes, placing, adding, late)
    # lanes that are summed in stages of their own are not passed
    loop = joined(placing, times(lanes, aligned), times(columns, 1.0 - staged), adding)
    loop = joined(times(loop, 1.0 - w["is_late"]), late, parts.spread_sign(w, ahead["apart.ones"]))
    return product, keys, loop


def _register_ends(w: Widths, clocked: Numbers) -> Features:
    return {
        "register.ones": clocked,
        "register.array": (w["rows"] * w["columns"] > 1) * 1.0,
        # the enable of the sums' registers
        "register.levels": clocked * log2(w["last_bits"] + w["inner_bits"]),
    }


def _enable(w: Widths) -> Features:
    """The one signal that enables the registers of all elements of an array."""
    elements = w["rows"] * w["columns"]
    apart = (elements >= MAPPED_APART) * 1.0
    bits = register_bits(w) + elements * w["stages"] * w["operand_bits"]
    # with logic at the array's edge it drives that first, by small cells one behind the other
    has_edge = np.maximum(w["converts"], outer_adders(w) < elements)
    return {"enable.bits": apart * bits, "enable.edge_bits": apart * has_edge * bits}
