"""Quantising blocks on arrays: the same codes as `macsmith.model.blocks`, compiled.

Blocks run along the last axis; its last block may be a partial one. Values are float32 or float64.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from macsmith.model import fast
from macsmith.model.block_formats import (
    BlockFormat,
    fraction_bits_at_top,
    parse_block_format,
)
from macsmith.model.blocks import (
    DEFAULT_POLICY,
    BlockPolicy,
    BlockSpecials,
    ScaleRule,
    largest_scale_code,
    resolve_rule,
    smallest_scale_code,
    tensor_scale,
)
from macsmith.model.fast_library import kernels
from macsmith.model.fast_parameters import format_struct
from macsmith.model.fast_structs import FormatStruct
from macsmith.model.formats import FloatFormat, Special
from macsmith.model.rounding import Overflow, Rounding, floor_log2

__all__ = ["Quantised", "dequantise", "quantise", "quantised_values"]

_RULES = tuple(ScaleRule)
_ROUNDINGS = (
    Rounding.NEAREST_EVEN,
    Rounding.NEAREST_AWAY,
    Rounding.TOWARD_ZERO,
    Rounding.UP,
    Rounding.DOWN,
)
#: Most fraction bits of float elements: the quotient is rounded twice beyond.
_MOST_FRACTION_BITS = 12


class BlockStruct(ctypes.Structure):
    """Mirrors `BlockSpec` of fast_blocks.hpp."""

    _fields_ = [
        ("element", FormatStruct),
        ("max", ctypes.c_double),
        ("min", ctypes.c_double),
        *(
            (name, ctypes.c_int32)
            for name in (
                "min_normal_exponent",
                "max_exponent",
                "top_fraction_bits",
                "length",
                "rule",
                "smallest_scale",
                "largest_scale",
                "nan_scale",
                "scale_is_float",
                "scale_fraction_bits",
                "scale_least_exponent",
                "scale_has_subnormals",
                "saturates",
            )
        ),
        ("tensor", ctypes.c_double),
        ("scales", ctypes.c_void_p),
    ]


@dataclass(frozen=True)
class Quantised:
    """Blocks along the last axis.

    Parameters
    ----------
    codes
        (..., K) codes of the elements, uint8 or uint16.
    scales
        (..., ceil(K / length)) codes of the scales.
    tensor
        The tensor's scale; 1 for formats with one level.
    """

    codes: npt.NDArray[Any]
    scales: npt.NDArray[Any]
    tensor: Fraction = Fraction(1)


@cache
def _scale_values(fmt: BlockFormat) -> npt.NDArray[np.float64]:
    values = [fmt.scale.decode(code) for code in range(largest_scale_code(fmt.scale) + 1)]
    return np.array([float(value) for value in values if not isinstance(value, Special)])


def _struct(fmt: BlockFormat, policy: BlockPolicy, tensor: Fraction) -> BlockStruct:
    element, scale = fmt.element, fmt.scale
    if isinstance(element, FloatFormat) and (
        not element.has_subnormals
        or not element.is_signed
        or element.fraction_bits > _MOST_FRACTION_BITS
        or element.bits > 16
    ):
        raise ValueError(
            f"{fmt.name}: blocks are quantised fast only to signed floats of at most 16 bits with "
            f"subnormals and at most {_MOST_FRACTION_BITS} fraction bits, not to {element.name}; "
            "take macsmith.model.blocks"
        )
    if policy.rounding not in _ROUNDINGS:
        raise ValueError(
            f"{fmt.name}: rounding must be {', '.join(each.value for each in _ROUNDINGS)}, not "
            f"{policy.rounding.value}; take macsmith.model.blocks"
        )
    has_nan_scale = isinstance(scale, FloatFormat) and scale.has_nan
    struct = BlockStruct(
        element=format_struct(element, Rounding.NEAREST_EVEN, Overflow.SATURATE),
        max=float(element.max),
        min=float(element.min),
        min_normal_exponent=(
            element.min_normal_exponent if isinstance(element, FloatFormat) else 0
        ),
        max_exponent=floor_log2(element.max),
        top_fraction_bits=fraction_bits_at_top(element),
        length=fmt.length,
        rule=_RULES.index(resolve_rule(fmt, policy)),
        smallest_scale=smallest_scale_code(scale),
        largest_scale=largest_scale_code(scale),
        nan_scale=scale.nan_code if isinstance(scale, FloatFormat) and has_nan_scale else -1,
        scale_is_float=isinstance(scale, FloatFormat),
        scale_fraction_bits=scale.fraction_bits,
        scale_least_exponent=scale.least_exponent,
        scale_has_subnormals=isinstance(scale, FloatFormat) and scale.has_subnormals,
        saturates=policy.specials is BlockSpecials.SATURATE,
        tensor=float(tensor),
        scales=_scale_values(fmt).ctypes.data,
    )
    struct.element.rounding = _ROUNDINGS.index(policy.rounding)
    return struct


def _checked(values: npt.ArrayLike) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim == 0:
        raise ValueError("values must have an axis that blocks run along, not be a single number")
    return np.ascontiguousarray(array)


def _tensor_of(fmt: BlockFormat, array: npt.NDArray[Any], tensor: Fraction | None) -> Fraction:
    if tensor is not None:
        return tensor
    if fmt.tensor_scale is None:
        return Fraction(1)
    if not array.size:
        return Fraction(1)
    largest = max(float(array.max()), -float(array.min()))
    if not np.isfinite(largest):
        largest = float(np.abs(array[np.isfinite(array)]).max(initial=0.0))
    return tensor_scale(fmt, Fraction(largest))


def _run(
    kernel: str,
    fmt: BlockFormat,
    policy: BlockPolicy,
    array: npt.NDArray[Any],
    out: Any,
    tensor: Fraction,
) -> npt.NDArray[Any]:
    """Run a kernel over all blocks; returns the scales' codes."""
    columns = array.shape[-1]
    rows = array.size // columns if columns else 0
    blocks = -(-columns // fmt.length)
    scales = np.empty((*array.shape[:-1], blocks), dtype=np.uint16)
    struct = _struct(fmt, policy, tensor)
    suffix = "float" if array.dtype == np.float32 else "double"
    getattr(kernels(), f"macsmith_blocks_{kernel}_{suffix}")(
        ctypes.byref(struct),
        ctypes.c_int64(rows),
        ctypes.c_int64(columns),
        ctypes.c_void_p(array.ctypes.data),
        ctypes.c_void_p(out.ctypes.data),
        ctypes.c_void_p(scales.ctypes.data),
    )
    return scales


def quantise(
    fmt: BlockFormat | str,
    values: npt.ArrayLike,
    policy: BlockPolicy = DEFAULT_POLICY,
    tensor: Fraction | None = None,
) -> Quantised:
    """Codes and scales of blocks along the last axis.

    Parameters
    ----------
    values
        float32 or float64; anything else is taken as float64.
    tensor
        The tensor's scale of a format with two levels; None derives it from the largest finite
        magnitude in `values`.

    Raises
    ------
    ValueError
        The elements or the rounding are of a kind that only `macsmith.model.blocks` has, or
        `values` is a single number.
    """
    fmt = parse_block_format(fmt)
    array = _checked(values)
    tensor = _tensor_of(fmt, array, tensor)
    bits = 8 if fmt.element.bits <= 8 else 16
    codes = np.empty(array.shape, dtype=np.uint8 if bits == 8 else np.uint16)
    scales = _run(f"codes{bits}", fmt, policy, array, codes, tensor)
    return Quantised(codes, scales.astype(fast.code_dtype(fmt.scale)), tensor)


def quantised_values(
    fmt: BlockFormat | str,
    values: npt.ArrayLike,
    policy: BlockPolicy = DEFAULT_POLICY,
    tensor: Fraction | None = None,
) -> npt.NDArray[Any]:
    """The values that `quantise` and `dequantise` make of `values`, in one go.

    Returns
    -------
    float64 array
        Exact. NaN where a block's scale is.
    """
    fmt = parse_block_format(fmt)
    array = _checked(np.asarray(values, dtype=np.float64))
    out = np.empty_like(array)
    _run("values", fmt, policy, array, out, _tensor_of(fmt, array, tensor))
    return out


def dequantise(fmt: BlockFormat | str, blocks: Quantised) -> npt.NDArray[np.float64]:
    """Exact values of quantised blocks; NaN where a block's scale is."""
    fmt = parse_block_format(fmt)
    columns = blocks.codes.shape[-1]
    elements = fast.decode(fmt.element, blocks.codes)
    factors = fast.decode(fmt.scale, blocks.scales) * float(blocks.tensor)
    spread = np.repeat(factors, fmt.length, axis=-1)[..., :columns]
    values: npt.NDArray[np.float64] = elements * spread
    return values
