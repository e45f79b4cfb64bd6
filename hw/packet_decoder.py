"""Packets to loads and jobs (`macsmith.model.accelerator`)."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.data import View
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.dataflow import job_layout
from macsmith.model.accelerator import WORD_BITS, AcceleratorConfig, Packet

__all__ = ["PacketDecoder"]


class PacketDecoder(Block):
    """Takes packets in order; a packet that could never be carried out is dropped and told.

    Banks are counted as packets promise them: a LOAD beyond the second bank that no earlier RUN
    gives free would wait for ever.

    Parameters
    ----------
    config
        The accelerator.

    Members
    -------
    i_valid, i_ready, i_data : In(1), Out(1), In(32)
        Packets.
    a_can_load, b_can_load : In(1)
    a_valid, a_done, b_valid, b_done : Out(1)
        The word that passes is one of A (B), and ends its LOAD.
    job_valid, job_ready, job : Out(1), In(1), Out
    is_idle : Out(1)
        Between two packets.
    unknown_packet, bad_load, bad_run : Out(1)
        Such a packet was dropped; stays until the reset.
    """

    i_valid: Signal
    i_ready: Signal
    i_data: Signal
    a_can_load: Signal
    b_can_load: Signal
    a_valid: Signal
    b_valid: Signal
    a_done: Signal
    b_done: Signal
    job_valid: Signal
    job_ready: Signal
    job: Signal
    is_idle: Signal
    unknown_packet: Signal
    bad_load: Signal
    bad_run: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.layout = job_layout(config)
        super().__init__(
            "packet_decoder",
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(WORD_BITS),
                "a_can_load": In(1),
                "b_can_load": In(1),
                "a_valid": Out(1),
                "b_valid": Out(1),
                "a_done": Out(1),
                "b_done": Out(1),
                "job_valid": Out(1),
                "job_ready": In(1),
                "job": Out(self.layout.size),
                "is_idle": Out(1),
                "unknown_packet": Out(1),
                "bad_load": Out(1),
                "bad_run": Out(1),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, word, job = self.config, self.i_data, View(self.layout, self.job)
        passes = Signal()
        entries, words = Signal(16), Signal(range(max(config.a_entry_words, config.b_entry_words)))
        last_word = Signal.like(words)  # of an entry
        is_dropped = Signal()  # the LOAD under way is not carried out
        ends_load = Signal()
        beats, flags = Signal(16), Signal(3)
        # full banks as the packets so far promise them
        promised = {name: Signal(2, name=f"promised_{name}") for name in ("a", "b")}
        depths = {"a": config.a_depth, "b": config.b_depth}
        last_words = {"a": config.a_entry_words - 1, "b": config.b_entry_words - 1}
        m.d.comb += [
            passes.eq(self.i_valid & self.i_ready),
            ends_load.eq((entries == 1) & (words == last_word)),
            job.beats.eq(beats),
            job.row_tiles.eq(word[:16]),
            job.column_tiles.eq(word[16:]),
            job.release_a.eq(flags[0]),
            job.release_b.eq(flags[1]),
            job.last.eq(flags[2]),
        ]
        with m.FSM(name="packet"):
            with m.State("header"):
                m.d.comb += [self.i_ready.eq(1), self.is_idle.eq(1)]
                with m.If(passes), m.Switch(word[24:]):
                    for name, packet in (("a", Packet.LOAD_A), ("b", Packet.LOAD_B)):
                        with m.Case(packet):
                            is_bad = (word[:16] > depths[name]) | (promised[name] == 2)
                            m.d.sync += [
                                entries.eq(word[:16]),
                                words.eq(0),
                                last_word.eq(last_words[name]),
                                is_dropped.eq(is_bad),
                            ]
                            with m.If(is_bad | (word[:16] == 0)):
                                m.d.sync += self.bad_load.eq(1)
                            with m.Else():
                                m.d.sync += promised[name].eq(promised[name] + 1)
                            with m.If(word[:16] != 0):
                                m.next = f"load_{name}"
                    with m.Case(Packet.RUN):
                        m.d.sync += [beats.eq(word[:16]), flags.eq(word[16:19])]
                        m.next = "run"
                    with m.Default():
                        m.d.sync += self.unknown_packet.eq(1)
            for name, can_load, valid, done in (
                ("a", self.a_can_load, self.a_valid, self.a_done),
                ("b", self.b_can_load, self.b_valid, self.b_done),
            ):
                with m.State(f"load_{name}"):
                    m.d.comb += [
                        self.i_ready.eq(can_load | is_dropped),
                        valid.eq(passes & ~is_dropped),
                        done.eq(passes & ~is_dropped & ends_load),
                    ]
                    with m.If(passes):
                        m.d.sync += words.eq(words + 1)
                        with m.If(words == last_word):
                            m.d.sync += [words.eq(0), entries.eq(entries - 1)]
                        with m.If(ends_load):
                            m.next = "header"
            with m.State("run"):
                is_bad_size = (beats == 0) | (word[:16] == 0) | (word[16:] == 0)
                is_bad_size |= beats > config.max_beats
                is_bad_size |= (word[:16] > config.a_depth) | (word[16:] > config.b_depth)
                if config.is_weight_stationary:
                    # only one column tile's sums are kept from one RUN to the next
                    is_bad_size |= ~flags[2] & (word[16:] != 1)
                is_bad_run = is_bad_size | (promised["a"] == 0) | (promised["b"] == 0)
                m.d.comb += [
                    self.job_valid.eq(self.i_valid & ~is_bad_run),
                    self.i_ready.eq(self.job_ready | is_bad_run),
                ]
                with m.If(passes):
                    m.next = "header"
                    with m.If(is_bad_run):
                        m.d.sync += self.bad_run.eq(1)
                    with m.Else():
                        m.d.sync += [
                            promised["a"].eq(promised["a"] - flags[0]),
                            promised["b"].eq(promised["b"] - flags[1]),
                        ]
        return m
