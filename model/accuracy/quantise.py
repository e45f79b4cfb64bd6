"""Scales: how real numbers are brought into the range of a narrow format before they are rounded.

A scaling is one of the names in `SCALINGS`. Activations ``[M, K]`` (one row per token) and weights
``[N, K]`` (one row per output) are handled alike, so with row scales the result of a product is
``scale_a[m] * scale_b[n] * sum_k a[m, k] b[n, k]``: scales never enter the sum.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from macsmith.model import fast
from macsmith.model.accuracy.arithmetic import Float32Array
from macsmith.model.formats import Format, IntFormat, PositFormat
from macsmith.model.rounding import Overflow, Rounding
from numpy.typing import NDArray

# Formats that reach further than this need no more: the largest element goes to 2**16, so that
# products and their sums stay far inside float32.
LARGEST_TARGET = 2.0**16
# Elements rounded at a time: their float64 copies stay in a cache, which nearly doubles the speed.
BLOCK = 1 << 16

Codes = NDArray[Any]


class Scaling(Enum):
    """Where a scale is shared, and which values it may have.

    The scale is the smallest that brings the largest magnitude of its row or tensor to the largest
    finite value of the format (at most 2**16); a power of two is rounded up, so nothing is clipped.
    A row or tensor of zeros has scale 1.
    """

    ROW = "row"
    TENSOR = "tensor"
    ROW_POWER_OF_TWO = "row-pow2"
    TENSOR_POWER_OF_TWO = "tensor-pow2"

    @property
    def is_per_row(self) -> bool:
        """Whether each row has a scale of its own."""
        return self in (Scaling.ROW, Scaling.ROW_POWER_OF_TWO)

    @property
    def is_power_of_two(self) -> bool:
        """Whether scales are powers of two."""
        return self in (Scaling.ROW_POWER_OF_TWO, Scaling.TENSOR_POWER_OF_TWO)


SCALINGS = tuple(scaling.value for scaling in Scaling)


def parse_scaling(name: "str | Scaling") -> Scaling:
    """Return the scaling of a name.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists them.
    """
    if isinstance(name, Scaling):
        return name
    if name not in SCALINGS:
        raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, not {name!r}")
    return Scaling(name)


def target_magnitude(fmt: Format) -> float:
    """Return the magnitude to which the largest element of a row or tensor is scaled.

    That is the format's largest number, but for posits where their best precision ends.

    Raises
    ------
    ValueError
        If the format is unsigned: activations and weights of the networks have both signs.
    """
    if isinstance(fmt, IntFormat) and not fmt.is_signed:
        raise ValueError(
            f"{fmt.name}: operands of an accuracy task must be signed, and this format is not; "
            f"use int{fmt.bits}"
        )
    if isinstance(fmt, PositFormat):
        # beyond the regimes of one bit, which end here, a posit loses fraction bits
        return 2.0 ** (1 << fmt.exponent_bits)
    return min(float(fmt.max), LARGEST_TARGET)


@dataclass(frozen=True)
class ScaledMatrix:
    """Real numbers divided by their scales, not yet rounded: ``original = values * scales``.

    Attributes
    ----------
    values
        ``[rows, K]``, magnitudes at most the target.
    scales
        ``[rows, 1]``, or ``[1, 1]`` for one scale per tensor.
    """

    values: Float32Array
    scales: Float32Array


def scale_matrix(matrix: Float32Array, target: float, scaling: Scaling) -> ScaledMatrix:
    """Divide a matrix by its scales.

    Parameters
    ----------
    matrix
        ``[rows, K]``. Infinities and NaN stay what they are and do not count for the scale.
    target
        Where the largest finite magnitude goes.
    scaling
        Which elements share a scale.
    """
    axis = 1 if scaling.is_per_row else None
    largest = np.maximum(
        matrix.max(axis=axis, keepdims=True), -matrix.min(axis=axis, keepdims=True)
    )
    if not np.isfinite(largest).all():
        finite = np.where(np.isfinite(matrix), np.abs(matrix), 0)
        largest = finite.max(axis=axis, keepdims=True)
    scales = (largest.astype(np.float64) / target).astype(np.float32)
    if scaling.is_power_of_two:
        # frexp gives scale = m * 2**e with 0.5 <= m < 1; a power of two itself (m = 0.5) stays.
        significand, exponent = np.frexp(scales)
        scales = np.ldexp(np.float32(1), exponent - (significand == 0.5)).astype(np.float32)
    # Below the smallest normal float32 the reciprocal would overflow: such a row counts as zero.
    scales = np.where(scales < np.finfo(np.float32).tiny, np.float32(1), scales).astype(np.float32)
    return ScaledMatrix((matrix * (np.float32(1) / scales)).astype(np.float32, copy=False), scales)


def round_matrix(fmt: Format, scaled: ScaledMatrix) -> ScaledMatrix:
    """Round scaled values to a format: nearest, ties to even, saturating."""
    rounded = np.empty_like(scaled.values)
    rows = max(1, BLOCK // scaled.values.shape[1])
    for start in range(0, len(rounded), rows):
        block = scaled.values[start : start + rows]
        rounded[start : start + rows] = fast.quantise(
            fmt, block, Rounding.NEAREST_EVEN, Overflow.SATURATE
        )
    return ScaledMatrix(rounded, scaled.scales)


def encode_values(fmt: Format, values: Float32Array) -> Codes:
    """Return the codes of values rounded to nearest, ties to even, saturating."""
    return fast.encode(fmt, values, Rounding.NEAREST_EVEN, Overflow.SATURATE)
