"""A stream of results goes out as blocks; and quantisers as Verilog."""

import tempfile
from pathlib import Path
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, Emission, place
from macsmith.hw.block_quantise import BlockQuantise, check_rule
from macsmith.hw.convert import Convert
from macsmith.hw.yosys import rtlil_to_verilog
from macsmith.model.accumulators import FloatAccumulator
from macsmith.model.block_formats import BlockFormat
from macsmith.model.block_policy import BlockPolicy
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format
from macsmith.model.rounding import Overflow, Rounding
from macsmith.model.widths import mac_widths

__all__ = ["Requantise", "format_quantiser_verilog", "quantiser_verilog"]


class Requantise(Block):
    """Collect results, and give a block when it is full; registered, one result a cycle.

    The block is quantised in the cycle in which it is offered. While it is not taken, nothing is.

    Parameters
    ----------
    fmt, source, policy
        As of `macsmith.hw.block_quantise.BlockQuantise`.

    Members
    -------
    i_valid, i_ready : In(1), Out(1)
        A result passes when both are 1.
    i_data : In(source.bits)
    o_valid, o_ready : Out(1), In(1)
        A block passes when both are 1; in that cycle the next result may be taken.
    o_scale : Out(fmt.scale.bits)
    o_codes : Out(fmt.length * fmt.element.bits)
        The first result in the lowest bits.
    """

    i_valid: Signal
    i_ready: Signal
    i_data: Signal
    o_valid: Signal
    o_ready: Signal
    o_scale: Signal
    o_codes: Signal

    def __init__(
        self, fmt: BlockFormat, source: FloatFormat, policy: BlockPolicy | None = None
    ) -> None:
        self.format, self.source, self.policy = fmt, source, policy or BlockPolicy()
        super().__init__(
            f"requantise_{source.name}_to_{fmt.name}",
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(source.bits),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_scale": Out(fmt.scale.bits),
                "o_codes": Out(fmt.length * fmt.element.bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        length = self.format.length
        quantise = BlockQuantise(self.format, self.source, self.policy)
        place(m, platform, "quantise", quantise)
        values = Signal(length * self.source.bits, reset_less=True)
        count = Signal(range(length + 1))
        is_full = count == length
        takes = self.i_valid & self.i_ready
        m.d.comb += [
            self.o_valid.eq(is_full),
            self.i_ready.eq(~is_full | self.o_ready),
            quantise.values.eq(values),
            self.o_scale.eq(quantise.scale),
            self.o_codes.eq(quantise.codes),
        ]
        with m.If(takes):
            m.d.sync += values.eq(Cat(values[self.source.bits :], self.i_data))
        with m.If(self.i_ready):
            m.d.sync += count.eq(Mux(is_full, takes, count + takes))
        return m


def quantiser_verilog(
    fmt: BlockFormat,
    source: FloatFormat,
    policy: BlockPolicy | None = None,
    *,
    is_stream: bool = False,
) -> str:
    """Verilog-2005 of a quantiser: combinational, or with streams.

    Its top module is ``quantise_SOURCE_to_FORMAT`` (``requantise_...``), as `BlockQuantise`
    (`Requantise`) states its ports.

    Raises
    ------
    ValueError
        The format's scale has no hardware for the rule asked.
    YosysError
        Yosys failed.
    """
    check_rule(fmt, policy or BlockPolicy())  # before there is a component
    block = Requantise(fmt, source, policy) if is_stream else BlockQuantise(fmt, source, policy)
    rtlil = Emission(block.module_name).emit_top(block)
    with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
        return rtlil_to_verilog(rtlil, Path(scratch))


def format_quantiser_verilog(
    fmt: Format,
    source: FloatFormat,
    rounding: Rounding = Rounding.NEAREST_EVEN,
    overflow: Overflow = Overflow.SATURATE,
) -> str:
    """Verilog-2005 of a combinational quantiser of single numbers.

    Its top module is ``quantise_SOURCE_to_FORMAT``; a code of the source comes in at
    ``partial_sum``, and leaves rounded at ``code``.

    Raises
    ------
    ValueError
        The format is the source's own: there is nothing to round.
    YosysError
        Yosys failed.
    """
    if fmt == source:
        raise ValueError(f"{fmt.name}: a quantiser must have another format than its source")
    is_float = isinstance(fmt, FloatFormat)
    config = MacConfig(
        a=source,
        b=source,
        accumulator=FloatAccumulator(source),
        rounding=rounding,
        overflow=overflow if is_float else None,
        output=fmt,
    )
    block = Convert(config, mac_widths(config).last, fmt)
    rtlil = Emission(f"quantise_{source.name}_to_{fmt.name}").emit_top(block)
    with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
        return rtlil_to_verilog(rtlil, Path(scratch))
