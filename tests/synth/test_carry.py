"""Prefix adders whose carry cells are kept while ABC works."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from macsmith.synth import flow
from macsmith.synth.carry import LEAST_KEPT_WIDTH, PREFIXES, techmap_boxes, techmap_prefix
from macsmith.synth.cells import Technology
from macsmith.synth.price import MismatchError, price
from macsmith.synth.recipes import Recipe, recipe
from macsmith.synth.technology import technology

KEPT = [recipe(f"fastest-kept{prefix.replace('-', '')}") for prefix in PREFIXES]


def adders(folder: Path, width: int) -> Path:
    path = folder / f"adders_{width}.v"
    path.write_text(
        f"module adders (input [{width - 1}:0] a, input [{width - 1}:0] b, input c,\n"
        f"  output [{width}:0] sum, output [{width - 1}:0] difference, output below);\n"
        "  assign sum = a + b + c;\n"
        "  assign difference = a - b;\n"
        "  assign below = $signed(a) < $signed(b);\n"
        "endmodule\n"
    )
    return path


def operands(width: int, count: int = 4000) -> dict[str, Any]:
    """Random pairs, and pairs over which a carry runs from each position to each other."""
    rng = np.random.default_rng(width)
    a, b = rng.integers(0, 1 << width, (2, count))
    places = rng.integers(0, width + 1, (2, count // 2))
    a[: count // 2] = (1 << places.max(axis=0)) - (1 << places.min(axis=0))
    b[: count // 2] &= 1 << places.min(axis=0)
    both = {"a": a, "b": b, "c": rng.integers(0, 2, count)}
    return {name: np.tile(values, (2, 1)) for name, values in both.items()}


@pytest.mark.parametrize(
    ("name", "width"), [("asap7", 16), ("asap7", 37), ("sky130", 23), ("ihp", 17), ("tiny", 32)]
)
def test_all_networks_add(name: str, width: int, tiny: Technology, tmp_path: Path) -> None:
    table = tiny if name == "tiny" else technology(name)
    for entry in KEPT:
        record = price(
            adders(tmp_path, width),
            "adders",
            table,
            build_dir=tmp_path,
            waveforms=operands(width),
            recipes=[entry],
        )
        assert record["netlist_outputs_compared"] == 3 * 4000


@pytest.mark.parametrize("name", ["asap7", "sky130", "ihp"])
def test_wide_sums_are_twice_as_fast(name: str, tmp_path: Path) -> None:
    source = tmp_path / "sum48.v"
    source.write_text(
        "module sum48 (input [47:0] a, input [47:0] b, output [48:0] s); assign s = a + b;"
        " endmodule\n"
    )
    delays = [
        price(source, "sum48", name, build_dir=tmp_path, recipes=[entry])["delay_ps"]
        for entry in (Recipe("fastest"), recipe("fastest-kepthancarlson"))
    ]
    assert delays[1] < delays[0] / 2


def test_functions_that_a_library_lacks_are_gates(tiny: Technology) -> None:
    assert "AO21" in techmap_boxes(technology("asap7"))
    assert "a21o_1" in techmap_boxes(technology("sky130"))
    assert "sg13g2_a21o_1" in techmap_boxes(technology("ihp"))
    assert techmap_boxes(tiny).count("assign o =") == 2


def test_narrow_sums_are_left_to_abc(tmp_path: Path) -> None:
    width = LEAST_KEPT_WIDTH - 2  # the sum has a carry in and a carry out
    source = adders(tmp_path, width)
    areas = [
        price(source, "adders", "asap7", build_dir=tmp_path, recipes=[entry])["area_um2"]
        for entry in (KEPT[0], KEPT[1])
    ]
    assert areas[0] == areas[1]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_planted_fault_in_the_network_is_found(
    prefix: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node in the second row takes its own carry in place of the lower group's."""
    right = ".c(g[BELOW + PARTNER])"
    wrong = ".c(g[BELOW + (step == 2 && k == 3 ? k : PARTNER)])"
    rules = {name: techmap_prefix(name) for name in PREFIXES}
    assert right in rules[prefix]
    monkeypatch.setattr(flow, "techmap_prefix", lambda name: rules[name].replace(right, wrong))
    with pytest.raises(MismatchError, match=r"adders, recipe fastest-kept\w+: output"):
        price(
            adders(tmp_path, 20),
            "adders",
            "asap7",
            build_dir=tmp_path,
            waveforms=operands(20),
            recipes=[recipe(f"fastest-kept{prefix.replace('-', '')}")],
        )
