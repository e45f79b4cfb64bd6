"""The swamping experiment: what must come out exactly, and what about."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from macsmith.model import fast, golden
from macsmith.model.design import parse_design

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "swamping.py"

# Stochastic rounding was found with as many random bits as are dropped (here 16, variant b), and
# with 8 and 4 (variant a).
# Ratio to the true sum at 1024, 4096, 16384 and 65536 numbers, found independently with plain NumPy
# on other draws of the same distribution, and how far another draw of 16 vectors may lie.
EXPECTED = {
    "RNE": ([1.0015, 0.9227, 0.2500, 0.0625], 0.01),
    "ties away": ([1.0023, 0.9236, 0.2500, 0.0625], 0.01),
    "toward zero": ([0.6977, 0.2655, 0.0701, 0.0194], 0.01),
    "SR 16 bits": ([0.9967, 1.0028, 1.0057, 1.0095], 0.02),
    "SR 8 bits": ([1.0011, 0.9816, 0.9706, 0.9180], 0.02),
    "SR 4 bits": ([0.9775, 0.9148, 0.6989, 0.2635], 0.02),
    "chunk 8": ([1.0001, 0.9987, 0.9914, 0.2556], 0.01),
    "chunk 16": ([1.0011, 1.0002, 1.0000, 0.5001], 0.01),
    "chunk 32": ([0.9995, 0.9992, 1.0007, 0.9954], 0.005),
    "chunk 64": ([1.0002, 0.9999, 0.9999, 0.9997], 0.003),
    "chunk 128": ([0.9997, 1.0001, 1.0012, 1.0008], 0.003),
    "chunk 256": ([0.9996, 0.9999, 1.0003, 1.0003], 0.003),
}


@pytest.fixture(scope="module")
def swamping() -> ModuleType:
    specification = importlib.util.spec_from_file_location("swamping", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def codes(swamping: ModuleType) -> np.ndarray:
    return swamping.draw_codes()  # type: ignore[no-any-return]


def test_nearest_stalls_at_exactly_4096(swamping: ModuleType, codes: np.ndarray) -> None:
    """The unit above 4096 is 8, below it 4: no number of at most 2.74 and at least -0.74 reaches
    half of either."""
    assert fast.decode("e6m9", codes).max() < 4
    assert fast.decode("e6m9", codes).min() > -1
    for name in ("RNE", "ties away"):
        assert (swamping.sums(swamping.DESIGNS[name], codes) == 4096).all()
        assert (swamping.sums(swamping.DESIGNS[name], codes[:, :16384]) == 4096).all()


def test_chunks_stall_where_their_sums_do(swamping: ModuleType) -> None:
    """Ones: sums of 8 stop at 8192, whose unit is 16; sums of 64 do not stop."""
    ones = np.full((1, 65536), int(fast.encode("e6m9", [1.0])[0]))
    assert swamping.sums("e6m9xe2m1:e6m9", ones) == 1024
    assert swamping.sums("e6m9xe2m1:e6m9/8", ones) == 8192
    assert swamping.sums("e6m9xe2m1:e6m9/64", ones) == 65536


@pytest.mark.parametrize("name", EXPECTED)
def test_ratios(name: str, swamping: ModuleType, codes: np.ndarray) -> None:
    assert set(EXPECTED) == set(swamping.DESIGNS)
    expected, tolerance = EXPECTED[name]
    assert swamping.LENGTHS[::2] == (1024, 4096, 16384, 65536)
    got = swamping.ratios(swamping.DESIGNS[name], codes)[::2]
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance)


def test_a_short_sum_as_defined(codes: np.ndarray) -> None:
    config = parse_design("e6m9xe2m1:e6m9/64").mac
    one = int(fast.encode("e2m1", [1.0])[0])
    row = codes[0, :2000].tolist()
    got = fast.matmul(config, codes[:1, :2000], np.full((2000, 1), one))
    assert got.tolist() == [[golden.dot(config, row, [one] * 2000)]]
