"""Linear layers in block formats."""

import numpy as np
import pytest
from macsmith.model import fast_blocks
from macsmith.model.accuracy.block_arithmetic import (
    BitExactBlockArithmetic,
    BlockArithmetic,
    parse_block_scaling,
)
from macsmith.model.blocks import BlockPolicy, ScaleRule
from macsmith.model.design import parse_design


def _operands() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((5, 100)), rng.standard_normal((7, 100)) / 8
    return a.astype(np.float32), b.astype(np.float32)


@pytest.mark.parametrize("text", ["mxfp8_e4m3:fp32:lanes8", "nvfp4:fp32", "mxint8xe4m3:fp32"])
def test_exact_and_bit_exact_agree_where_nothing_is_lost(text: str) -> None:
    a, b = _operands()
    config = parse_design(text).mac
    rule = parse_block_scaling(config, "row")
    results = []
    for arithmetic in (BlockArithmetic(config, rule), BitExactBlockArithmetic(config, rule)):
        weight = arithmetic.prepare_weight("layer", b)
        results.append(arithmetic.product(arithmetic.prepare_input(a), weight))
        assert arithmetic.work.macs == 5 * 7 * 100
        assert arithmetic.work.layers == {"layer"}
    assert np.allclose(results[0], results[1], rtol=2e-6, atol=1e-7)
    assert 0 < np.abs(results[0] - a @ b.T).max() < 0.6


def test_values_are_those_of_the_quantiser() -> None:
    a, b = _operands()
    config = parse_design("mxfp4:fp32").mac
    arithmetic = BlockArithmetic(config, ScaleRule.RCEIL)
    policy = BlockPolicy(ScaleRule.RCEIL)
    wanted = fast_blocks.quantised_values("mxfp4", a, policy) @ (
        fast_blocks.quantised_values("mxfp4", b, policy).T
    )
    got = arithmetic.product(arithmetic.prepare_input(a), arithmetic.prepare_weight("layer", b))
    assert np.allclose(got, wanted, rtol=1e-6, atol=1e-6)


def test_a_short_accumulator_shows() -> None:
    a, b = _operands()
    config = parse_design("mxfp8_e4m3:e5m2").mac
    arithmetic = BitExactBlockArithmetic(config, ScaleRule.FLOOR)
    arithmetic.product(arithmetic.prepare_input(a), arithmetic.prepare_weight("layer", b))
    assert 0.02 < arithmetic.relative_rms_error < 0.5


def test_scaling_names() -> None:
    config = parse_design("nvfp4:fp32").mac
    assert parse_block_scaling(config, "row") is ScaleRule.MAX
    assert parse_block_scaling(config, "rceil") is ScaleRule.RCEIL
    with pytest.raises(ValueError, match="scaling of block formats must be one of floor, ceil"):
        parse_block_scaling(config, "tensor")
