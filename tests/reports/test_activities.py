"""Port values while energy is measured."""

import numpy as np
import pytest
from macsmith.model import fast, golden
from macsmith.model.accuracy.block_stimulus import block_columns, block_sums
from macsmith.model.accuracy.packages import MissingPackageError
from macsmith.model.accuracy.stimulus import operand_stream, parse_operands, sum_products
from macsmith.model.design import parse_design
from macsmith.model.widths import mac_widths
from macsmith.reports.activities import further_activities, operand_waveforms


def test_synthetic_operands() -> None:
    for text in ("e4m3:exact", "e2m1:exact", "int8:int32", "uint4:int16", "posit8:exact"):
        design = parse_design(text)
        a, b = operand_stream("uniform", design, 20_000, seed=1)
        fmt = design.mac.a
        values = np.array([fast.decode(fmt, codes) for codes in (a, b)])
        assert np.isfinite(values).all()
        # every finite code, about equally often; a negative zero is one of them
        counts = np.bincount(a, minlength=1 << fmt.bits)
        finite = np.isfinite(fast.decode(fmt, np.arange(1 << fmt.bits)))
        assert ((counts > 0) == finite).all()
        assert counts[finite].max() < 4 * counts[finite].mean()
    design = parse_design("e4m3xint8:exact")
    a, b = operand_stream("gaussian", design, 576 * 20, seed=1)
    for fmt, codes in ((design.mac.a, a), (design.mac.b, b)):
        rows = np.abs(fast.decode(fmt, codes).astype(float)).reshape(20, 576)
        assert (rows.max(axis=1) == float(fmt.max)).all()  # scaled as a network's operands are
        assert rows.std() < 0.5 * float(fmt.max)
    with pytest.raises(ValueError, match="operands 'uniform/x' are unknown"):
        parse_operands("uniform/x")
    assert sum_products("gaussian") == 576


def test_weight_stationary() -> None:
    """Weights stay, tokens come by, and the partial sum is that of the rows above."""
    design = parse_design("e4m3:e6m9:unit")
    waves, first = operand_waveforms(design, "gaussian", dataflow="ws", streams=8)
    assert first == 1
    assert waves["a"].shape == waves["b"].shape == waves["partial_sum_i"].shape == (256, 8)
    assert (waves["b"] == waves["b"][:1]).all()
    assert all(len(np.unique(waves["a"][:, stream])) > 20 for stream in range(8))
    # not the unit's own sum of the step before, as it is in the other dataflow
    output, _ = operand_waveforms(design, "gaussian", streams=8)
    for ports, is_fed_back in ((output, True), (waves, False)):
        a, b, sums = (ports[name][:100].reshape(-1) for name in ("a", "b", "partial_sum_i"))
        after = fast.step(design.mac, sums.astype(np.uint64), a, b)
        following = ports["partial_sum_i"][1:101].reshape(-1)
        assert (after == following).all() == is_fed_back
    zero, _ = operand_waveforms(design, "gaussian", dataflow="ws", streams=8, is_a_zero=True)
    assert not zero["a"].any()
    assert (zero["partial_sum_i"] == waves["partial_sum_i"]).all()
    with pytest.raises(ValueError, match="weight-stationary operands need a partial sum from"):
        operand_waveforms("e4m3:exact", "gaussian", dataflow="ws")
    with pytest.raises(ValueError, match=r"dataflow must be os .* not 'diagonal'"):
        operand_waveforms("e4m3:exact", "gaussian", dataflow="diagonal")


def test_further_activities() -> None:
    design = parse_design("e4m3:exact:stages1")
    waves, first = operand_waveforms(design, "gaussian", streams=4)
    found = further_activities(design, "gaussian", waves, macs_per_cycle=1.0)
    assert list(found) == ["uniform", "zero_operand", "idle"]
    assert not found["zero_operand"].waveforms["i_a"].any()
    assert found["zero_operand"].waveforms["i_b"].any()
    idle = found["idle"]
    counted = idle.first_counted_cycle
    for name, wave in idle.waveforms.items():
        assert (wave[counted - 1 :] == wave[-1]).all(), name
        assert len(wave) > counted
    assert not idle.waveforms["i_valid"][-1].any()
    assert idle.waveforms["i_valid"][first].all()


@pytest.mark.parametrize(
    "text",
    ["mxint8:fp32:lanes32:unit", "nvfp4xe4m3:fp32:lanes4:unit", "mxfp4:e5m10:lanes8:unit"],
)
def test_blocks_of_a_unit(text: str) -> None:
    """Scales stay as long as their block, and sums are those of the definition."""
    design = parse_design(text)
    mac = design.mac
    waves, first = operand_waveforms(design, "gaussian", streams=2)
    assert first == 1
    names = [name for name in ("a_scale", "b_scale") if name in waves]
    assert len(names) == len(mac.scales)
    assert mac.block is not None
    steps_a_sum, steps_a_block = 576 // mac.lanes, mac.block // mac.lanes
    assert len(waves["a"]) >= 256
    assert ("chunk_end" in waves) == (steps_a_block > 1)
    outer = mac_widths(mac).inner_state_bits
    for stream in range(2):

        def codes(port: str, bits: int, stream: int = stream) -> list[int]:
            words = waves[port][:steps_a_sum, stream].reshape(steps_a_sum, -1).tolist()
            whole = [sum(word << 64 * n for n, word in enumerate(row)) for row in words]
            each = range(mac.lanes)
            return [word >> bits * lane & ((1 << bits) - 1) for word in whole for lane in each]

        sides = [waves[name][:steps_a_sum, stream].reshape(-1, steps_a_block) for name in names]
        assert all((side == side[:, :1]).all() for side in sides)
        scales = [tuple(block) for block in np.stack([s[:, 0] for s in sides], axis=-1).tolist()]
        raw = mac.model_copy(update={"output": "raw"})
        wanted = golden.dot(raw, codes("a", mac.a.bits), codes("b", mac.b.bits), scales=scales)
        at_end = {
            name: waves[name][steps_a_sum - 1, stream : stream + 1]
            for name in ("partial_sum_i", *names)
        }
        after = fast.step(
            mac,
            at_end["partial_sum_i"].astype(np.uint64),
            np.array([codes("a", mac.a.bits)[-mac.lanes :]]),
            np.array([codes("b", mac.b.bits)[-mac.lanes :]]),
            True,
            None,
            np.stack([at_end[name] for name in names], axis=-1),
        )
        assert int(after[0]) >> outer == wanted
        assert not waves["partial_sum_i"][steps_a_sum, stream]  # the next sum begins at zero


def test_blocks_of_a_mac_and_of_a_column() -> None:
    design = parse_design("mxfp4:fp32:lanes8")
    waves, first = operand_waveforms(design, "gaussian", streams=2)
    assert first == 3
    assert waves["i_a_scale"].shape == waves["i_b"].shape == waves["i_last"].shape
    assert not waves["i_a_scale"][:2].any()
    changes = np.flatnonzero((waves["i_a_scale"][3:] != waves["i_a_scale"][2:-1]).any(axis=1)) + 1
    assert len(changes) > 10
    assert not (changes % 4).any()
    assert (np.flatnonzero(waves["i_last"][2:, 0])[:3] == (71, 143, 215)).all()
    zero = further_activities(design, "gaussian", waves, macs_per_cycle=8.0)["zero_operand"]
    assert not zero.waveforms["i_a"].any()
    assert not zero.waveforms["i_a_scale"].any()
    assert zero.waveforms["i_b_scale"].any()

    design = parse_design("mxfp4:fp32:lanes8:unit")
    waves, _ = operand_waveforms(design, "gaussian", dataflow="ws", streams=6)
    for name in ("b", "b_scale", "chunk_end"):
        assert (waves[name] == waves[name][:1]).all(), name
    assert not (waves["a"] == waves["a"][:1]).all()
    zero_waves, _ = operand_waveforms(design, "gaussian", dataflow="ws", streams=6, is_a_zero=True)
    assert not zero_waves["a"].any()
    assert not zero_waves["a_scale"].any()
    for name in ("b", "b_scale", "partial_sum_i"):
        assert (zero_waves[name] == waves[name]).all(), name
    # the sum of the rows above a place, with their scales, by the definition
    a, b = block_columns("gaussian", design, 6, 256, 72, 0)
    place = np.random.default_rng(0).integers(72, size=6)
    stream = int(place.argmax())
    blocks, step = int(place[stream]) // 4, 5
    assert blocks > 2
    assert a.scales is not None
    assert b.scales is not None
    pairs = [(int(a.scales[stream, step, n]), int(b.scales[stream, n])) for n in range(blocks)]
    wanted = golden.dot(
        design.mac.model_copy(update={"output": "raw"}),
        a.codes[stream, step, : 32 * blocks].tolist(),
        b.codes[stream, : 32 * blocks].tolist(),
        scales=pairs,
    )
    inner = mac_widths(design.mac).inner_state_bits
    assert int(waves["partial_sum_i"][step, stream]) >> inner == wanted
    with pytest.raises(ValueError, match="weight-stationary operands need a partial sum from"):
        operand_waveforms("mxfp4:fp32:lanes8", "gaussian", dataflow="ws")


def test_what_has_no_gaussian_operands() -> None:
    waves, _ = operand_waveforms("uint8xint8:int32", "uniform", streams=2)
    found = further_activities("uint8xint8:int32", "uniform", waves, macs_per_cycle=1.0)
    assert list(found) == ["zero_operand", "idle"]


def test_a_layer_of_a_network() -> None:
    try:
        small = sum_products("g2p/enc_w_ih")
    except MissingPackageError as error:
        pytest.skip(str(error))
    assert small != sum_products("uniform")
    waves, _ = operand_waveforms("e4m3:exact", "g2p/enc_w_ih", streams=2)
    assert len(waves["i_a"]) >= 256


def test_blocks_of_an_array() -> None:
    """Each row and column has its own operands, with the scales of their blocks beside them."""
    design = parse_design("nvfp4:fp32:lanes8:1x2")
    waves, _ = operand_waveforms(design, "gaussian", streams=3)
    steps = len(waves["i_a"]) - 2
    sums = -(-steps * 8 // 576)
    _, columns = block_sums("gaussian", design, 3 * 2 * sums, 576, 0)
    assert columns.scales is not None
    codes = columns.codes.reshape(3, 2, -1)[:, :, : steps * 8].reshape(3, 2, steps, 8)
    # two steps a block
    scales = np.repeat(columns.scales, 2, axis=1).reshape(3, 2, -1)[:, :, :steps]
    for column in range(2):
        found = waves["i_b"][2:].astype(np.uint64) >> np.uint64(32 * column)
        assert (codes[:, column, :, 0] == found.T & 15).all()
        found = waves["i_b_scale"][2:].astype(np.uint64) >> np.uint64(7 * column)  # ue4m3
        assert (scales[:, column] == found.T & 127).all()
    assert waves["i_a_scale"].shape == waves["i_a"].shape
