"""Memories and queues that synthesis maps to block RAM."""

from typing import Any

from amaranth.hdl import MemoryData, MemoryInstance, Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place

__all__ = ["Queue", "Ram"]


class Ram(Block):
    """One write port and one read port; what is read comes one enabled cycle later.

    Reading an address in the cycle in which it is written gives the old word or the new: not to
    be relied on.

    Parameters
    ----------
    word_bits, depth
        Bits of a word, number of words.

    Members
    -------
    write_enable : In(1)
    write_address, read_address : In(ceil(log2(depth)))
    write_data, read_data : In, Out(word_bits)
    read_enable : In(1)
        `read_data` keeps its value in cycles without.
    """

    write_enable: Signal
    write_address: Signal
    write_data: Signal
    read_enable: Signal
    read_address: Signal
    read_data: Signal

    def __init__(self, word_bits: int, depth: int) -> None:
        self.word_bits, self.depth = word_bits, depth
        address_bits = max((depth - 1).bit_length(), 1)
        super().__init__(
            f"ram_{depth}x{word_bits}",
            {
                "write_enable": In(1),
                "write_address": In(address_bits),
                "write_data": In(word_bits),
                "read_enable": In(1),
                "read_address": In(address_bits),
                "read_data": Out(word_bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # its stubs are those of an older release
        memory: Any = MemoryInstance(
            data=MemoryData(shape=self.word_bits, depth=self.depth, init=[])  # type: ignore[call-arg]
        )
        memory.write_port(
            domain="sync",
            addr=self.write_address,
            data=self.write_data,
            en=self.write_enable,
        )
        memory.read_port(
            domain="sync",
            addr=self.read_address,
            data=self.read_data,
            en=self.read_enable,
            transparent_for=(),
        )
        m.submodules.memory = memory
        return m


class Queue(Block):
    """First in, first out, over block RAM.

    A word can be taken two cycles after it came in. Full throughput.

    Parameters
    ----------
    word_bits
        Bits of a word.
    depth
        Words in the RAM, a power of two; one more waits at the output.

    Members
    -------
    i_valid, i_ready : In(1), Out(1)
    i_data : In(word_bits)
    o_valid, o_ready : Out(1), In(1)
    o_data : Out(word_bits)
    level : Out
        Words in it.
    """

    i_valid: Signal
    i_ready: Signal
    i_data: Signal
    o_valid: Signal
    o_ready: Signal
    o_data: Signal
    level: Signal

    def __init__(self, word_bits: int, depth: int) -> None:
        self.word_bits, self.depth = word_bits, depth
        super().__init__(
            f"queue_{depth}x{word_bits}",
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(word_bits),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(word_bits),
                "level": Out((depth + 1).bit_length()),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        address_bits = (self.depth - 1).bit_length()
        ram = Ram(self.word_bits, self.depth)
        place(m, platform, "ram", ram)
        # one bit more than an address: equal is empty, a difference of the depth is full
        written = Signal(address_bits + 1)
        read = Signal(address_bits + 1)
        stored = Signal(address_bits + 1)
        offered = Signal()
        fetch = Signal()
        m.d.comb += [
            stored.eq((written - read)[: address_bits + 1]),
            self.i_ready.eq(stored != self.depth),
            ram.write_enable.eq(self.i_valid & self.i_ready),
            ram.write_address.eq(written[:address_bits]),
            ram.write_data.eq(self.i_data),
            fetch.eq((stored != 0) & (~offered | self.o_ready)),
            ram.read_enable.eq(fetch),
            ram.read_address.eq(read[:address_bits]),
            self.o_data.eq(ram.read_data),
            self.o_valid.eq(offered),
            self.level.eq(stored + offered),
        ]
        m.d.sync += [
            written.eq(written + ram.write_enable),
            read.eq(read + fetch),
            offered.eq(Mux(fetch, 1, offered & ~self.o_ready)),
        ]
        return m
