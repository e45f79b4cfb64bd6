"""Which shift register gives the random words of stochastic rounding, and how words are read.

A linear-feedback shift register of degree D gives a sequence of bits, each the XOR of the ones D
and `lag` places before it. Its state is the last D bits, the newest at bit 0. The random word of
a step is the low `word_bits` bits of the state; after each step the state moves on by
`word_bits` bits, so that no bit is used twice.

Where each element of an array has a register of its own, element e (row by row) begins with word
number ``e * words_apart``.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LFSRS", "Lfsr", "lfsr_of"]


@dataclass(frozen=True)
class Lfsr:
    """A register of maximal length: its bits repeat after ``2**degree - 1``.

    Attributes
    ----------
    degree, lag
        The recurrence ``bit[t] = bit[t - degree] ^ bit[t - lag]``.
    seed
        State before the first step, and after a reset; not 0.
    word_bits
        Bits of a word, at most `lag`: each new bit is then one XOR of old ones.
    """

    degree: int
    lag: int
    seed: int
    word_bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.word_bits <= self.lag:
            raise ValueError(
                f"LFSR of degree {self.degree}: a word must have 1 to {self.lag} bits, "
                f"not {self.word_bits}"
            )

    def words_apart(self, elements: int) -> int:
        """Words between the first words of neighbouring elements of an array, each of which has a
        register of its own: as many as the sequence has for each of them."""
        return ((1 << self.degree) - 1) // self.word_bits // elements

    @property
    def parameters(self) -> str:
        """What tells it apart, as text."""
        return (
            f"bit[t] = bit[t-{self.degree}] ^ bit[t-{self.lag}], "
            f"{self.word_bits} new bits a step, seed {self.seed:#x}"
        )


#: Degree, lag and seed, the shortest first. Taps: Xilinx XAPP 052 (P. Alfke, 1996), table 3, which
#: has 31: 31, 28 and 63: 63, 62. Seeds: the first bits of the golden ratio's fraction.
LFSRS = (
    (31, 28, 0x4F1BBCDC),
    (63, 62, 0x4F1BBCDCBFA53E0A),
)


def lfsr_of(word_bits: int) -> Lfsr:
    """The register for words of `word_bits` bits: the shortest of `LFSRS` that can give them."""
    for degree, lag, seed in LFSRS:
        if word_bits <= lag:
            return Lfsr(degree, lag, seed, word_bits)
    raise ValueError(f"random words must have 1 to {LFSRS[-1][1]} bits, not {word_bits}")
