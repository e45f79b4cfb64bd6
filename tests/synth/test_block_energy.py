"""Energy of block formats: scales are a part of it, and cost what toggles them."""

from pathlib import Path

import numpy as np
import pytest
from macsmith.hw.emit import generate
from macsmith.model.design import parse_design
from macsmith.reports.activities import operand_waveforms
from macsmith.synth.activity import Activity
from macsmith.synth.energy import SPLIT
from macsmith.synth.price import price
from macsmith.synth.recipes import recipe


def test_scales_are_a_part(tmp_path: Path) -> None:
    design = parse_design("e2m1_ue4m3_b4:e5m6:lanes2")
    verilog = generate(design, tmp_path / "rtl").verilog
    waves, first = operand_waveforms(design, "gaussian", streams=8)
    held = {n: np.repeat(w[-1:], len(w), axis=0) if "scale" in n else w for n, w in waves.items()}
    record = price(
        verilog,
        design.id,
        "asap7",
        build_dir=tmp_path / "synth",
        waveforms=waves,
        first_counted_cycle=first,
        macs_per_cycle=design.mac.lanes,
        further={"held": Activity(held, first, design.mac.lanes)},
        valid_ports={"o_data": "o_valid"},
        recipes=[recipe("smallest")],
    )
    # every port in every cycle, and results
    assert record["netlist_outputs_compared"] > 2 * 256 * 8
    whole = record["energy_pj_per_mac"]
    parts = {name: record[f"{name}_energy_pj_per_mac"] for name in SPLIT}
    assert sum(parts.values()) == pytest.approx(whole, rel=1e-5)
    assert 0.01 * whole < parts["scale"] < 0.5 * whole
    assert record["held_energy_pj_per_mac"] < whole
