"""Statistics of operand streams, against ones counted by hand."""

from itertools import pairwise

import numpy as np
import pytest
from macsmith.model.cost.activity import STATISTICS, operand_statistics
from macsmith.model.design import parse_design

INT4, E4M3 = parse_design("int4:int12").mac, parse_design("e4m3:e6m9").mac
ONE, TWO, MINUS_ZERO = 0b0_0111_000, 0b0_1000_000, 0b1_0000_000


def test_toggles_are_counted() -> None:
    a = np.array([0b0001, 0b0010, 0b0010, 0b1111], dtype=np.uint32)  # 1, 2, 2, -1
    b = np.array([0b0001, 0b0001, 0b0000, 0b0001], dtype=np.uint32)  # 1, 1, 0, 1
    found = operand_statistics(INT4, a, b)
    assert found.a_toggles == pytest.approx((2 + 0 + 3) / 12)
    assert found.b_toggles == pytest.approx(2 / 12)
    assert found.product_changes == 1.0
    # products 1, 2, 0, -1 in two's complement of 8 bits: 2, 1 and 8 bits change
    assert found.product_toggles == pytest.approx((2 + 1 + 8) / 3 / 8)
    # sums 1, 3, 3, 2 of 12 bits: 1, 0 and 1 bits change; before them 0, 1, 3 and 3
    assert found.sum_toggles == pytest.approx((1 + 0 + 1) / 3 / 12)
    assert found.state_toggles == pytest.approx((1 + 1 + 0 + 1) / 4 / 12)
    assert found.state_changes == pytest.approx(3 / 4)
    # partial products 1 x 1, 1 x 1, none, 4 x 1 of 16: 2 change places, 1 falls, 4 rise
    assert found.partial_toggles == pytest.approx((2 + 1 + 4) / 3 / 16)
    assert found.partial_mixed == pytest.approx(2 / 3 / 16)
    # -1 is added to 3: all of 12 places but the lowest carry
    assert found.carry_toggles == pytest.approx((0 + 0 + 11) / 3 / 12)
    assert found.exponent_toggles == found.distance_toggles == found.ripple_toggles == 0.0


def test_lanes_are_streams_of_their_own() -> None:
    a = np.array([1, 7, 1, 7, 1, 7], dtype=np.uint32)
    assert operand_statistics(parse_design("int4:int12:lanes2").mac, a, a).a_toggles == 0.0
    assert operand_statistics(INT4, a, a).a_toggles == pytest.approx(2 / 4)


def test_exponents_of_floats_move_significands_stay() -> None:
    a = np.array([ONE, TWO, ONE, TWO], dtype=np.uint32)
    b = np.full(4, ONE, dtype=np.uint32)
    found = operand_statistics(E4M3, a, b)
    assert found.significand_toggles == found.partial_toggles == 0.0
    assert found.exponent_toggles > 0.0
    assert found.moved_toggles == found.exponent_toggles
    # sums 1, 3, 4, 6 of (1,6,9): codes from 0 on
    codes = [0, 31 << 9, (32 << 9) | 256, 33 << 9, (33 << 9) | 256]
    flips = [(x ^ y).bit_count() for x, y in pairwise(codes)]
    assert found.state_toggles == pytest.approx(sum(flips) / 4 / 16)


def test_signs_of_zeros_ripple_through_fixed_point() -> None:
    exact = parse_design("e4m3:exact").mac
    still = np.zeros(4, dtype=np.uint32)
    signs = np.array([0, MINUS_ZERO, 0, MINUS_ZERO], dtype=np.uint32)
    ones = np.full(4, ONE, dtype=np.uint32)
    quiet, busy = operand_statistics(exact, still, ones), operand_statistics(exact, signs, ones)
    assert quiet.product_toggles == quiet.ripple_toggles == quiet.sign_changes == 0.0
    assert busy.product_toggles == busy.ripple_toggles == busy.sign_changes == 1.0
    assert busy.product_changes == busy.state_changes == busy.placed_toggles == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "e5m2:exact:lanes4",
        "e4m3:e6m9:lanes4:sr6",
        "e4m3:e6m9/64",
        "e4m3:exact/64/e6m9",
        "mxfp8_e4m3:fp32:lanes8",
        "nvfp4:bf16:lanes16",
        "e4m3:fp32_aligned21:lanes4",
        "uint4xint8:int24:lanes2",
        "posit8es1:exact",
    ],
)
def test_every_kind_of_sum_has_statistics(text: str) -> None:
    mac = parse_design(text).mac
    rng = np.random.default_rng(1)
    a, b = (
        rng.integers(1 << fmt.bits, size=(3, 24 * mac.lanes), dtype=np.uint32)
        for fmt in (mac.a, mac.b)
    )
    found = operand_statistics(mac, a, b, 16 * mac.lanes)
    for name in STATISTICS:
        assert 0.0 <= getattr(found, name) <= 1.0, name
    assert found.state_changes > 0.3
    assert found.product_toggles > 0.1


def test_what_has_no_statistics_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a and b must have one shape, not \(2,\) and \(3,\)"):
        operand_statistics(INT4, np.zeros(2, np.uint32), np.zeros(3, np.uint32))
    six, lanes4 = np.zeros(6, np.uint32), parse_design("int4:int12:lanes4").mac
    with pytest.raises(ValueError, match="must have two steps of 4 products or more, not 6"):
        operand_statistics(lanes4, six, six)
