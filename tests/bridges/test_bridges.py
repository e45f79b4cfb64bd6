"""Components for other tools: what is written is what was priced, and the tools read it so."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from macsmith.hw.quantiser import format_quantiser_verilog
from macsmith.model import fast
from macsmith.model.cost.estimate import EstimateTable, estimate_table
from macsmith.model.design import parse_design
from macsmith.model.formats import parse_format
from macsmith.reports.table import as_frame
from macsmith.sim.netlist import compile_netlist
from macsmith.synth.price import reference_netlist
from macsmith.synth.recipes import Recipe
from outside import python_with, run_script

from macsmith.bridges.components import (
    Component,
    components_of_estimate,
    components_of_price,
    components_of_rows,
    number_text,
)
from macsmith.bridges.export import TARGETS, check_target, export
from macsmith.bridges.quantisers import price_quantiser

#: Figures of no design, with all columns that a price has and components need.
RECORD: dict[str, Any] = {
    "technology": "asap7",
    "area_um2_per_mac": 40.0,
    "delay_ps": 800.0,
    "leakage_nw": 30.0,
    "energy_pj_per_mac": 0.2,
    "multiply_energy_pj_per_mac": 0.03,
    "ports_energy_pj_per_mac": 0.01,
    "accumulate_energy_pj_per_mac": 0.1,
    "register_energy_pj_per_mac": 0.06,
    "recipe": "smallest",
    "checked": "unchecked",
    "energy_operands": "gaussian",
}


def record_of(text: str, **changes: Any) -> dict[str, Any]:
    design = parse_design(text)
    modules = {
        design.id: {"instances": 1, "own_area_um2": 5.0},
        f"{design.id}_multiply": {"instances": 2, "own_area_um2": 5.0},
        f"{design.id}_compact_add": {"instances": 1, "own_area_um2": 25.0},
    }
    return RECORD | {"design": text, "module_area_um2": modules} | changes


def made_up_components() -> list[Component]:
    texts = ("e4m3:e6m9/64", "int8:int32:lanes4")
    found = [
        component
        for text in texts
        for component in components_of_price(record_of(text), parse_design(text))
    ]
    mac = found[0]
    more = {"kind": "quantiser", "design": "e4m3", "input_bits": (32,), "output_bits": 8}
    return [*found, replace(mac, **more), replace(mac, technology="sky130", feature_nm=130.0)]


def test_two_halves_make_a_mac() -> None:
    mac, multiplier, accumulator = components_of_price(
        record_of("e4m3:e6m9/64:lanes4"), parse_design("e4m3:e6m9/64:lanes4")
    )
    assert mac.name == "e4m3_e6m9_64_lanes4_mac_asap7"
    assert (mac.area_um2, mac.energy_pj, mac.leakage_nw) == (40.0, 0.2, 30.0 / 4)
    assert (mac.input_bits, mac.output_bits) == ((8, 8), 32)
    # 10 of 40 um2 of the modules; multiplier and ports have 0.04 of 0.2 pJ
    assert multiplier.area_um2 == pytest.approx(10.0)
    assert multiplier.energy_pj == pytest.approx(0.04)
    for figure in ("area_um2", "energy_pj", "leakage_nw"):
        total = getattr(multiplier, figure) + getattr(accumulator, figure)
        assert total == pytest.approx(getattr(mac, figure))
    # 448 * 448 in units of 2 ** -18, and a sign
    assert multiplier.output_bits == accumulator.input_bits[0] == 1 + (448**2 << 18).bit_length()


def test_what_was_not_measured_is_not_made_up() -> None:
    design = parse_design("e4m3:exact")
    record = record_of("e4m3:exact")
    record["module_area_um2"] = {}
    assert [component.kind for component in components_of_price(record, design)] == ["mac"]
    del record["energy_pj_per_mac"]
    with pytest.raises(ValueError, match="e4m3:exact, asap7: must have an energy: price it with"):
        components_of_price(record, design)
    with pytest.raises(ValueError, match="must have area_um2_per_mac"):
        components_of_price(record_of("e4m3:exact", area_um2_per_mac=0.0), design)
    with pytest.raises(ValueError, match="components must be of asap7, sky130, ihp-sg13g2"):
        components_of_price(record_of("e4m3:exact", technology="ice40"), design)
    with pytest.raises(ValueError, match="must have one mode, not 2"):
        components_of_price(RECORD, parse_design("e4m3+e5m2:exact"))
    with pytest.raises(ValueError, match="--to must be accelergy, timeloop, hwcomponents"):
        check_target("mapper")


def test_rows_of_a_report(tmp_path: Path) -> None:
    rows = [record_of("e4m3:exact"), record_of("int8:int32"), record_of("e2m1:exact")]
    for row in rows:
        del row["module_area_um2"]
    del rows[2]["area_um2_per_mac"]  # its synthesis failed
    path = tmp_path / "results.csv"
    path.write_text(as_frame(rows).to_csv(index=False), encoding="utf-8")
    assert [c.design for c in components_of_rows(path)] == ["e4m3:exact", "int8:int32"]
    chosen = components_of_rows(path, ["int8:int32"])
    assert [(c.kind, c.area_um2) for c in chosen] == [("mac", 40.0)]
    with pytest.raises(ValueError, match=r"must have rows of e5m2:exact; price the design"):
        components_of_rows(path, ["e5m2:exact", "int8:int32"])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "macsmith.cli", "export", "--to", "zigzag", "--json"),
            *("--table", str(path), "int8:int32", "-o", str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    files = json.loads(done.stdout)["files"]
    assert [Path(file).name for file in files] == ["int8_int32_mac_asap7.yaml"]
    assert "unit_energy: 0.2\n" in Path(files[0]).read_text(encoding="utf-8")


def test_what_is_no_table_and_no_library(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("")
    with pytest.raises(ValueError, match=r"results\.csv: must be a report's results\.csv or"):
        components_of_rows(path)
    path.write_text("design,area_um2\ne4m3:exact,3\n")
    with pytest.raises(ValueError, match=r"results\.csv: must have a column technology"):
        components_of_rows(path)
    parquet = tmp_path / "results.parquet"
    parquet.write_bytes(b"cut off")
    with pytest.raises(ValueError, match=r"results\.parquet: must be a report's results"):
        components_of_rows(parquet)
    with pytest.raises(ValueError, match="standard-cell library, not the FPGA family ice40"):
        export("zigzag", [parse_design("int8:int32")], tmp_path, technologies=["ice40"])


def test_estimates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    designs = [parse_design("int8:int32"), parse_design("int8:int32:lanes4")]
    one, four = components_of_estimate(designs, "asap7")
    record = estimate_table(designs, "asap7").record(1)
    assert four.area_um2 == pytest.approx(record["area_um2"] / 4)
    assert four.energy_pj == pytest.approx(record["energy_fj_per_mac"] / 1000)
    # lanes share registers and handshake
    assert four.area_um2 < one.area_um2
    assert one.leakage_nw is None
    assert one.source.startswith("estimated, 9 of 10 within area_um2 ")
    for target, write in TARGETS.items():
        assert write([one, four], tmp_path / target)
    monkeypatch.setattr(EstimateTable, "record", lambda self, row: {"area_um2": 1.0, "macs": 1})
    with pytest.raises(ValueError, match="int8:int32, asap7: has no estimate of energy"):
        components_of_estimate(designs, "asap7")


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "int8", "posit8es1", "r4e3"])
def test_quantisers_do_what_the_model_says(name: str, tmp_path: Path) -> None:
    source, fmt = parse_format("fp32"), parse_format(name)
    top = f"quantise_{source.name}_to_{fmt.name}"
    path = tmp_path / f"{top}.v"
    path.write_text(format_quantiser_verilog(fmt, source), encoding="utf-8")
    random = np.random.default_rng(5)
    values = random.standard_normal(4096) * np.exp2(random.integers(-16, 16, 4096))
    codes = fast.encode(source, np.append(values, [0.0, 1e30, -1e30, 1e-30]))
    netlist = compile_netlist(reference_netlist([path], top, tmp_path), {})
    result = netlist.simulate({"partial_sum": codes[None, :]})
    overflow = "sat" if name.startswith("e") else None
    expected = fast.encode(fmt, fast.decode(source, codes), overflow=overflow)
    assert (result.outputs["code"][0] == expected).all()


def test_a_quantiser_has_a_price(tmp_path: Path) -> None:
    component = price_quantiser("e2m1", "asap7", build_dir=tmp_path, recipes=[Recipe("smallest")])
    assert component.name == "e2m1_quantiser_asap7"
    assert (component.input_bits, component.output_bits) == ((32,), 4)
    # a comparator of some bits with rounding: tens of gates of about 0.1 um2
    assert 1 < component.area_um2 < 60
    assert 0.001 < component.energy_pj < 1
    with pytest.raises(ValueError, match="must have another format than its source"):
        price_quantiser("fp32", "asap7", build_dir=tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.322343, "0.322343"), (8e-10, "8.0e-10"), (1.25e-9, "1.25e-09"), (57.0, "57"), (0.0, "0")],
)
def test_numbers_are_numbers_in_yaml(value: float, text: str) -> None:
    assert number_text(value) == text
    assert float(text) == value


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_components_give_the_same_files(target: str, tmp_path: Path) -> None:
    texts = []
    for run in ("a", "b"):
        files = TARGETS[target](made_up_components(), tmp_path / run)
        texts.append({file.name: file.read_text(encoding="utf-8") for file in files})
        assert all(file.is_file() for file in files)
    assert texts[0] == texts[1]


def test_accelergy_prices_the_components(tmp_path: Path) -> None:
    python = python_with("accelergy")
    components = made_up_components()
    TARGETS["accelergy"](components, tmp_path)
    environment = {
        "HOME": tmp_path,
        "ACCELERGY_COMPONENT_LIBRARIES": tmp_path / "macsmith_components",
    }
    text = run_script(
        python, "ask_accelergy.py", tmp_path / "architecture.yaml", tmp_path / "out", **environment
    )
    seen = json.loads(text)
    for component in components:
        energies = seen["energies"][component.name]
        assert energies["compute"] == pytest.approx(component.energy_pj, rel=1e-5)
        leak_pj = component.leakage_nw * component.delay_ps * 1e-9
        assert energies["leak"] == pytest.approx(leak_pj, rel=1e-4)
        assert seen["areas"][component.name] == pytest.approx(component.area_um2, rel=1e-5)


def test_hwcomponents_finds_and_prices_the_package(tmp_path: Path) -> None:
    python = python_with("hwcomponents")
    components = made_up_components()
    TARGETS["hwcomponents"](components, tmp_path)
    seen = json.loads(run_script(python, "ask_hwcomponents.py", tmp_path))
    assert seen["found"] == [
        f"Macsmith{kind}" for kind in ("Accumulator", "Mac", "Multiplier", "Quantiser")
    ]
    assert "not in this package's table; there is: e4m3:e6m9/64 (asap7)" in seen["unknown"]
    assert len(seen["components"]) == len(components)
    for component in components:
        delay_s = component.delay_ps * 1e-12
        assert seen["components"][component.name] == pytest.approx(
            [
                component.area_um2 * 1e-12,
                component.leakage_nw * 1e-9,
                component.energy_pj * 1e-12,
                delay_s * component.latency_cycles,
                1 / delay_s,
            ]
        )


def test_accelforge_prices_a_compute_node(tmp_path: Path) -> None:
    python = python_with("accelforge")
    components = made_up_components()
    files = TARGETS["accelforge"](components, tmp_path)
    mac = components[0]
    node = next(file for file in files if file.name == f"{mac.name}.yaml")
    seen = json.loads(run_script(python, "ask_accelforge.py", tmp_path, node))
    assert seen["costs"] == pytest.approx(
        [
            mac.area_um2 * 1e-12,
            mac.leakage_nw * 1e-9,
            mac.energy_pj * 1e-12,
            1 / (mac.delay_ps * 1e-12),
        ]
    )


@pytest.mark.parametrize("place", [0, 3])
def test_zigzag_counts_the_energy_of_every_mac(place: int, tmp_path: Path) -> None:
    python = python_with("zigzag")
    mac = made_up_components()[place]
    assert mac.kind == "mac"
    (accelerator,) = TARGETS["zigzag"]([mac], tmp_path)
    text = run_script(python, "ask_zigzag.py", accelerator, tmp_path, str(mac.output_bits), "8")
    seen = json.loads(text)
    # memories cost nothing
    assert seen["energy"] == pytest.approx(seen["macs"] * mac.energy_pj)
    assert seen["latency"] >= seen["macs"] / 4
