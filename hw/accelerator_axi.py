"""An accelerator with AXI4-Stream data and AXI4-Lite registers."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.accelerator import Accelerator
from macsmith.hw.axi_lite import AXI_LITE_MEMBERS, AxiLite
from macsmith.hw.block import Block, place
from macsmith.model.accelerator import WORD_BITS, AcceleratorConfig

__all__ = ["AcceleratorAxi"]


class AcceleratorAxi(Block):
    """Packets at an AXI4-Stream slave, results at a master, registers at an AXI4-Lite slave.

    Parameters
    ----------
    config
        The accelerator.

    Members
    -------
    s_axi_* :
        AXI4-Lite slave, 32 bits.
    s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast : In(32), In(1), Out(1), In(1)
        Packets; `s_axis_tlast` is not looked at, as packets tell their length.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast : Out(32), Out(1), In(1), Out(1)
        Results; `m_axis_tlast` with the last word of a tile.
    """

    s_axis_tdata: Signal
    s_axis_tvalid: Signal
    s_axis_tready: Signal
    s_axis_tlast: Signal
    m_axis_tdata: Signal
    m_axis_tvalid: Signal
    m_axis_tready: Signal
    m_axis_tlast: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            "accelerator_axi",
            {
                **{f"s_axi_{name}": member for name, member in AXI_LITE_MEMBERS.items()},
                "s_axis_tdata": In(WORD_BITS),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(WORD_BITS),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        registers, accelerator = AxiLite(), Accelerator(self.config)
        place(m, platform, "registers", registers)
        place(m, platform, "accelerator", accelerator)
        for name, member in AXI_LITE_MEMBERS.items():
            outside, inside = getattr(self, f"s_axi_{name}"), getattr(registers, name)
            m.d.comb += inside.eq(outside) if member.flow is In else outside.eq(inside)
        m.d.comb += [
            accelerator.register_address.eq(registers.register_address),
            accelerator.register_write.eq(registers.register_write),
            accelerator.register_read.eq(registers.register_read),
            accelerator.register_data_i.eq(registers.register_data_i),
            registers.register_data_o.eq(accelerator.register_data_o),
            accelerator.i_valid.eq(self.s_axis_tvalid),
            accelerator.i_data.eq(self.s_axis_tdata),
            self.s_axis_tready.eq(accelerator.i_ready),
            self.m_axis_tvalid.eq(accelerator.o_valid),
            self.m_axis_tdata.eq(accelerator.o_data),
            self.m_axis_tlast.eq(accelerator.o_last),
            accelerator.o_ready.eq(self.m_axis_tready),
        ]
        return m
