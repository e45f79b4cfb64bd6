"""Operand streams are rows of real layers, in order."""

import numpy as np
import pytest
from macsmith.model import fast
from macsmith.model.accuracy.quantise import Scaling, scale_matrix, target_magnitude
from macsmith.model.accuracy.smollm2 import GgufFile
from macsmith.model.accuracy.stimulus import capture_layer, operand_stream
from macsmith.model.design import parse_design


@pytest.mark.usefixtures("g2p_data")
class TestG2p:
    """The recurrent layer of the decoder."""

    def test_stream_is_made_of_whole_rows_in_order(self) -> None:
        design = parse_design("e4m3xint8:e6m9")
        products = 256
        a_codes, b_codes = operand_stream("g2p", design, 2 * products + 17, seed=4)
        assert a_codes.shape == b_codes.shape == (2 * products + 17,)
        layer = capture_layer("g2p", "dec_w_hh")
        for codes, matrix, fmt in (
            (a_codes, layer["activations"], design.mac.a),
            (b_codes, layer["weights"], design.mac.b),
        ):
            scaled = scale_matrix(matrix, target_magnitude(fmt), Scaling.ROW)
            rows = {tuple(row) for row in fast.encode(fmt, scaled.values).tolist()}
            assert tuple(codes[:products].tolist()) in rows
            assert tuple(codes[products : 2 * products].tolist()) in rows
            starts = {row[:17] for row in rows}
            assert tuple(codes[2 * products :].tolist()) in starts

    def test_seed_decides(self) -> None:
        design = parse_design("e4m3:exact")
        first = operand_stream("g2p", design, 500, seed=1)
        again = operand_stream("g2p", design, 500, seed=1)
        other = operand_stream("g2p", design, 500, seed=2)
        assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))
        assert not any(np.array_equal(x, y) for x, y in zip(first, other, strict=True))

    def test_wrong_requests(self) -> None:
        design = parse_design("e4m3:exact")
        with pytest.raises(ValueError, match="length must be at least 1 pair, not 0"):
            operand_stream("g2p", design, 0)
        with pytest.raises(ValueError, match=r"g2p: layer must be one of enc_w_ih, .*, not 'x'"):
            operand_stream("g2p", design, 1, layer="x")
        with pytest.raises(
            ValueError, match="operands 'mnist' are unknown; must be uniform, gaussian, smollm2"
        ):
            operand_stream("mnist", design, 1)


def test_language_model_layers(smollm2_file: GgufFile) -> None:
    design = parse_design("e4m3:exact")
    a_codes, b_codes = operand_stream("smollm2", design, 5000, seed=0)
    # Real operands: both signs, many different codes, far from uniform.
    for codes, fmt in ((a_codes, design.mac.a), (b_codes, design.mac.b)):
        values = fast.decode(fmt, codes)
        assert 0.3 < (values > 0).mean() < 0.7
        assert len(np.unique(codes)) > 60
        assert np.abs(values).mean() < 150  # uniform E4M3 values below 448 would have 224
    # A layer that shares its input with another one sees that input.
    up = capture_layer("smollm2", "blk.0.ffn_up")
    gate = capture_layer("smollm2", "blk.0.ffn_gate")
    assert up["activations"].shape == (128, 576)
    assert up["weights"].shape == (1536, 576)
    np.testing.assert_array_equal(up["activations"], gate["activations"])
    assert not np.array_equal(up["weights"], gate["weights"])
    with pytest.raises(ValueError, match=r"smollm2: layer must be one of blk\.0\.attn_q, .*"):
        capture_layer("smollm2", "blk.30.ffn_up")
