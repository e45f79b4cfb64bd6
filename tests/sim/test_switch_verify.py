"""The whole check of switchable designs: it passes, covers all modes, and tells planted bugs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from macsmith.hw.emit import GeneratedDesign, generate
from macsmith.model.design import parse_design
from macsmith.sim.vectors import golden_vectors
from macsmith.sim.verify import verify, verify_sources


def emitted(text: str, folder: Path) -> GeneratedDesign:
    design = parse_design(text)
    return generate(design, folder, vectors=golden_vectors(design))


@pytest.mark.parametrize(
    "text",
    [
        "e4m3+2e2m1:exact/8/e6m9:lanes2:stages1",
        "e4m3+e4m3xe5m2+e5m2:e6m9:unit",
        "e2m1+2e1m0f:exact/8/e4m3:2x2",
        pytest.param("int3+e2m0f:int12+e4m4:1x2:stages1", marks=pytest.mark.slow),
    ],
)
def test_switchable_design_passes_the_quick_check(text: str, tmp_path: Path) -> None:
    result = verify(parse_design(text), tmp_path, quick=True)
    assert result.failures == ()
    assert result.passed
    names = {each.name for each in result.coverage.bins if each.hits}
    for mode, _ in enumerate(text.split(":")[0].split("+")):
        assert any(name.startswith(f"mode {mode} (") for name in names)
    assert {"mode: from 0 to 1", "mode: from 1 to 0"} <= names


def test_wrong_mode_wiring_is_told(tmp_path: Path) -> None:
    generated = emitted("e4m3+int8:exact", tmp_path / "right")
    verilog = generated.verilog.read_text(encoding="utf-8")
    # the mode that goes with the result is that of mode 0
    wrong, count = re.subn(r"\.mode\(convert_mode\)", ".mode(1'b0)", verilog)
    assert count == 1
    source = tmp_path / generated.verilog.name
    source.write_text(wrong, encoding="utf-8")
    result = verify_sources(generated.design, [source], tmp_path / "verify", quick=True)
    assert not result.passed
    assert any("mode 1 (int8)" in line and "expected 0x" in line for line in result.failures)
    assert not any("mode 0 (e4m3)" in line for line in result.failures)


def test_a_wrong_mode_in_one_column_is_told(tmp_path: Path) -> None:
    generated = emitted("e2m1+int3:exact:1x2", tmp_path / "right")
    verilog = generated.verilog.read_text(encoding="utf-8")
    # the second column converts in mode 0 always
    wrong, count = re.subn(r"( convert_1 \([^;]*\.mode\()[^)]*", r"\g<1>1'b0", verilog)
    assert count == 1
    source = tmp_path / generated.verilog.name
    source.write_text(wrong, encoding="utf-8")
    result = verify_sources(generated.design, [source], tmp_path / "verify", quick=True)
    assert not result.passed
    assert result.failures
    assert all("mode 1 (int3)" in line and "row 0 column 1" in line for line in result.failures)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize(
    "text", ["e4m3+2e2m1:exact:lanes2", "e4m3+e5m2:exact/4/e6m9:unit", "e4m3+2e2m1:exact:2x3"]
)
def test_plain_verilog_bench(text: str, tmp_path: Path) -> None:
    generated = emitted(text, tmp_path)
    assert generated.manifest["modes"][1]["lanes"] == parse_design(text).modes[1].lanes
    assert any(port["name"].endswith("mode") for port in generated.manifest["ports"])
    files = sorted(path.name for path in tmp_path.glob("*.v"))
    subprocess.run(["iverilog", "-g2005", "-o", "tb", *files], cwd=tmp_path, check=True)
    run = subprocess.run(["vvp", "tb"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert "PASS" in run.stdout
