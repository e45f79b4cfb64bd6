"""The command line as people and scripts meet it: in processes of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from macsmith.reports import stages
from macsmith.reports.accelerator_files import generate_accelerator
from macsmith.sim.coverage import Coverage
from macsmith.sim.tools import ToolError
from macsmith.sim.verify import Check, VerifyResult

from macsmith import cli

VERBS = (
    "formats", "generate", "verify", "synth", "bitslice", "accuracy", "explore", "mixed", "layers",
    "board", "export", "doctor",
)  # fmt: skip


def run(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "macsmith.cli", *arguments],
        cwd=cwd,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def fails(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None, lines: int | None = 1
) -> str:
    """Run something wrong: exit code 2, one line on stderr, nothing on stdout, nothing written."""
    before = sorted(cwd.rglob("*"))
    done = run(*arguments, cwd=cwd, env=env)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("macsmith: ")
    if lines is not None:
        assert len(done.stderr.splitlines()) == lines, done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(cwd.rglob("*")) == before, "something half-written is left"
    return done.stderr


def test_help_teaches_and_is_quick(tmp_path: Path) -> None:
    best = float("inf")
    for _ in range(3):
        # processor time: what others do on the machine does not count
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run("--help", cwd=tmp_path)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
    assert done.returncode == 0
    for verb in VERBS:
        assert f"macsmith {verb}" in done.stdout
    assert "e4m3xe5m2:e6m9/64" in done.stdout
    assert best < 0.5, f"--help took {best:.2f} s"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_examples(tmp_path: Path, verb: str) -> None:
    done = run(verb, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert f"  macsmith {verb}" in done.stdout
    assert "--json" in done.stdout


def test_no_arguments_show_help(tmp_path: Path) -> None:
    assert "Usage: macsmith" in run(cwd=tmp_path).stdout


def test_bitslice(tmp_path: Path) -> None:
    done = run("bitslice", "int4:int16", "--operator", "multiply", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["inputs"] == {"a": 4, "b": 4}
    assert Path(result["header"]) == Path("build/int4_int16/bitslice/int4_int16_multiply.h")
    assert (tmp_path / result["example"]).exists()


def test_generate_accelerator(tmp_path: Path) -> None:
    """Behind AXI and behind a serial line; the manifest tells digests of what is there."""
    design, folder = "int4:int12:2x1", tmp_path / "rtl"
    done = run(
        "generate", design, "--accelerator", "axi", "--depth", "16", "-o", str(folder), "--json",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {Path(name).name for name in result["files"]} == {
        "int4_int12_2x1_axi.v", "registers.md", "accelerator.h", "manifest.json",
    }  # fmt: skip
    for entry in result["files"]:
        assert Path(entry).parent == folder
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["files"]:
        text = (folder / entry["name"]).read_bytes()
        assert hashlib.sha256(text).hexdigest() == entry["sha256"]
    assert "#define MACSMITH_A_DEPTH 16" in (folder / "accelerator.h").read_text()
    assert "`CYCLES`" in (folder / "registers.md").read_text()
    assert "input aresetn" in (folder / "int4_int12_2x1_axi.v").read_text()

    made = generate_accelerator(
        design, interface="uart", depth=16, clock_hz=12e6, baud=1e6, build_dir=tmp_path / "build"
    )
    assert made["cycles_per_bit"] == 12
    assert (tmp_path / "build/int4_int12_2x1/accelerator/uart/int4_int12_2x1_uart.v").exists()


def test_layers(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    price = {
        "design": "int8:int32", "technology": "asap7", "energy_pj_per_mac": 0.25,
        "zero_operand_energy_pj_per_mac": 0.125, "idle_energy_pj_per_mac": 0.0625,
    }  # fmt: skip
    (tmp_path / "price.json").write_text(json.dumps(price))
    arguments = ["layers", "g2p", "int8:int32:8x8", "--tokens", "3", "--price-file", "price.json"]
    done = run(*arguments, "--clock-mhz", "100", "--csv", "rows.csv", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [row["layer"] for row in result["layers"]] == [
        "enc_w_ih", "enc_w_hh", "dec_w_ih", "dec_w_hh", "fc_w",
    ]  # fmt: skip
    assert result["all"]["cycles"] == sum(row["cycles"] for row in result["layers"])
    assert result["seconds"] == pytest.approx(result["all"]["cycles"] / 1e8)
    assert "0.25 pJ a MAC" in result["mac_energy_source"]
    assert "ISCA 2021" in result["buffer_energy_source"]
    assert result["all"]["pj_per_mac"] > 0.25
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 7
    shown = run(*arguments[:5], cwd=tmp_path)
    assert "no price is kept: state --price" in shown.stdout
    (tmp_path / "price.json").write_text("{}")
    assert "must have energy_pj_per_mac, and has none" in fails(
        *arguments, cwd=tmp_path, lines=None
    )


# -- formats and doctor ---------------------------------------------------------------------------


def test_formats(tmp_path: Path) -> None:
    listed = run("formats", cwd=tmp_path)
    assert "OCP E4M3" in listed.stdout
    assert "OFP8" in listed.stdout
    shown = run("formats", "float8_e4m3fn", cwd=tmp_path)
    assert "448" in shown.stdout
    assert "OCP E4M3" in shown.stdout
    document = json.loads(run("formats", "e4m3", "--json", cwd=tmp_path).stdout)
    assert (document["max"], document["bias"], document["smallest"]) == (448.0, 7, 2.0**-9)
    names = {
        row["name"] for row in json.loads(run("formats", "--json", cwd=tmp_path).stdout)["formats"]
    }
    assert {"e4m3", "e5m2", "e2m1", "e6m9"} <= names


def test_formats_plot(tmp_path: Path) -> None:
    done = run("formats", "e3m2", "--plot", "e3m2.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "e3m2.png").read_bytes().startswith(b"\x89PNG")


def test_doctor(tmp_path: Path) -> None:
    done = run("doctor", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    tools = {tool["name"]: tool for tool in document["tools"]}
    assert {"python", "g++", "make", "perl", "verilator", "pyosys", "cocotb", "amaranth"} <= set(
        tools
    )
    assert tools["pyosys"]["version"].startswith("0.")
    assert done.returncode == (0 if document["ready"] else 1)


def test_doctor_says_how_to_get_what_is_missing(tmp_path: Path) -> None:
    bare = {"PATH": str(tmp_path)}
    done = run("doctor", cwd=tmp_path, env=bare)
    assert done.returncode == 1
    assert "g++" in done.stdout
    assert "MISSING" in done.stdout
    assert "sudo apt install g++ make perl" in done.stdout
    assert "sudo dnf install gcc-c++ make perl" in done.stdout
    assert "xcode-select --install" in done.stdout


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["generate", "int4:int12", "--accelerator", "spi"],
            ["interface must be axi or uart, not 'spi'"],
        ),
        (["generate", "int4:int12", "--depth", "16"], ["--depth goes with --accelerator"]),
        (
            ["generate", "int4:int12", "--accelerator", "axi", "--depth", "17"],
            ["a_depth must be a power of two, 2 to 32768 entries, not 17"],
        ),
        (
            [
                "generate",
                "int4:int12",
                "--accelerator",
                "uart",
                "--clock-hz",
                "12e6",
                "--baud",
                "4e6",
            ],
            ["4e+06 baud must be at most a quarter of the clock, 3e+06"],
        ),
        (
            ["layers", "smollm2", "int8:int32:4x4", "--tech", "tsmc3"],
            ["technology 'tsmc3' is unknown; must be one of asap7, sky130, ihp-sg13g2, ice40"],
        ),
        (
            ["layers", "smollm2", "int8:int32:4x4", "--price", "--energy-pj-per-mac", "1"],
            ["state one of --energy-pj-per-mac, --price-file and --price"],
        ),
        (
            ["board", "ulx3s_85f", "int8:int32:2x2", "--task", "g2p", "--port", "no/such/port"],
            ["serial port no/such/port does not open"],
        ),
        (
            ["board", "ulx3s_85f", "int8:int32:2x2", "--task", "g2p"],
            ["--task runs on a board that has the design: state --port alone"],
        ),
        (["board", "sim", "int8:int32", "--run", "--samples", "3"], ["state --task"]),
        (
            ["board", "icebreaker", "int4:int12:2x2", "--build", "--clock", "nan"],
            ["--clock must be a number of MHz above 0, not nan"],
        ),
        (["mixed", "g2p", "e4m3:exact"], ["must have two designs or more to choose from, not 1"]),
        (["explore", "--tech", "tsmc3"], ["macsmith: technology 'tsmc3' is unknown"]),
        (
            ["board", "sim", "int8:int32", "--task", "g2p", "--interface", "spi"],
            ["the interface must be axi or uart, not 'spi'"],
        ),
        (["layers", "mnist", "int8:int32:4x4"], ["must be one of g2p, smollm2, not 'mnist'"]),
        (["generate", "e4n3:exact"], ["unknown format 'e4n3'", "did you mean e4m3"]),
        (["formats", "e4m33"], ["fraction width must be 0 to 23 bits, not 33"]),
        (["verify", "e9m2:exact"], ["exponent width must be 1 to 8 bits, not 9"]),
        (["synth", "int1:int32"], ["width must be 2 to 16 bits, not 1"]),
        (
            ["generate", "int8:int16:terms64"],
            ["int16 is too narrow for 64 products", "it needs int22"],
        ),
        (["generate", "e4m3:e6m9/0"], ["e6m9: chunk must be at least 1 product, not 0"]),
        (["generate", "e4m3:exact:lanes0"], ["lanes must be 1 to 64, not 0"]),
        (["generate", "e4m3"], ["must be A[xB]:ACCUMULATOR"]),
        (["generate", "e4m3:exact:turbo"], ["unknown option 'turbo'"]),
        (["synth", "e4m3:exact", "--tech", "asap8"], ["asap8", "asap7", "sky130"]),
        (["verify", "e4m3:exact", "--netlist", "ice40"], ["asap7", "not the FPGA family ice40"]),
        (["accuracy", "mnist", "e4m3:exact"], ["mnist", "g2p", "smollm2"]),
        (["accuracy", "g2p", "e4m3:exact", "--scaling", "odd"], ["odd", "row"]),
        (["accuracy", "g2p", "e4m3:exact", "--accumulation", "odd"], ["odd", "bit-exact"]),
        (["synt"], ["synt", "synth"]),
        (["synth"], ["Missing argument 'DESIGN'"]),
        (["verify", "e4m3:exact", "--sed", "3"], ["--sed", "--seed"]),
        (["bitslice", "e4m3:e6m9", "--operator", "divide"], ["operator 'divide' is unknown"]),
        (["board", "sim", "e4m3:exact:unit", "--run"], ["needs a clocked design: leave unit out"]),
        (["board", "sim", "e4m3:exact", "--run", "--depth", "9"], ["a power of two, 2 to 32768"]),
        (["board", "nix", "e4m3:exact", "--run"], ["--run needs the board's serial port: --port"]),
        (
            ["board", "nix", "e4m3:exact", "--run", "--port", "/dev/nix"],
            ["serial port /dev/nix does not open"],
        ),
        (["board", "sim"], ["state a board and a design, or --list"]),
        (["board", "ulx3s_85f", "e4m3:exact", "--load"], ["state --build, --run or both"]),
        (["board", "sim", "e4m3:exact"], ["one of --run and --serve"]),
        (["explore", "missing.toml"], ["missing.toml: No such file or directory"]),
        (["generate", "missing.toml"], ["missing.toml: No such file or directory"]),
        (["formats", "--plot", "x.png"], ["--plot draws one format"]),
        (["formats", "e4m3", "--plot", "no/such/folder/x.png"], ["no/such/folder/x.png"]),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    tmp_path: Path, arguments: list[str], expected: list[str]
) -> None:
    message = fails(*arguments, cwd=tmp_path)
    for text in expected:
        assert text in message


def test_errors_stay_on_stderr_with_json(tmp_path: Path) -> None:
    assert "unknown format" in fails("generate", "e4n3:exact", "--json", cwd=tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("designs = [\n  'e4m3:exact'\n  'e5m2:exact'\n]", ["s.toml: not TOML", "line 3"]),
        (
            "designs = [\n  'e4m3:exact',\n  'e4m3:e6m9/0',\n]",
            ["line 3", "designs[1]", "chunk must be"],
        ),
        ("designs = ['e4m3:exact']\nlane = 3", ["line 2", "lane: is no field"]),
        ("designs = ['e4m3:exact']\ntechnologies = ['asap8']", ["technologies", "asap8"]),
    ],
)
def test_a_malformed_sweep_names_field_and_line(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    (tmp_path / "s.toml").write_text(text)
    message = fails("explore", "s.toml", cwd=tmp_path)
    for part in expected:
        assert part in message


def test_a_malformed_design_file_names_the_field(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text("[mac]\na = 'e4m3'\naccumulator = 'exact'\nlanes = 'four'\n")
    message = fails("generate", "d.toml", cwd=tmp_path)
    assert "d.toml" in message
    assert "lanes" in message
    (tmp_path / "two.toml").write_text("designs = ['e4m3:exact', 'e5m2:exact']\n")
    assert "must hold one design, not 2" in fails("generate", "two.toml", cwd=tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert "bytes.toml: not TOML" in fails("generate", "bytes.toml", cwd=tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "missing.lib"), (b"module x; endmodule\n", "missing.lib")]
)
def test_an_unreadable_or_wrong_liberty_file(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / "missing.lib").write_bytes(content)
    assert expected in fails("synth", "e4m3:exact", "--liberty", "missing.lib", cwd=tmp_path)


def test_several_liberty_files_after_one_option(tmp_path: Path) -> None:
    (tmp_path / "a.lib").write_text("no library\n")
    first = fails("synth", "e4m3:exact", "--liberty", "a.lib", "b.lib", cwd=tmp_path)
    assert "a.lib" in first
    second = fails("synth", "--liberty", "b.lib", "a.lib", "e4m3:exact", cwd=tmp_path)
    assert "b.lib" in second


# -- one design through the verbs -----------------------------------------------------------------

#: Small enough that every verb takes seconds.
TINY = "int2:int8"


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny design was generated and verified."""
    folder = tmp_path_factory.mktemp("worked")
    done = run("verify", TINY, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "verify.json").write_text(done.stdout)
    return folder


def test_generate(tmp_path: Path) -> None:
    done = run("generate", TINY, "-o", "rtl", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["design"] == TINY
    assert document["directory"] == "rtl"
    names = {Path(path).name for path in document["files"]}
    assert {"int2_int8.v", "int2_int8.core", "int2_int8_tb.v", "manifest.json"} <= names
    assert all((tmp_path / path).stat().st_size for path in document["files"])
    assert not (tmp_path / "build").exists()
    assert "latency_cycles" in document
    told = run("generate", TINY, cwd=tmp_path)
    assert "build/int2_int8/generate" in told.stdout


def test_a_design_file_is_the_same_design(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text("[mac]\na = 'int2'\nb = 'int2'\naccumulator = 'int8'\n")
    document = json.loads(run("generate", "d.toml", "--json", cwd=tmp_path).stdout)
    assert document["design"] == TINY


def test_verify(worked: Path) -> None:
    document = json.loads((worked / "verify.json").read_text())
    assert document["passed"]
    counts = {check["name"]: check["count"] for check in document["checks"]}
    assert counts["results compared"] > 1000
    assert (worked / "build" / "int2_int8" / "verify").is_dir()


def test_synth_tells_the_check(worked: Path) -> None:
    done = run("synth", TINY, "--operands", "none", "--json", cwd=worked)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["technology"] == "asap7"
    assert "results of" in document["checked"]
    assert 5 < document["core_area_um2_per_mac"] < document["area_um2_per_mac"] < 30
    assert document["delay_ps"] > 100
    assert "energy_pj_per_mac" not in document
    assert len(document["front"]) >= 2
    assert document["architecture"]["goal"]["value"] == "area"
    assert not document["architecture"]["goal"]["asked"]
    other = run("synth", TINY, "--tech", "ice40", "--seed", "5", "--json", cwd=worked)
    document = json.loads(other.stdout)
    assert document["checked"] == "unchecked"
    assert document["lut4"] > 10
    explained = run("synth", f"{TINY}:goal=speed", "--tech", "ice40", "--explain", cwd=worked)
    assert explained.returncode == 0, explained.stderr
    assert re.search(r"^goal +speed +asked +area/speed$", explained.stdout, re.M)


def test_explore_and_interrupt(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        "designs = ['int2:int8', 'int2:int9', 'int2:int10']\ntechnologies = []\n"
    )
    command = [sys.executable, "-m", "macsmith.cli", "explore", "s.toml", "--jobs", "1"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("[1/3]"), line
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stdout == ""
    assert stderr.strip().splitlines()[-1] == (
        "macsmith: interrupted: 1 of 3 points are kept; the same command goes on from there"
    )
    done = run("explore", "s.toml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["points"], document["computed_points"], document["failed_points"]) == (3, 2, 0)
    assert [row["design"] for row in document["rows"]] == ["int2:int8", "int2:int9", "int2:int10"]
    assert all("results of" in row["checked"] for row in document["rows"])
    assert "area_um2" not in document["rows"][0]
    assert (tmp_path / "build" / "report" / "index.html").stat().st_size > 1_000_000
    again = run("explore", "s.toml", "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["computed_points"] == 0


# -- tools that fail ------------------------------------------------------------------------------


def test_a_missing_compiler_says_how_to_get_one(tmp_path: Path) -> None:
    bare = {"PATH": str(tmp_path), "MACSMITH_CACHE": str(tmp_path / "cache")}
    message = fails("verify", TINY, cwd=tmp_path, env=bare)
    assert "g++" in message
    assert "apt" in message


def test_a_failing_yosys_shows_command_and_log(tmp_path: Path) -> None:
    fake = tmp_path / "fake" / "pyosys"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("print('ERROR: out of cheese'); raise SystemExit(3)\n")
    message = fails(
        "generate", TINY, cwd=tmp_path, env={"PYTHONPATH": str(fake.parent)}, lines=None
    )
    assert "yosys" in message.lower()
    assert "ERROR: out of cheese" in message


@pytest.mark.parametrize("as_json", [False, True])
def test_a_failing_tool_is_told_with_its_log(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def failing_verify(*_: object, **__: object) -> None:
        print("noise of the tool")
        raise ToolError("Verilator", ["verilator", "--cc", "x.v"], "line 1\n%Error: no cheese")

    monkeypatch.setattr(stages, "verify", failing_verify)
    monkeypatch.setattr(sys, "argv", ["macsmith", "verify", TINY, *["--json"] * as_json])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "macsmith: Verilator failed" in captured.err
    assert "verilator --cc x.v" in captured.err
    assert captured.err.rstrip().endswith("%Error: no cheese")


def test_a_check_that_finds_a_difference_is_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    checks = (Check("results compared", 100, False, "3 of 100 differ"),)
    failing = VerifyResult(
        TINY,
        0,
        False,
        checks,
        Coverage(()),
        ("macsmith verify int2:int8 --seed 0: sum 7: ...",),
        {},
        None,
        {},
        tmp_path,
    )
    monkeypatch.setattr(stages, "verify", lambda *_, **__: failing)
    monkeypatch.setattr(sys, "argv", ["macsmith", "verify", TINY])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    out = capfd.readouterr().out
    assert "FAILED" in out
    assert "3 of 100 differ" in out
    assert "macsmith verify int2:int8 --seed 0: sum 7" in out


def test_a_bug_of_ours_can_be_traced(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def wrong(*_: object, **__: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(stages, "verify", wrong)
    monkeypatch.setattr(sys, "argv", ["macsmith", "--traceback", "verify", TINY])
    monkeypatch.setenv("MACSMITH_TRACEBACK", "")
    with pytest.raises(TypeError, match="a bug"):
        cli.main()


# -- the Python face ------------------------------------------------------------------------------


def test_the_package_is_lazy_and_complete(tmp_path: Path) -> None:
    program = (
        "import sys, macsmith\n"
        "assert 'numpy' not in sys.modules and 'pydantic' not in sys.modules\n"
        "from macsmith import MacConfig, Design, parse_design, parse_format\n"
        "from macsmith import generate, verify, synthesize, accuracy, explore\n"
        "assert all(hasattr(macsmith, name) for name in macsmith.__all__)\n"
        "assert set(macsmith.__all__) <= set(dir(macsmith))\n"
        "assert parse_design('e4m3:e6m9/64').id == 'e4m3_e6m9_64'\n"
        "try: macsmith.nonsense\n"
        "except AttributeError as error: assert 'nonsense' in str(error)\n"
        "else: raise SystemExit('no AttributeError')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
