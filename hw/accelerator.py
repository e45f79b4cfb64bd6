"""Array, operand banks, result queue and registers: packets in, results out."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.dataflow import Dataflow
from macsmith.hw.operand_buffer import OperandBuffer
from macsmith.hw.output_stationary import OutputStationary
from macsmith.hw.packet_decoder import PacketDecoder
from macsmith.hw.ram import Queue
from macsmith.hw.weight_stationary import WeightStationary
from macsmith.model.accelerator import (
    COUNTER_BITS,
    JOBS,
    MAGIC,
    REGISTERS,
    VERSION,
    WORD_BITS,
    AcceleratorConfig,
)

__all__ = ["Accelerator", "Engine"]

#: Packets in, results out.
STREAMS = {
    "i_valid": In(1),
    "i_ready": Out(1),
    "i_data": In(WORD_BITS),
    "o_valid": Out(1),
    "o_ready": In(1),
    "o_data": Out(WORD_BITS),
    "o_last": Out(1),
}


def _dataflow(config: AcceleratorConfig) -> Dataflow:
    """The array with what reads its operands."""
    return WeightStationary(config) if config.is_weight_stationary else OutputStationary(config)


class _WithStreams(Block):
    """A block with the streams of an accelerator."""

    i_valid: Signal
    i_ready: Signal
    i_data: Signal
    o_valid: Signal
    o_ready: Signal
    o_data: Signal
    o_last: Signal


class Engine(_WithStreams):
    """All of an accelerator but its registers; a restart resets it.

    Parameters
    ----------
    config
        The accelerator.

    Members
    -------
    i_valid, i_ready, i_data : In(1), Out(1), In(32)
        Packets.
    o_valid, o_ready, o_data : Out(1), In(1), Out(32)
        Results.
    o_last : Out(1)
        The word is the last of its tile.
    status : Out(4)
        Bit 0 busy, then what packets were dropped for.
    cycles, stalls, macs : Out(COUNTER_BITS)
        As the registers say.
    """

    status: Signal
    cycles: Signal
    stalls: Signal
    macs: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            "engine",
            {
                **STREAMS,
                "status": Out(4),
                "cycles": Out(COUNTER_BITS),
                "stalls": Out(COUNTER_BITS),
                "macs": Out(COUNTER_BITS),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        decoder = PacketDecoder(config)
        jobs = Queue(decoder.layout.size, JOBS)
        a = OperandBuffer(config.a_entry_bits, WORD_BITS, config.a_depth)
        b = OperandBuffer(config.b_entry_bits, WORD_BITS, config.b_depth)
        dataflow = _dataflow(config)
        row_bits = config.columns * config.output_bits
        results = Queue(row_bits + 1, config.result_depth)
        for name, block in (
            ("decoder", decoder),
            ("jobs", jobs),
            ("a", a),
            ("b", b),
            ("dataflow", dataflow),
            ("results", results),
        ):
            place(m, platform, name, block)

        m.d.comb += [
            decoder.i_valid.eq(self.i_valid),
            decoder.i_data.eq(self.i_data),
            self.i_ready.eq(decoder.i_ready),
            jobs.i_valid.eq(decoder.job_valid),
            jobs.i_data.eq(decoder.job),
            decoder.job_ready.eq(jobs.i_ready),
            dataflow.job_valid.eq(jobs.o_valid),
            dataflow.job.eq(jobs.o_data),
            jobs.o_ready.eq(dataflow.job_ready),
            results.i_valid.eq(dataflow.o_valid),
            results.i_data.eq(Cat(dataflow.o_data, dataflow.o_last)),
            dataflow.o_ready.eq(results.i_ready),
        ]
        for side, bank in (("a", a), ("b", b)):
            m.d.comb += [
                getattr(decoder, f"{side}_can_load").eq(bank.can_load),
                bank.load_valid.eq(getattr(decoder, f"{side}_valid")),
                bank.load_done.eq(getattr(decoder, f"{side}_done")),
                bank.load_word.eq(self.i_data),
                getattr(dataflow, f"{side}_can_read").eq(bank.can_read),
                bank.read_enable.eq(getattr(dataflow, f"{side}_read")),
                bank.read_address.eq(getattr(dataflow, f"{side}_address")),
                getattr(dataflow, f"{side}_entry").eq(bank.entry),
                bank.frees.eq(getattr(dataflow, f"release_{side}")),
            ]
        self._send_results(m, results)
        self._count(m, decoder, jobs, dataflow)
        return m

    def _send_results(self, m: Module, results: Queue) -> None:
        """Rows word by word."""
        config = self.config
        is_last_word: Any = Const(1, 1)
        m.d.comb += [
            self.o_valid.eq(results.o_valid),
            self.o_data.eq(results.o_data[:-1][:WORD_BITS]),
        ]
        if config.result_words > 1:
            word = Signal(range(config.result_words))
            is_last_word = word == config.result_words - 1
            m.d.comb += self.o_data.eq(results.o_data[:-1].word_select(word, WORD_BITS))
            with m.If(self.o_valid & self.o_ready):
                m.d.sync += word.eq(Mux(is_last_word, 0, word + 1))
        m.d.comb += [
            results.o_ready.eq(self.o_ready & is_last_word),
            self.o_last.eq(is_last_word & results.o_data[-1]),
        ]

    def _count(self, m: Module, decoder: PacketDecoder, jobs: Queue, dataflow: Dataflow) -> None:
        """What the registers tell."""
        config = self.config
        tiles = Signal(16)  # begun to leave the array or about to, but not sent
        is_busy = Signal()
        m.d.sync += tiles.eq(
            tiles + dataflow.ends_tile - (self.o_valid & self.o_ready & self.o_last)
        )
        m.d.comb += [
            is_busy.eq(
                ~decoder.is_idle
                | (self.i_valid & decoder.i_ready)
                | (jobs.level != 0)
                | dataflow.is_busy
                | (tiles != 0)
            ),
            self.status.eq(
                is_busy | decoder.unknown_packet << 1 | decoder.bad_load << 2 | decoder.bad_run << 3
            ),
        ]
        # a counter each: products from beats would take a multiplier, a DSP block on an FPGA
        macs = config.rows * config.columns * config.lanes
        m.d.sync += [
            self.cycles.eq(self.cycles + is_busy),
            self.stalls.eq(self.stalls + (is_busy & ~dataflow.takes_beat)),
        ]
        with m.If(dataflow.takes_beat):
            m.d.sync += self.macs.eq(self.macs + macs)


class Accelerator(_WithStreams):
    """Packets in, results out, and registers beside them (`macsmith.model.accelerator`).

    Parameters
    ----------
    config
        The accelerator.

    Members
    -------
    i_valid, i_ready, i_data : In(1), Out(1), In(32)
        Packets.
    o_valid, o_ready, o_data, o_last : Out(1), In(1), Out(32), Out(1)
        Results; the last word of a tile.
    register_address : In(6)
        Byte address of a register; bits 0 and 1 are not looked at.
    register_write : In(1)
        `register_data_i` is written in this cycle.
    register_read : In(1)
        `register_data_o` is the register from the next cycle on.
    register_data_i, register_data_o : In(32), Out(32)
    """

    register_address: Signal
    register_write: Signal
    register_read: Signal
    register_data_i: Signal
    register_data_o: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            "accelerator",
            {
                **STREAMS,
                "register_address": In(6),
                "register_write": In(1),
                "register_read": In(1),
                "register_data_i": In(WORD_BITS),
                "register_data_o": Out(WORD_BITS),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        engine = Engine(config)
        restart = Signal()
        place(m, platform, "engine", engine, reset=restart)
        addresses = {register.name: register.address for register in REGISTERS}
        m.d.comb += [
            engine.i_valid.eq(self.i_valid & ~restart),
            engine.i_data.eq(self.i_data),
            self.i_ready.eq(engine.i_ready & ~restart),
            self.o_valid.eq(engine.o_valid & ~restart),
            self.o_data.eq(engine.o_data),
            self.o_last.eq(engine.o_last),
            engine.o_ready.eq(self.o_ready & ~restart),
        ]
        is_control = self.register_address[2:] == addresses["CONTROL"] >> 2
        m.d.sync += restart.eq(self.register_write & is_control & self.register_data_i[0])

        word_mask = (1 << WORD_BITS) - 1
        values: dict[str, Any] = {
            "MAGIC": MAGIC,
            "VERSION": VERSION,
            "SHAPE": (config.rows - 1) | (config.columns - 1) << 8 | (config.lanes - 1) << 16,
            "DEPTH": config.a_depth | config.b_depth << 16,
            "STATUS": engine.status,
        }
        for index in range(4):
            values[f"DESIGN_{index}"] = config.design_hash >> 32 * index & word_mask
        high = Signal(WORD_BITS)
        for name, counter in (
            ("CYCLES", engine.cycles),
            ("STALLS", engine.stalls),
            ("MACS", engine.macs),
        ):
            values[name] = counter[:WORD_BITS]
            values[f"{name}_HIGH"] = high
        with m.If(self.register_read):
            m.d.sync += self.register_data_o.eq(0)
            with m.Switch(self.register_address[2:]):
                for name, value in values.items():
                    with m.Case(addresses[name] >> 2):
                        m.d.sync += self.register_data_o.eq(value)
                        if f"{name}_HIGH" in values:
                            m.d.sync += high.eq(getattr(engine, name.lower())[WORD_BITS:])
        return m
