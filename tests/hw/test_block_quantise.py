"""Quantisers of blocks against the model, from codes of floats to scale and codes."""

from fractions import Fraction
from typing import Any

import macsmith.hw.block_quantise
import numpy as np
import pytest
from amaranth.hdl import Const, Value
from amaranth.sim import Simulator
from logic import Logic, block_verilog
from macsmith.hw.block_quantise import BlockQuantise
from macsmith.hw.quantiser import Requantise, quantiser_verilog
from macsmith.model import fast, fast_blocks
from macsmith.model.block_formats import parse_block_format
from macsmith.model.blocks import BlockPolicy, BlockSpecials, ScaleRule
from macsmith.model.formats import FloatFormat, parse_format
from macsmith.model.rounding import Rounding

RULE, SATURATE = ScaleRule, BlockSpecials.SATURATE
CASES: list[tuple[str, str, BlockPolicy]] = [
    ("e4m3_e8m0_b4", "bf16", BlockPolicy()),
    ("e2m1_e8m0_b3", "fp32", BlockPolicy(RULE.RCEIL)),
    ("int8q6_e8m0_b4", "bf16", BlockPolicy(RULE.EVEN)),
    ("e5m2_e8m0_b4", "fp16", BlockPolicy(RULE.CEIL, specials=SATURATE)),
    ("e2m1_ue4m3_b4", "bf16", BlockPolicy()),
    ("int4sym_uint4_b4", "fp16", BlockPolicy()),
]
MORE: list[tuple[str, str, BlockPolicy]] = [
    ("e2m1_ue4m3_b4", "fp32", BlockPolicy(RULE.RCEIL, Rounding.UP)),
    ("e2m3_ue5m3_b4", "fp16", BlockPolicy(specials=SATURATE)),
    ("e3m2_e8m0_b4", "bf16", BlockPolicy(RULE.EVEN, Rounding.DOWN)),
    ("int8symq6_ue4m3_b4", "fp16", BlockPolicy(None, Rounding.TOWARD_ZERO)),
    ("e4m3_ue5m0fn_b3", "fp16", BlockPolicy(RULE.RCEIL)),
]


def _source(name: str) -> FloatFormat:
    fmt = parse_format(name)
    assert isinstance(fmt, FloatFormat)
    return fmt


def _codes(rng: np.random.Generator, source: FloatFormat, shape: tuple[int, int]) -> Any:
    """Codes with close exponents, half of them of few bits, and corners."""
    fields = 1 << source.exponent_bits
    field = (rng.integers(0, fields, (shape[0], 1)) + rng.integers(-4, 3, shape)) % fields
    codes = field << source.fraction_bits | rng.integers(0, 1 << source.fraction_bits, shape)
    codes |= rng.integers(0, 2, shape) << source.magnitude_bits
    low = source.fraction_bits - 3
    codes = np.where(rng.random(shape) < 0.5, codes >> low << low, codes)
    sign = 1 << source.magnitude_bits
    infinity = source.infinity_code
    corners = [0, 1, sign, infinity, infinity | sign, source.nan_code, source.max_magnitude_code]
    odds = [0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05]
    return np.where(rng.random(shape) < 0.1, rng.choice(corners, shape, p=odds), codes)


def wrong_blocks(name: str, source_name: str, policy: BlockPolicy, count: int) -> list[str]:
    """Blocks that the emitted quantiser gets wrong."""
    fmt, source = parse_block_format(name), _source(source_name)
    codes = _codes(np.random.default_rng(1), source, (count, fmt.length))
    values = fast.decode(source, codes.astype(np.uint32))
    logic = Logic(block_verilog(BlockQuantise(fmt, source, policy)))
    packed = [
        sum(int(code) << index * source.bits for index, code in enumerate(row)) for row in codes
    ]
    got = logic(values=packed)
    want = fast_blocks.quantise(fmt, values, policy, Fraction(1))
    scales = want.scales[:, 0].tolist()
    assert len(set(scales)) > 5
    bits = fmt.element.bits
    wrong = []
    for index in range(count):
        wanted = sum(int(code) << at * bits for at, code in enumerate(want.codes[index]))
        if (got["scale"][index], got["codes"][index]) != (scales[index], wanted):
            wrong.append(f"{values[index].tolist()}: scale {got['scale'][index]:#x}")
    return wrong


@pytest.mark.parametrize(("name", "source", "policy"), CASES)
def test_quantisers(name: str, source: str, policy: BlockPolicy) -> None:
    assert wrong_blocks(name, source, policy, 1200) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "source", "policy"), MORE)
def test_more_quantisers(name: str, source: str, policy: BlockPolicy) -> None:
    assert wrong_blocks(name, source, policy, 5000) == []


def test_a_wrong_largest_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: the last value does not count for amax."""
    largest = BlockQuantise._largest

    def broken(m: Any, magnitudes: list[Value]) -> Value:
        return largest(m, [*magnitudes[:-1], Const(0, len(magnitudes[-1]))])

    block = macsmith.hw.block_quantise.BlockQuantise
    monkeypatch.setattr(block, "_largest", staticmethod(broken))
    assert len(wrong_blocks("e2m1_e8m0_b3", "fp16", BlockPolicy(), 300)) > 50


def test_results_go_out_in_blocks() -> None:
    """With pauses on either side: every block comes once, in order."""
    fmt, source = parse_block_format("e2m1_e8m0_b4"), _source("fp16")
    rng = np.random.default_rng(4)
    codes = _codes(rng, source, (12, fmt.length))
    want = fast_blocks.quantise(fmt, fast.decode(source, codes.astype(np.uint32)))
    block = Requantise(fmt, source)
    pauses = rng.random((2000, 2)) < 0.4
    queue = [int(code) for code in codes.reshape(-1)]
    got: list[tuple[int, int]] = []

    async def bench(context: Any) -> None:
        sent = 0
        for pause_in, pause_out in pauses:
            offers = sent < len(queue) and not pause_in
            context.set(block.i_valid, int(offers))
            context.set(block.i_data, queue[sent] if offers else 0x1234)
            context.set(block.o_ready, int(not pause_out))
            if offers and context.get(block.i_ready):
                sent += 1
            if context.get(block.o_valid) and not pause_out:
                got.append((context.get(block.o_scale), context.get(block.o_codes)))
            await context.tick()

    simulator = Simulator(block)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    wanted = [
        (int(scale), sum(int(code) << 4 * at for at, code in enumerate(row)))
        for scale, row in zip(want.scales[:, 0], want.codes, strict=True)
    ]
    assert got == wanted


def test_verilog_and_what_is_refused() -> None:
    fmt, source = parse_block_format("e2m1_e8m0_b4"), _source("bf16")
    assert "module requantise_e8m7_to_e2m1_e8m0_b4(" in quantiser_verilog(
        fmt, source, is_stream=True
    )
    with pytest.raises(ValueError, match="takes the rules floor, rceil, ceil and even, not max"):
        quantiser_verilog(fmt, source, BlockPolicy(RULE.MAX))
    with pytest.raises(ValueError, match="takes the rules max and rceil, not floor"):
        quantiser_verilog(parse_block_format("nvfp4"), source, BlockPolicy(RULE.FLOOR))
