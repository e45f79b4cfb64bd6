"""Statistics of operand streams, against ones counted by hand."""

import numpy as np
import pytest
from macsmith.model.cost.activity import operand_statistics
from macsmith.model.formats import parse_format

INT4, E4M3 = parse_format("int4"), parse_format("e4m3")


def test_toggles_are_counted() -> None:
    a = np.array([0b0001, 0b0010, 0b0010, 0b1111], dtype=np.uint32)  # 1, 2, 2, -1
    b = np.array([0b0001, 0b0001, 0b0000, 0b0001], dtype=np.uint32)  # 1, 1, 0, 1
    found = operand_statistics(a, b, INT4, INT4)
    assert found.a_toggles == pytest.approx((2 + 0 + 3) / 12)
    assert found.b_toggles == pytest.approx(2 / 12)
    assert found.a_changes == pytest.approx(2 / 3)
    assert found.b_changes == pytest.approx(2 / 3)
    assert found.product_zeros == 0.25
    # products 1, 2, 0, -1 of 8 bits: 2, 1 and 8 bits change
    assert found.product_toggles == pytest.approx((2 + 1 + 8) / 3 / 8)
    # sums 1, 3, 3, 2 of 11 bits: 1, 0 and 1
    assert found.sum_toggles == pytest.approx(2 / 3 / 11)
    assert found.sign_changes == 0.0


def test_lanes_are_streams_of_their_own() -> None:
    a = np.array([1, 7, 1, 7, 1, 7], dtype=np.uint32)
    found = operand_statistics(a, a, INT4, INT4, lanes=2)
    assert found.a_toggles == 0.0
    assert operand_statistics(a, a, INT4, INT4).a_toggles == pytest.approx(2 / 4)


def test_spread_of_floats() -> None:
    one, two = 0b0_0111_000, 0b0_1000_000
    a = np.array([one, two, one, two], dtype=np.uint32)
    b = np.full(4, one, dtype=np.uint32)
    found = operand_statistics(a, b, E4M3, E4M3)
    assert found.exponent_spread == pytest.approx(0.5)
    assert found.product_zeros == 0.0
    assert found.sign_changes == 0.0


def test_what_has_no_statistics_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a and b must have one shape, not \(2,\) and \(3,\)"):
        operand_statistics(np.zeros(2, np.uint32), np.zeros(3, np.uint32), INT4, INT4)
    with pytest.raises(ValueError, match="must have two steps of 4 products or more, not 6"):
        operand_statistics(np.zeros(6, np.uint32), np.zeros(6, np.uint32), INT4, INT4, lanes=4)
