"""Accelerators behind their serial line under Verilator, with cocotbext-uart as master."""

import json
import re
from pathlib import Path
from typing import Any

from macsmith.hw.emit_accelerator import generate_accelerator
from macsmith.model.design import parse_design
from macsmith.model.link import Operation
from macsmith.sim.tools import run_tool
from macsmith.sim.verilator import build_simulation, simulation_environment

DIVISOR = 5


DESIGN = "int4:int16:2x3"


def build_uart(folder: Path) -> tuple[Path, str]:
    """The simulation, and the name of its top."""
    made = generate_accelerator(
        parse_design(DESIGN),
        folder / "made",
        interface="uart",
        a_depth=16,
        b_depth=16,
        divisor=DIVISOR,
    )
    text = made.verilog.read_text(encoding="utf-8")
    head = text[text.index(f"module {made.top}(") :].partition(");")[0]
    ports = re.findall(r"(\w+)[,\n]?", head.partition("(")[2])
    return build_simulation(folder / "simulation", [made.verilog], made.top, ports), made.top


def run_uart(
    folder: Path, program: Path, top: str, skew: float, shapes: list[tuple[int, int, int]]
) -> dict[str, Any]:
    """What `uart_bench` found."""
    outcome_file = folder / f"outcome_{skew}.json"
    environment = simulation_environment(top, "uart_bench", folder / "results.xml")
    environment["PYTHONPATH"] = str(Path(__file__).parent)
    environment["MACSMITH_UART_JOB"] = json.dumps(
        {
            "design": DESIGN,
            "depth": 16,
            "divisor": DIVISOR,
            "skew": skew,
            "shapes": shapes,
            "seed": 1,
        }
    )
    environment["MACSMITH_UART_OUTCOME"] = str(outcome_file)
    log = run_tool("the simulation", [str(program)], cwd=folder, env=environment)
    assert outcome_file.exists(), log
    found: dict[str, Any] = json.loads(outcome_file.read_text(encoding="utf-8"))
    return found


def test_products_over_a_serial_line(tmp_path: Path) -> None:
    """Nothing lost or doubled by frames that are spoilt, cut short or sent twice, from hosts whose
    clocks are off by 1.5 %."""
    program, top = build_uart(tmp_path)
    shapes = [(2, 4, 3), (3, 30, 2)]
    for skew in (-0.015, 0.015):
        found = run_uart(tmp_path, program, top, skew, shapes)
        assert found["products"] == len(shapes)
        assert found["wrong"] == found["left_over"] == 0
        assert found["hash_matches"]
        assert found["without_session"] == Operation.REFUSED
        assert found["frames"] > 20
        assert found["silent"] > 0  # spoilt frames
