"""Predicted cycles, by hand and against an independent count."""

import pytest
from macsmith.hw.latency import latency_cycles
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.model.performance import predict
from macsmith.model.schedule import make_schedule


def test_one_beat_by_hand() -> None:
    """int8, one MAC: LOAD_A and LOAD_B take cycles 0..3, RUN 4 and 5.

    The job is at the queue's output in cycle 7 and read there, the beat is taken in 8, the
    result is in the queue's memory from 9 + 1 on, and its word leaves in 11.
    """
    design = parse_design("int8:int24")
    config = AcceleratorConfig(design, 16, 16)
    assert latency_cycles(design) == 1
    found = predict(make_schedule(config, 1, 1, 1), 1)
    assert (found.cycles, found.beats, found.macs, found.useful_macs) == (12, 1, 1, 1)
    assert (found.fill_cycles, found.wait_cycles, found.drain_cycles) == (8, 0, 3)


def test_resident_operands_keep_the_array_busy() -> None:
    """Sums of 8 chunks and more, loads behind the array's work: at least 95 % of the peak."""
    design = parse_design("e4m3:e6m9/16:8x8")
    config = AcceleratorConfig(design, 1024, 1024)
    loads = 2 * 2 * 8 * 128 * config.a_entry_words
    found = predict(make_schedule(config, 64, 128, 64), latency_cycles(design))
    assert found.beats / (found.cycles - loads / 2) > 0.95


@pytest.mark.parametrize("k", [1, 5, 16, 40])
def test_padding_is_no_use(k: int) -> None:
    config = AcceleratorConfig(parse_design("int8:int24:4x4:lanes2"), 16, 16)
    found = predict(make_schedule(config, 5, k, 3), latency_cycles(config.design))
    assert found.useful_macs == 15 * k
    assert found.macs == 2 * 32 * -(-k // 2)
    assert 0 < found.utilisation < 1


def test_sums_of_more_products_than_the_accumulator_has_terms() -> None:
    config = AcceleratorConfig(parse_design("int4:int16:2x2"), 16, 16)
    assert make_schedule(config, 1, 511, 1).k == 511
    with pytest.raises(ValueError, match=r"K must be at most the 511 products .* state terms512"):
        make_schedule(config, 1, 512, 1)
