"""Numbers to codes and back on arrays: the bits of `macsmith.model.rounding`, compiled.

Codes are unsigned integers, values float64 (which holds every value of every format exactly).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from macsmith.model.fast_arrays import as_codes, checked_random_words, pointer
from macsmith.model.fast_library import kernels
from macsmith.model.fast_parameters import format_struct, round_struct
from macsmith.model.fast_structs import ValueSourceStruct
from macsmith.model.formats import Format, parse_format
from macsmith.model.rounding import (
    Overflow,
    Rounding,
    RoundingMode,
    StochasticRounding,
    check_overflow,
    parse_stochastic,
)

__all__ = [
    "Codes",
    "Values",
    "code_dtype",
    "decode",
    "encode",
    "quantise",
]

Codes = npt.NDArray[Any]
Values = npt.NDArray[np.float64]


#: Formats up to this width are decoded through a table of all their values.
_TABLE_BITS = 16


def code_dtype(fmt: Format) -> np.dtype[Any]:
    """Smallest unsigned dtype that holds a format's codes: uint8, uint16 or uint32."""
    return np.dtype(np.uint8 if fmt.bits <= 8 else np.uint16 if fmt.bits <= 16 else np.uint32)


def _policy(
    fmt: Format, rounding: RoundingMode | str, overflow: Overflow | str | None
) -> tuple[RoundingMode, Overflow | None]:
    """The enumerations that names stand for, checked against the format."""
    if not isinstance(rounding, str):
        mode = rounding
    elif rounding.startswith("sr"):
        mode = parse_stochastic(rounding)
    else:
        mode = Rounding(rounding)
    if overflow is not None:
        overflow = Overflow(overflow)
        if fmt.has_specials:
            check_overflow(fmt, overflow)
    return mode, overflow


def _value_source(
    rounding: RoundingMode, values: npt.ArrayLike, random: npt.ArrayLike | None
) -> tuple[ValueSourceStruct, tuple[int, ...], Any]:
    """Values as the kernels take them, their shape, and what must live as long.

    Raises
    ------
    TypeError, ValueError
        Random words are missing, or given where nothing is random; of another type, shape or range.
    """
    bits = rounding.bits if isinstance(rounding, StochasticRounding) else 0
    if (random is None) != (bits == 0):
        what = f"an array of words of {bits} bits" if bits else "left out"
        raise ValueError(f"rounding {rounding}: random must be {what}")
    array = np.asarray(values)
    shape = array.shape
    dtype = np.float32 if array.dtype == np.float32 else np.float64
    array = np.ascontiguousarray(array, dtype=dtype)
    source = ValueSourceStruct(values=array.ctypes.data, is_single=dtype is np.float32)
    words = None
    if random is not None:
        checked = checked_random_words(bits, random).astype(np.uint32)
        words = np.ascontiguousarray(np.broadcast_to(checked, shape))
        source.random = words.ctypes.data
    return source, shape, (array, words)


@cache
def _value_table(fmt: Format) -> Values:
    codes = np.arange(1 << fmt.bits, dtype=np.uint32)
    values = np.empty(codes.shape)
    struct = format_struct(fmt)
    kernels().macsmith_decode(
        ctypes.byref(struct), ctypes.c_int64(codes.size), pointer(codes), pointer(values)
    )
    values.flags.writeable = False
    return values


def decode(fmt: Format | str, codes: npt.ArrayLike) -> Values:
    """Values of codes, exactly.

    Returns
    -------
    float64 array
        Of the shape of `codes`. Negative zero, infinities and NaN are those of float64.

    Raises
    ------
    TypeError, ValueError
        `codes` are not integers, or one is outside ``0 .. 2**bits - 1``.
    """
    fmt = parse_format(fmt)
    checked = as_codes(fmt.name, codes, fmt.bits)
    if fmt.bits <= _TABLE_BITS:
        return np.asarray(_value_table(fmt)[checked])
    values = np.empty(checked.shape)
    struct = format_struct(fmt)
    kernels().macsmith_decode(
        ctypes.byref(struct), ctypes.c_int64(checked.size), pointer(checked), pointer(values)
    )
    return values


def encode(
    fmt: Format | str,
    values: npt.ArrayLike,
    rounding: RoundingMode | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str | None = None,
    random: npt.ArrayLike | None = None,
) -> Codes:
    """Codes that values round to, as `macsmith.model.rounding.encode` defines it.

    Parameters
    ----------
    fmt
        Target format.
    values
        Numbers; float32 as they are, all else as float64.
    rounding, overflow
        The enumerations or their names (``"rne"``, ``"sr8"``, ``"sat"``); `overflow` None takes
        `default_overflow`.
    random
        Only with stochastic rounding, which needs it: the random word of each value, or what NumPy
        extends to that.

    Returns
    -------
    uint8, uint16 or uint32 array
        Of the shape of `values`, as `code_dtype` says.
    """
    fmt = parse_format(fmt)
    rounding, overflow = _policy(fmt, rounding, overflow)
    source, shape, _alive = _value_source(rounding, values, random)
    codes = np.empty(shape, dtype=code_dtype(fmt))
    struct = round_struct(fmt, rounding, overflow)
    kernels().macsmith_encode(
        ctypes.byref(struct),
        ctypes.c_int64(codes.size),
        ctypes.byref(source),
        codes.itemsize,
        pointer(codes),
    )
    return codes


def quantise(
    fmt: Format | str,
    values: npt.ArrayLike,
    rounding: RoundingMode | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str | None = None,
    random: npt.ArrayLike | None = None,
) -> Values:
    """The values that `encode` and `decode` make of `values`."""
    fmt = parse_format(fmt)
    rounding, overflow = _policy(fmt, rounding, overflow)
    source, shape, _alive = _value_source(rounding, values, random)
    rounded = np.empty(shape)
    struct = round_struct(fmt, rounding, overflow)
    kernels().macsmith_quantise(
        ctypes.byref(struct),
        ctypes.c_int64(rounded.size),
        ctypes.byref(source),
        pointer(rounded),
    )
    return rounded
