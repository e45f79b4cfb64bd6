"""Words inside a MAC as operands go through it: significands, exponents, the accumulator's bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from macsmith.model.accumulators import ChunkedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.fast_conversion import decode
from macsmith.model.fast_steps import step
from macsmith.model.formats import Format, IntFormat
from macsmith.model.widths import mac_widths
from numpy.typing import NDArray

__all__ = [
    "Codes",
    "Reals",
    "Significands",
    "States",
    "chunk_steps",
    "exponents_of",
    "flipped",
    "mixed",
    "run_states",
    "significands",
]

Codes = NDArray[Any]
Reals = NDArray[np.float64]

#: Exponent that 0 counts as.
NO_EXPONENT = -1000


def flipped(words: NDArray[np.integer[Any]], bits: int) -> float:
    """Share of `bits` in which words differ from those of the step before (axis 1)."""
    changed = np.bitwise_xor(words[:, 1:], words[:, :-1]).astype(np.uint64)
    if bits < 64:
        changed &= np.uint64((1 << bits) - 1)
    ones = np.bitwise_count(changed).sum(dtype=np.float64)
    # several words of a state count together
    steps = changed.size // (changed.shape[-1] if bits > 64 else 1)
    return float(ones / max(steps, 1) / bits)


def mixed(words: NDArray[np.integer[Any]], bits: int) -> float:
    """Share of `bits` that rise while as many fall, both counted: where carries meet."""
    mask = np.uint64((1 << bits) - 1)
    before, after = words[:, :-1].astype(np.uint64), words[:, 1:].astype(np.uint64)
    rises = np.bitwise_count(after & ~before & mask)
    falls = np.bitwise_count(before & ~after & mask)
    return 2.0 * float(np.minimum(rises, falls).mean()) / bits


def exponents_of(values: Reals) -> NDArray[np.int64]:
    """Exponents of magnitudes, `NO_EXPONENT` of 0."""
    found = np.frexp(values)[1].astype(np.int64) - 1
    return np.where(values == 0, NO_EXPONENT, found)


@dataclass(frozen=True)
class Significands:
    """Operands taken apart.

    Attributes
    ----------
    values
        What the codes stand for; 0 for specials.
    integers
        Significands, signed: values in units of their last places.
    words
        What the multiplier's rows are made of: significands, or two's complement.
    bits
        Of a word.
    precision
        Bits of a magnitude.
    exponents
        Of the last places, from the least.
    exponent_range
        The largest.
    signs
        1 where the code is negative.
    is_magnitude
        Whether words are magnitudes beside signs.
    """

    values: Reals
    integers: NDArray[np.int64]
    words: NDArray[np.int64]
    bits: int
    precision: int
    exponents: NDArray[np.int64]
    exponent_range: int
    signs: NDArray[np.int64]
    is_magnitude: bool


def significands(fmt: Format, codes: Codes) -> Significands:
    """Significands and exponents of codes, as multipliers and aligners see them."""
    decoded = decode(fmt, codes)
    values: Reals = np.where(np.isfinite(decoded), decoded, 0.0)
    signs = (np.signbit(decoded) & np.isfinite(decoded)).astype(np.int64)
    least = fmt.least_exponent
    if isinstance(fmt, IntFormat):
        integers = np.rint(np.ldexp(values, -least)).astype(np.int64)
        nothing = np.zeros_like(integers)
        words = np.asarray(codes).astype(np.int64)
        return Significands(values, integers, words, fmt.bits, fmt.bits, nothing, 0, signs, False)
    precision = int(getattr(fmt, "precision", 0)) or max(fmt.max_integer.bit_length(), 1)
    precision = min(precision, fmt.max_integer.bit_length())
    exponents = np.maximum(exponents_of(values) - (precision - 1) - least, 0)
    integers = np.rint(np.ldexp(values, -(exponents + least))).astype(np.int64)
    most = fmt.max_integer.bit_length() - precision
    return Significands(
        values, integers, np.abs(integers), precision, precision, exponents, most, signs, True
    )


@dataclass(frozen=True)
class States:
    """An accumulator, step by step.

    Attributes
    ----------
    words
        Its bits before each step and after the last, ``[streams, steps + 1, words]``.
    values
        Inner partial sum in a float format, ``[streams, steps + 1]``; empty otherwise.
    bits
        Of the whole.
    """

    words: NDArray[np.uint64]
    values: Reals
    bits: int


def chunk_steps(mac: MacConfig) -> int | None:
    """Steps of a chunk; None if the accumulator is not chunked."""
    if isinstance(mac.accumulator, ChunkedAccumulator):
        return mac.accumulator.length // mac.lanes
    return None


def run_states(
    mac: MacConfig, a: Codes, b: Codes, length: int, scales: Codes | None = None
) -> States:
    """The accumulator's bits as steps go by, which the fast golden model gives.

    Parameters
    ----------
    a, b
        ``[streams, steps, lanes]``.
    length
        Steps after which a sum begins anew.
    scales
        ``[streams, steps, n]``; None: all 1, or the nearest that there is.
    """
    widths = mac_widths(mac)
    streams, steps, _ = a.shape
    count = -(-widths.partial_sum_bits // 64)
    kept = np.zeros((streams, steps + 1, count), dtype=np.uint64)
    if scales is None and mac.scales:
        scales = _unit_scales(mac, streams, steps)
    rng = np.random.Generator(np.random.PCG64(0))
    random = None
    if mac.random_bits:
        random = rng.integers(1 << mac.random_bits, size=(steps, streams), dtype=np.uint64)
    state = kept[:, 0]
    chunk = chunk_steps(mac)
    in_sum = 0
    for at in range(steps):
        in_sum += 1
        is_last = in_sum == length
        is_end = is_last or (chunk is not None and in_sum % chunk == 0)
        before = state[:, 0] if count == 1 else state
        factors = None if scales is None else np.ascontiguousarray(scales[:, at])
        word = None if random is None else random[at]
        after = step(mac, before, a[:, at], b[:, at], is_end, word, factors)
        state = after.reshape(streams, count)
        if is_last:
            state, in_sum = np.zeros_like(state), 0
        kept[:, at + 1] = state
    values = np.empty((streams, 0))
    fmt = widths.inner.format
    if fmt is not None and widths.inner_state_bits:
        codes = kept[:, :, 0] & np.uint64((1 << fmt.bits) - 1)
        found = decode(fmt, codes)
        values = np.where(np.isfinite(found), found, 0.0)
    return States(kept, values, max(widths.partial_sum_bits, 1))


def _unit_scales(mac: MacConfig, streams: int, steps: int) -> NDArray[np.uint32]:
    codes = []
    for fmt in mac.scales:
        every = decode(fmt, np.arange(1 << fmt.bits, dtype=np.uint32))
        near = np.abs(np.where(np.isfinite(every) & (every > 0), every, np.inf) - 1)
        codes.append(int(np.argmin(near)))
    return np.broadcast_to(np.array(codes, dtype=np.uint32), (streams, steps, len(codes))).copy()
