"""How long Yosys' word-level cells take, in levels of two-input gates.

Estimates for dividing logic into stages of equal delay, whatever the technology: only their ratios
matter. They were fitted to cells mapped alone onto ASAP7 by the recipes ``fastest`` and
``fastest-kepthancarlson-folded``, where a level is 18 ps: a full adder 55 ps; additions of 8, 12,
16, 32 and 48 bits 144, 215, 226, 257 and 267 ps (644 ps where ABC makes a ripple of it); ``<`` of 8
and 24 bits 79 and 134 ps; ``==`` 69 and 84 ps; OR of 8 and 24 bits 46 and 55 ps; ``*`` of 4 and 8
bits 203 and 425 ps; a selection of 16 bits 60 ps; a shift of 32 bits 152 ps.
"""

from collections.abc import Mapping

__all__ = ["carry_levels", "cell_levels", "is_bitwise"]

#: Levels of the primitives of emitted Verilog: a full adder, and a pair of 8 x 8 products.
_PRIMITIVES = {
    "macsmith_full_adder": 3.0,
    "macsmith_multiply_pair_uu": 24.0,
    "macsmith_multiply_pair_su": 24.0,
    "macsmith_multiply_pair_ss": 24.0,
}

#: Levels from one bit of a narrow addition to the next, and what is narrow.
_CARRY_LEVELS, _RIPPLE_BITS = 0.75, 12

_BITWISE = {
    "$not": 0.3,
    "$pos": 0.0,
    "$and": 1.0,
    "$or": 1.0,
    "$xor": 1.5,
    "$xnor": 1.5,
    "$mux": 1.5,
}
_CARRIES = {"$add": 3.0, "$sub": 3.3, "$neg": 2.5}
_REDUCTIONS = {
    "$reduce_and": 0.7,
    "$reduce_or": 0.7,
    "$reduce_bool": 0.7,
    "$logic_not": 0.7,
    "$reduce_xor": 1.5,
    "$reduce_xnor": 1.5,
}
_SHIFTS = ("$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx")
_OTHERS = {
    # first level, levels per doubling of the width
    "$logic_and": (1.0, 0.7),
    "$logic_or": (1.0, 0.7),
    "$eq": (2.0, 0.6),
    "$ne": (2.0, 0.6),
    "$lt": (1.0, 1.4),
    "$le": (1.0, 1.4),
    "$gt": (1.0, 1.4),
    "$ge": (1.0, 1.4),
    "$bmux": (0.0, 1.5),
    "$pmux": (1.0, 0.7),
}


def is_bitwise(kind: str) -> bool:
    """Whether bit i of the output depends on bit i of the word inputs only (and a select)."""
    return kind in _BITWISE


def carry_levels(kind: str, widths: Mapping[str, int]) -> float | None:
    """Levels from one bit to the next where bit i of the output depends on bits up to i of the
    word inputs; None where there is no carry, or all bits take equally long."""
    return _CARRY_LEVELS if kind in _CARRIES and widths["Y"] <= _RIPPLE_BITS else None


def _doublings(count: int) -> int:
    """Levels of a tree of two-input gates over `count` bits."""
    return max(count - 1, 0).bit_length()


def cell_levels(kind: str, widths: Mapping[str, int]) -> float:
    """Levels from any input to any output of a cell; to the same bit where there is a carry.

    Parameters
    ----------
    kind
        Yosys' type, or the name of a primitive.
    widths
        Width by pin.

    Raises
    ------
    ValueError
        No estimate for this kind.
    """
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    if kind in _CARRIES:
        prefix = 7.0 + 0.85 * _doublings(widths["Y"]) if widths["Y"] > _RIPPLE_BITS else 0.0
        return _CARRIES[kind] + prefix
    if kind in _BITWISE:
        # a select drives all bits of a word
        return _BITWISE[kind] + (0.1 * _doublings(widths["Y"]) if kind == "$mux" else 0.0)
    if kind in _REDUCTIONS:
        return _REDUCTIONS[kind] * _doublings(widths["A"])
    if kind == "$mul":
        return 3.0 * max(widths["A"], widths["B"])
    if kind in _SHIFTS:
        return 1.7 * widths["B"]
    if kind in _OTHERS:
        first, each = _OTHERS[kind]
        width = widths["S"] + 1 if "S" in widths else max(widths["A"], widths["B"])
        return first + each * _doublings(width)
    raise ValueError(f"no estimate of the delay of a cell {kind!r}: add it to gate_levels")
