"""Frames of a byte link (`macsmith.model.link`): received into, and sent from, a memory."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.ram import Ram
from macsmith.model.accelerator import WORD_BITS
from macsmith.model.link import CRC_RESIDUE, ESCAPE, ESCAPE_XOR, FLAG, MAX_PAYLOAD_WORDS

__all__ = ["FRAME_WORDS", "FrameReceiver", "FrameSender", "crc_step"]

#: With header and CRC.
FRAME_WORDS = MAX_PAYLOAD_WORDS + 2
_POLYNOMIAL = 0xEDB88320  # of CRC-32, lowest bit first
_ONES = 0xFFFFFFFF


def crc_step(register: Value, byte: Value) -> Value:
    """The register of CRC-32 after one byte more."""
    state = [register[index] ^ (byte[index] if index < 8 else 0) for index in range(32)]
    for _ in range(8):
        lowest = state[0]
        state = [*state[1:], Const(0, 1)]
        state = [
            bit ^ lowest if _POLYNOMIAL >> index & 1 else bit for index, bit in enumerate(state)
        ]
    return Cat(*state)


class FrameReceiver(Block):
    """Bytes to a frame in a memory; one that fails its check is never seen.

    A frame stays until it is taken; what arrives before that is dropped.

    Members
    -------
    valid, data : In(1), In(8)
        A byte.
    frame_valid : Out(1)
        There is a frame.
    frame_words : Out
        Its words without the CRC, at least 1.
    frame_taken : In(1)
        It is not needed any more.
    address : In(8)
        `word` is the frame's word there, one cycle later.
    word : Out(32)
    """

    valid: Signal
    data: Signal
    frame_valid: Signal
    frame_words: Signal
    frame_taken: Signal
    address: Signal
    word: Signal

    def __init__(self) -> None:
        super().__init__(
            "frame_receiver",
            {
                "valid": In(1),
                "data": In(8),
                "frame_valid": Out(1),
                "frame_words": Out(range(FRAME_WORDS)),
                "frame_taken": In(1),
                "address": In(range(FRAME_WORDS)),
                "word": Out(WORD_BITS),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ram = Ram(WORD_BITS, FRAME_WORDS)
        place(m, platform, "ram", ram)
        count = Signal(range(4 * FRAME_WORDS + 1))  # bytes since the flag
        crc = Signal(32, init=_ONES)
        is_bad = Signal(init=1)  # until the first flag
        is_escaped = Signal()
        earlier = Signal(24, reset_less=True)
        byte = Signal(8)
        stores = Signal()
        is_whole = (count[:2] == 0) & (count >= 8) & (crc == CRC_RESIDUE)
        m.d.comb += [
            byte.eq(self.data ^ Mux(is_escaped, ESCAPE_XOR, 0)),
            ram.write_enable.eq(stores & (count[:2] == 3)),
            ram.write_address.eq(count[2:]),
            ram.write_data.eq(Cat(earlier, byte)),
            ram.read_enable.eq(1),
            ram.read_address.eq(self.address),
            self.word.eq(ram.read_data),
        ]
        with m.If(self.frame_taken):
            m.d.sync += self.frame_valid.eq(0)
        with m.If(self.valid):
            with m.If(self.data == FLAG):
                with m.If(is_whole & ~is_bad & ~is_escaped & ~self.frame_valid):
                    m.d.sync += [self.frame_valid.eq(1), self.frame_words.eq(count[2:] - 1)]
                m.d.sync += [count.eq(0), crc.eq(_ONES), is_bad.eq(0), is_escaped.eq(0)]
            with m.Elif(self.frame_valid | is_bad | (count == 4 * FRAME_WORDS)):
                m.d.sync += is_bad.eq(1)
            with m.Elif(self.data == ESCAPE):
                m.d.sync += is_escaped.eq(1)
            with m.Else():
                m.d.comb += stores.eq(1)
                m.d.sync += [
                    is_escaped.eq(0),
                    crc.eq(crc_step(crc, byte)),
                    count.eq(count + 1),
                    earlier.eq(Cat(earlier[8:], byte)),
                ]
        return m


class FrameSender(Block):
    """A frame in a memory to bytes; the CRC is put behind it.

    Members
    -------
    start : In(1)
        Begin to send the first `words` words; not looked at while `is_busy`.
    words : In
        At least 1; must keep its value.
    is_busy : Out(1)
    write_enable, write_address, write_data : In
        Into the memory, while not busy.
    valid, ready, data : Out(1), In(1), Out(8)
    """

    start: Signal
    words: Signal
    is_busy: Signal
    write_enable: Signal
    write_address: Signal
    write_data: Signal
    valid: Signal
    ready: Signal
    data: Signal

    def __init__(self) -> None:
        super().__init__(
            "frame_sender",
            {
                "start": In(1),
                "words": In(range(FRAME_WORDS)),
                "is_busy": Out(1),
                "write_enable": In(1),
                "write_address": In(range(FRAME_WORDS)),
                "write_data": In(WORD_BITS),
                "valid": Out(1),
                "ready": In(1),
                "data": Out(8),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ram = Ram(WORD_BITS, FRAME_WORDS)
        place(m, platform, "ram", ram)
        at = Signal(range(4 * FRAME_WORDS))  # byte
        crc = Signal(32)
        was_escape = Signal()
        byte, needs_escape, ends = Signal(8), Signal(), Signal()
        m.d.comb += [
            ram.write_enable.eq(self.write_enable),
            ram.write_address.eq(self.write_address),
            ram.write_data.eq(self.write_data),
            ram.read_enable.eq(1),
            self.is_busy.eq(1),
            needs_escape.eq(((byte == FLAG) | (byte == ESCAPE)) & ~was_escape),
            self.data.eq(
                Mux(needs_escape, ESCAPE, Mux(was_escape, byte ^ ESCAPE_XOR, byte)),
            ),
        ]
        next_at = Signal.like(at)
        m.d.comb += [next_at.eq(at), ram.read_address.eq(next_at[2:])]
        m.d.sync += at.eq(next_at)
        with m.FSM(name="send"):
            with m.State("idle"):
                m.d.comb += [self.is_busy.eq(0), next_at.eq(0)]
                m.d.sync += [crc.eq(_ONES), was_escape.eq(0)]
                with m.If(self.start):
                    m.next = "open"
            with m.State("open"):
                m.d.comb += [self.valid.eq(1), self.data.eq(FLAG)]
                with m.If(self.ready):
                    m.next = "body"
            with m.State("body"):
                m.d.comb += [
                    self.valid.eq(1),
                    byte.eq(ram.read_data.word_select(at[:2], 8)),
                    ends.eq((at[:2] == 3) & (at[2:] == self.words - 1)),
                ]
                with m.If(self.ready):
                    m.d.sync += was_escape.eq(needs_escape)
                    with m.If(~needs_escape):
                        m.d.comb += next_at.eq(Mux(ends, 0, at + 1))
                        m.d.sync += crc.eq(crc_step(crc, byte))
                        with m.If(ends):
                            m.next = "check"
            with m.State("check"):
                m.d.comb += [self.valid.eq(1), byte.eq(~crc.word_select(at[:2], 8))]
                with m.If(self.ready):
                    m.d.sync += was_escape.eq(needs_escape)
                    with m.If(~needs_escape):
                        m.d.comb += next_at.eq(at + 1)
                        with m.If(at[:2] == 3):
                            m.next = "close"
            with m.State("close"):
                m.d.comb += [self.valid.eq(1), self.data.eq(FLAG)]
                with m.If(self.ready):
                    m.next = "idle"
        return m
