"""Operands of block formats: elements and scales that belong together."""

import numpy as np
import pytest
from macsmith.model import fast, fast_blocks
from macsmith.model.accuracy.block_stimulus import block_columns, block_sums
from macsmith.model.accuracy.stimulus import capture_layer
from macsmith.model.block_formats import parse_block_format
from macsmith.model.design import parse_design


def test_numbers_become_blocks_by_the_formats_rule() -> None:
    """A block's scale follows from its largest element, as the definition has it."""
    design = parse_design("mxfp8_e4m3xmxint8:fp32:lanes32")
    sides = block_sums("gaussian", design, sums=50, products=576, seed=3)
    for side, element in zip(sides, ("e4m3", "int8q6"), strict=True):
        assert side.codes.shape == (50, 576)
        assert side.scales is not None
        assert side.scales.shape == (50, 18)
        fmt = design.mac.a if element == "e4m3" else design.mac.b
        magnitudes = np.abs(fast.decode(fmt, side.codes)).reshape(50, 18, 32).max(axis=2)
        # floor: amax comes to between max's binade and the one above, where it is clipped
        top = float(fmt.max)
        assert (magnitudes >= 2.0 ** np.floor(np.log2(top))).all()
        assert (magnitudes <= 2.0 ** np.ceil(np.log2(top))).all()
        assert len(np.unique(side.scales)) >= 2


def test_uniform_operands() -> None:
    design = parse_design("nvfp4xe4m3:fp32:lanes4")
    a, b = block_sums("uniform", design, sums=400, products=40, seed=1)
    assert (np.bincount(a.codes.reshape(-1), minlength=16) > 800).all()
    assert a.scales is not None
    assert a.scales.shape == (400, 3)  # of 16, 16 and 8 products
    assert design.mac.a_scale is not None
    values = fast.decode(design.mac.a_scale, a.scales)
    assert values.min() == 1 / 16
    assert values.max() == 16
    assert b.scales is None
    assert np.isfinite(fast.decode(design.mac.b, b.codes)).all()
    zero = a.zeroed()
    assert zero.scales is not None
    assert not zero.codes.any()
    assert not zero.scales.any()


def test_columns_begin_with_a_block() -> None:
    design = parse_design("mxfp4:fp32:lanes16:unit")
    a, b = block_columns("gaussian", design, streams=5, steps=7, rows=4, seed=2)
    assert a.scales is not None
    assert b.scales is not None
    assert (a.codes.shape, a.scales.shape) == ((5, 7, 64), (5, 7, 2))
    assert (b.codes.shape, b.scales.shape) == ((5, 64), (5, 2))
    again, _ = block_columns("gaussian", design, streams=5, steps=7, rows=4, seed=2)
    np.testing.assert_array_equal(a.codes, again.codes)
    with pytest.raises(ValueError, match="a column must be a multiple of the block of 32 products"):
        block_columns("gaussian", design, streams=1, steps=1, rows=3)
    with pytest.raises(ValueError, match="gaussian: has 576 inputs in whole blocks; must be at"):
        block_columns("gaussian", design, streams=1, steps=1, rows=38)
    with pytest.raises(ValueError, match="scaling of block formats must be one of floor"):
        block_sums("gaussian", design, 1, 32, scaling="tensor")


@pytest.mark.usefixtures("g2p_data")
def test_rows_of_a_real_layer() -> None:
    design = parse_design("mxfp8_e4m3:fp32:lanes32")
    layer = capture_layer("g2p", "dec_w_hh")
    sides = block_sums("g2p", design, sums=4, products=256, seed=1)
    for side, name in zip(sides, ("activations", "weights"), strict=True):
        whole = fast_blocks.quantise(parse_block_format("mxfp8"), layer[name])
        rows = {
            (*codes, *scales)
            for codes, scales in zip(whole.codes.tolist(), whole.scales.tolist(), strict=True)
        }
        assert side.scales is not None
        for codes, scales in zip(side.codes.tolist(), side.scales.tolist(), strict=True):
            assert (*codes, *scales) in rows
    # the layer's 256 inputs and zeros that fill up the steps
    design = parse_design("e4m3_e8m0_b24:fp32:lanes24")
    a, _ = block_sums("g2p", design, sums=4, products=264, seed=1)
    assert a.scales is not None
    assert a.scales.shape == (4, 11)
    assert not a.codes[:, 256:].any()
