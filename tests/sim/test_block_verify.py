"""The check of block formats, in the simulator; and that it fails where it must."""

import re
from pathlib import Path

import pytest
from macsmith.hw.emit import generate
from macsmith.model.design import parse_design
from macsmith.sim.block_sums import required_block_events
from macsmith.sim.verify import verify, verify_sources


@pytest.mark.parametrize(
    "text",
    [
        "e2m1_ue4m3_b4:fp16:lanes4:unit",
        "e2m1_e8m0_b4:fp16:lanes2:stages1",
        "e2m1_e8m0_b4:fp16:lanes2:2x3",
    ],
)
def test_designs_pass(text: str, tmp_path: Path) -> None:
    result = verify(parse_design(text), tmp_path, quick=True)
    assert result.passed, result.failures[:2]
    names = {each.name for each in result.coverage.bins if each.is_required}
    assert {"scale a: NaN", "scale b: smallest", "scaled block: nan"} <= names


def test_a_wrong_scale_fails(tmp_path: Path) -> None:
    """The scales' ports swapped with a bit inverted: results and coverage tell."""
    design = parse_design("e2m1_e8m0_b4:fp16:lanes4:unit")
    generated = generate(design, tmp_path / "generate")
    text = generated.verilog.read_text()
    broken = re.sub(r"\.a_scale\(a_scale\)", ".a_scale({a_scale[7:1], 1'b0})", text, count=1)
    assert broken != text
    file = tmp_path / "broken.v"
    file.write_text(broken)
    result = verify_sources(design, [file], tmp_path / "verify", quick=True)
    assert not result.passed
    assert "scales [" in result.failures[0]


def test_the_scale_of_another_row_fails(tmp_path: Path) -> None:
    """In an array, row 0 with the scale of row 1."""
    design = parse_design("e2m1_e8m0_b4xe2m1:fp16:lanes4:2x1")
    generated = generate(design, tmp_path / "generate")
    text = generated.verilog.read_text()
    broken = text.replace("i_a_scale[7:0]", "i_a_scale[15:8]", 1)
    assert broken != text
    file = tmp_path / "broken.v"
    file.write_text(broken)
    result = verify_sources(design, [file], tmp_path / "verify", quick=True)
    assert not result.passed
    assert "scales [" in result.failures[0]


def test_what_must_be_met() -> None:
    events = required_block_events(parse_design("mxfp8_e4m3:fp32:lanes32").mac)
    assert {
        "sum: tie above even",
        "sum: tie above odd",
        "sum: cancels",
        "sum: overflow",
        "sum: underflow",
        "sum: block only sticky",
        "sum: partial sum only sticky",
        "scaled block: nan",
        "block: negative",
    } <= events
    of_integers = required_block_events(parse_design("vsq4:int24:lanes16").mac)
    assert {"sum: positive", "sum: negative", "block: zero"} <= of_integers
