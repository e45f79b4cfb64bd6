"""The two banks of one operand: one is filled while the other is read."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.ram import Ram

__all__ = ["OperandBuffer"]


class OperandBuffer(Block):
    """Entries come in word by word, and are read whole.

    Parameters
    ----------
    entry_bits
        Bits of an entry.
    word_bits
        Bits of a word of the stream that fills it.
    depth
        Entries in a bank, a power of two.

    Members
    -------
    load_valid : In(1)
        `load_word` is the next word of the bank that is being filled.
    load_word : In(word_bits)
        The lowest word of an entry first; bits beyond the entry are not looked at.
    load_done : In(1)
        The bank is full, with this word or before: it can be read from the next cycle on.
    can_load : Out(1)
        There is a bank to fill. It is filled only then.
    can_read : Out(1)
        There is a full bank: the one that was filled first is read.
    read_enable, read_address : In
        `entry` is what is there, one enabled cycle later.
    entry : Out(entry_bits)
    frees : In(1)
        The bank that is read is free from the next cycle on.
    """

    load_valid: Signal
    load_word: Signal
    load_done: Signal
    can_load: Signal
    can_read: Signal
    read_enable: Signal
    read_address: Signal
    entry: Signal
    frees: Signal

    def __init__(self, entry_bits: int, word_bits: int, depth: int) -> None:
        self.entry_bits, self.word_bits, self.depth = entry_bits, word_bits, depth
        self.words = -(-entry_bits // word_bits)
        super().__init__(
            f"operand_buffer_{entry_bits}x{depth}",
            {
                "load_valid": In(1),
                "load_word": In(word_bits),
                "load_done": In(1),
                "can_load": Out(1),
                "can_read": Out(1),
                "read_enable": In(1),
                "read_address": In((depth - 1).bit_length()),
                "entry": Out(entry_bits),
                "frees": In(1),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ram = Ram(self.entry_bits, 2 * self.depth)
        place(m, platform, "ram", ram)
        load_bank, read_bank = Signal(), Signal()
        full = Signal(2)
        address = Signal(range(self.depth))
        is_last_word = Signal()
        if self.words == 1:
            m.d.comb += [is_last_word.eq(1), ram.write_data.eq(self.load_word)]
        else:
            at = Signal(range(self.words))
            # the words before the last; the newest enters at the top
            earlier = Signal((self.words - 1) * self.word_bits, reset_less=True)
            m.d.comb += [
                is_last_word.eq(at == self.words - 1),
                ram.write_data.eq(Cat(earlier, self.load_word)),
            ]
            with m.If(self.load_valid):
                m.d.sync += [
                    earlier.eq(Cat(earlier, self.load_word)[self.word_bits :]),
                    at.eq(at + 1),
                ]
                with m.If(is_last_word):
                    m.d.sync += at.eq(0)
        m.d.comb += [
            ram.write_enable.eq(self.load_valid & is_last_word),
            ram.write_address.eq(Cat(address, load_bank)),
            ram.read_enable.eq(self.read_enable),
            ram.read_address.eq(Cat(self.read_address, read_bank)),
            self.entry.eq(ram.read_data),
            self.can_load.eq(full != 2),
            self.can_read.eq(full != 0),
        ]
        m.d.sync += full.eq(full + self.load_done - self.frees)
        with m.If(ram.write_enable):
            m.d.sync += address.eq(address + 1)
        with m.If(self.load_done):
            m.d.sync += [address.eq(0), load_bank.eq(~load_bank)]
        with m.If(self.frees):
            m.d.sync += read_bank.eq(~read_bank)
        return m
