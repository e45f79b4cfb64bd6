"""A bias of each column of a product of integers, as further products.

``sum(a[k] * b[k]) + bias`` is a sum of a few more products: those of a constant column of A with
digits of the bias in B. An accumulator of integers adds them exactly, before the output stage, so
every array that multiplies matrices adds a bias too, in as many beats as these products take.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from macsmith.model.config import MacConfig
from macsmith.model.formats import IntFormat
from macsmith.model.widths import mac_widths

__all__ = ["MAX_PRODUCTS", "bias_length", "with_bias"]

#: More than these are not put into A and B.
MAX_PRODUCTS = 1024


def _factor(config: MacConfig) -> tuple[int, int, int]:
    """The constant in A, and the least and largest digit in B."""
    a, b, last = config.a, config.b, mac_widths(config).last
    if (
        not isinstance(a, IntFormat)
        or not isinstance(b, IntFormat)
        or last.code_format is not None
        or config.product is not None
    ):
        raise ValueError(
            f"{a.name}x{b.name}: a bias is added to sums of integers in fixed point: add it to the "
            "results instead"
        )
    least, largest = b.min_code_integer, b.max_code_integer
    # each digit must reach what the one above leaves
    return min(a.max_code_integer, largest - least + 1), least, largest


def _digits(config: MacConfig, bias: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """What B gets of a bias: multiples of the factor, then what is left."""
    factor, least, largest = _factor(config)
    left, rest = np.divmod(bias, factor)
    over = rest > largest
    left, rest = left + over, rest - factor * over
    if least == 0 and (left < 0).any():
        raise ValueError(
            f"a bias must be at least 0 where B is {config.b.name}, which has no sign, not "
            f"{int(bias.min())}"
        )
    digits: list[npt.NDArray[np.int64]] = []
    while left.any():
        if len(digits) == MAX_PRODUCTS - 1:
            raise ValueError(
                f"a bias of {int(bias[np.abs(bias).argmax()])} takes more than {MAX_PRODUCTS} "
                f"products of {config.a.name} and {config.b.name}: add it to the results instead"
            )
        digits.append(np.clip(left, least, largest))
        left = left - digits[-1]
    return [*digits, rest]


def bias_length(config: MacConfig, bias: npt.ArrayLike) -> int:
    """Products that a bias takes: one for each ``factor * digit`` of the largest, and one.

    Raises
    ------
    ValueError
        The design does not add integers in fixed point, or B has no digits of that sign.
    """
    return len(_digits(config, np.asarray(bias).astype(np.int64)))


def with_bias(
    config: MacConfig,
    a_codes: npt.NDArray[np.unsignedinteger],
    b_codes: npt.NDArray[np.unsignedinteger],
    bias: npt.ArrayLike,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Codes whose product is that of A and B, plus the bias of each column.

    Parameters
    ----------
    a_codes, b_codes
        ``[M, K]`` and ``[K, N]`` codes.
    bias
        ``[N]`` integers, in units of the sum's last bit.

    Returns
    -------
    a, b
        ``[M, K + n]`` and ``[K + n, N]`` codes, n of `bias_length`.

    Raises
    ------
    TypeError, ValueError
        The bias is no vector of N integers; as `bias_length`.
    """
    values = np.asarray(bias)
    if values.dtype.kind not in "iu":
        raise TypeError(f"bias must be integers, not {values.dtype}")
    if values.shape != (b_codes.shape[1],):
        raise ValueError(f"bias must have the shape {(b_codes.shape[1],)}, not {values.shape}")
    digits = _digits(config, values.astype(np.int64))
    factor, _, _ = _factor(config)
    column = np.array([factor] * (len(digits) - 1) + [1], dtype=np.int64)
    rows = np.array(digits) & ((1 << config.b.bits) - 1)
    a = np.concatenate([a_codes, np.tile(column, (a_codes.shape[0], 1))], axis=1)
    b = np.concatenate([b_codes, rows], axis=0)
    return a.astype(np.uint64), b.astype(np.uint64)
