"""Dot products as tensor cores of GPUs compute them, by the name of the GPU.

In a design text such a name stands for an aligned accumulator, the products of one block and the
rounding: ``e4m3:ada`` is ``e4m3:fp32_aligned13_keep13_emin132:lanes16:rtz``. Several names share
one unit.

Block lengths, alignment and rounding are those of F. A. Khattak, M. Mikaitis, Accurate Models of
NVIDIA Tensor Cores, ACM Transactions on Architecture and Code Optimization, and of the recorded
results published with it (north-numerical-computing/MATLAB-tensor-core, ``model_validation``).
"""

from __future__ import annotations

from dataclasses import dataclass

from macsmith.model.block_formats import BlockFormat
from macsmith.model.formats import Format
from macsmith.model.rounding import Rounding

__all__ = ["TENSOR_CORES", "TensorCore", "find_tensor_core"]


@dataclass(frozen=True)
class TensorCore:
    """What a name stands for: accumulator text, products of a block, rounding of sums."""

    accumulator: str
    lanes: int
    rounding: Rounding


def _truncating(accumulator: str, lanes: int) -> TensorCore:
    return TensorCore(accumulator, lanes, Rounding.TOWARD_ZERO)


def _to_half(accumulator: str, lanes: int) -> TensorCore:
    return TensorCore(accumulator, lanes, Rounding.NEAREST_EVEN)


# Keyed by the canonical name of the operand format: e5m10 is binary16, e8m7 bfloat16, e8m10 TF32.
_VOLTA = {"e5m10": _truncating("fp32_aligned23", 4)}
_AMPERE = {
    "e5m10": _truncating("fp32_aligned24_emin132", 8),
    "e8m7": _truncating("fp32_aligned24_emin132", 8),
    "e8m10": _truncating("fp32_aligned24_emin132", 4),
}
_ADA = _AMPERE | {
    name: _truncating("fp32_aligned13_keep13_emin132", 16) for name in ("e4m3", "e5m2")
}
_HOPPER_WIDE = {
    "e5m10": _truncating("fp32_aligned25_emin133", 16),
    "e8m7": _truncating("fp32_aligned25_emin133", 16),
    "e8m10": _truncating("fp32_aligned25_emin133", 8),
}
_HOPPER = _HOPPER_WIDE | {
    name: _truncating("fp32_aligned13_keep13_emin133", 32) for name in ("e4m3", "e5m2")
}
_BLACKWELL = _HOPPER_WIDE | {
    name: _truncating("fp32_aligned25_emin133_late", 32) for name in ("e4m3", "e5m2")
}

_VOLTA_HALF = {"e5m10": _to_half("fp16_aligned23_emin19", 4)}
_AMPERE_HALF = {"e5m10": _to_half("fp16_aligned24_emin20", 8)}
_ADA_HALF = _AMPERE_HALF | {
    name: _to_half("fp16_aligned13_emin132", 16) for name in ("e4m3", "e5m2")
}
_HOPPER_HALF = {"e5m10": _to_half("fp16_aligned25_emin21", 16)}

#: Name to operand format to unit. ``_fp16``: the partial sum is binary16.
TENSOR_CORES: dict[str, dict[str, TensorCore]] = {
    "v100": _VOLTA,
    "v100_fp16": _VOLTA_HALF,
    **dict.fromkeys(("a100", "a2", "a30"), _AMPERE),
    **dict.fromkeys(("a100_fp16", "a2_fp16", "a30_fp16"), _AMPERE_HALF),
    **dict.fromkeys(("ada", "l40s"), _ADA),
    **dict.fromkeys(("ada_fp16", "l40s_fp16"), _ADA_HALF),
    **dict.fromkeys(("h100", "h200"), _HOPPER),
    "b200": _BLACKWELL,
    **dict.fromkeys(("h100_fp16", "h200_fp16", "b200_fp16"), _HOPPER_HALF),
}


def find_tensor_core(
    name: str, a: Format | BlockFormat, b: Format | BlockFormat
) -> TensorCore | None:
    """The unit that an accumulator name stands for; None if it is no GPU's.

    Raises
    ------
    ValueError
        The GPU has no unit for these operands that is known here.
    """
    units = TENSOR_CORES.get(name)
    if units is None:
        return None
    # the 8-bit formats of one unit can be mixed: both are computed alike
    found = {units.get(fmt.name) for fmt in (a, b)}
    unit = found.pop()
    if unit is None or found:
        raise ValueError(
            f"accumulator {name!r}: the operands must be {', '.join(units)}, "
            f"not {a.name} and {b.name}"
        )
    return unit
