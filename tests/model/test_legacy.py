"""Roundings of published work: counts and properties that were stated of them."""

import numpy as np
import pytest
from macsmith.model import fast, legacy
from macsmith.model.formats import parse_format


@pytest.mark.parametrize(("name", "differ"), [("e5m2", 16_384), ("e4m3", 32_768)])
def test_two_roundings_differ_from_one(name: str, differ: int) -> None:
    """Measured of the toolkit's path: so many of the 2**23 binary32 numbers of one binade."""
    wrong = 0
    for first in range(0, 1 << 23, 1 << 20):
        words = np.arange(first, first + (1 << 20), dtype=np.uint32) | np.uint32(0x3F800000)
        values = words.view(np.float32)
        wrong += int((legacy.via_binary16(name, values) != fast.encode(name, values)).sum())
    assert wrong == differ


def test_eight_random_bits() -> None:
    """Normal halves, all words: the sum's upper byte, or the largest number."""
    halves = np.arange(0x0400, 0x7C00, 17, dtype=np.uint16)
    values = halves.view(np.float16).astype(np.float32)
    for word in range(256):
        got = legacy.via_binary16_sr8(values, np.array(word, dtype=np.uint32))
        assert (got == np.minimum((halves.astype(np.uint32) + word) >> 8, 0x7B)).all()
    subnormal = np.arange(0x0400, dtype=np.uint16)
    values = -subnormal.view(np.float16).astype(np.float32)
    word = np.array(255, dtype=np.uint32)
    want = fast.encode("e5m2", values)
    assert (legacy.via_binary16_sr8(values, word) == want).all()
    specials = legacy.via_binary16_sr8([np.inf, -np.inf, np.nan, 1e9], word)
    assert specials.tolist() == [0x7C, 0xFC, 0x7E, 0x7C]


def test_nearest_up() -> None:
    fmt = parse_format("dlfloat16")
    one, step = 31 << 9, 2.0**-9
    codes = legacy.dlfloat16_nearest_up([1 + step / 2, -1 - step / 2, 1 + step * 0.499, 1e30])
    assert codes.tolist() == [one + 1, (one + 1) | 1 << 15, one, fmt.nan_code]  # type: ignore[union-attr]


def test_every_mode_is_described() -> None:
    for mode in legacy.LEGACY:
        assert callable(getattr(legacy, mode.name))
        assert mode.source
        assert mode.verified
