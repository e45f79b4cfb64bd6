"""Accelerators behind AXI under Verilator, with cocotbext-axi as master."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from macsmith.hw.emit_accelerator import generate_accelerator
from macsmith.hw.latency import latency_cycles
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.model.performance import predict
from macsmith.model.schedule import make_schedule
from macsmith.sim.tools import run_tool
from macsmith.sim.verilator import build_simulation, simulation_environment


def run_axi(
    tmp_path: Path, design: str, depth: int, shapes: list[tuple[int, int, int]]
) -> dict[str, Any]:
    """What `axi_bench` found."""
    made = generate_accelerator(
        parse_design(design), tmp_path / "made", a_depth=depth, b_depth=depth
    )
    text = made.verilog.read_text(encoding="utf-8")
    head = text[text.index(f"module {made.top}(") :].partition(");")[0]
    ports = re.findall(r"(\w+)[,\n]", head.partition("(")[2])
    program = build_simulation(tmp_path / "simulation", [made.verilog], made.top, ports)
    environment = simulation_environment(made.top, "axi_bench", tmp_path / "results.xml")
    environment["PYTHONPATH"] = str(Path(__file__).parent)
    environment["MACSMITH_AXI_JOB"] = json.dumps(
        {"design": design, "depth": depth, "shapes": shapes, "seed": 1}
    )
    environment["MACSMITH_AXI_OUTCOME"] = str(tmp_path / "outcome.json")
    log = run_tool("the simulation", [str(program)], cwd=tmp_path, env=environment)
    outcome_file = tmp_path / "outcome.json"
    assert outcome_file.exists(), log
    found: dict[str, Any] = json.loads(outcome_file.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("design", "shapes"),
    [
        ("e4m3:e6m9/8:lanes2:2x3", [(2, 4, 3), (5, 18, 7), (1, 2, 1), (3, 70, 4)]),
        ("int8:int24", [(3, 5, 2), (1, 40, 1)]),
    ],
)
def test_products_over_axi(tmp_path: Path, design: str, shapes: list[tuple[int, int, int]]) -> None:
    """Nothing lost or doubled under back-pressure, sums longer than a bank, counters right."""
    found = run_axi(tmp_path, design, 16, shapes)
    assert found["wrong"] == found["left_over"] == 0
    assert found["products"] == 3 * len(shapes)
    assert found["hash_matches"]
    assert found["unknown_register"] == found["read_only_register"] == "SLVERR"
    assert found["problems"] == 0b111
    assert found["problems_after_restart"] == 0
    # the performance model, within 2 % (it is off by a cycle at most here)
    made = AcceleratorConfig(parse_design(design), 16, 16)
    latency = latency_cycles(made.design)
    for m, k, n, cycles, stalls in found["unstalled"]:
        predicted = predict(make_schedule(made, m, k, n), latency)
        assert abs(predicted.cycles - cycles) <= 0.02 * cycles, (m, k, n, predicted.cycles, cycles)
        assert predicted.beats == cycles - stalls
