"""The edge of a column of a weight-stationary array: sums between passes, and results."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.convert import Convert
from macsmith.hw.latency import convert_cycles, outer_cycles, step_cycles
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.ram import Ram
from macsmith.hw.step import outer_step
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.widths import mac_widths

__all__ = ["WeightColumn", "sum_control_layout"]


def sum_control_layout(config: AcceleratorConfig) -> StructLayout:
    """What goes with a beat along the edge of the array.

    `valid`: there is one. `starts`: an inner sum begins with it. `row`: where its sum is kept.
    With chunks: `ends_chunk`, and `starts_outer` if that chunk is the first of its sum.
    """
    fields = {"valid": 1, "starts": 1, "row": (config.a_depth - 1).bit_length()}
    if config.passes_per_chunk is not None:
        fields |= {"ends_chunk": 1, "starts_outer": 1}
    return StructLayout(fields)


class WeightColumn(Block):
    """Gives sums to the top of a column, takes them from its bottom, and converts results.

    Parameters
    ----------
    config
        The accelerator.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    control_i, control_o : In, Out
        A `sum_control_layout`, with A of this column's element in row 0; passed to the next column,
        one cycle later.
    sum_o, sum_i : Out, In(inner.bits)
        To the first row, from the last one.
    code : Out(output_bits)
        Result, `macsmith.hw.latency.weight_column_cycles` after its beat.
    """

    enable: Signal
    control_i: Signal
    control_o: Signal
    sum_o: Signal
    sum_i: Signal
    code: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.layout = sum_control_layout(config)
        widths = mac_widths(config.design.mac)
        super().__init__(
            "weight_column",
            {
                "enable": In(1),
                "control_i": In(self.layout.size),
                "control_o": Out(self.layout.size),
                "sum_o": Out(widths.inner.bits),
                "sum_i": In(widths.inner.bits),
                "code": Out(widths.output_bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, design = self.config, self.config.design
        stages = step_cycles(design)
        register = Signal.like(self.control_i, name="control")
        with m.If(self.enable):
            m.d.sync += register.eq(self.control_i)
        m.d.comb += self.control_o.eq(register)

        # the beat's control when its sum is read, goes to the first row, and leaves the last one
        at_read = delay(m, "at_read", self.control_i, stages, self.enable, reset=True)
        at_top = delay(m, "at_top", at_read, 1, self.enable, reset=True)
        at_bottom = View(
            self.layout,
            delay(m, "at_bottom", at_top, config.rows, self.enable, reset=True),
        )
        chunk_passes = config.passes_per_chunk
        kept: Value | None = None
        if chunk_passes != 1:
            kept = self._memory(
                m,
                platform,
                "sums",
                View(self.layout, at_read).row,
                at_bottom.valid,
                at_bottom.row,
                self.sum_i,
            )
        m.d.comb += self.sum_o.eq(
            0 if kept is None else Mux(View(self.layout, at_top).starts, 0, kept)
        )
        finished: Value = self.sum_i
        if chunk_passes is not None:
            finished = self._add_chunk(m, platform, at_bottom)
        convert = pipelined(
            Convert(design.mac, mac_widths(design.mac).last, design.mac.output_format),
            convert_cycles(design),
        )
        place_enabled(m, platform, "convert", convert, self.enable)
        m.d.comb += [convert.partial_sum.eq(finished), self.code.eq(convert.code)]
        return m

    def _memory(
        self,
        m: Module,
        platform: Any,
        name: str,
        read_row: Value,
        is_written: Value,
        write_row: Value,
        written: Value,
    ) -> Value:
        """A sum for each row; the one of `read_row` one enabled cycle later."""
        ram = Ram(len(written), self.config.a_depth)
        place(m, platform, name, ram)
        m.d.comb += [
            ram.read_enable.eq(self.enable),
            ram.read_address.eq(read_row),
            ram.write_enable.eq(self.enable & is_written),
            ram.write_address.eq(write_row),
            ram.write_data.eq(written),
        ]
        return ram.read_data

    def _add_chunk(self, m: Module, platform: Any, at_bottom: Any) -> Value:
        """The outer sum with a chunk, registered."""
        design = self.config.design
        cycles = outer_cycles(design)
        chunk = Signal.like(self.sum_i, name="chunk", reset_less=True)
        outer = pipelined(outer_step(design.mac), cycles, ("partial_sum_i",))
        total = Signal.like(outer.partial_sum_o, name="outer_sum", reset_less=True)
        place_enabled(m, platform, "outer_step", outer, self.enable)
        control = at_bottom.as_value()
        at_read = View(self.layout, delay(m, "outer_read", control, cycles, self.enable))
        at_add = View(
            self.layout, delay(m, "outer_add", at_read.as_value(), 1, self.enable, reset=True)
        )
        kept = self._memory(
            m,
            platform,
            "outer_sums",
            at_read.row,
            at_add.valid & at_add.ends_chunk,
            at_add.row,
            outer.partial_sum_o,
        )
        with m.If(self.enable):
            m.d.sync += [chunk.eq(self.sum_i), total.eq(outer.partial_sum_o)]
        m.d.comb += [
            outer.chunk.eq(chunk),
            outer.partial_sum_i.eq(Mux(at_add.starts_outer, 0, kept)),
        ]
        return total
