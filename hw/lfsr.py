"""The shift register that random words come from."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Member, Out
from macsmith.hw.block import Block
from macsmith.model.design import Design
from macsmith.model.random_source import Lfsr

__all__ = ["RandomWords", "element_seed", "random_members"]


def random_members(design: Design) -> dict[str, Member]:
    """Ports for the random words of a MAC or an array, none where nothing is random."""
    bits = design.mac.random_bits
    if not bits:
        return {}
    if design.implementation.lfsr == "port":
        return {"i_random": In(bits)}
    if design.implementation.lfsr == "each":
        return {}
    return {"o_random": Out(bits)}


def _times_x(polynomial: int, lfsr: Lfsr) -> int:
    """A polynomial over GF(2) times x, modulo ``x**degree + x**(degree-lag) + 1``."""
    polynomial <<= 1
    if polynomial >> lfsr.degree:
        polynomial ^= 1 << lfsr.degree | 1 << (lfsr.degree - lfsr.lag) | 1
    return polynomial


def element_seed(lfsr: Lfsr, words: int) -> int:
    """The register's state, so many words after its seed.

    Bit t + n of its sequence is the sum of the bits t + i for which ``x**n``, modulo the register's
    polynomial, has a term ``x**i``.
    """
    power = 1
    for digit in f"{words * lfsr.word_bits:b}":
        square = 0
        shifted = power
        for at in range(lfsr.degree):  # times itself
            if power >> at & 1:
                square ^= shifted
            shifted = _times_x(shifted, lfsr)
        power = _times_x(square, lfsr) if digit == "1" else square
    # the sequence from the oldest bit of the seed on, the oldest first
    bits = [lfsr.seed >> at & 1 for at in reversed(range(lfsr.degree))]
    for at in range(lfsr.degree):
        bits.append(bits[at] ^ bits[at + lfsr.degree - lfsr.lag])
    terms = [at for at in range(lfsr.degree) if power >> at & 1]
    state = 0
    for first in range(lfsr.degree):
        state = state << 1 | sum(bits[first + at] for at in terms) & 1
    return state


class RandomWords(Block):
    """Random words, one after the other, from the seed after each reset.

    Parameters
    ----------
    lfsr
        Recurrence, seed and width of a word.
    has_seed_port
        Whether the seed is an input, so that all elements of an array are built alike.

    Members
    -------
    seed : In(lfsr.degree)
        Only with `has_seed_port`; constant.
    advance : In(1)
        The word of this cycle is used up.
    word : Out(lfsr.word_bits)
    """

    seed: Signal
    advance: Signal
    word: Signal

    def __init__(self, lfsr: Lfsr, *, has_seed_port: bool = False) -> None:
        self.lfsr, self.has_seed_port = lfsr, has_seed_port
        super().__init__(
            f"random_words_{lfsr.word_bits}",
            {
                **({"seed": In(lfsr.degree)} if has_seed_port else {}),
                "advance": In(1),
                "word": Out(lfsr.word_bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.lfsr.word_bits
        # bit 0 is the newest; a word has no more bits than `lag`, so new ones come from old ones
        register = Signal(
            self.lfsr.degree, name="state", init=0 if self.has_seed_port else self.lfsr.seed
        )
        # kept as what it differs by from the seed, which is reset to 0; the inverters cost nothing
        seed: Value = self.seed if self.has_seed_port else Const(0, self.lfsr.degree)
        state = Signal(self.lfsr.degree, name="shifted")
        m.d.comb += state.eq(register ^ seed)
        oldest, others = state[self.lfsr.degree - bits :], state[self.lfsr.lag - bits :]
        with m.If(self.advance):
            m.d.sync += register.eq(
                Cat((oldest ^ others[:bits])[:bits], state)[: len(register)] ^ seed
            )
        m.d.comb += self.word.eq(state[:bits])
        return m
