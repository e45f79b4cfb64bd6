"""Switchable designs: their text, what is refused, and the layouts that modes share."""

import json
import random
import re
from pathlib import Path

import pytest
from macsmith.model.design import Design, load_designs, parse_design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

TEXTS = [
    "e4m3+e5m2:exact:lanes4",
    "int8+e4m3:int32+exact:lanes16:unit",
    "e4m3+e4m3xe5m2+e5m2:e6m9/64",
    "e4m3+2e2m1:exact:lanes16:stages2",
    "int8+e4m3:int20:wrap",
    "e4m3+e5m2:e6m9:mule5m2:rtz:sat",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_json_and_toml_there_and_back(text: str, tmp_path: Path) -> None:
    design = parse_design(text)
    assert design.text == text
    assert design.is_switchable
    assert design.id.isidentifier()
    assert Design.model_validate(json.loads(design.model_dump_json()), strict=False) == design
    path = tmp_path / "design.toml"
    path.write_text(design.to_toml(), encoding="utf-8")
    assert load_designs(path) == [design]


def test_modes_are_single_designs() -> None:
    design = parse_design("e4m3+2e2m1:exact/64/e6m9:lanes4:rtz:unit")
    assert [each.text for each in design.mode_designs] == [
        "e4m3:exact/64/e6m9:lanes4:rtz:unit",
        "e2m1:exact/64/e6m9:lanes8:rtz:unit",
    ]
    single = parse_design("e4m3:exact")
    assert single.modes == (single.mac,)
    assert not single.is_switchable
    assert design.id == "e4m3_or_2e2m1_exact_64_e6m9_lanes4_rtz_unit"


REFUSED = [
    ("e4m3+e5m2:e6m9/64:2x2:outer=shared", "modes are not switched in a shared adder; leave it "),
    ("e4m3+e4m3:exact", "modes must differ from each other: "),
    ("e4m3+3e2m1:exact", "mode e2m1xe2m1: 3 products in a lane must have operands of at most 2 "),
    ("2e2m1+e4m3:exact", "mode e4m3xe4m3: lanes must be a multiple of the 2 of mode 0, not 1"),
    ("e4m3+e5m2:e6m9+e6m9/4", "modes must all have chunks or none"),
    ("e4m3+e5m2:exact+e6m9+exact", "must have one accumulator, or one for each of the 2 modes"),
    ("e4m3+0e2m1:exact", "operands '0e2m1': the products of a lane must be at least 1, not 0"),
    ("+".join(f"e3m{y}" for y in range(9)) + ":exact", "modes must be at most 8, not 9"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_design(text)


@pytest.mark.parametrize(
    "text",
    [*TEXTS, "e4m3+e5m2:exact/16/exact", "e5m2+int4:exact+e6m9:lanes2", "e4m3+e5m2:exact/4/e6m9"],
)
def test_partial_sums_there_and_back(text: str) -> None:
    design = parse_design(text)
    widths = switch_widths(design.modes)
    rng = random.Random(text)
    for mode, config in enumerate(design.modes):
        own_widths = mac_widths(config)
        for _ in range(200):
            word = rng.getrandbits(own_widths.partial_sum_bits)
            common = widths.common(mode, word)
            assert common < 1 << widths.partial_sum_bits
            assert widths.own(mode, common) == word
    assert widths.common(0, 0) == 0


def test_common_layout_of_two_exact_sums() -> None:
    widths = switch_widths(parse_design("e4m3+e5m2:exact").modes)
    assert (widths.inner.integer_bits, widths.inner.flag_bits) == (76, 2)
    # E4M3 has 48 bits and one flag of its own: -1 and NaN
    assert widths.common(0, (1 << 48) - 1) == (1 << 76) - 1
    assert widths.common(0, 1 << 48) == 3 << 76
    assert widths.common(1, 2 << 76 | 5) == 2 << 76 | 5
