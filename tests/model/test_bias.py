"""A bias as further products, against sums of Python's integers."""

import numpy as np
import pytest
from macsmith.model import fast
from macsmith.model.bias import bias_length, with_bias
from macsmith.model.design import parse_design


@pytest.mark.parametrize(
    "text", ["int8:int32:outraw", "uint8xint4:int32:outraw", "int4xuint8:int24:outraw"]
)
def test_sums_have_the_bias(text: str) -> None:
    mac = parse_design(text).mac
    rng = np.random.default_rng(1)
    a = rng.integers(0, 1 << mac.a.bits, (3, 10), dtype=np.uint32)
    b = rng.integers(0, 1 << mac.b.bits, (10, 40), dtype=np.uint32)
    least = -5000 if mac.b.name.startswith("int") else 0
    bias = np.concatenate([np.arange(least, least + 35), [0, 127, 128, 20000, 9999]])
    plain = fast.matmul(mac, a, b).astype(np.int64)
    bits = int(text.partition(":int")[2].partition(":")[0])
    wanted = plain + bias & ((1 << bits) - 1)
    found = fast.matmul(mac, *with_bias(mac, a, b, bias))
    assert (found.astype(np.int64) == wanted).all()


def test_lengths() -> None:
    mac = parse_design("int8:int32").mac
    assert bias_length(mac, [0, 126, -128 * 0]) == 1
    assert bias_length(mac, [127 * 127]) == 2
    assert bias_length(mac, [1_000_000]) == 63  # 62 times 127 * 127, and what is left


def test_what_is_refused() -> None:
    codes = np.zeros((2, 2), dtype=np.uint8)
    with pytest.raises(ValueError, match="add it to the results instead"):
        with_bias(parse_design("e4m3:exact").mac, codes, codes, [1, 2])
    mac = parse_design("int8xuint4:int32").mac
    with pytest.raises(ValueError, match=r"a bias must be at least 0 where B is uint4, .* not -1"):
        with_bias(mac, codes, codes, [1, -1])
    with pytest.raises(ValueError, match=r"bias must have the shape \(2,\), not \(3,\)"):
        with_bias(mac, codes, codes, [1, 2, 3])
    with pytest.raises(TypeError, match="bias must be integers, not float64"):
        with_bias(mac, codes, codes, [0.5, 1])
    with pytest.raises(ValueError, match="takes more than 1024 products of int8 and uint4"):
        with_bias(mac, codes, codes, [1, 1 << 30])
