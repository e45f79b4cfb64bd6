"""The sequence of random words that a shift register gives, by definition."""

from __future__ import annotations

from collections.abc import Iterator

from macsmith.model.random_source import Lfsr

__all__ = [
    "advance_matrix",
    "apply_matrix",
    "element_words",
    "next_state",
    "random_words",
    "state_after",
]

#: A linear map of states over GF(2): what each bit of the state, lowest first, is mapped to.
Matrix = list[int]


def next_state(lfsr: Lfsr, state: int) -> int:
    """State one word later: `word_bits` new bits, one after the other."""
    for _ in range(lfsr.word_bits):
        bit = (state >> (lfsr.degree - 1) ^ state >> (lfsr.lag - 1)) & 1
        state = (state << 1 | bit) & ((1 << lfsr.degree) - 1)
    return state


def apply_matrix(matrix: Matrix, state: int) -> int:
    """What a linear map makes of a state."""
    result = 0
    for index, column in enumerate(matrix):
        if state >> index & 1:
            result ^= column
    return result


def advance_matrix(lfsr: Lfsr, words: int) -> Matrix:
    """The linear map of a state to that `words` words later."""
    power = [next_state(lfsr, 1 << bit) for bit in range(lfsr.degree)]
    result = [1 << bit for bit in range(lfsr.degree)]
    while words:
        if words & 1:
            result = [apply_matrix(power, column) for column in result]
        power = [apply_matrix(power, column) for column in power]
        words >>= 1
    return result


def state_after(lfsr: Lfsr, words: int) -> int:
    """State of which word number `words` (from 0, after the seed) is read."""
    return apply_matrix(advance_matrix(lfsr, words), lfsr.seed)


def random_words(lfsr: Lfsr, first: int = 0) -> Iterator[int]:
    """Random words without end, from word number `first`."""
    state = state_after(lfsr, first)
    mask = (1 << lfsr.word_bits) - 1
    while True:
        yield state & mask
        state = next_state(lfsr, state)


def element_words(lfsr: Lfsr, elements: int, element: int) -> Iterator[int]:
    """Random words of one of several elements with registers of their own (``lfsr=each``)."""
    return random_words(lfsr, element * lfsr.words_apart(elements))
