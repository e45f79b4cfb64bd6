"""The random words that beats and vectors are played with."""

from dataclasses import replace

import numpy as np
from macsmith.model.design import Design
from macsmith.model.fast_random import lfsr_states
from macsmith.model.lfsr import state_after
from macsmith.model.random_source import lfsr_of
from numpy.typing import NDArray

__all__ = ["RANDOM_CLASSES", "RandomWords", "chosen_words", "random_class", "register_words"]

RandomWords = NDArray[np.uint64]

#: Kinds of random bits of one rounding that coverage tells apart.
RANDOM_CLASSES = ("all zeros", "low half", "high half", "all ones")


def random_class(random: int, bits: int) -> str:
    """Which of `RANDOM_CLASSES` some random bits are."""
    if random == 0:
        return RANDOM_CLASSES[0]
    if random == (1 << bits) - 1:
        return RANDOM_CLASSES[3]
    return RANDOM_CLASSES[1 + (random >> (bits - 1))]


def register_words(design: Design, count: int) -> RandomWords:
    """The first words after a reset of the shift register inside a design.

    Where each element of an array has one: (words, rows, columns).
    """
    lfsr = lfsr_of(design.mac.random_bits)
    mask = np.uint64((1 << lfsr.word_bits) - 1)
    if design.implementation.lfsr != "each":
        return lfsr_states(lfsr, 1, count) & mask
    rows, columns = design.implementation.rows, design.implementation.columns
    apart = lfsr.words_apart(rows * columns)
    starts = [state_after(lfsr, element * apart) for element in range(rows * columns)]
    words = [lfsr_states(replace(lfsr, seed=start), 1, count) & mask for start in starts]
    return np.stack(words, axis=1).reshape(count, rows, columns)


def chosen_words(design: Design, count: int, seed: int) -> RandomWords:
    """Words for a port: random, each accumulator's bits all 0 or all 1 in one of eight."""
    rng = np.random.default_rng(seed)
    config = design.mac
    bits = config.stochastic.bits if config.stochastic is not None else 0
    words = np.zeros(count, dtype=np.uint64)
    top = np.uint64((1 << bits) - 1)
    for shift in range(0, config.random_bits, bits or 1):
        part = rng.integers(0, 1 << bits, count, dtype=np.uint64)
        kind = rng.integers(0, 16, count)
        part = np.where(kind == 0, np.uint64(0), np.where(kind == 1, top, part))
        words |= part << np.uint64(shift)
    return words
