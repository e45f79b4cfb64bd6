"""Where chunks end."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.model.accumulators import ChunkedAccumulator
from macsmith.model.config import MacConfig

__all__ = ["ChunkCounter", "beats_per_chunk"]


def beats_per_chunk(config: MacConfig) -> int | None:
    """Beats after which a chunk ends; None without chunks."""
    if isinstance(config.accumulator, ChunkedAccumulator):
        return config.accumulator.length // config.lanes
    return None


class ChunkCounter(Block):
    """Tell which beat is its chunk's last.

    Parameters
    ----------
    beats
        Beats per chunk, at least 1.
    sums
        Sums that beats belong to in rotation, each with chunks of its own; with more than one, the
        next one's turn comes in every enabled cycle.

    Members
    -------
    enable : In(1)
        Only with several sums.
    step : In(1)
        A beat passes in this cycle.
    last : In(1)
        It is the last of its sum, which ends the chunk too.
    chunk_end : Out(1)
        It is the last of its chunk; combinational in `last`.
    """

    enable: Signal
    step: Signal
    last: Signal
    chunk_end: Signal

    def __init__(self, beats: int, sums: int = 1) -> None:
        self.beats, self.sums = beats, sums
        members = {"step": In(1), "last": In(1), "chunk_end": Out(1)}
        if sums > 1:
            members["enable"] = In(1)
        super().__init__(f"chunk_counter_{beats}", members, is_clocked=beats > 1)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.beats == 1:
            m.d.comb += self.chunk_end.eq(1)
            return m
        count = Signal(range(self.beats))
        m.d.comb += self.chunk_end.eq(self.last | (count == self.beats - 1))
        following = Mux(self.chunk_end, 0, count + 1)
        if self.sums == 1:
            with m.If(self.step):
                m.d.sync += count.eq(following)
            return m
        others = Signal((self.sums - 1) * len(count))  # the next one's count lowest
        with m.If(self.enable):
            m.d.sync += Cat(count, others).eq(
                Cat(others, Mux(self.step, following, count)[: len(count)])
            )
        return m
