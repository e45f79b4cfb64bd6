"""One outer adder for a column of an array."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.outer_step import OuterStep
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths

__all__ = ["SharedOuter"]


class SharedOuter(Block):
    """Add chunks to the outer sums of all rows, one row after the other.

    Chunks of the rows always come in the same order, one a cycle, so the outer sums go round in a
    ring of registers: the oldest is the one that the next chunk belongs to.

    Parameters
    ----------
    config
        What is computed; its accumulator is chunked.
    rows
        How many outer sums there are.
    cycles
        Pipeline stages of the chunk's way to the addition; the addition itself takes one cycle.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    valid : In(1)
        There is a chunk.
    last : In(1)
        It is the last of its sum.
    chunk : In(inner.bits)
    random : In(outer random bits)
        Only where the outer sum is rounded stochastically: of the chunk.
    finished : Out(outer.bits)
        The sum that the last chunk was added to, ``cycles + 1`` enabled cycles later.
    """

    enable: Signal
    valid: Signal
    last: Signal
    chunk: Signal
    random: Signal
    finished: Signal

    def __init__(self, config: MacConfig, rows: int, cycles: int = 0) -> None:
        widths = mac_widths(config)
        if widths.outer is None:
            raise ValueError("SharedOuter: must have a chunked accumulator")
        self.config, self.rows, self.cycles = config, rows, cycles
        self.bits = widths.outer.bits
        random_bits = config.random_bits_of(widths.outer.accumulator)
        super().__init__(
            "shared_outer",
            {
                "enable": In(1),
                "valid": In(1),
                "last": In(1),
                "chunk": In(widths.inner.bits),
                "finished": Out(self.bits),
                **({"random": In(random_bits)} if random_bits else {}),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        step = pipelined(OuterStep(self.config), self.cycles, ("partial_sum_i",))
        place_enabled(m, platform, "outer_step", step, self.enable)
        valid = delay(m, "adds", self.valid, self.cycles, self.enable, reset=True)
        last = delay(m, "is_last", self.last, self.cycles, self.enable)
        # | newest sum | ... | oldest sum |
        sums = Signal(self.rows * self.bits)
        finished = Signal(self.bits, reset_less=True)
        with m.If(self.enable & valid):
            m.d.sync += [
                sums.eq(Cat(sums[self.bits :], Mux(last, 0, step.partial_sum_o))),
                finished.eq(step.partial_sum_o),
            ]
        if "random" in self.signature.members:
            m.d.comb += step.random.eq(self.random)
        m.d.comb += [
            step.chunk.eq(self.chunk),
            step.partial_sum_i.eq(sums[: self.bits]),
            self.finished.eq(finished),
        ]
        return m
