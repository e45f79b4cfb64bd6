"""Sweep files: what they mean, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from macsmith.model.design import load_designs
from macsmith.reports.explore import sweep_points
from macsmith.reports.points import AccuracyPoint
from macsmith.reports.sweep import default_sweep_path, load_sweep, parse_sweep

DESIGNS = Path(__file__).parents[2] / "designs"


def test_designs_and_grid_are_joined_without_duplicates() -> None:
    sweep = parse_sweep(
        """
        designs = ["e4m3:exact", "E4M3FN : exact"]
        [[grid]]
        operands = ["e4m3", "e5m2"]
        accumulators = ["exact", "e6m9/64"]
        options = ["", "lanes4"]
        """.replace(" : ", ":")
    )
    assert [design.text for design in sweep.designs] == [
        "e4m3:exact",
        "e4m3:exact:lanes4",
        "e4m3:e6m9/64",
        "e4m3:e6m9/64:lanes4",
        "e5m2:exact",
        "e5m2:exact:lanes4",
        "e5m2:e6m9/64",
        "e5m2:e6m9/64:lanes4",
    ]
    assert sweep.technologies == ("asap7",)
    assert sweep.tasks == ()
    assert sweep.seed == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("designs = [", r"s\.toml: not TOML: .*line 1"),
        (
            "title = 'x'\ndesigns = 'e4m3:exact'",
            r"s\.toml, line 2: designs: must be a list of texts",
        ),
        ("designs = [\n  'e4m3:exact',\n  3,\n]", r"line 1: designs\[1\]: must be a text, not 3"),
        (
            "designs = [\n  'e4m3:exact',\n  'e4n3:exact',\n]",
            r"s\.toml, line 3: designs\[1\]: .*e4n3.*e4m3",
        ),
        ("designs = []", r"line 1: designs: must name at least one design"),
        ("tasks = []", r"s\.toml: designs: must name at least one design"),
        (
            "designs = ['e4m3:exact']\ntechs = ['asap7']",
            r"line 2: techs: is no field of a sweep; .*",
        ),
        ("designs = ['e4m3:exact']\nseed = -1", r"line 2: seed: must be a whole number from 0"),
        ("designs = ['e4m3:exact']\nseed = true", r"line 2: seed: must be a whole number from 0"),
        (
            "designs = ['e4m3:exact']\nscaling = 'cell'",
            r"line 2: scaling: must be one of row, .*floor, .*ceil.*, not 'cell'",
        ),
        (
            "designs = ['e4m3:exact']\nscaling = ['ceil', 'max']",
            r"line 2: scaling: must have one rule for blocks, not ceil and max",
        ),
        ("designs = ['e4m3:exact']\nscaling = 3", r"line 2: scaling: must be a list of texts"),
        ("designs = ['e4m3:exact']\ntitle = 3", r"line 2: title: must be a text, not 3"),
        ("[grid]\noperands = ['e4m3']", r"line 1: grid: must be tables, each headed by"),
        ("[[grid]]\noperands = ['e4m3']", r"line 1: grid\[0\]: must have accumulators"),
        (
            "[[grid]]\noperands = ['e4m3']\naccumulators = []",
            r"line 3: grid\[0\]\.accumulators: must not be empty",
        ),
        (
            "[[grid]]\noperands = ['e4m3']\naccumulators = ['e6m9/0']",
            r"line 1: grid\[0\]: .*chunk must be at least 1 product, not 0",
        ),
        (
            "[[grid]]\noperands = ['e4m3']\naccumulators = ['exact']\nlanes = [1]",
            r"line 4: grid\[0\]\.lanes: is no field",
        ),
    ],
)
def test_a_wrong_sweep_names_file_line_and_field(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_sweep(text, "s.toml")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"s\.toml: not TOML"):
        load_sweep(path)


def test_the_default_sweep_covers_what_the_report_promises() -> None:
    sweep = load_sweep(default_sweep_path())
    texts = {design.text for design in sweep.designs}
    assert len(texts) >= 16
    for operands in ("e4m3", "e5m2", "e4m3xe5m2", "e3m2", "e2m3", "e2m1", "int8", "int6", "int4"):
        assert f"{operands}:exact" in texts
    for accumulator in ("e6m9", "e6m9/64", "e6m5", "e6m5/64"):
        assert f"e4m3:{accumulator}" in texts
    for operands in ("mxfp8_e4m3", "mxint8", "mxfp4", "nvfp4"):
        assert f"{operands}:e8m23:lanes8" in texts
    assert sweep.tasks == ("smollm2", "g2p")


@pytest.mark.parametrize("path", sorted(DESIGNS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_load(path: Path) -> None:
    is_sweep = "[mac]" not in path.read_text().splitlines()
    designs = load_sweep(path).designs if is_sweep else load_designs(path)
    assert designs
    assert f"designs/{path.name}" in path.read_text(), "the head says how to run it"


def test_a_scaling_is_for_designs_of_its_kind_and_the_default_is_no_other() -> None:
    designs = '"mxfp8_e4m3:fp32:lanes8", "nvfp4:fp32:lanes8", "e4m3:e6m9"'

    def scalings(field: str) -> dict[str, str]:
        sweep = parse_sweep(f'designs = [{designs}]\ntasks = ["g2p"]\n{field}')
        points = [point for point in sweep_points(sweep) if isinstance(point, AccuracyPoint)]
        assert all(("scales by" in point.name) == (point.scaling != "row") for point in points)
        return {point.design.split(":")[0]: point.scaling for point in points}

    own = {"mxfp8_e4m3": "row", "nvfp4": "row", "e4m3": "row"}
    assert scalings("") == own
    assert scalings('scaling = "ceil"') == own | {"mxfp8_e4m3": "ceil", "nvfp4": "ceil"}
    assert scalings('scaling = "tensor"') == own | {"e4m3": "tensor"}
    # what a format does by itself is not computed twice under another name
    assert scalings('scaling = ["row", "floor"]') == own | {"nvfp4": "floor"}
    assert scalings('scaling = ["max", "row-pow2"]') == own | {
        "mxfp8_e4m3": "max",
        "e4m3": "row-pow2",
    }


def test_there_are_examples() -> None:
    assert len(list(DESIGNS.glob("*.toml"))) >= 4


def test_accuracy_points_of_blocks_and_of_fine_accumulators() -> None:
    """Blocks keep their scales with exact sums too; sums in binary32 are taken for exact."""
    sweep = parse_sweep(
        'designs = ["mxfp8_e4m3:fp32:lanes8", "mxfp4xe4m3:exact:lanes8", "e4m3:fp32:rtz"]\n'
        'tasks = ["smollm2"]\nbit_exact_tokens = 1024\n'
        '[[grid]]\noperands = ["e4m3"]\naccumulators = ["e6m9"]\n',
        "s.toml",
    )
    points = [point for point in sweep_points(sweep) if isinstance(point, AccuracyPoint)]
    assert {(point.design, point.own_sums, point.tokens) for point in points} == {
        ("mxfp8_e4m3:e8m23", False, None),
        ("mxfp4xe4m3:e8m23", False, None),
        ("e4m3:e6m9", True, 1024),
        ("e4m3:e8m23:rtz", True, 1024),
        ("e4m3:exact", False, None),
    }
