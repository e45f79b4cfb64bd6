"""Words that come later: a vector of them by different numbers of cycles."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place

__all__ = ["DelayLine", "Skew"]


class DelayLine(Block):
    """A word, some enabled cycles later.

    Parameters
    ----------
    word_bits
        Width of the word.
    cycles
        At least 1.

    Members
    -------
    enable : In(1)
    i, o : In, Out(word_bits)
    """

    enable: Signal
    i: Signal
    o: Signal

    def __init__(self, word_bits: int, cycles: int) -> None:
        self.cycles = cycles
        super().__init__(
            f"delay_{cycles}",
            {"enable": In(1), "i": In(word_bits), "o": Out(word_bits)},
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # one long shift register: the newest word enters at the bottom
        line = Signal(self.cycles * len(self.i), reset_less=True)
        with m.If(self.enable):
            m.d.sync += line.eq(Cat(self.i, line))
        m.d.comb += self.o.eq(line[-len(self.i) :])
        return m


class Skew(Block):
    """Delay the words of a vector by different numbers of cycles.

    Each delay is put together from lines of 1, 2, 4, ... cycles, which are emitted once each.

    Parameters
    ----------
    word_bits
        Width of one word.
    delays
        Enabled cycles by which each word is late.

    Members
    -------
    enable : In(1)
    i, o : In, Out(len(delays) * word_bits)
        Word 0 in the lowest bits.
    """

    enable: Signal
    i: Signal
    o: Signal

    def __init__(self, word_bits: int, delays: tuple[int, ...]) -> None:
        self.word_bits, self.delays = word_bits, delays
        width = word_bits * len(delays)
        super().__init__(
            "skew", {"enable": In(1), "i": In(width), "o": Out(width)}, is_clocked=any(delays)
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        words: list[Value] = []
        for index, cycles in enumerate(self.delays):
            word: Value = self.i.word_select(index, self.word_bits)
            for level in range(cycles.bit_length()):
                if cycles >> level & 1:
                    line = DelayLine(self.word_bits, 1 << level)
                    place(m, platform, f"word_{index}_by_{1 << level}", line)
                    m.d.comb += [line.enable.eq(self.enable), line.i.eq(word)]
                    word = line.o
            words.append(word)
        m.d.comb += self.o.eq(Cat(*words))
        return m
