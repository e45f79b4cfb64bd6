"""cocotb test of an accelerator behind its serial line, driven by cocotbext-uart; see
`test_uart.py`."""

import json
import logging
import os
import random
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, Timer
from cocotbext.uart import UartSink, UartSource
from macsmith.model import fast
from macsmith.model.accelerator import REGISTERS, AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.model.link import ANSWER, Frame, FrameDecoder, Operation, encode_frame
from macsmith.model.schedule import make_schedule, packet_words, results_of_words

ADDRESSES = {register.name: register.address for register in REGISTERS}
CLOCK_NS = 250
SILENCE_NS = 2_000_000  # longer than the longest answer takes to begin


class Host:
    """Requests by hand: each frame is sent as it is told, with pauses between bytes."""

    def __init__(self, dut: Any, divisor: int, skew: float, seed: int) -> None:
        baud = 1e9 / (CLOCK_NS * divisor)
        self.source = UartSource(dut.rx, baud=baud * (1 + skew))
        self.sink = UartSink(dut.tx, baud=baud)
        for each in (self.source, self.sink):
            each.log.setLevel(logging.WARNING)  # a line for each byte otherwise
        self.random = random.Random(seed)
        self.decoder = FrameDecoder()
        self.session, self.sequence = 0, 0
        self.frames, self.silent = 0, 0

    async def send(self, data: bytes, pauses: bool = True) -> None:
        """Bytes, with a pause before one in ten."""
        for each in data:
            if pauses and self.random.random() < 0.1:
                await self.source.wait()
                await Timer(self.random.randint(1, 20_000), "ns")
            await self.source.write([each])
        await self.source.wait()

    async def answer(self) -> Frame | None:
        """The next frame, or None if nothing comes."""
        while True:
            if self.sink.empty():
                self.sink.sync.clear()
                came = self.sink.sync.wait()
                await First(came, Timer(SILENCE_NS, "ns"))
                if self.sink.empty():
                    self.silent += 1
                    return None
            for frame in self.decoder.feed(bytes(self.sink.read_nowait())):
                self.frames += 1
                return frame

    async def ask(self, operation: Operation, *payload: int, session: int = 0) -> Frame:
        """A request and its answer; the request is spoilt, cut short or repeated now and then."""
        if operation is Operation.HELLO:
            self.session, self.sequence = session, 0
        else:
            self.sequence = (self.sequence + 1) % 256
        data = encode_frame(Frame(operation, self.sequence, self.session, payload))
        mischief = self.random.random()
        if mischief < 0.1:
            at = self.random.randrange(1, len(data) - 1)
            spoilt = data[at] ^ 1 << self.random.randrange(8)
            await self.send(data[:at] + bytes([spoilt]) + data[at + 1 :])
            await self.expect_none_or_refused()
        elif mischief < 0.2:
            await self.send(data[: self.random.randrange(1, len(data) - 1)])
        await self.send(data)
        answer = await self.answer()
        if 0.2 <= mischief < 0.4:  # as if the answer had been lost
            await self.send(data)
            again = await self.answer()
            assert again == answer, (again, answer)
        assert answer is not None, operation
        assert answer.operation == operation | ANSWER, answer
        assert (answer.session, answer.sequence) == (self.session, self.sequence)
        return answer

    async def expect_none_or_refused(self) -> None:
        """A spoilt frame is dropped; one whose flag was spoilt may run into the next."""
        answer = await self.answer()
        assert answer is None, answer


@cocotb.test()
async def products(dut: Any) -> None:
    """Random products in frames of random sizes; every request carried out once."""
    job = json.loads(os.environ["MACSMITH_UART_JOB"])
    config = AcceleratorConfig(parse_design(job["design"]), job["depth"], job["depth"])
    mac = config.design.mac
    rng = np.random.default_rng(job["seed"])
    Clock(dut.clk, CLOCK_NS, "ns").start()
    dut.rst.value = 1
    host = Host(dut, job["divisor"], job["skew"], job["seed"])
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    outcome: dict[str, Any] = {"products": 0, "wrong": 0, "left_over": 0}

    await host.send(encode_frame(Frame(Operation.READ, 1, 7, (0, 1 << 16))))
    refused = await host.answer()
    outcome["without_session"] = None if refused is None else refused.operation & ~ANSWER
    await host.ask(Operation.HELLO, session=0x1234)
    found = await host.ask(Operation.READ, ADDRESSES["DESIGN_0"] | 4 << 16)
    outcome["hash_matches"] = (
        sum(word << 32 * index for index, word in enumerate(found.payload)) == config.design_hash
    )
    macs = 0
    for m, k, n in job["shapes"]:
        a = rng.integers(0, 1 << mac.a.bits, (m, k), dtype=np.uint32)
        b = rng.integers(0, 1 << mac.b.bits, (k, n), dtype=np.uint32)
        schedule = make_schedule(config, m, k, n)
        words = [int(word) for word in packet_words(schedule, a, b)]
        results: list[int] = []
        while words or len(results) < schedule.result_words:
            if words:
                part = words[: host.random.randint(1, 40)]
                taken = (await host.ask(Operation.PUSH, *part)).payload[0]
                assert taken <= len(part)
                words = words[taken:]
            if host.random.random() < 0.5 or not words:
                most = host.random.randint(0, 30)
                pulled = (await host.ask(Operation.PULL, most)).payload
                assert len(pulled) <= most
                results += pulled
        outcome["left_over"] += len((await host.ask(Operation.PULL, 4)).payload)
        got = results_of_words(schedule, np.array(results, dtype=np.uint32))
        outcome["products"] += 1
        outcome["wrong"] += int((got != fast.matmul(mac, a, b)).sum())
        padded = schedule.row_tiles * config.rows * schedule.column_tiles * config.columns
        macs += padded * schedule.beats * config.lanes
        low, high = (await host.ask(Operation.READ, ADDRESSES["MACS"] | 2 << 16)).payload
        assert low | high << 32 == macs, "a packet was carried out twice, or not"
    outcome |= {"frames": host.frames, "silent": host.silent}
    Path(os.environ["MACSMITH_UART_OUTCOME"]).write_text(json.dumps(outcome), encoding="utf-8")
