"""Emitted designs under the whole check: they pass, and bugs planted in their parts are told."""

import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import macsmith.hw.float_add
import macsmith.hw.mac
import pytest
from amaranth.hdl import Const, Module
from macsmith.hw.emit import GeneratedDesign, generate
from macsmith.model.design import parse_design
from macsmith.model.random_source import Lfsr
from macsmith.sim.vectors import golden_vectors
from macsmith.sim.verify import VerifyResult, verify, verify_sources
from planting import Component, components, plant

FULL = ["e4m3:e6m9/64"]
QUICK = [
    "e5m2:exact:lanes4:stages2",
    "e2m1:e6m5/8:2x3",
    "e4m3xe3m2:e6m9/32:unit",
    "e4m3:e6m9_aligned7:lanes4",
    "e4m3:e6m9/4:interleave3",
]
QUICK += ["e4m3:fp16:lanes2:sr8", "e4m3:e6m9/16:srb6:unit", "e2m1:e3m3:src4:lfsr=port:2x2"]
QUICK += ["e2m1:e3m3:sr4:2x2:lfsr=each"]

# posits, powers of four, signed digits
LISTED = ["posit8es1:exact", "ternaryxint4:int16:outternary", "r4e3:exact:lanes2:outr4e3odd"]

# every kind of component is in one of these
PLANTED = ["e4m3:e6m9/16:stages2", "e5m2xint4:exact:lanes4", "int8:int20/8/e6m9", "e2m1:exact:2x2"]


@pytest.fixture(scope="session")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> "Emitted":
    return Emitted(tmp_path_factory.mktemp("emitted"))


class Emitted:
    """Designs, emitted once in a session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.get = cache(self._generate)

    def _generate(self, text: str) -> GeneratedDesign:
        design = parse_design(text)
        return generate(design, self._folder / design.id, vectors=golden_vectors(design))


def check_planted(
    generated: GeneratedDesign, component: Component, output: str, folder: Path, bit: int = 0
) -> VerifyResult:
    source = folder / generated.verilog.name
    verilog = generated.verilog.read_text(encoding="utf-8")
    source.write_text(plant(verilog, component, output, bit), encoding="utf-8")
    return verify_sources(
        generated.design,
        [source],
        folder / "verify",
        quick=True,
        manifest=generated.manifest,
    )


def assert_told(result: VerifyResult, what: str) -> None:
    assert not result.passed, f"{what}: the planted bug passed"
    wrong = [line for line in result.failures if "expected 0x" in line or "took no beat" in line]
    wrong += [line for line in result.failures if "stall" in line or "results" in line]
    assert wrong, f"{what}: no line tells a wrong result: {result.failures}"
    assert all(
        line.startswith(f"macsmith verify {result.design} --seed 1 --quick: ")
        for line in result.failures
    )


@pytest.mark.parametrize("text", FULL)
def test_design_passes_the_full_check(text: str, emitted: Emitted, tmp_path: Path) -> None:
    design = parse_design(text)
    result = verify(design, tmp_path, generated=emitted.get(text))
    assert result.failures == ()
    assert result.passed
    assert result.vectors > 1 << 16
    assert (tmp_path / design.id / "verify" / "result.json").exists()


@pytest.mark.parametrize("text", [*QUICK, *LISTED])
def test_design_passes_the_quick_check(text: str, emitted: Emitted, tmp_path: Path) -> None:
    result = verify(parse_design(text), tmp_path, generated=emitted.get(text), quick=True)
    assert result.failures == ()
    assert result.passed
    assert result.vectors > 500


class _OtherWords(macsmith.hw.mac.RandomWords):
    """A register with one bit of its seed inverted."""

    def __init__(self, lfsr: Lfsr) -> None:
        super().__init__(replace(lfsr, seed=lfsr.seed ^ 4))


class _RoundToNearest(macsmith.hw.float_add.Round):
    """Takes the first random bit for set and all others for clear."""

    def _add_random(self, m: Module, *args: Any) -> None:
        honest = self.random
        self.random = Const(1 << (len(honest) - 1), len(honest))  # type: ignore[assignment]
        super()._add_random(m, *args)
        self.random = honest


@pytest.mark.parametrize(
    ("module", "name", "bug"),
    [
        (macsmith.hw.mac, "RandomWords", _OtherWords),
        (macsmith.hw.float_add, "Round", _RoundToNearest),
    ],
    ids=["seed", "nearest"],
)
def test_lost_randomness_is_told(
    module: ModuleType, name: str, bug: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, name, bug)
    result = verify(parse_design("e4m3:e5m3:sr4"), tmp_path, quick=True)
    assert not result.passed
    assert any("random=" in line and "expected 0x" in line for line in result.failures)


def test_verify_emits_the_design_itself(tmp_path: Path) -> None:
    design = parse_design("e2m1:exact:lanes2")
    assert verify(design, tmp_path, quick=True).passed
    assert (tmp_path / design.id / "generate" / f"{design.id}.v").exists()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("e4m3:e6m9/64", "round"),
        ("e4m3:e6m9/64", "decode"),
        ("e4m3:e6m9_aligned7:lanes4", "largest"),
        ("e4m3:e6m9_aligned7:lanes4", "align_partial_sum"),
    ],
)
def test_planted_bug_is_told(text: str, kind: str, emitted: Emitted, tmp_path: Path) -> None:
    generated = emitted.get(text)
    verilog = generated.verilog.read_text(encoding="utf-8")
    chosen = next(
        each for each in components(verilog, generated.design.id) if each.kind.startswith(kind)
    )
    output = max(chosen.outputs, key=lambda port: chosen.outputs[port])
    assert_told(check_planted(generated, chosen, output, tmp_path), f"{chosen.name}.{output}")


#: Outputs that nothing reads: operands that leave the last row of an array.
UNSEEN = {("rows", "b_o")}


@pytest.mark.slow
@pytest.mark.parametrize("text", PLANTED)
def test_bug_in_every_component_is_told(text: str, emitted: Emitted, tmp_path: Path) -> None:
    generated = emitted.get(text)
    verilog = generated.verilog.read_text(encoding="utf-8")
    tried = 0
    missed = []
    for component in components(verilog, generated.design.id):
        for output in component.outputs:
            if (component.kind.rstrip("_0123456789"), output) in UNSEEN:
                continue
            result = check_planted(generated, component, output, tmp_path)
            if result.passed and component.outputs[output] > 1:
                # the lowest bit may be one that nothing reads
                top = component.outputs[output] - 1
                result = check_planted(generated, component, output, tmp_path, top)
            tried += 1
            if result.passed:
                missed.append(f"{component.name}.{output}")
            else:
                assert_told(result, f"{component.name}.{output}")
            shutil.rmtree(tmp_path / "verify")
    assert tried >= 6
    assert missed == []


# what is wrong with the top module: a text of the emitted Verilog and what it becomes
TOP_BUGS = {
    "ready while a result waits": (r"assign i_ready = .*;", "assign i_ready = 1'b1;"),
    "never valid": (r"assign i_ready = .*;", "assign i_ready = 1'b0;"),
}


@pytest.mark.slow
@pytest.mark.parametrize("bug", TOP_BUGS)
def test_bug_of_the_stream_is_told(bug: str, emitted: Emitted, tmp_path: Path) -> None:
    generated = emitted.get("e4m3:e6m9/64")
    pattern, replacement = TOP_BUGS[bug]
    verilog = generated.verilog.read_text(encoding="utf-8")
    changed, count = re.subn(pattern, replacement, verilog, count=1)
    assert count == 1
    source = tmp_path / generated.verilog.name
    source.write_text(changed, encoding="utf-8")
    result = verify_sources(generated.design, [source], tmp_path / "verify", quick=True)
    assert not result.passed
    assert result.failures


def run_icarus(generated: GeneratedDesign, folder: Path) -> subprocess.CompletedProcess[str]:
    for path in generated.files:
        shutil.copy(path, folder)
    sources = sorted(str(path) for path in folder.glob("*.v"))
    subprocess.run(["iverilog", "-g2005", "-o", "tb", *sources], cwd=folder, check=True)
    return subprocess.run(["vvp", "tb"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("text", ["e4m3:e6m9/64", *QUICK])
def test_plain_bench_passes_and_fails_under_icarus(
    text: str, emitted: Emitted, tmp_path: Path
) -> None:
    generated = emitted.get(text)
    right = run_icarus(generated, tmp_path)
    assert right.returncode == 0
    assert "PASS" in right.stdout
    verilog = generated.verilog.read_text(encoding="utf-8")
    parts = components(verilog, generated.design.id)
    chosen = next(
        part for part in parts if part.kind.startswith(("multiply", "normalised_product"))
    )
    source = tmp_path / generated.verilog.name
    wrong_folder = tmp_path / "wrong"
    wrong_folder.mkdir()
    for path in generated.files:
        shutil.copy(path, wrong_folder)
    output = max(chosen.outputs, key=lambda port: chosen.outputs[port])
    (wrong_folder / source.name).write_text(plant(verilog, chosen, output), encoding="utf-8")
    sources = sorted(str(path) for path in wrong_folder.glob("*.v"))
    subprocess.run(["iverilog", "-g2005", "-o", "tb", *sources], cwd=wrong_folder, check=True)
    wrong = subprocess.run(
        ["vvp", "tb"], cwd=wrong_folder, capture_output=True, text=True, check=False
    )
    assert "PASS" not in wrong.stdout
    assert wrong.returncode != 0


# every kind of operand, accumulator, rounding, overflow, output and form
MATRIX = [
    "e5m2:e6m9",
    "e2m3:e6m5",
    "e3m2:exact",
    "e2m1:exact:lanes32",
    "e4m3fnuz:e5m2fnuz:rtz",
    "e4m3b11fnuz:fp16:sat",
    "e5m2ns:e6m9ns:rup",
    "e4m3:e6m9:rdn:stages5",
    "e4m3:e4m3/4:nan",
    "e5m2xint8:exact/16/fp32:lanes8",
    "e4m3:fp32:mule5m2",
    "int8:int32:lanes16:stages3",
    "int8:int16:clip",
    "uint8xint4:int24:outint8",
    "int8:exact/8/e6m9",
    "bf16:fp32",
    "fp16:exact",
    "e8m0xe3m0:e8m3",
    "e6m1:int24/8/int40:wrap",
    "e4m3:e6m9/64:8x8",
    "int4:int16:3x5:lanes4",
    "e2m1:e6m9/8:4x4:stages2",
    "e5m2:e6m9:unit",
    "int8:int32:lanes16:unit",
    "bf16:exact/64/fp32:unit",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", MATRIX)
def test_matrix_passes_the_full_check(text: str, emitted: Emitted, tmp_path: Path) -> None:
    result = verify(parse_design(text), tmp_path, generated=emitted.get(text))
    assert result.failures == ()
    assert result.passed
