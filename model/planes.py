"""Products of M and K bits as sums of products of single digits -1 and +1.

Every `bin{N}` number is a sum of digits -1 or +1 of weights 1, 2, 4, ... (Sun et al.,
Multi-Precision Quantized Neural Networks via Encoding Decomposition of {-1,+1}, AAAI 2019). Every
integer is nearly one: of N bits it is ``(d + c) / 2`` with a `bin{N}` number d, whose code is the
integer's counted from the least one, and ``c = -1`` (two's complement) or ``2**N - 1`` (unsigned).
So a dot product of M-bit and K-bit numbers is M K dot products of digits, each an XNOR and a count
of ones, and for integers sums of the digits beside::

    4 sum(x y) = sum(d e) + c_y sum(d) + c_x sum(e) + terms c_x c_y

"""

from __future__ import annotations

import numpy as np
from macsmith.model.digit_format import DigitFormat
from macsmith.model.int_format import IntFormat
from numpy.typing import ArrayLike, NDArray

__all__ = ["digit_planes", "plane_matmul"]

PlaneFormat = IntFormat | DigitFormat
_WORD_BITS = 64


def _check(fmt: PlaneFormat, codes: ArrayLike) -> NDArray[np.int64]:
    if not isinstance(fmt, PlaneFormat) or (isinstance(fmt, DigitFormat) and fmt.has_zero):
        raise ValueError(f"digit planes must be of binN, intN or uintN, not {fmt.name}")
    found = np.asarray(codes)
    if found.dtype.kind not in "iu":
        raise ValueError(f"{fmt.name}: codes must be integers, not {found.dtype}")
    if found.size and not (found.min() >= 0 and found.max() < 1 << fmt.bits):
        raise ValueError(f"{fmt.name}: codes must be 0 to {(1 << fmt.bits) - 1}")
    return found.astype(np.int64)


def _plane_bits(fmt: PlaneFormat, codes: ArrayLike) -> NDArray[np.int64]:
    """The digits as bits, 1 for +1, planes first."""
    checked = _check(fmt, codes)
    if isinstance(fmt, IntFormat) and fmt.is_signed:
        checked = checked ^ (1 << (fmt.bits - 1))  # counted from the least integer
    places = np.arange(fmt.bits).reshape(-1, *[1] * checked.ndim)
    return checked >> places & 1


def digit_planes(fmt: PlaneFormat, codes: ArrayLike) -> NDArray[np.int8]:
    """The digits of numbers.

    Parameters
    ----------
    fmt
        `bin{N}` or an integer format.
    codes
        Of that format, any shape.

    Returns
    -------
    numpy.ndarray
        int8 of -1 and 1, shape [bits, *shape of codes], the lowest weight first. A `bin{N}` number
        is ``sum(2**i * planes[i])``, an integer half of that plus c (see above), in units of its
        least step.

    Raises
    ------
    ValueError
        The format has a digit 0, or a code is out of range.
    """
    return (2 * _plane_bits(fmt, codes) - 1).astype(np.int8)


def _packed(bits: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Planes with the last axis packed into words, 0 after its end."""
    length = bits.shape[-1]
    words = -(-length // _WORD_BITS)
    padded = np.zeros((*bits.shape[:-1], words * _WORD_BITS), dtype=np.uint8)
    padded[..., :length] = bits
    return np.packbits(padded, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


def plane_matmul(
    a_format: PlaneFormat, a: ArrayLike, b_format: PlaneFormat, b: ArrayLike
) -> NDArray[np.int64]:
    """A matrix product by XNOR and counting, plane by plane.

    Parameters
    ----------
    a_format, b_format
        `bin{N}` or integer formats, of different widths if wanted.
    a, b
        Codes, shapes [M, K] and [K, N].

    Returns
    -------
    numpy.ndarray
        int64, shape [M, N]: the exact products, in units of the product of both least steps.

    Raises
    ------
    ValueError
        A code is out of range, a format has a digit 0, or the shapes do not fit.
    """
    left, right = _plane_bits(a_format, a), _plane_bits(b_format, b)
    if left.ndim != 3 or right.ndim != 3 or left.shape[2] != right.shape[1]:
        raise ValueError(
            f"matrices must be [M, K] and [K, N], not {left.shape[1:]} and {right.shape[1:]}"
        )
    terms = left.shape[2]
    left_words, right_words = _packed(left), _packed(right.transpose(0, 2, 1))
    total = np.zeros((left.shape[1], right.shape[2]), dtype=np.int64)
    for i, rows in enumerate(left_words):
        for j, columns in enumerate(right_words):
            unequal = np.bitwise_count(rows[:, None, :] ^ columns[None, :, :]).sum(
                axis=2, dtype=np.int64
            )
            total += (terms - 2 * unequal) << (i + j)
    (p, q), (c, e) = _scale_and_offset(a_format), _scale_and_offset(b_format)
    if not q and not e:
        return total
    digit_sums = [
        np.tensordot(1 << np.arange(fmt.bits), 2 * bits.sum(axis=axis) - terms, axes=1)
        for fmt, bits, axis in ((a_format, left, 2), (b_format, right, 1))
    ]
    total += e * digit_sums[0][:, None] + q * digit_sums[1][None, :] + terms * q * e
    return total // (p * c)


def _scale_and_offset(fmt: PlaneFormat) -> tuple[int, int]:
    """p and q of ``value = (digits + q) / p``."""
    if isinstance(fmt, DigitFormat):
        return 1, 0
    return 2, -1 if fmt.is_signed else (1 << fmt.bits) - 1
