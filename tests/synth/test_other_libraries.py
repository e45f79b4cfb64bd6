"""Libraries that a user may bring: GF180MCU (5 V, full-adder cells) and GT2N (2 nm, predictive)."""

import os
from pathlib import Path
from typing import Any

import pytest
from macsmith.hw.emit import generate
from macsmith.model.design import parse_design
from macsmith.reports.activities import operand_waveforms
from macsmith.synth.price import price, resolve_technology
from macsmith.synth.recipes import recipe
from macsmith.synth.tabulated import TabulatedArc

_BESIDE = Path(__file__).parents[2].parent / "shared" / "tech" / "liberty"
LIBERTY = Path(os.environ.get("MACSMITH_LIBERTY", _BESIDE))
FILES = {
    "gf180": "gf180mcu_fd_sc_mcu7t5v0__tt_025C_5v00.lib.gz",
    "gt2n": "gt2_6t_w13_svt_tt_0p7v25c.lib.gz",
}


@pytest.mark.skipif(
    not LIBERTY.is_dir(), reason="no Liberty files beside the project, nor at MACSMITH_LIBERTY"
)
@pytest.mark.parametrize("name", [pytest.param("gf180", marks=pytest.mark.slow), "gt2n"])
def test_area_delay_and_energy_with_a_users_library(name: str, tmp_path: Path) -> None:
    technology = resolve_technology(name, [LIBERTY / FILES[name]])
    (output,) = technology.inverter.outputs.values()
    assert all(isinstance(arc, TabulatedArc) for arc in output.arcs.values())
    records: dict[str, dict[str, Any]] = {}
    for text in ("e4m3:exact:unit", "int8:int32:unit"):
        design = parse_design(text)
        waveforms, first = operand_waveforms(design, "uniform", streams=8)
        records[text] = price(
            generate(design, tmp_path / design.id).verilog,
            design.id,
            technology,
            build_dir=tmp_path / design.id,
            waveforms=waveforms,
            first_counted_cycle=first,
            period_ps=50_000.0,
            recipes=[recipe("smallest")],
        )
    minifloat, integer = records["e4m3:exact:unit"], records["int8:int32:unit"]
    # 1.01 to 1.09 in all five libraries that were tried
    assert 0.97 < minifloat["area_um2"] / integer["area_um2"] < 1.12
    assert 0.5 < minifloat["energy_pj_per_mac"] / integer["energy_pj_per_mac"] < 2
    for record in records.values():
        assert record["slack_ps"] == pytest.approx(50_000 - record["delay_ps"])
        assert record["worst_path"][-1]["arrival_ps"] == record["delay_ps"]
        assert max(record["arrival_ps"].values()) == record["delay_ps"]
        assert record["netlist_outputs_compared"] > 0
        assert record["energy_pj_per_mac"] > record["settled_energy_pj_per_mac"] > 0
