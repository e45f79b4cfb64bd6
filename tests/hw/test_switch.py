"""Switchable designs against the models of their modes: units on many vectors, streams, bugs."""

import random
from dataclasses import replace
from typing import Any

import macsmith.hw.switch_mac
import macsmith.hw.switch_step
import macsmith.hw.union_terms
import pytest
from amaranth.hdl import Const, Value
from amaranth.sim import Simulator
from logic import Logic, block_verilog
from macsmith.hw.emit import design_verilog
from macsmith.hw.latency import latency_cycles
from macsmith.hw.switch_fixed import SwitchFixedStep
from macsmith.hw.switch_float import SwitchFloatStep
from macsmith.hw.switch_mac import SwitchMac
from macsmith.hw.switch_step import SeparateSteps
from macsmith.hw.switch_unit import SwitchUnit, switch_step
from macsmith.model import golden
from macsmith.model.config import MacConfig
from macsmith.model.design import Design, parse_design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths
from steps import make_vectors, model_step

UNITS = """
e4m3+e5m2:exact:lanes3  e4m3+e5m2:e6m9  e4m3+e4m3xe5m2+e5m2:e6m9  int8+e4m3:int32+exact:lanes2
e4m3+2e2m1:exact:lanes2  e5m2+2e2m1+4int2:exact  int8+e4m3:exact  int8+2int4:int24:lanes2
e4m3+e5m2:e6m9/8  e4m3+2e2m1:exact/8/e6m9:lanes2  e4m3+e5m2:exact/4/exact  e4m3+e3m2:e6m9:lanes2
e4m3+int8:e6m9:rtz  e5m2+e3m2:e6m9+exact:lanes2  int8+e4m3:int20:wrap  uint8+int8:int24:clip
e4m3+e5m2:e6m9:mule4m3:rup  e4m3fnuz+e5m2fnuz:exact  e5m0+e3m2ns:exact:lanes2  e4m3xint8+e5m2:exact
uint8+e5m2+2uint4:exact:lanes2  e4m3+2e2m1+2int4:exact:lanes2  int8+int4:int32:lanes2
int4+e4m3:exact:lanes2  e4m3+e5m2:exact:lanes3:signs=block  e4m3+int8:exact:lanes2:reduce=columns
e4m3+2e2m1:exact:lanes2:goal=speed  e4m3+e5m2:exact:lanes2:share=ports  bf16+e4m3:e6m9
e4m3+e5m2:fp32_aligned25:lanes4
posit8es1+e4m3:exact:lanes2  posit6es1+e4m3:e6m9  r4e3+e4m3:exact:lanes2
bin1xint8+int8:int24:lanes2
"""


def slots(codes: list[int], bits: int, rate: int, slot_bits: int, junk: random.Random) -> int:
    """Port value of a mode's codes, with junk in the bits that the mode does not look at."""
    word = 0
    for lane in range(len(codes) // rate):
        slot = junk.getrandbits(slot_bits) >> rate * bits << rate * bits
        for part in range(rate):
            slot |= codes[lane * rate + part] << part * bits
        word |= slot << lane * slot_bits
    return word


def in_range(config: MacConfig, word: int) -> int:
    """A partial sum that has room for a step's products: past it a single design's integer would
    wrap, and a switchable design has more bits."""
    inner = mac_widths(config).inner
    if inner.format is not None:
        return word
    mask = (1 << inner.integer_bits) - 1
    small = (word & mask) >> 2
    small -= (small >> (inner.integer_bits - 3)) << (inner.integer_bits - 2)
    return word & ~mask | small & mask


def wrong_units(text: str, count: int) -> list[str]:
    """Vectors for which the emitted unit is not what the model of the vector's mode says."""
    design = parse_design(f"{text}:unit")
    widths = switch_widths(design.modes)
    logic = Logic(block_verilog(SwitchUnit(design)))
    junk = random.Random(text)
    inputs: dict[str, list[int]] = {"mode": [], "a": [], "b": [], "partial_sum_i": []}
    ends: list[int] = []
    want: list[int] = []
    for mode, config in enumerate(design.modes):
        vectors = make_vectors(config, count, (text, mode))
        vectors = replace(vectors, partial_sums=[in_range(config, s) for s in vectors.partial_sums])
        rate = widths.rates[mode]
        for a, b in zip(vectors.a, vectors.b, strict=True):
            inputs["a"].append(slots(a, config.a.bits, rate, widths.a_slot_bits, junk))
            inputs["b"].append(slots(b, config.b.bits, rate, widths.b_slot_bits, junk))
        inputs["mode"] += [mode] * count
        inputs["partial_sum_i"] += [widths.common(mode, word) for word in vectors.partial_sums]
        ends += vectors.chunk_ends
        want += [widths.common(mode, word) for word in model_step(config, vectors)]
    if widths.outer is not None:
        inputs["chunk_end"] = ends
    got = logic(**inputs)["partial_sum_o"]
    return [
        f"{text}: vector {i} mode {inputs['mode'][i]} a {inputs['a'][i]:#x} b {inputs['b'][i]:#x} "
        f"partial sum {inputs['partial_sum_i'][i]:#x}: got {got[i]:#x}, must be {want[i]:#x}"
        for i in range(len(want))
        if got[i] != want[i]
    ]


@pytest.mark.parametrize("text", UNITS.split())
def test_units_of_all_kinds(text: str) -> None:
    assert wrong_units(text, 600) == []


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("e4m3+2e2m1:exact", SwitchFixedStep),
        ("int8+e4m3:int32+exact:lanes4", SwitchFixedStep),
        ("e4m3+e4m3xe5m2+e5m2:e6m9/64", SwitchFloatStep),
        ("e4m3+e5m2:exact:share=ports", SeparateSteps),
        ("e4m3+e5m2:int40:wrap", SeparateSteps),
        ("e4m3+e5m2:exact+e6m9", SeparateSteps),
        ("e4m3+e5m2:e6m9:lanes2", SeparateSteps),
        ("e4m3+e5m2:e6m9:mule4m3", SeparateSteps),
    ],
)
def test_modes_share_what_they_can(text: str, step: type) -> None:
    verilog = design_verilog(parse_design(f"{text}:unit"))
    names = {
        SwitchFixedStep: "switch_fixed_step",
        SwitchFloatStep: "switch_float_step",
        SeparateSteps: "separate_steps",
    }
    assert {each for each, name in names.items() if f"_{name} step (" in verilog} == {step}


def test_nothing_to_share_is_told() -> None:
    with pytest.raises(ValueError, match="share=datapath needs sums in fixed point"):
        switch_step(parse_design("e4m3+e5m2:e6m9:lanes2:share=datapath:unit"))
    with pytest.raises(ValueError, match="share is for designs of several modes"):
        parse_design("e4m3:exact:share=ports")


def test_a_wrong_mode_in_a_shared_decoder_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # the decoders of all formats at once
    monkeypatch.setattr(macsmith.hw.union_terms, "is_one_of", lambda *_: Const(1))
    assert wrong_units("e4m3+e5m2:e6m9", 100)
    assert wrong_units("e4m3+2e2m1:exact:lanes2", 100)


def test_wrong_mode_wiring_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = macsmith.hw.switch_step.select

    def swapped(mode: Value, values: Any) -> Value:
        return right(~mode, values)

    monkeypatch.setattr(macsmith.hw.switch_step, "select", swapped)
    assert wrong_units("e4m3+int8:e6m9+exact", 100)


def run_sums(design: Design, sums: list[list[tuple[int, int, int]]]) -> list[tuple[int, int]]:
    """Results and their cycles, counted from the last beat of their sum, of beats (mode, a, b)."""
    dut = SwitchMac(design)
    beats = [(*beat, beat is each[-1]) for each in sums for beat in each]
    found: list[tuple[int, int]] = []
    rng = random.Random(1)

    async def bench(ctx: Any) -> None:
        at, ends, cycle = 0, [], 0
        offered = False
        while len(found) < len(sums):
            offered = offered or (at < len(beats) and rng.random() < 0.8)
            ctx.set(dut.i_valid, offered)
            if offered:
                for port, value in zip(
                    (dut.i_mode, dut.i_a, dut.i_b, dut.i_last), beats[at], strict=True
                ):
                    ctx.set(port, value)
            ctx.set(dut.o_ready, ready := rng.random() < 0.8)
            if ctx.get(dut.o_valid) and ready:
                found.append((ctx.get(dut.o_data), cycle - ends[len(found)]))
            if offered and ctx.get(dut.i_ready):
                if beats[at][3]:
                    ends.append(cycle)
                at += 1
                offered = False
            cycle += 1
            assert cycle < 5000
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "e4m3+e5m2:exact:lanes2:stages2",
        "e4m3+2e2m1:exact/4/e6m9:stages1",
        "int8+e4m3:int32+exact",
        "e4m3+e4m3xe5m2+e5m2:e6m9/4:stages3",
        "e4m3+2e2m1:exact:lanes2:stages5",
    ],
)
def test_modes_change_between_sums(text: str) -> None:
    design = parse_design(text)
    widths = switch_widths(design.modes)
    rng = random.Random(text)
    sums: list[list[tuple[int, int, int]]] = []
    want: list[int | None] = []
    for number in range(40):
        mode = number % len(design.modes) if number < 9 else rng.randrange(len(design.modes))
        config, rate = design.modes[mode], widths.rates[mode]
        length = rng.choice([1, 1, 2, 3, 5, 9]) * config.lanes
        a = [rng.getrandbits(config.a.bits) for _ in range(length)]
        b = [rng.getrandbits(config.b.bits) for _ in range(length)]
        beats = []
        for k in range(0, length, config.lanes):
            part = slice(k, k + config.lanes)
            beats.append(
                (
                    mode,
                    slots(a[part], config.a.bits, rate, widths.a_slot_bits, rng),
                    slots(b[part], config.b.bits, rate, widths.b_slot_bits, rng),
                )
            )
        wanted: int | None = golden.dot(config, a, b)
        if number % 7 == 6:  # the mode changes in the middle: only the next sums must be right
            beats.append(((mode + 1) % len(design.modes), beats[0][1], beats[0][2]))
            wanted = None
        sums.append(beats)
        want.append(wanted)
    found = run_sums(design, sums)
    assert len(found) == len(want)
    assert [got for (got, _), right in zip(found, want, strict=True) if right is not None] == [
        right for right in want if right is not None
    ]
    assert min(cycles for _, cycles in found) == latency_cycles(design)


def test_a_wrong_mode_at_the_result_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = macsmith.hw.switch_mac.SwitchConvert.elaborate

    def first_mode_only(self: Any, platform: Any) -> Any:
        self.mode = Const(0, len(self.mode))
        return real(self, platform)

    monkeypatch.setattr(macsmith.hw.switch_mac.SwitchConvert, "elaborate", first_mode_only)
    with pytest.raises(AssertionError):
        test_modes_change_between_sums("e4m3+e5m2:exact:lanes2:stages2")
