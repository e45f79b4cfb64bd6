"""The flat record, and that a netlist which computes something else is caught."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from macsmith.synth import price as price_module
from macsmith.synth.cells import Technology
from macsmith.synth.liberty import LibertyError
from macsmith.synth.price import MismatchError, price, resolve_technology
from macsmith.synth.recipes import Recipe, recipe
from macsmith.synth.synthesize import SynthesisResult, synthesize

RECIPES = [recipe("smallest"), recipe("smallest-fa"), recipe("fastest")]


def waveforms(cycles: int = 40, streams: int = 64) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 16, (2, cycles, streams), dtype=np.uint8)
    rst = np.zeros((cycles, streams), dtype=np.uint8)
    rst[:2] = 1
    return {"a": a, "b": b, "rst": rst}


def test_record_of_a_library(mac_verilog: Path, tmp_path: Path) -> None:
    record = price(
        mac_verilog,
        "tiny_mac",
        "asap7",
        build_dir=tmp_path,
        waveforms=waveforms(),
        macs_per_cycle=2.0,
        first_counted_cycle=3,
        recipes=RECIPES,
    )
    assert json.loads(json.dumps(record)) == record
    assert record["technology"] == "asap7"
    assert record["kind"] == "asic"
    assert record["recipes_run"] == ["smallest", "smallest-fa", "fastest"]
    front = record["front"]
    assert [entry["area_um2"] for entry in front] == sorted(entry["area_um2"] for entry in front)
    best = min(front, key=lambda entry: entry["area_um2"] * entry["delay_ps"])
    for metric, value in best.items():
        assert record[metric] == value, metric
    parts = ("combinational", "register", "clock", "leakage")
    assert record["energy_pj_per_mac"] == pytest.approx(
        sum(record[f"{part}_energy_pj_per_mac"] for part in parts), rel=1e-5
    )
    assert record["energy_cycles"] == 37 * 64
    assert record["energy_period_ps"] == record["delay_ps"]
    assert record["netlist_outputs_compared"] == 37 * 64
    assert record["smallest_area_um2"] == front[0]["area_um2"]
    assert record["fastest_delay_ps"] == front[-1]["delay_ps"]
    assert record["tool_versions"]["pyosys"]
    assert "CKINVDC*" in record["dont_use"]


def test_what_a_library_does_not_state(mac_verilog: Path, tiny: Technology, tmp_path: Path) -> None:
    without = {name: replace(cell, leakage_nw=0.0) for name, cell in tiny.cells.items()}
    record = price(
        mac_verilog,
        "tiny_mac",
        replace(tiny, cells=without),
        build_dir=tmp_path,
        waveforms=waveforms(),
        recipes=RECIPES[:1],
    )
    assert record["energy_pj_per_mac"] > 0
    assert not [name for name in (*record, *record["front"][0]) if "leakage" in name]
    assert "clock_gated_energy_pj_per_mac" not in record
    for name, cell in tiny.cells.items():
        outputs = {pin: replace(output, energy_fj=0.0) for pin, output in cell.outputs.items()}
        without[name] = replace(cell, outputs=outputs)
    with pytest.raises(ValueError, match=r"tiny: no cell states internal_power.*--operands none"):
        price(
            mac_verilog,
            "tiny_mac",
            replace(tiny, cells=without),
            build_dir=tmp_path,
            waveforms=waveforms(),
        )


def test_no_waveforms_no_energy(mac_verilog: Path, tmp_path: Path) -> None:
    record = price(
        [mac_verilog], "tiny_mac", "sky130", build_dir=tmp_path, recipes=[Recipe("smallest")]
    )
    assert record["area_um2"] > 100
    assert not any("energy" in name for name in record)
    assert "netlist_outputs_compared" not in record


def test_record_of_an_fpga(mac_verilog: Path, tmp_path: Path) -> None:
    record = price(mac_verilog, "tiny_mac", "ECP5", build_dir=tmp_path)
    assert record["kind"] == "fpga"
    assert record["flip_flops"] == 8
    assert {"lut4", "carry", "flow", "tool_versions"} <= record.keys()
    assert "area_um2" not in record


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("NOR2xp33_ASAP7_75t_R", "NAND2xp33_ASAP7_75t_R"),
        ("OAI22xp33_ASAP7_75t_R", "AOI22xp33_ASAP7_75t_R"),
    ],
)
def test_a_planted_fault_is_found(
    mac_verilog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    """One gate of the mapped netlist replaced by a neighbour must not pass."""

    def faulty(*arguments: Any, **options: Any) -> SynthesisResult:
        result = synthesize(*arguments, **options)
        path = result.front[0].netlist_path
        data = json.loads(path.read_text())
        cells = data["modules"]["tiny_mac"]["cells"]
        one = next(cell for cell in cells.values() if cell["type"] == right)
        one["type"] = wrong
        path.write_text(json.dumps(data))
        return result

    monkeypatch.setattr(price_module, "synthesize", faulty)
    with pytest.raises(
        MismatchError,
        match=r"tiny_mac, recipe smallest: output total in cycle \d+ of stream \d+ is 0x[0-9a-f]+, "
        r"must be 0x[0-9a-f]+ \(inputs in that cycle: a=0x",
    ):
        price(
            mac_verilog,
            "tiny_mac",
            "asap7",
            build_dir=tmp_path,
            waveforms=waveforms(),
            first_counted_cycle=3,
            recipes=[Recipe("smallest")],
        )


def test_resolving(liberty_file: Path, tmp_path: Path) -> None:
    assert resolve_technology("ihp").name == "ihp-sg13g2"
    assert resolve_technology("mine", [liberty_file]).name == "mine"
    with pytest.raises(
        ValueError, match=r"technology 'n5' is unknown; must be one of asap7, .*ice40"
    ):
        resolve_technology("n5")
    with pytest.raises(LibertyError, match=r"none\.lib: cannot be read"):
        resolve_technology("mine", [tmp_path / "none.lib"])


REGISTERED = """
module registered (input clk, input rst, input [3:0] d, output reg valid, output reg [3:0] q);
  always @(posedge clk) begin
    valid <= !rst && (valid || d == 4'd15);
    if (d == 4'd15) q <= d;
  end
endmodule
"""


def test_data_that_mean_nothing_yet_are_not_compared(tmp_path: Path) -> None:
    """A register without reset shows different things until it is first loaded."""
    source = tmp_path / "registered.v"
    source.write_text(REGISTERED)
    d = np.full((10, 1), 3)
    d[6] = 15
    waves = {"rst": np.array([[1], *[[0]] * 9]), "d": d}

    def run(valid_ports: dict[str, str] | None) -> dict[str, Any]:
        return price(
            source,
            "registered",
            "asap7",
            build_dir=tmp_path,
            waveforms=waves,
            first_counted_cycle=1,
            valid_ports=valid_ports,
            recipes=[Recipe("smallest")],
        )

    # valid in cycles 1 to 9; q only in cycles 7 to 9
    assert run({"q": "valid"})["netlist_outputs_compared"] == 9 + 3
    with pytest.raises(MismatchError, match=r"output q in cycle 1 of stream 0 is 0xf, must be 0x0"):
        run(None)
