"""Scales bring rows and tensors into range; rounding is the format's own."""

import numpy as np
import pytest
from macsmith.model.accuracy.arithmetic import Float32Array
from macsmith.model.accuracy.quantise import (
    LARGEST_TARGET,
    SCALINGS,
    Scaling,
    parse_scaling,
    round_matrix,
    scale_matrix,
    target_magnitude,
)
from macsmith.model.formats import parse_format


@pytest.fixture
def matrix() -> Float32Array:
    """Return rows of very different size, one of them zero."""
    random = np.random.default_rng(5)
    rows = random.standard_normal((6, 40)) * 10.0 ** np.arange(-3, 3)[:, None]
    rows[2] = 0
    return rows.astype(np.float32)


@pytest.mark.parametrize("scaling", Scaling)
@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e2m1", "int8", "int4"])
def test_scales_reach_the_largest_number(matrix: Float32Array, scaling: Scaling, name: str) -> None:
    target = target_magnitude(parse_format(name))
    scaled = scale_matrix(matrix, target, scaling)
    np.testing.assert_allclose(scaled.values * scaled.scales, matrix, rtol=3e-7)
    assert scaled.scales.shape == ((6, 1) if scaling.is_per_row else (1, 1))
    largest = np.abs(scaled.values).max(axis=1 if scaling.is_per_row else None)
    largest = np.atleast_1d(largest)[np.atleast_1d(largest) > 0]
    if scaling.is_power_of_two:
        assert (np.frexp(scaled.scales)[0] == 0.5).all()
        assert (largest <= target).all()
        assert (largest > target / 2).all()
    else:
        np.testing.assert_allclose(largest, target, rtol=3e-7)


def test_power_of_two_scale_is_kept_when_exact() -> None:
    scaled = scale_matrix(np.array([[6.0, 3.0]], dtype=np.float32), 6.0, Scaling.ROW_POWER_OF_TWO)
    assert scaled.scales.tolist() == [[1.0]]


def test_zero_row_has_scale_one(matrix: Float32Array) -> None:
    scaled = scale_matrix(matrix, 448.0, Scaling.ROW)
    assert scaled.scales[2, 0] == 1
    assert not scaled.values[2].any()


def test_row_below_normal_float32_keeps_finite() -> None:
    tiny = np.full((1, 4), 1e-42, dtype=np.float32)
    scaled = scale_matrix(tiny, 448.0, Scaling.ROW)
    assert np.isfinite(scaled.values).all()


def test_non_finite_elements_do_not_count_for_the_scale() -> None:
    row = np.array([[1.0, np.inf, np.nan, -2.0]], dtype=np.float32)
    scaled = scale_matrix(row, 448.0, Scaling.ROW)
    assert scaled.values[0, 3] == pytest.approx(-448.0)
    assert np.isinf(scaled.values[0, 1])
    assert np.isnan(scaled.values[0, 2])


def test_rounding_is_nearest_even_and_saturates() -> None:
    fmt = parse_format("e2m1")
    values = np.array([[0.25, 0.75, 1.25, 2.5, 5.0, 5.1, 7.0, -7.0]], dtype=np.float32)
    rounded = round_matrix(fmt, scale_matrix(values, 7.0, Scaling.ROW))
    assert rounded.values.tolist() == [[0.0, 1.0, 1.0, 2.0, 4.0, 6.0, 6.0, -6.0]]


def test_non_finite_values_are_kept_where_the_format_can() -> None:
    values = np.array([[np.inf, -np.inf, np.nan, 0.3, 448]], dtype=np.float32)
    rounded = round_matrix(parse_format("e4m3"), scale_matrix(values, 448.0, Scaling.ROW))
    np.testing.assert_array_equal(rounded.values, [[448, -448, np.nan, 0.3125, 448]])


def test_target_magnitudes() -> None:
    assert target_magnitude(parse_format("e4m3")) == 448
    assert target_magnitude(parse_format("int8")) == 127
    assert target_magnitude(parse_format("int4")) == 7
    assert target_magnitude(parse_format("bf16")) == LARGEST_TARGET


def test_unsigned_operands_are_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8: operands of an accuracy task must be signed"):
        target_magnitude(parse_format("uint8"))


def test_scalings_by_name() -> None:
    assert SCALINGS == ("row", "tensor", "row-pow2", "tensor-pow2")
    assert parse_scaling("tensor") is Scaling.TENSOR
    assert parse_scaling(Scaling.ROW) is Scaling.ROW
    with pytest.raises(
        ValueError, match="scaling must be one of row, tensor, row-pow2, tensor-pow2, not 'column'"
    ):
        parse_scaling("column")
