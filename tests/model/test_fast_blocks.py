"""Blocks quantised on arrays: the codes of the definition."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from macsmith.model import fast, fast_blocks
from macsmith.model.block_formats import parse_block_format
from macsmith.model.blocks import (
    BlockPolicy,
    BlockSpecials,
    ScaleRule,
    quantise_block,
)
from macsmith.model.design import parse_design
from macsmith.model.fast_block_matmul import has_exact_blocks
from macsmith.model.fast_plan import Engine
from macsmith.model.rounding import Rounding

FORMATS = """
mxfp8_e4m3 mxfp8_e5m2 mxfp6_e3m2 mxfp6_e2m3 mxfp4 mxint8 mxint8sym mxint4 nvfp4 nvfp4_ue5m3 vsq4
e3m4_ue4m3_b8 int16_e8m0_b16 uint8_uint4_b8 e4m3fnuz_ue8m1fn_b8 e5m10_ue4m3_b8_tfp32
"""
ROUNDINGS = (
    Rounding.NEAREST_EVEN,
    Rounding.NEAREST_AWAY,
    Rounding.TOWARD_ZERO,
    Rounding.UP,
    Rounding.DOWN,
)


def _values(rng: np.random.Generator, length: int, dtype: Any) -> Any:
    """Two rows of nearly two blocks: wide and narrow, zeros, ties, and rarely specials."""
    shape = (2, 2 * length - 1)
    values = rng.standard_normal(shape) * 2.0 ** rng.integers(-8, 8, (2, 1))
    values *= np.where(rng.random(shape) < 0.3, 2.0 ** rng.integers(-10, 2, shape), 1)
    values[rng.random(shape) < 0.05] = 0.0
    values[rng.random(shape) < 0.05] *= -0.0
    if rng.random() < 0.5:
        values = np.round(values * 8) / 8
    if rng.random() < 0.2:
        values *= 2.0 ** float(rng.choice([-140, 110, -60]))
    if rng.random() < 0.3:
        values[0, 0] = rng.choice([np.nan, np.inf, -np.inf])
    if rng.random() < 0.1:
        values[1] *= 0
    return values.astype(dtype)


@pytest.mark.parametrize("name", FORMATS.split())
def test_codes_are_those_of_the_definition(name: str) -> None:
    fmt = parse_block_format(name)
    rng = np.random.default_rng(len(name))
    blocks = 0
    for trial in range(36):
        policy = BlockPolicy(
            (None, *ScaleRule)[trial % 6],
            ROUNDINGS[0 if trial % 2 else trial // 2 % 5],
            tuple(BlockSpecials)[trial // 3 % 2],
        )
        values = _values(rng, fmt.length, (np.float32, np.float64)[trial // 6 % 2])
        got = fast_blocks.quantise(fmt, values, policy)
        for row in range(2):
            for block in range(2):
                part = slice(block * fmt.length, (block + 1) * fmt.length)
                numbers = [float(value) for value in values[row, part]]
                wanted = quantise_block(fmt, numbers, policy, got.tensor)
                assert int(got.scales[row, block]) == wanted.scale, (policy, numbers)
                assert tuple(got.codes[row, part].tolist()) == wanted.codes, (policy, numbers)
                blocks += 1
        # and what they stand for, in one go
        apart = fast_blocks.dequantise(fmt, got)
        values64 = fast_blocks.quantised_values(fmt, values, policy)
        assert np.array_equal(apart, values64, equal_nan=True)
    assert blocks == 144


def test_partial_blocks_and_shapes() -> None:
    values = np.arange(2 * 3 * 40, dtype=np.float32).reshape(2, 3, 40)
    got = fast_blocks.quantise("mxfp8_e4m3", values)
    assert got.codes.shape == (2, 3, 40)
    assert got.scales.shape == (2, 3, 2)
    assert got.codes.dtype == np.uint8
    assert fast_blocks.quantise("e5m10_e8m0_b8", values).codes.dtype == np.uint16
    flat = fast_blocks.quantise("mxfp8_e4m3", values[1, 2])
    assert np.array_equal(flat.codes, got.codes[1, 2])


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="quantised fast only to signed floats"):
        fast_blocks.quantise("e4m3ns_e8m0_b8", np.zeros(8))
    with pytest.raises(ValueError, match="rounding must be rne, rna, rtz, rup, rdn, not"):
        fast_blocks.quantise("mxfp4", np.zeros(8), BlockPolicy(rounding=Rounding("rto")))
    with pytest.raises(ValueError, match="not be a single number"):
        fast_blocks.quantise("mxfp4", 1.0)


def test_tensor_scale() -> None:
    values = np.array([[1.0, -2.0, 0.5] * 8])
    got = fast_blocks.quantise("nvfp4", values)
    assert got.tensor == Fraction(float(np.float32(2 / 2688)))
    assert np.abs(fast_blocks.dequantise("nvfp4", got) - values).max() < 0.1


MATMULS = """
mxfp8_e4m3:fp32:lanes32 nvfp4:fp32:lanes16 mxint8:fp32:lanes32 mxfp4:e6m9:lanes4:rtz
mxfp8_e4m3:fp16:rna nvfp4_ue5m3:e4m3:nan mxfp6_e3m2:e5m2:inf mxfp4:e4m3:sat int8_uint4_b8xe4m3:bf16
"""


@pytest.mark.parametrize("text", MATMULS.split())
def test_products_of_blocks_are_those_of_wide_integers(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse_design(text).mac
    assert has_exact_blocks(config)
    block = config.block or 1
    assert fast.engine_of(config, 4 * block) is Engine.BLOCKS
    rng = np.random.default_rng(7)
    operands = []
    for trial in range(6):
        sides: list[Any] = []
        for fmt, scale, shape in (
            (config.a, config.a_scale, (16, 4 * block)),
            (config.b, config.b_scale, (16, 4 * block)),
        ):
            codes = rng.integers(0, 1 << fmt.bits, shape).astype(np.uint32)
            codes[rng.random(shape) < (0.9 if trial % 2 else 0.2)] = 0
            scales = None
            if scale is not None:
                near = (1 << scale.bits) // 2 + rng.integers(-10, 10, (16, 4))
                scales = np.clip(near, 0, (1 << scale.bits) - 1).astype(np.uint32)
            sides += [codes, scales]
        a, a_scales, b, b_scales = sides
        operands.append((a, b.T, a_scales, None if b_scales is None else b_scales.T))
    got = [fast.matmul(config, a, b, a_scales=x, b_scales=y) for a, b, x, y in operands]
    monkeypatch.setattr(fast, "has_exact_blocks", lambda config: False)
    wanted = [fast.matmul(config, a, b, a_scales=x, b_scales=y) for a, b, x, y in operands]
    assert all((one == other).all() for one, other in zip(got, wanted, strict=True))
    assert len({int(code) for each in got for code in each.flat}) > 20
