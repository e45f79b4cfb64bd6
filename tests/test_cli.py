"""The command line as people and scripts meet it: in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

VERBS = ("formats", "generate", "verify", "synth", "accuracy", "explore", "doctor")


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
        start = time.perf_counter()
        done = run("--help", cwd=tmp_path)
        best = min(best, time.perf_counter() - start)
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
        (["accuracy", "mnist", "e4m3:exact"], ["mnist", "g2p", "smollm2"]),
        (["accuracy", "g2p", "e4m3:exact", "--scaling", "odd"], ["odd", "row"]),
        (["accuracy", "g2p", "e4m3:exact", "--accumulation", "odd"], ["odd", "bit-exact"]),
        (["synt"], ["synt", "synth"]),
        (["synth"], ["Missing argument 'DESIGN'"]),
        (["verify", "e4m3:exact", "--sed", "3"], ["--sed", "--seed"]),
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
