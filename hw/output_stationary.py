"""The output-stationary dataflow: each element keeps the sum of one result of a tile."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from macsmith.hw.array_block import array_block
from macsmith.hw.block import place
from macsmith.hw.dataflow import Dataflow
from macsmith.hw.mac import Mac
from macsmith.hw.sequencer import Sequencer
from macsmith.hw.word_widths import operand_bits, scale_bits
from macsmith.model.accelerator import AcceleratorConfig

__all__ = ["OutputStationary"]


class OutputStationary(Dataflow):
    """A sequencer before an array, or before a single MAC; results a row a cycle.

    Parameters and members are those of `macsmith.hw.dataflow.Dataflow`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(config, "output_stationary")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        is_array = config.design.implementation.is_array
        array = array_block(config.design) if is_array else Mac(config.design)
        sequencer = Sequencer(config)
        place(m, platform, "sequencer", sequencer)
        place(m, platform, "array", array)
        m.d.comb += [
            sequencer.job_valid.eq(self.job_valid),
            sequencer.job.eq(self.job),
            self.job_ready.eq(sequencer.job_ready),
            sequencer.can_read.eq(self.a_can_read & self.b_can_read),
            sequencer.advance.eq(~sequencer.beat_valid | array.i_ready),
            self.release_a.eq(sequencer.release_a),
            self.release_b.eq(sequencer.release_b),
            array.i_valid.eq(sequencer.beat_valid),
            array.i_last.eq(sequencer.beat_last),
            array.o_ready.eq(self.o_ready),
            self.takes_beat.eq(sequencer.beat_valid & array.i_ready),
            self.ends_tile.eq(self.takes_beat & sequencer.tile_last),
            self.is_busy.eq(sequencer.beat_valid),
            self.o_valid.eq(array.o_valid),
            self.o_data.eq(array.o_data),
        ]
        bits_of = zip(operand_bits(config.design), scale_bits(config.design), strict=True)
        sides = (("a", config.rows), ("b", config.columns))
        for (side, count), (bits, extra) in zip(sides, bits_of, strict=True):
            # | codes | scale | of each row (column)
            entry = getattr(self, f"{side}_entry")
            words = [entry.word_select(each, bits + extra) for each in range(count)]
            m.d.comb += getattr(array, f"i_{side}").eq(Cat(word[:bits] for word in words))
            if extra:
                scales = Cat(word[bits:] for word in words)
                m.d.comb += getattr(array, f"i_{side}_scale").eq(scales)
            m.d.comb += [
                getattr(self, f"{side}_read").eq(sequencer.read),
                getattr(self, f"{side}_address").eq(getattr(sequencer, f"{side}_address")),
            ]
        rows = config.tile_rows
        row = Signal(range(rows)) if rows > 1 else Const(0, 1)
        m.d.comb += self.o_last.eq(row == rows - 1)
        if rows > 1:
            with m.If(self.o_valid & self.o_ready):
                m.d.sync += row.eq(Mux(self.o_last, 0, row + 1))
        return m
