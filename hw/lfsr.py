"""The shift register that random words come from."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Member, Out
from macsmith.hw.block import Block
from macsmith.model.design import Design
from macsmith.model.random_source import Lfsr

__all__ = ["RandomWords", "random_members"]


def random_members(design: Design) -> dict[str, Member]:
    """Ports for the random words of a MAC or an array, none where nothing is random."""
    bits = design.mac.random_bits
    if not bits:
        return {}
    if design.implementation.lfsr == "port":
        return {"i_random": In(bits)}
    return {"o_random": Out(bits)}


class RandomWords(Block):
    """Random words, one after the other, from the seed after each reset.

    Parameters
    ----------
    lfsr
        Recurrence, seed and width of a word.

    Members
    -------
    advance : In(1)
        The word of this cycle is used up.
    word : Out(lfsr.word_bits)
    """

    advance: Signal
    word: Signal

    def __init__(self, lfsr: Lfsr) -> None:
        self.lfsr = lfsr
        super().__init__(
            f"random_words_{lfsr.word_bits}",
            {"advance": In(1), "word": Out(lfsr.word_bits)},
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.lfsr.word_bits
        # bit 0 is the newest; a word has no more bits than `lag`, so new ones come from old ones
        state = Signal(self.lfsr.degree, init=self.lfsr.seed)
        oldest, others = state[self.lfsr.degree - bits :], state[self.lfsr.lag - bits :]
        with m.If(self.advance):
            m.d.sync += state.eq(Cat((oldest ^ others[:bits])[:bits], state))
        m.d.comb += self.word.eq(state[:bits])
        return m
