"""Pipelined accumulators proven the same as unpipelined ones for ever."""

import re
from pathlib import Path

import pytest
from macsmith.model.design import parse_design
from macsmith.synth.induction import core_verilog, prove_pipeline


@pytest.mark.parametrize(
    ("text", "registers"),
    [
        ("int3:int8:stages1", 1),
        ("e2m1:e3m2:stages1", 1),
        ("e2m1:e3m2/4:stages2", 5),
        ("e2m1:exact:lanes2:stages1", 1),
    ],
)
def test_a_pipelined_core_agrees_for_ever(text: str, registers: int, tmp_path: Path) -> None:
    result = prove_pipeline(parse_design(text), build_dir=tmp_path)
    assert result.is_proven
    assert len(result.compared) == registers


def _planted(text: str, folder: Path, old: str, new: str, declared: str = "") -> str | None:
    """Part of the proof that a core with a bug fails in."""
    design = parse_design(text)
    verilog = core_verilog(design, "piped", folder)
    start = verilog.index("module piped(")
    end = verilog.index("endmodule", start)
    module, count = re.subn(old, new, verilog[start:end], count=1)
    assert count == 1
    module = re.sub(r"(?m)^(  reg )", declared + r"\1", module, count=1)
    broken = verilog[:start] + module + verilog[end:]
    return prove_pipeline(design, build_dir=folder, piped_verilog=broken).failed


def test_a_register_without_enable_is_found(tmp_path: Path) -> None:
    old, new = r"= enable \? valid : valid_delayed;", "= valid;"
    assert _planted("int3:int8:stages1", tmp_path, old, new) == "held"


def test_a_flag_that_comes_too_early_is_found(tmp_path: Path) -> None:
    old, new = r"(= )last_delayed( \? )", r"\1last\2"
    assert _planted("int3:int8:stages1", tmp_path, old, new) == "base"


def test_a_bug_after_a_thousand_beats_is_found(tmp_path: Path) -> None:
    """No bounded check comes that far: only the induction tells."""
    age = (
        "  reg [9:0] age;\n"
        "  always @(posedge clk) if (rst) age <= 0; else if (enable & valid) age <= age + 1;\n"
    )
    old, new = r"partial_sum <= (\w+);", r"partial_sum <= \1 ^ (enable & !rst & (&age));"
    assert _planted("int3:int8:stages1", tmp_path, old, new, age) == "step"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int3:int8", "a single MAC with stages"),
        ("int3:int8:stages1:2x2", "a single MAC with stages"),
        ("e2m1:e3m2:sr3:stages1", "no stochastic rounding"),
        ("e2m1:exact/4/e3m2:stages1", "chunks are converted"),
        ("int3:int8:stages1:loop=carrysave", "carries propagated"),
    ],
)
def test_what_is_not_proven_so(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        prove_pipeline(parse_design(text), build_dir=tmp_path)
