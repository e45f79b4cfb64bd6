"""The whole top under Verilator behind a pseudo-terminal, and the host that opens it."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import serial
from macsmith.model import fast
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.model.link import Operation
from macsmith.sim.faulty_link import FAULTS, FaultyLink
from macsmith.sim.simulated_board import SimulatedBoard, build_board

from macsmith.board import check_products
from macsmith.host import Accelerator, LinkError, WrongDesignError

DESIGN = "e4m3:e6m9/8:lanes2:2x3"
DEPTH = 16
TIMEOUT_SECONDS = 5.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board") / "made"
    return build_board(AcceleratorConfig(parse_design(DESIGN), DEPTH, DEPTH), folder)


@pytest.fixture
def board(program: Path) -> Iterator[SimulatedBoard]:
    running = SimulatedBoard(program)
    yield running
    running.close()


def test_products_match_the_golden_model(board: SimulatedBoard) -> None:
    with Accelerator.connect(board.port, DESIGN, timeout_seconds=TIMEOUT_SECONDS) as accelerator:
        outcome = check_products(accelerator, seed=3)
        assert outcome["passed"]
        assert outcome["results"] > 40
        # values in, values out: any K, padded with zeros
        a = np.linspace(-2, 2, 15).reshape(3, 5).astype(ml_dtypes.float8_e4m3fn)
        b = np.eye(5, 4)
        assert (accelerator.matmul(a, b) == a.astype(float)[:, :4]).all()
        with pytest.raises(TypeError, match="a must be an array of real numbers, not complex128"):
            accelerator.matmul(a.astype(complex), b)
        with pytest.raises(ValueError, match="a and b must be M x K and K x N"):
            accelerator.matmul(a, a)


def test_another_design_is_told(board: SimulatedBoard) -> None:
    with pytest.raises(
        WrongDesignError, match="another design than e4m3:exact:2x3: 2x3 of 2 lanes with hash"
    ):
        Accelerator.connect(board.port, "e4m3:exact:2x3", timeout_seconds=TIMEOUT_SECONDS)


def test_a_repeated_request_is_carried_out_once(board: SimulatedBoard) -> None:
    """The answer to a request is lost, the host asks again: the words are not taken twice."""
    with Accelerator.connect(board.port, DESIGN, timeout_seconds=TIMEOUT_SECONDS) as accelerator:
        link = accelerator.link
        link.begin()
        link.request(Operation.PUSH, [0xFF000000])  # no packet
        link._sequence -= 1
        again = link.request(Operation.PUSH, [0xFF000000])
        assert again == (1,)
        # anything but the next number is refused
        link._sequence += 7
        with pytest.raises(LinkError, match="refused PULL"):
            link.request(Operation.PULL, [4])


def test_no_wrong_result_over_a_bad_link(board: SimulatedBoard) -> None:
    """Bytes flipped, lost, repeated, inserted, frames cut, resets in mid-frame."""
    line = serial.Serial(board.port, timeout=0.002)
    faulty = FaultyLink(line.read, line.write, line.close, rate=0.15, seed=5, reset=board.reset)
    design = parse_design(DESIGN)
    rng = np.random.default_rng(7)
    done = 0
    with Accelerator.connect(faulty, design, timeout_seconds=0.2, attempts=200) as accelerator:
        while accelerator.link.frames < 250:
            m, k, n = (int(size) for size in rng.integers(1, 6, 3))
            a = rng.integers(0, 256, (m, 2 * k), dtype=np.uint8)
            b = rng.integers(0, 256, (2 * k, n), dtype=np.uint8)
            assert (accelerator.matmul_codes(a, b) == fast.matmul(design.mac, a, b)).all()
            done += 1
        assert accelerator.link.retries > 10
    assert done > 10
    assert all(faulty.counts[fault] for fault in FAULTS)


def test_bias_and_output_stage(tmp_path: Path) -> None:
    """A layer as a network has it, on the board: sums, bias, requantised, ReLU; weights stay."""
    design = parse_design("int8:int32:outint8:requant1518s16relu:2x2:ws")
    board = SimulatedBoard(build_board(AcceleratorConfig(design, DEPTH, DEPTH), tmp_path / "made"))
    rng = np.random.default_rng(8)
    a, b = rng.integers(-128, 128, (3, 9)), rng.integers(-128, 128, (9, 5))
    bias = np.array([-3000, 0, 1, 5000, 40000])
    try:
        with Accelerator.connect(board.port, design, timeout_seconds=TIMEOUT_SECONDS) as host:
            found = host.matmul(a, b, bias=bias)
            with pytest.raises(
                ValueError, match=r"K must be at most the \d+ products .* a bias among"
            ):
                host.matmul(np.zeros((1, 1 << 18)), np.zeros((1 << 18, 1)), bias=[1])
    finally:
        board.close()
    # to nearest even, as Python rounds fractions
    wanted = [
        [round(Fraction(int(total) * 1518, 1 << 16)) for total in row] for row in a @ b + bias
    ]
    assert (found == np.clip(wanted, 0, 127)).all()
