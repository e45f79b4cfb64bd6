"""Proofs of equality, and units proven equal to ones written independently."""

import importlib.util
from pathlib import Path
from types import ModuleType

import macsmith.hw.compact_add
import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Value
from macsmith.hw.emit import design_verilog
from macsmith.model.design import parse_design
from macsmith.model.golden import step
from macsmith.model.implementation import ARCHITECTURE_CHOICES
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.tools import ToolError
from macsmith.synth.equivalence import EquivalenceResult, prove_equal
from macsmith.synth.price import reference_netlist

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def textbook() -> ModuleType:
    """The textbook units, which share nothing with the generator but the formats' numbers."""
    spec = importlib.util.spec_from_file_location("textbook", BENCHMARKS / "textbook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prove(folder: Path, first: str, first_top: str, second: str, top: str) -> EquivalenceResult:
    paths = [folder / "first.v", folder / "second.v"]
    for path, text in zip(paths, (first, second), strict=True):
        path.write_text(text)
    return prove_equal([paths[0]], first_top, [paths[1]], top, build_dir=folder, timeout_s=120)


@pytest.mark.parametrize(
    "text", ["e2m1:exact:lanes2:unit", "e3m1ieee:exact:unit", "e2m1:e3m2:unit", "e3m1:e4m2:unit"]
)
def test_units_equal_textbook_units(text: str, textbook: ModuleType, tmp_path: Path) -> None:
    design = parse_design(text)
    book = textbook.textbook_verilog(design, "textbook")
    assert prove(tmp_path, design_verilog(design), design.id, book, "textbook").is_equal


# Small enough to be proven in seconds each; the long list is for `make test-slow`.
UNITS = ("e2m1:exact:lanes2:unit", "e2m1:e3m3:unit")
MORE_UNITS = (
    "e3m1ieee:exact:lanes2:unit",
    "int3xuint2:exact:lanes3:unit",
    "e2m1:e4m2:lanes2:unit",
    "e2m1fnuzxe3m1:e4m4:unit",
    "e2m1:e5m4:unit",
)


def architectures(text: str, *, both_goals: bool) -> dict[str, str]:
    """Verilog of a unit in each architecture that differs from those before, by design text."""
    options = ["", "goal=speed"]
    for key, values in ARCHITECTURE_CHOICES.items():
        options += [f"{key}={value}" for value in values[1:]]
        if both_goals:
            options += [f"goal=speed:{key}={value}" for value in values[1:] if key != "goal"]
    found: dict[str, str] = {}
    for option in options:
        try:
            design = parse_design(f"{text}:{option}" if option else text)
            verilog = design_verilog(design).replace(design.id, "unit")
        except ValueError:
            continue  # the choice is none for this function
        body = "\n".join(line for line in verilog.splitlines() if not line.startswith("//"))
        found.setdefault(body, design.text)
    return {name: body for body, name in found.items()}


def check_architectures(text: str, folder: Path, *, both_goals: bool) -> None:
    (name, first), *others = architectures(text, both_goals=both_goals).items()
    assert name == parse_design(text).text
    assert others
    for other, verilog in others:
        assert prove(folder, first, "unit", verilog, "unit").is_equal, other


@pytest.mark.parametrize("text", UNITS)
def test_architectures_of_one_function_are_equal(text: str, tmp_path: Path) -> None:
    check_architectures(text, tmp_path, both_goals=False)


@pytest.mark.parametrize("path", ["compact", "dual"])
def test_multipliers_of_float_additions_are_equal(path: str, tmp_path: Path) -> None:
    single = parse_design("e2m1:e5m4:unit:path=single")
    first = design_verilog(single)
    for multiply in ("booth", "table", "array") if path == "dual" else ("dadda", "booth"):
        other = parse_design(f"e2m1:e5m4:unit:path={path}:multiply={multiply}")
        assert prove(tmp_path, first, single.id, design_verilog(other), other.id).is_equal


@pytest.mark.parametrize("choice", ["count=anticipate", "normalise=late"])
def test_normalisers_of_float_additions_are_equal(choice: str, tmp_path: Path) -> None:
    single = parse_design("e2m1:e5m4:unit:path=single")
    other = parse_design(f"e2m1:e5m4:unit:{choice}")
    first = design_verilog(single)
    assert prove(tmp_path, first, single.id, design_verilog(other), other.id).is_equal


def test_a_wrong_anticipation_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = macsmith.hw.compact_add.anticipated_zeros

    def wrong(m: Module, x: Value, y: Value, *, is_subtraction: Value) -> Value:
        return right(m, x, Cat(y[1:], y[-1]), is_subtraction=is_subtraction)  # moved by a place

    single = parse_design("e2m1:e5m4:unit:path=single")
    first = design_verilog(single)
    monkeypatch.setattr(macsmith.hw.compact_add, "anticipated_zeros", wrong)
    other = parse_design("e2m1:e5m4:unit:count=anticipate")
    assert not prove(tmp_path, first, single.id, design_verilog(other), other.id).is_equal


@pytest.mark.slow
@pytest.mark.parametrize("text", UNITS + MORE_UNITS)
def test_architectures_are_equal_for_both_goals(text: str, tmp_path: Path) -> None:
    check_architectures(text, tmp_path, both_goals=True)


def test_a_planted_bug_gives_a_counterexample(textbook: ModuleType, tmp_path: Path) -> None:
    design = parse_design("e2m1:e3m2:unit")
    book = textbook.textbook_verilog(design, "textbook")
    wrong = book.replace("|| code[0]))", "))")  # ties no longer go to even
    assert wrong != book
    result = prove(tmp_path, design_verilog(design), design.id, wrong, "textbook")
    assert not result.is_equal
    assert set(result.counterexample) == {"a", "b", "partial_sum_i"}
    # at that point the golden model is with the right one
    point = result.counterexample
    golden = step(design.mac, point["partial_sum_i"], [point["a"]], [point["b"]])
    waves = {port: np.array([[value]]) for port, value in point.items()}
    right, broken = (
        compile_netlist(reference_netlist([tmp_path / name], top, tmp_path), {})
        .simulate(waves)
        .outputs
        for name, top in (("first.v", design.id), ("second.v", "textbook"))
    )
    assert right["partial_sum_o"].item() == golden
    assert broken["partial_sum_o"].item() != golden


def test_ports_must_match(tmp_path: Path) -> None:
    first = "module m(input a, output y); assign y = a; endmodule\n"
    second = "module n(input b, output y); assign y = b; endmodule\n"
    with pytest.raises(ToolError, match="prove"):
        prove(tmp_path, first, "m", second, "n")
