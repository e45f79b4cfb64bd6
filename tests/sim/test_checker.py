"""The whole checker on hand-written designs: they pass, and each planted bug is told."""

from pathlib import Path

import pytest
from handmade import ARRAY, MAC, UNIT, write_design
from macsmith.model.design import Design
from macsmith.sim.tools import MissingToolError, ToolError
from macsmith.sim.verify import VerifyResult, verify_sources


def check(
    design: Design, folder: Path, *changes: tuple[str, str], quick: bool = True, latency: int = 1
) -> VerifyResult:
    manifest = {} if design is UNIT else {"latency_cycles": latency}
    source = write_design(design, folder, *changes)
    return verify_sources(
        design, [source], folder / "verify", seed=3, quick=quick, manifest=manifest
    )


@pytest.mark.parametrize("design", [MAC, UNIT, ARRAY], ids=str)
def test_right_design_passes(design: Design, tmp_path: Path) -> None:
    result = check(design, tmp_path)
    assert result.failures == ()
    assert result.passed
    assert result.vectors > 500
    assert result.coverage.filled == result.coverage.required > 20
    data = result.to_dict()
    assert data["passed"] is True
    counts = {each["name"]: each["count"] for each in data["checks"]}
    assert counts["results compared"] == result.vectors
    assert counts["coverage bins filled"] == data["coverage"]["bins_required"]
    assert (tmp_path / "verify" / "result.json").exists()


def test_full_check_tries_every_operand_pair(tmp_path: Path) -> None:
    result = check(MAC, tmp_path, quick=False)
    assert result.passed, result.failures
    bins = {each.name: each for each in result.coverage.bins}
    assert bins["product: every operand pair"].is_required
    assert bins["product: every operand pair"].hits
    assert result.vectors > 1 << 16
    # the register is filled to its limit: 131071 products of -128 by -128
    assert bins["sum: as long as the accumulator is built for"].hits == 1


NEXT_SUM = "wire [31:0] next = sum + a * b;"
READY = "assign i_ready = !is_full | o_ready;"
ELEMENT = "assign next[16 * (3 * r + c) +: 16] = "

# what is wrong: the design, the change, and what the failing lines must name
BUGS = {
    "one operand pair": (
        MAC,
        (NEXT_SUM, "wire [31:0] next = sum + a * b + (i_a == 8'h80 && i_b == 8'h80);"),
        "expected 0x",
    ),
    "sum not cleared after the last": (MAC, ("i_last ? 32'd0 : next", "next"), "expected 0x"),
    "result dropped when not taken": (
        MAC,
        ("if (o_ready) is_full <= 1'b0;", "is_full <= 1'b0;"),
        "output beats held until taken",
    ),
    "result replaced when not taken": (
        MAC,
        ("assign o_data = result;", "assign o_data = o_ready ? result : sum;"),
        "output beats held until taken",
    ),
    "beats taken while full": (MAC, (READY, "assign i_ready = 1'b1;"), "expected 0x"),
    "a bubble after every sum": (
        MAC,
        (READY, "assign i_ready = !is_full;"),
        "beats at full rate",
    ),
    "never ready again": (
        MAC,
        (READY, "assign i_ready = (!is_full | o_ready) & sum != 32'd77;"),
        "took no beat",
    ),
    "logic in a loop": (MAC, (READY, "assign i_ready = !(i_valid & i_ready);"), "does not settle"),
    "sum survives a reset": (MAC, ("      sum <= 32'd0;\n      is", "      is"), "expected 0x"),
    "result survives a reset": (
        MAC,
        ("      is_full <= 1'b0;\n    end", "    end"),
        "results came after a reset",
    ),
    "carry lost": (UNIT, ("partial_sum_i + x * y", "(partial_sum_i ^ (x * y))"), "partial sum"),
    "columns exchanged": (
        ARRAY,
        ("results[47:0] : ", "{results[31:0], results[47:32]} : "),
        "row 0 column",
    ),
    "rows drained in the wrong order": (
        ARRAY,
        ("rows_left == 2'd2 ?", "rows_left == 2'd1 ?"),
        "row 0 column",
    ),
    "one element alone": (
        ARRAY,
        (ELEMENT, f"{ELEMENT}{{15'd0, r == 1 && c == 2 && a == b}} + "),
        "row 1 column 2",
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_told(bug: str, tmp_path: Path) -> None:
    design, change, told = BUGS[bug]
    result = check(design, tmp_path, change)
    assert not result.passed
    assert result.failures
    line = next((line for line in result.failures if told in line), "")
    assert line, f"no line names {told!r}: {result.failures}"
    assert line.startswith(f"macsmith verify {design.text} --seed 3 --quick: ")
    assert all("\n" not in line for line in result.failures)


def test_bug_of_one_pair_is_told_with_operands_and_values(tmp_path: Path) -> None:
    result = check(MAC, tmp_path, BUGS["one operand pair"][1])
    lines = [line for line in result.failures if "a=[80] b=[80]" in line]
    assert lines
    assert "exact 16384; expected 0x4000 (16384), got 0x4001 (16385)" in lines[0]


def test_wrong_latency_is_told(tmp_path: Path) -> None:
    result = check(MAC, tmp_path, latency=2)
    assert not result.passed
    assert any("2 cycles stated, 1 measured" in line for line in result.failures)


def test_same_seed_gives_the_same_check(tmp_path: Path) -> None:
    change = BUGS["sum not cleared after the last"][1]
    first, again = (check(MAC, tmp_path, change) for _ in range(2))
    assert first.failures == again.failures
    assert first.counters == again.counters


def test_verilog_that_does_not_compile_is_a_tool_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"Verilator failed\ncommand: .*verilator_bin") as caught:
        check(MAC, tmp_path, ("endmodule", "endmodul"))
    assert "syntax error" in str(caught.value)


def test_missing_port_is_a_tool_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="Verilator failed"):
        check(MAC, tmp_path, ("input i_last, ", "input i_lost, "))


def test_missing_compiler_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MissingToolError, match="CXX=no-such-compiler is not a program on PATH"):
        check(MAC, tmp_path)
