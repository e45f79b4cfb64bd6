"""Netlists of LUTs, carries and DSP blocks against the golden model."""

import json
from pathlib import Path

import numpy as np
import pytest
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.block import Emission
from macsmith.hw.chain_step import ChainStep
from macsmith.hw.emit import design_verilog, primitives_of
from macsmith.hw.yosys import rtlil_to_verilog
from macsmith.model import fast
from macsmith.model.design import parse_design
from macsmith.model.widths import mac_widths
from macsmith.sim.netlist import compile_netlist
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


def _wrong_column_pairs(text: str, folder: Path, cell: tuple[str, str, str] | None) -> int:
    """Sums of either column that the mapped step of two columns gets wrong."""
    design = parse_design(text)
    mac = design.mac
    step = ChainStep(mac, resolve_architecture(mac, design.implementation))
    verilog = rtlil_to_verilog(Emission("step").emit_top(step), folder)
    (folder / "step.v").write_text(verilog + primitives_of(verilog))
    result = map_to_fpga(
        [folder / "step.v"],
        "step",
        design.implementation.fpga,
        build_dir=folder,
        allow_dsp=True,
        dsp_blocks=1,
    )
    if cell is not None:
        _change_cell(result, *cell)
    netlist = compile_netlist(netlist_as_gates(result, "step", folder), {})
    rng = np.random.default_rng(1)
    count, bits = 4096, mac_widths(mac).inner.bits
    a, b_0, b_1 = (
        rng.integers(0, 1 << fmt.bits, count, dtype=np.uint64) for fmt in (mac.a, mac.b, mac.b)
    )
    extremes = np.array([0, 1, (1 << mac.a.bits - 1), (1 << mac.a.bits) - 1], dtype=np.uint64)
    a[:64] = np.repeat(extremes, 16)
    b_0[:64] = np.tile(np.repeat(extremes, 4), 4)
    b_1[:64] = np.tile(extremes, 16)
    sums = [rng.integers(0, 1 << bits, count, dtype=np.uint64) for _ in range(2)]
    got = netlist.simulate(
        {
            "a": a[np.newaxis],
            "b": (b_0 | b_1 << np.uint64(mac.b.bits))[np.newaxis],
            "partial_sum_i": (sums[0] | sums[1] << np.uint64(bits))[np.newaxis],
        }
    ).outputs["partial_sum_o"][0]
    wrong = 0
    for column, b in enumerate((b_0, b_1)):
        ends = np.zeros(count, dtype=np.uint8)
        codes = (each.astype(np.uint32)[:, np.newaxis] for each in (a, b))
        want = fast.step(mac, sums[column], *codes, ends)
        part = got >> np.uint64(column * bits) & np.uint64((1 << bits) - 1)
        wrong += int((part != want.reshape(count)).sum())
    return wrong


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("int5:int20:1x2:fpga=ecp5:dsp=on", ("CCU2C", "INIT0", "0" * 16)),
        ("int8:int24:1x2:fpga=ice40:dsp=on", ("SB_MAC16", "MODE_8x8", "0")),
    ],
)
def test_products_of_two_columns(text: str, cell: tuple[str, str, str], tmp_path: Path) -> None:
    assert _wrong_column_pairs(text, tmp_path, None) == 0
    assert _wrong_column_pairs(text, tmp_path, cell) > 0


@pytest.mark.slow
def test_int8_products_of_two_columns_in_one_block(tmp_path: Path) -> None:
    text = "int8:int24:1x2:fpga=xilinx7:dsp=on"
    assert _wrong_column_pairs(text, tmp_path, None) == 0
    assert _wrong_column_pairs(text, tmp_path, ("LUT2", "INIT", "0000")) > 0
