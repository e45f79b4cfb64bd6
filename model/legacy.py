"""Roundings that published work was computed with and that no standard has, to reproduce it.

They are functions on arrays, not options of a design: no hardware is made for them. `LEGACY` says
of each where it is from and whether it was checked against that source's own results; what was not
is our reading of the description.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from macsmith.model import fast
from macsmith.model.formats import Format, parse_format

__all__ = ["LEGACY", "LegacyMode", "dlfloat16_nearest_up", "via_binary16", "via_binary16_sr8"]

Codes = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class LegacyMode:
    """A rounding of published work: what it does, its source, and how far it is verified."""

    name: str
    title: str
    source: str
    verified: str


LEGACY: tuple[LegacyMode, ...] = (
    LegacyMode(
        "via_binary16",
        "to binary16 first, nearest even, and from there nearest even to 8 bits: twice rounded",
        "Intel FP8 Emulation Toolkit (BSD-3)",
        "the number of binary32 values that it rounds otherwise than one rounding would",
    ),
    LegacyMode(
        "via_binary16_sr8",
        "to binary16, nearest even; then 8 random bits below E5M2's fraction, added and cut off; "
        "subnormal numbers to nearest even",
        "Mellempudi et al., arXiv 1905.12334; Intel FP8 Emulation Toolkit (BSD-3)",
        "unverified; overflow to the largest number is our reading",
    ),
    LegacyMode(
        "dlfloat16_nearest_up",
        "half of the last place added to the magnitude, the rest cut off",
        "Agrawal et al., DLFloat, ARITH 2019; IBM fms-model-optimizer (Apache-2.0)",
        "unverified; numbers below the smallest one round as ties away do",
    ),
)


def via_binary16(fmt: Format | str, values: npt.ArrayLike) -> Codes:
    """Codes of values rounded to binary16 and then to `fmt`, to nearest even both times.

    Parameters
    ----------
    fmt
        Target format, of at most 11 significand bits.
    values
        Numbers; taken as float32.
    """
    halves = fast.quantise("fp16", np.asarray(values, dtype=np.float32))
    return fast.encode(parse_format(fmt), halves)


def via_binary16_sr8(values: npt.ArrayLike, random: npt.ArrayLike) -> Codes:
    """E5M2 codes by way of binary16 with 8 random bits.

    Parameters
    ----------
    values
        Numbers; taken as float32.
    random
        A word of 8 bits for each, or what NumPy extends to that. Where the binary16 is subnormal it
        is not used.

    Raises
    ------
    TypeError, ValueError
        Random words are not unsigned integers, or not of 8 bits.
    """
    array = np.asarray(values, dtype=np.float32)
    halves = fast.encode("fp16", array)
    numbers = fast.decode("fp16", halves)
    at_random = fast.encode("e5m2", numbers, "sr8", "sat", random)
    to_nearest = fast.encode("e5m2", numbers)
    is_normal = (halves & 0x7C00) != 0
    # infinity and NaN stay what they are
    return np.where(is_normal & np.isfinite(numbers), at_random, to_nearest)


def dlfloat16_nearest_up(values: npt.ArrayLike) -> Codes:
    """DLFloat16 codes, a tie to the larger magnitude; overflow is the code of NaN and infinity."""
    return fast.encode("dlfloat16", values, "rna", "nan")
