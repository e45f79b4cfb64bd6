"""Structural features: what a design is made of, as counts that area and LUTs grow with.

Features of area are numbers of one-bit pieces (partial products, multiplexers, adder places,
register bits), named ``part.piece``; those of delay are in `macsmith.model.cost.delay_features`.
"""

from __future__ import annotations

import numpy as np
from macsmith.model.cost.register_features import outer_adders, stage_pieces
from macsmith.model.cost.widths import (
    ALIGNED,
    COMPACT,
    DUAL,
    FIXED,
    OTHER_SUM,
    SINGLE,
    WINDOW,
    Features,
    Numbers,
    Widths,
    log2,
)

__all__ = [
    "FAMILIES",
    "Features",
    "area_features",
    "families",
    "placement_gates",
]

#: Structures, as `families` numbers them.
FAMILIES = (
    "integers",
    "fixed point",
    "float",
    "window",
    "aligned",
    "blocks",
    "chunks",
    "posits",
    "arrays",
)


def families(w: Widths) -> Numbers:
    """Which of `FAMILIES` each design is of."""
    kind = w["kind"]
    found = np.where(w["is_integer"] > 0, 0.0, 1.0)
    found = np.where((kind == COMPACT) | (kind == DUAL) | (kind == SINGLE), 2.0, found)
    found = np.where(kind == WINDOW, 3.0, found)
    found = np.where(kind == ALIGNED, 4.0, found)
    found = np.where((w["is_posit"] > 0) | (kind == OTHER_SUM), 7.0, found)
    found = np.where(w["is_chunked"] > 0, 6.0, found)
    found = np.where(w["is_block"] > 0, 5.0, found)
    return np.where(w["rows"] * w["columns"] > 1, 8.0, found)


def placement_gates(bits: Numbers, reach: Numbers, places: Numbers) -> Numbers:
    """Gates that put a word of `bits` to one of ``reach + 1`` places: fine multiplexers, then a
    decoded choice of blocks, whichever split is least."""
    best = np.full(np.shape(bits), np.inf)
    fine = np.zeros(np.shape(bits))
    for level in range(8):
        blocks = np.floor(reach / 2.0**level) + 1
        word = bits + np.minimum(2.0**level - 1, reach)
        coarse = 0.75 * np.minimum(blocks * word, places * blocks) + 0.5 * places + 2 * blocks
        best = np.minimum(best, fine + np.where(blocks > 1, coarse, 0.0))
        fine = fine + 1.75 * (bits + np.minimum(2.0 ** (level + 1) - 1, reach))
    return best


def area_features(w: Widths, stage_bits: Numbers) -> Features:
    """Pieces of logic and registers, by name.

    Those of a step count once for every element of an array; those at its edge once a column.
    """
    f: Features = {}
    kind, lanes = w["kind"], w["lanes"]
    elements = w["rows"] * w["columns"]
    is_integer = (w["is_integer"] > 0) & ((kind == FIXED) | (kind == WINDOW))
    fixed_integer = is_integer & (kind == FIXED)
    fixed_other = (kind == FIXED) & ~is_integer
    single = (kind == COMPACT) | (kind == DUAL) | (kind == SINGLE)
    placed = ~is_integer & ~single

    def put(name: str, condition: Numbers | np.ndarray, value: Numbers) -> None:
        f[name] = np.where(condition, value, 0.0) * elements

    mul, edge = lanes * w["pa"] * w["pb"], lanes * (w["pa"] + w["pb"])
    put("integer.partial_products", is_integer, mul)
    put("integer.rows", is_integer, edge * w["signed"] / 2)
    put("integer.lanes", is_integer, lanes)
    put("integer.sum", fixed_integer, w["sum"])
    extension = np.maximum(w["sum"] - w["lane_sum"], 0)
    put("integer.extension", fixed_integer, extension)
    put("integer.extension_levels", fixed_integer, extension * log2(extension))
    put("integer.signs", fixed_integer, w["signed"])
    rows = lanes * np.minimum(w["pa"], w["pb"])
    put("integer.levels", fixed_integer, np.minimum(w["lane_sum"], w["sum"]) * log2(rows))
    # what is placed in fixed point
    put("lane.partial_products", placed, mul)
    put("lane.adders_of_product", placed, lanes * (w["pa"] - 1) * (w["pb"] - 1))
    put("lane.product", placed, lanes * w["product"])
    put("lane.exponents", placed, lanes * w["exponent_field_bits"])
    put("lane.specials", placed & (w["flags"] > 0), lanes * w["code_bits"])
    put("lane.subnormals", placed, lanes * w["subnormals"])
    place = lanes * placement_gates(w["product"], w["range"], w["span"])
    put("lane.places", placed & (kind != ALIGNED), place)
    put("lane.adders", placed & (kind != ALIGNED), lanes * w["span"])
    put("lane.ones", placed, lanes)
    # products of some kinds are built in their own way
    for name, chosen in (("compact", kind == COMPACT), ("aligned", kind == ALIGNED)):
        put(f"{name}.partial_products", chosen, mul)
    put("posit.partial_products", w["is_posit"] > 0, mul)
    put("posit.decode", w["is_posit"] > 0, lanes * w["code_bits"] * log2(w["code_bits"]))
    put("sum.bits", fixed_other, w["sum"])
    put("sum.of_posits", fixed_other & (w["is_posit"] > 0), w["sum"])
    put("lane.signs", fixed_other & (lanes > 2), lanes)
    put("sum.specials", fixed_other, lanes * w["flags"])
    put("sum.extension", fixed_other, extension)
    # one product into a float
    m, e = w["precision"], w["exponent"]
    product = w["pa"] * w["pb"]
    put("float.partial_products", single, product)
    put("float.rows", single, w["pa"] + w["pb"])
    put("float.subnormals", single, w["subnormals"] * (w["pa"] + w["pb"]))
    put("dual.rows", kind == DUAL, w["pa"] + w["pb"])
    put("float.exponents", single, w["exponent_field_bits"])
    put("float.normalise", kind == SINGLE, w["product"] * log2(w["product"]))
    scaled, outer = w["is_block"] > 0, w["is_chunked"] > 0
    om, oe = w["outer_precision"], w["outer_exponent"]
    block = w["block_bits"] + w["scale_precision"] - 1
    # additions of a term to a float: of the step, of a chunk, of a block
    additions = (
        (single, m, e, w["product"]),
        (outer & (om > 0), om, oe, om),
        (scaled & (om > 0), om, oe, block),
    )
    zero = np.zeros_like(m)
    for name in ("ones", "precision", "exponent", "width", "shifts"):
        f[f"adder.{name}"] = zero
    for chosen, precision, exponent, term in additions:
        copies = elements if precision is m else outer_adders(w)
        width = np.maximum(precision, term)
        for name, value in (
            ("ones", np.ones_like(m)),
            ("precision", precision),
            ("exponent", exponent),
            ("width", width),
            ("shifts", width * log2(width)),
        ):
            f[f"adder.{name}"] = f[f"adder.{name}"] + np.where(chosen, value, 0.0) * copies
    # and what the larger of the three ways to add takes more
    for name, chosen, width in (("dual", kind == DUAL, m), ("single", kind == SINGLE, m)):
        put(f"{name}.ones", chosen, np.ones_like(m))
        put(f"{name}.precision", chosen, width)
        put(f"{name}.shifts", chosen, width * log2(width))
    put("single.increment", kind == SINGLE, w["is_nearest"] * (m + e))
    put("single.random", kind == SINGLE, w["random_bits"] * log2(m))
    # several products into a float
    window = w["window"]
    put("window.bits", kind == WINDOW, window)
    put("window.shifts", kind == WINDOW, window * log2(window))
    put("window.partial_sum", kind == WINDOW, m * log2(w["window_shift"] + 1))
    put("window.precision", kind == WINDOW, m + e)
    put("window.raised", kind == WINDOW, log2(w["raise"] + 1))
    put("window.specials", kind == WINDOW, lanes * w["flags"])
    put("window.signs", kind == WINDOW, np.where(lanes > 2, lanes, 0.0))
    # terms aligned to the largest exponent
    aligned = kind == ALIGNED
    width = w["aligned_bits"]
    put("aligned.keys", aligned, lanes * w["key_bits"])
    put(
        "aligned.places",
        aligned,
        lanes * placement_gates(w["product"], np.minimum(w["range"], width), width),
    )
    put("aligned.adders", aligned, lanes * width)
    put("aligned.shifts", aligned, w["aligned_sum"] * log2(w["aligned_sum"]))
    put("aligned.sum", aligned, w["aligned_sum"])
    put("aligned.speed", aligned, w["speed"] * lanes * width)
    put("aligned.precision", aligned, m + e)
    put("aligned.specials", aligned & (w["flags"] > 0), m + e)
    put("aligned.speed_precision", aligned, w["speed"] * (m + e))
    put("aligned.staged_products", aligned & (w["stages"] > 0), lanes * w["product"])
    put("aligned.bound", aligned, w["is_bound"] * w["key_bits"])
    put("aligned.late", aligned, w["is_late"] * m * log2(m))
    put("aligned.nearest", aligned, w["rounds_terms"] * lanes * w["product"])
    put("random.bits", w["random_bits"] > 0, w["random_bits"])
    # outer accumulators
    inner = w["inner_bits"]
    for name, chosen, value in (
        ("ones", outer, np.ones_like(m)),
        ("precision", outer, om),
        ("converts", outer & (w["chunk_converts"] > 0), inner * log2(inner)),
        ("converted", outer & (w["chunk_converts"] > 0), inner),
        ("fixed", outer & (om == 0), w["outer_state"]),
    ):
        f[f"outer.{name}"] = np.where(chosen, value, 0.0) * outer_adders(w)
    bits = w["block_bits"]
    put("block.bits", scaled, bits)
    put("block.scale", scaled, bits * (w["scale_factor"] - 1))
    put("block.scales", scaled, w["scale_bits"])
    put("block.ones", scaled, np.ones_like(om))
    put("block.normalise", scaled, block * log2(block))
    put("block.precision", scaled, om)
    _put_registers(f, w, stage_bits)
    return f


def _put_registers(f: Features, w: Widths, stage_bits: Numbers) -> None:
    """Registers, stages, and what converts results, of a MAC or an array."""
    clocked = (w["is_unit"] == 0) * 1.0
    elements, columns = w["rows"] * w["columns"], w["columns"]
    f |= stage_pieces(w, stage_bits)
    f["register.ones"] = clocked * elements
    # results of an array are fetched through the elements, and their clock enabled
    f["array.results"] = np.where(elements > 1, elements, 0.0) * w["last_bits"]
    f["array.ones"] = np.where(elements > 1, elements, 0.0)
    converts = clocked * w["converts"]
    f["convert.bits"] = converts * columns * w["last_bits"]
    places = w["last_bits"] * log2(w["last_bits"])
    f["convert.posits"] = converts * columns * w["is_posit"] * places
    f["convert.shifts"] = converts * columns * places
    # a result as wide as the sum needs no rounding
    kept = np.minimum(w["output_precision"], w["last_bits"])
    rounds = w["last_bits"] > w["output_precision"]
    f["convert.precision"] = converts * columns * kept
    f["convert.rounded"] = converts * columns * kept * rounds
    f["edge.ones"] = clocked
