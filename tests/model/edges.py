"""Values at which rounding to a format may go wrong."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from macsmith.model.formats import FloatFormat, Format


def edge_values(fmt: Format) -> list[Fraction]:
    """Every number of a small format, the midpoint to the next, and points close by.

    The numbers beyond the largest, as if the exponents went on, are among them.
    """
    if isinstance(fmt, FloatFormat):
        codes = range(fmt.max_magnitude_code + 3)
        magnitudes = [fmt.magnitude_value(code) for code in codes]
    else:
        magnitudes = [Fraction(n, 1 << fmt.fraction_bits) for n in range((1 << fmt.bits) + 2)]
    points = set(magnitudes)
    for low, high in pairwise(magnitudes):
        middle, nearby = (low + high) / 2, (high - low) / 4096
        points |= {middle, middle - nearby, middle + nearby, low + nearby, high - nearby}
    points |= {magnitudes[1] / 2**10, magnitudes[-1] * 2**10}
    return sorted(points | {-point for point in points})


def float32_edges(fmt: FloatFormat) -> npt.NDArray[np.float32]:
    """The edges as float32 where they are exact, with both float32 neighbours and the specials."""
    values = np.array([float(point) for point in edge_values(fmt)])
    exact = values[values.astype(np.float32) == values].astype(np.float32)
    up, down = np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(-np.inf))
    specials = np.array([np.inf, -np.inf, np.nan, -0.0, 3e38, 1e-45], dtype=np.float32)
    return np.unique(np.concatenate([exact, up, down, specials]))
