"""Planes of digits -1 and +1: the numbers and products they stand for, exhaustively."""

import itertools

import numpy as np
import pytest
from macsmith.model import fast
from macsmith.model.design import parse_design
from macsmith.model.formats import DigitFormat, IntFormat, parse_format
from macsmith.model.planes import digit_planes, plane_matmul

FORMATS = ["bin1", "bin2", "bin4", "int2", "int3", "uint3", "int4", "uint4", "int8"]


def integers(fmt: IntFormat | DigitFormat) -> np.ndarray:
    """All values in units of the least step, by their codes."""
    scale = 1 << -fmt.least_exponent
    return np.array([int(fmt.decode(code) * scale) for code in range(1 << fmt.bits)])  # type: ignore[operator]


@pytest.mark.parametrize("name", [*FORMATS, "int4q2"])
def test_planes_add_up_to_every_number(name: str) -> None:
    fmt = parse_format(name)
    assert isinstance(fmt, IntFormat | DigitFormat)
    planes = digit_planes(fmt, np.arange(1 << fmt.bits))
    assert planes.shape == (fmt.bits, 1 << fmt.bits)
    assert set(np.unique(planes)) == {-1, 1}
    sums = np.tensordot(1 << np.arange(fmt.bits), planes.astype(np.int64), axes=1)
    if isinstance(fmt, IntFormat):
        doubled = sums + (-1 if fmt.is_signed else (1 << fmt.bits) - 1)
        assert not (doubled % 2).any()
        sums = doubled // 2
    np.testing.assert_array_equal(sums, integers(fmt))


@pytest.mark.parametrize(("a", "b"), list(itertools.product(FORMATS, FORMATS)))
def test_all_products_of_two_formats(a: str, b: str) -> None:
    a_format, b_format = parse_format(a), parse_format(b)
    assert isinstance(a_format, IntFormat | DigitFormat)
    assert isinstance(b_format, IntFormat | DigitFormat)
    left = np.arange(1 << a_format.bits)[:, None]
    right = np.arange(1 << b_format.bits)[None, :]
    expected = np.outer(integers(a_format), integers(b_format))
    np.testing.assert_array_equal(plane_matmul(a_format, left, b_format, right), expected)


@pytest.mark.parametrize(
    "text", ["bin1:int16", "bin2xbin3:int24", "int4xuint3:int24", "int8:int32"]
)
def test_a_matrix_product_is_that_of_the_compiled_model(text: str) -> None:
    mac = parse_design(text).mac
    assert isinstance(mac.a, IntFormat | DigitFormat)
    assert isinstance(mac.b, IntFormat | DigitFormat)
    random = np.random.default_rng(1)
    a = random.integers(0, 1 << mac.a.bits, (7, 131), dtype=np.uint32)
    b = random.integers(0, 1 << mac.b.bits, (131, 5), dtype=np.uint32)
    width = int(text.rsplit("int", 1)[1])
    codes = fast.matmul(mac, a, b).astype(np.int64)
    expected = np.where(codes >> (width - 1) & 1, codes - (1 << width), codes)
    np.testing.assert_array_equal(plane_matmul(mac.a, a, mac.b, b), expected)


def test_what_has_no_planes_is_refused() -> None:
    with pytest.raises(ValueError, match="binN, intN or uintN, not ternary"):
        digit_planes(DigitFormat(has_zero=True), [0])
    with pytest.raises(ValueError, match="codes must be 0 to 15"):
        digit_planes(IntFormat(4), [16])
    with pytest.raises(ValueError, match=r"must be \[M, K\] and \[K, N\]"):
        plane_matmul(IntFormat(4), [[1, 2]], IntFormat(4), [[1, 2]])
