"""AXI4-Lite to the register port of an accelerator."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.model.accelerator import REGISTERS, WORD_BITS

__all__ = ["AXI_ADDRESS_BITS", "AXI_LITE_MEMBERS", "AxiLite"]

AXI_ADDRESS_BITS = 8
_OKAY, _SLAVE_ERROR = 0, 2

#: Ports of an AXI4-Lite slave, without a prefix.
AXI_LITE_MEMBERS = {
    "awaddr": In(AXI_ADDRESS_BITS),
    "awprot": In(3),
    "awvalid": In(1),
    "awready": Out(1),
    "wdata": In(WORD_BITS),
    "wstrb": In(WORD_BITS // 8),
    "wvalid": In(1),
    "wready": Out(1),
    "bresp": Out(2),
    "bvalid": Out(1),
    "bready": In(1),
    "araddr": In(AXI_ADDRESS_BITS),
    "arprot": In(3),
    "arvalid": In(1),
    "arready": Out(1),
    "rdata": Out(WORD_BITS),
    "rresp": Out(2),
    "rvalid": Out(1),
    "rready": In(1),
}


class AxiLite(Block):
    """One access at a time, a write before a read.

    An address without a register, a read of a register that is only written, and a write to any
    other answer SLVERR. A write without its lowest byte (`wstrb`) changes nothing. `awprot` and
    `arprot` are not looked at.

    Members
    -------
    awaddr, ..., rready
        AXI4-Lite, as a slave.
    register_address, register_write, register_read, register_data_i, register_data_o
        As of `macsmith.hw.accelerator.Accelerator`, from the other side.
    """

    awaddr: Signal
    awvalid: Signal
    awready: Signal
    wdata: Signal
    wstrb: Signal
    wvalid: Signal
    wready: Signal
    bresp: Signal
    bvalid: Signal
    bready: Signal
    araddr: Signal
    arvalid: Signal
    arready: Signal
    rdata: Signal
    rresp: Signal
    rvalid: Signal
    rready: Signal
    register_address: Signal
    register_write: Signal
    register_read: Signal
    register_data_i: Signal
    register_data_o: Signal

    def __init__(self) -> None:
        super().__init__(
            "axi_lite",
            {
                **AXI_LITE_MEMBERS,
                "register_address": Out(6),
                "register_write": Out(1),
                "register_read": Out(1),
                "register_data_i": Out(WORD_BITS),
                "register_data_o": In(WORD_BITS),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        def is_one_of(address: Signal, access: str) -> Any:
            known = [each.address >> 2 for each in REGISTERS if each.access == access]
            return sum((address[2:] == index for index in known), start=Signal(1, name="none")) != 0

        writes, reads, is_fetched = Signal(), Signal(), Signal()
        m.d.comb += [
            writes.eq(self.awvalid & self.wvalid & ~self.bvalid),
            self.awready.eq(writes),
            self.wready.eq(writes),
            reads.eq(self.arvalid & ~writes & ~self.rvalid & ~is_fetched),
            self.arready.eq(reads),
            self.register_write.eq(writes & self.wstrb[0] & is_one_of(self.awaddr, "wo")),
            self.register_read.eq(reads),
            self.register_address.eq(self.araddr[:6]),
            self.register_data_i.eq(self.wdata),
        ]
        with m.If(writes):
            m.d.comb += self.register_address.eq(self.awaddr[:6])
        m.d.sync += is_fetched.eq(reads)
        with m.If(writes):
            m.d.sync += [
                self.bvalid.eq(1),
                self.bresp.eq(_SLAVE_ERROR),
            ]
            with m.If(is_one_of(self.awaddr, "wo")):
                m.d.sync += self.bresp.eq(_OKAY)
        with m.Elif(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(reads):
            m.d.sync += self.rresp.eq(_SLAVE_ERROR)
            with m.If(is_one_of(self.araddr, "ro")):
                m.d.sync += self.rresp.eq(_OKAY)
        with m.If(is_fetched):
            m.d.sync += [self.rvalid.eq(1), self.rdata.eq(self.register_data_o)]
        with m.Elif(self.rready):
            m.d.sync += self.rvalid.eq(0)
        return m
