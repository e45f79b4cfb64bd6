"""Formats that list their values, as tables for the compiled golden model."""

from __future__ import annotations

import ctypes
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from macsmith.model.formats import OrderedFormat, Special
from macsmith.model.ordered_rounding import encode_ordered, magnitudes
from macsmith.model.rounding import floor_log2

__all__ = ["ordered_address"]


class OrderedStruct(ctypes.Structure):
    """Mirrors `Ordered` of fast_formats.hpp."""

    _fields_ = [
        ("count", ctypes.c_int32),
        ("zero_code", ctypes.c_uint32),
        ("nan_code", ctypes.c_uint32),
        ("infinity_is_nan", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("terms", "magnitudes")),
    ]


#: Mirrors `Term` of fast_formats.hpp.
_TERM = np.dtype(
    [("significand", "u8"), ("exponent", "i4"), ("negative", "u1"), ("kind", "u1")], align=True
)
#: Mirrors `Magnitude` of fast_formats.hpp.
_MAGNITUDE = np.dtype(
    [
        ("boundary", "u8"),
        ("exponent", "i4"),
        ("codes", "u4", 2),
        ("goes_up", "u1", 2),
    ],
    align=True,
)


@cache
def _tables(fmt: OrderedFormat) -> tuple[OrderedStruct, npt.NDArray[Any], npt.NDArray[Any]]:
    """All codes of a format as terms, and its magnitudes with their boundaries."""
    terms = np.zeros(1 << fmt.bits, dtype=_TERM)
    for code in range(1 << fmt.bits):
        value = fmt.decode(code)
        if isinstance(value, Special):
            terms[code] = (0, 0, 0, 2)
            continue
        units = abs(value) / Fraction(2) ** fmt.least_exponent
        zeros = (units.numerator & -units.numerator).bit_length() - 1 if units else 0
        terms[code] = (units.numerator >> zeros, fmt.least_exponent + zeros, value < 0, 0)
    listed = magnitudes(fmt)
    table = np.zeros(len(listed), dtype=_MAGNITUDE)
    for index, each in enumerate(listed):
        boundary, exponent = 0, 0
        if each.boundary is not None:
            # normalised: bit 63 is set
            exponent = floor_log2(each.boundary) - 63
            boundary = int(each.boundary / Fraction(2) ** exponent)
        table[index] = (
            boundary,
            exponent,
            (each.positive_code, each.negative_code),
            (each.positive_goes_up, each.negative_goes_up),
        )
    struct = OrderedStruct(
        count=len(listed),
        zero_code=encode_ordered(fmt, 0),
        nan_code=encode_ordered(fmt, Special.NAN),
        infinity_is_nan=fmt.has_nan,
        terms=terms.ctypes.data,
        magnitudes=table.ctypes.data,
    )
    return struct, terms, table


def ordered_address(fmt: OrderedFormat) -> int:
    """Address of a format's `OrderedStruct`, which lives as long as the process."""
    struct, _, _ = _tables(fmt)
    return ctypes.addressof(struct)
