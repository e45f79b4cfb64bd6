"""cocotb test of an accelerator behind AXI, driven by cocotbext-axi; see `test_axi.py`."""

import itertools
import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)
from macsmith.model import fast
from macsmith.model.accelerator import REGISTERS, AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.model.schedule import make_schedule, packet_words, results_of_words

ADDRESSES = {register.name: register.address for register in REGISTERS}


@cocotb.test()
async def products(dut: Any) -> None:
    """Random products under random back-pressure; registers read meanwhile; what is refused."""
    job = json.loads(os.environ["MACSMITH_AXI_JOB"])
    config = AcceleratorConfig(parse_design(job["design"]), job["depth"], job["depth"])
    mac = config.design.mac
    rng = np.random.default_rng(job["seed"])
    pauses = random.Random(job["seed"])
    Clock(dut.aclk, 2, "step").start()
    reset = {"reset": dut.aresetn, "reset_active_level": False}
    registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, **reset)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, **reset)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **reset)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 4)
    dut.aresetn.value = 1
    outcome: dict[str, Any] = {
        "products": 0,
        "wrong": 0,
        "frames": 0,
        "left_over": 0,
        "unstalled": [],
    }

    async def read(name: str) -> int:
        answer = await registers.read(ADDRESSES[name], 4)
        assert answer.resp == AxiResp.OKAY
        return int.from_bytes(answer.data, "little")

    async def restart() -> None:
        await registers.write(ADDRESSES["CONTROL"], (1).to_bytes(4, "little"))

    found = [await read(f"DESIGN_{index}") for index in range(4)]
    outcome["hash_matches"] = (
        sum(word << 32 * index for index, word in enumerate(found)) == config.design_hash
    )
    for shape, share in itertools.product(job["shapes"], (0.0, 0.3, 0.7)):
        channels = (
            registers.write_if.aw_channel,
            registers.write_if.w_channel,
            registers.write_if.b_channel,
            registers.read_if.ar_channel,
            registers.read_if.r_channel,
        )
        for stream in (source, sink, *channels):
            stream.set_pause_generator(pauses.random() < share for _ in itertools.count())
        await restart()
        a = rng.integers(0, 1 << mac.a.bits, shape[:2], dtype=np.uint32)
        b = rng.integers(0, 1 << mac.b.bits, shape[1:], dtype=np.uint32)
        schedule = make_schedule(config, shape[0], shape[1], shape[2])
        words = packet_words(schedule, a, b)
        await source.send(AxiStreamFrame(tdata=words.tobytes()))
        octets = b""
        while len(octets) < 4 * schedule.result_words:
            frame = await with_timeout(sink.recv(), 400_000, "step")
            octets += bytes(frame.tdata)
            outcome["frames"] += 1
        results = results_of_words(schedule, np.frombuffer(octets, "<u4").astype(np.uint32))
        wanted = fast.matmul(mac, a, b)
        outcome["products"] += 1
        outcome["wrong"] += int((results != wanted).sum())
        await ClockCycles(dut.aclk, 4)
        outcome["left_over"] += sink.count() + int(dut.m_axis_tvalid.value)
        macs = await read("MACS") | await read("MACS_HIGH") << 32
        cycles, stalls = await read("CYCLES"), await read("STALLS")
        padded = schedule.row_tiles * config.rows * schedule.column_tiles * config.columns
        assert macs == padded * schedule.beats * config.lanes, (macs, shape)
        assert (cycles - stalls) * config.rows * config.columns * config.lanes == macs
        assert await read("STATUS") == 0
        if share == 0.0:
            outcome["unstalled"].append([*shape, cycles, stalls])

    # what must be refused, and a restart that forgets it
    answer = await registers.read(0xFC, 4)
    outcome["unknown_register"] = str(answer.resp.name)
    answer = await registers.write(ADDRESSES["STATUS"], bytes(4))
    outcome["read_only_register"] = str(answer.resp.name)
    bad = [0xFF000000, 0x03070001, 0x00010001, 0x01000000, 0x02000000 | config.b_depth + 1]
    await source.send(AxiStreamFrame(tdata=np.array(bad, dtype="<u4").tobytes()))
    await ClockCycles(dut.aclk, 200)
    outcome["problems"] = await read("STATUS") >> 1
    await restart()
    outcome["problems_after_restart"] = await read("STATUS")
    Path(os.environ["MACSMITH_AXI_OUTCOME"]).write_text(json.dumps(outcome), encoding="utf-8")
