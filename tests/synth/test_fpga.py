"""Counts on FPGA families."""

from pathlib import Path

import pytest
from macsmith.sim.tools import ToolError
from macsmith.synth import fpga
from macsmith.synth.fpga import FAMILIES, family_of, map_to_fpga

ADDER = """
module adder (input clk, input [7:0] a, input [7:0] b, output reg [8:0] y);
  always @(posedge clk) y <= a + b;
endmodule
"""


@pytest.fixture
def adder(tmp_path: Path) -> Path:
    path = tmp_path / "adder.v"
    path.write_text(ADDER)
    return path


# An 8-bit adder with carry out is 8 carry bits (one spare where a CCU2C or CARRY4 has more), a LUT
# per bit unless the carry cell holds it, and 9 flip-flops.
@pytest.mark.parametrize(
    ("family", "wanted"),
    [
        ("ice40", {"carry": range(7, 10), "lut4": range(8, 11), "flip_flops": [9]}),
        ("ecp5", {"carry": range(8, 11), "lut4": range(2), "flip_flops": [9]}),
        ("xilinx7", {"carry4": range(2, 4), "lut6": range(8, 10), "flip_flops": [9]}),
    ],
)
def test_adder(adder: Path, tmp_path: Path, family: str, wanted: dict[str, list[int]]) -> None:
    result = map_to_fpga([adder], "adder", family, build_dir=tmp_path)
    for metric, allowed in wanted.items():
        assert result.metrics[metric] in allowed, (metric, result.metrics, result.cell_counts)
    assert "dsp" not in result.metrics
    assert result.netlist_path.is_file()


def test_dsp_only_if_allowed(tmp_path: Path) -> None:
    source = tmp_path / "multiply.v"
    source.write_text(
        "module multiply (input clk, input [8:0] a, b, output reg [17:0] y);\n"
        "  always @(posedge clk) y <= a * b;\nendmodule\n"
    )
    without = map_to_fpga([source], "multiply", "ecp5", build_dir=tmp_path)
    allowed = map_to_fpga([source], "multiply", "ecp5", build_dir=tmp_path, allow_dsp=True)
    assert without.metrics["lut4"] > 50
    assert allowed.metrics["dsp"] == 1
    assert allowed.metrics["lut4"] < 20


def test_full_adder_primitive_is_logic(mac_verilog: Path, tmp_path: Path) -> None:
    metrics = map_to_fpga([mac_verilog], "tiny_mac", "ice40", build_dir=tmp_path).metrics
    assert metrics["flip_flops"] == 8
    assert metrics["lut4"] >= 8


def test_a_cell_of_unknown_worth_is_an_error(
    adder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES["ice40"]
    counts = tuple(row for row in family.counts if row[1] != "carry")
    changed = {"ice40": fpga._Family(**{**vars(family), "counts": counts})}
    monkeypatch.setattr(fpga, "FAMILIES", changed)
    with pytest.raises(ToolError, match=r"cells SB_CARRY are left"):
        map_to_fpga([adder], "adder", "ice40", build_dir=tmp_path)


def test_names(tmp_path: Path) -> None:
    assert family_of("7-Series") == family_of("xilinx") == "xilinx7"
    assert family_of("asap7") is None
    with pytest.raises(ValueError, match="FPGA family 'max10' is unknown; must be one of ice40"):
        map_to_fpga([], "x", "max10", build_dir=tmp_path)
    with pytest.raises(ValueError, match=r"none\.v is not there"):
        map_to_fpga([tmp_path / "none.v"], "x", "ice40", build_dir=tmp_path)
