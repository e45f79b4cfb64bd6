"""Port values while energy is measured."""

import numpy as np
import pytest
from macsmith.model import fast
from macsmith.model.accuracy.packages import MissingPackageError
from macsmith.model.accuracy.stimulus import operand_stream, parse_operands, sum_products
from macsmith.model.design import parse_design
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


def test_what_has_no_gaussian_or_no_energy() -> None:
    waves, _ = operand_waveforms("uint8xint8:int32", "uniform", streams=2)
    found = further_activities("uint8xint8:int32", "uniform", waves, macs_per_cycle=1.0)
    assert list(found) == ["zero_operand", "idle"]
    with pytest.raises(ValueError, match="block formats is not measured yet; price area and delay"):
        operand_waveforms("mxint8:fp32:lanes32:unit", "uniform")


def test_a_layer_of_a_network() -> None:
    try:
        small = sum_products("g2p/enc_w_ih")
    except MissingPackageError as error:
        pytest.skip(str(error))
    assert small != sum_products("uniform")
    waves, _ = operand_waveforms("e4m3:exact", "g2p/enc_w_ih", streams=2)
    assert len(waves["i_a"]) >= 256
