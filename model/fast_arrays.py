"""Arrays that go to the compiled kernels and come from them: checked, and laid out.

Wide numbers are arrays with one more axis: 64-bit words, least significant first.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
from macsmith.model.config import MacConfig

__all__ = [
    "as_codes",
    "check_status",
    "checked_random_words",
    "checked_scales",
    "pointer",
    "squeeze_words",
    "words_of",
]


def pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def squeeze_words(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return words[..., 0] if words.shape[-1] == 1 else words


def check_status(status: int) -> None:
    if status:
        raise RuntimeError("the compiled kernels and fast_structs.py disagree: a bug in macsmith")


def as_codes(what: str, codes: npt.ArrayLike, bits: int) -> npt.NDArray[np.uint32]:
    """Codes as contiguous uint32, checked.

    Raises
    ------
    TypeError
        They are not integers.
    ValueError
        One has more than `bits` bits or is negative.
    """
    array = np.asarray(codes)
    if array.dtype.kind not in "ui":
        raise TypeError(f"{what}: codes must be unsigned integers, not {array.dtype}")
    limit = (1 << bits) - 1
    if array.size and np.iinfo(array.dtype).max > limit:
        largest = int(array.max())
        if largest > limit:
            raise ValueError(f"{what}: code must be 0 to {limit}, not {largest}")
    if array.size and array.dtype.kind == "i" and (least := int(array.min())) < 0:
        raise ValueError(f"{what}: code must be 0 to {limit}, not {least}")
    return np.ascontiguousarray(array, dtype=np.uint32).reshape(array.shape)


def words_of(what: str, numbers: npt.ArrayLike, bits: int) -> npt.NDArray[np.uint64]:
    """Numbers of `bits` bits as ``[batch, words]``, checked for shape and range."""
    words = -(-bits // 64)
    array = np.asarray(numbers)
    if array.dtype.kind not in "ui":
        raise TypeError(f"{what} must be unsigned integers, not {array.dtype}")
    if array.size and array.dtype.kind == "i" and int(array.min()) < 0:
        raise ValueError(f"{what} must not be negative, not {int(array.min())}")
    if words > 1 and (array.ndim == 0 or array.shape[-1] != words):
        raise ValueError(f"{what} of {bits} bits must have {words} words on the last axis")
    array = np.ascontiguousarray(array, dtype=np.uint64).reshape(-1, words)
    top_bits = bits - 64 * (words - 1)
    if top_bits < 64 and array.size and int(array[:, -1].max()) >> top_bits:
        raise ValueError(f"{what} must have at most {bits} bits")
    return array


def checked_random_words(bits: int, random: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """Random words of `bits` bits, checked for type and range."""
    words = np.asarray(random)
    limit = (1 << bits) - 1
    if words.dtype.kind not in "ui":
        raise TypeError(f"random words must be unsigned integers, not {words.dtype}")
    if words.size and (int(words.min()) < 0 or int(words.max()) > limit):
        bad = int(words.min()) if int(words.min()) < 0 else int(words.max())
        raise ValueError(f"random words must be 0 to {limit}, not {bad}")
    return words.astype(np.uint64)


def checked_scales(
    config: MacConfig, scales: npt.ArrayLike | None, count: int
) -> npt.NDArray[np.uint32]:
    """Scales of a batch of steps, checked for shape and range."""
    shape = (count, len(config.scales))
    codes = np.zeros(shape, dtype=np.uint32) if scales is None else np.asarray(scales)
    if scales is None or codes.shape != shape:
        got = None if scales is None else codes.shape
        raise ValueError(f"scales: must have the shape {shape} of batch and scales, not {got}")
    return np.stack(
        [
            as_codes(f"scale ({fmt.name})", codes[:, side], fmt.bits)
            for side, fmt in enumerate(config.scales)
        ],
        axis=1,
    )
