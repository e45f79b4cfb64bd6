"""Netlists of LUTs, carries and DSP blocks against the golden model."""

import json
from pathlib import Path

import pytest
from macsmith.hw.emit import design_verilog
from macsmith.model.design import parse_design
from macsmith.sim.netlist_check import NetlistMismatchError, check_unit_netlist
from macsmith.sim.tools import ToolError
from macsmith.sim.unit_stimulus import make_unit_stimulus
from macsmith.synth.fpga import FpgaResult, map_to_fpga
from macsmith.synth.fpga_netlist import netlist_as_gates


def _mapped(text: str, folder: Path, blocks: int) -> FpgaResult:
    design = parse_design(text)
    source = folder / "unit.v"
    source.write_text(design_verilog(design))
    return map_to_fpga(
        [source],
        design.id,
        design.implementation.fpga,
        build_dir=folder,
        allow_dsp=design.implementation.dsp == "on",
        dsp_blocks=blocks,
    )


def _compared(text: str, result: FpgaResult, folder: Path) -> int:
    design = parse_design(text)
    netlist = netlist_as_gates(result, design.id, folder)
    return check_unit_netlist(make_unit_stimulus(design, quick=True), netlist, {})


def _change_cell(result: FpgaResult, kind: str, parameter: str, value: str) -> None:
    data = json.loads(result.netlist_path.read_text())
    cells = [
        cell
        for module in data["modules"].values()
        for cell in module["cells"].values()
        if cell["type"] == kind
    ]
    cells[0]["parameters"][parameter] = value
    result.netlist_path.write_text(json.dumps(data))


def test_blocks_that_work_as_two_multipliers(tmp_path: Path) -> None:
    text = "int6:int16:lanes3:unit:fpga=ice40:dsp=on"
    result = _mapped(text, tmp_path, 2)
    assert _compared(text, result, tmp_path) > 1000
    _change_cell(result, "SB_MAC16", "MODE_8x8", "0")
    with pytest.raises(NetlistMismatchError):
        _compared(text, result, tmp_path)


def test_multipliers_of_two_products(tmp_path: Path) -> None:
    text = "e3m2:exact:lanes2:unit:fpga=ecp5:dsp=on"
    result = _mapped(text, tmp_path, 1)
    assert _compared(text, result, tmp_path) > 1000
    _change_cell(result, "LUT4", "INIT", "0" * 16)
    with pytest.raises(NetlistMismatchError):
        _compared(text, result, tmp_path)


@pytest.mark.slow
def test_blocks_with_their_additions(tmp_path: Path) -> None:
    text = "int8:int32:lanes2:unit:fpga=xilinx7:dsp=on"
    result = _mapped(text, tmp_path, 2)
    assert _compared(text, result, tmp_path) > 1000
    _change_cell(result, "LUT2", "INIT", "0000")
    with pytest.raises(NetlistMismatchError):
        _compared(text, result, tmp_path)


def test_another_number_of_blocks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="1 DSP blocks came out; the design is built for 2"):
        _mapped("e3m2:exact:lanes2:unit:fpga=ecp5:dsp=on", tmp_path, 2)
