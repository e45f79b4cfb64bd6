"""Pipelined blocks: proven to be the same function at the stated latency, in balanced stages."""

import gc
import json
import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import macsmith.hw.pipelined
import pytest
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.balance import Balance, balance
from macsmith.hw.block import Block, Emission
from macsmith.hw.cell_graph import CellGraph
from macsmith.hw.convert import Convert
from macsmith.hw.emit import FULL_ADDER_VERILOG
from macsmith.hw.min_cut import INFINITE, FlowGraph
from macsmith.hw.outer_step import OuterStep
from macsmith.hw.pipelined import Pipelined
from macsmith.hw.step import inner_step
from macsmith.hw.yosys import rtlil_to_json, rtlil_to_verilog
from macsmith.model.design import parse_design
from macsmith.model.widths import mac_widths
from macsmith.synth.equivalence import prove_equal

LATE = ("partial_sum_i",)
WIRE_REGISTER = """\
module \\$dffe (CLK, EN, D, Q);
  parameter WIDTH = 1; parameter CLK_POLARITY = 1; parameter EN_POLARITY = 1;
  input CLK, EN; input [WIDTH-1:0] D; output [WIDTH-1:0] Q;
  assign Q = D;
endmodule
"""


def _step(text: str) -> Block:
    design = parse_design(text)
    return inner_step(design.mac, resolve_architecture(design.mac, design.implementation))


def _yosys(folder: Path, *commands: str) -> None:
    code = (
        "import sys; from pyosys import libyosys as ys; design = ys.Design(); "
        "[ys.run_pass(command, design) for command in sys.argv[1:]]"
    )
    subprocess.run(
        [sys.executable, "-c", code, *commands], cwd=folder, check=True, capture_output=True
    )


def _registers_differ(
    module: Any, cycles: int, late: tuple[str, ...], late_cycles: int
) -> list[str]:
    """What is wrong with a flat pipelined module: cells whose inputs have passed different numbers
    of registers, outputs that have not passed `cycles`, other clocks or enables."""
    passed: dict[Any, int | None] = {}  # None: a constant
    ports = module["ports"]
    wrong: list[str] = []
    for name, port in ports.items():
        if port["direction"] == "input":
            passed |= dict.fromkeys(port["bits"], late_cycles if name in late else 0)
    waiting = dict(module["cells"])
    while waiting:
        ready = []
        for name, cell in waiting.items():
            pins = cell["connections"]
            is_register = cell["type"] == "$dffe"
            sources = pins["D"] if is_register else _bits(cell, "input")
            if all(isinstance(bit, str) or bit in passed for bit in sources):
                ready.append(name)
                counts = {count for bit in sources if (count := passed.get(bit)) is not None}
                if len(counts) > 1:
                    wrong.append(f"{name}: {sorted(counts)}")
                if is_register and [pins["CLK"], pins["EN"]] != [
                    ports["clk"]["bits"],
                    ports["enable"]["bits"],
                ]:
                    wrong.append(f"{name}: clock or enable")
                outputs = pins["Q"] if is_register else _bits(cell, "output")
                passed |= dict.fromkeys(outputs, max(counts) + is_register if counts else None)
        if not ready:
            raise AssertionError("a loop")
        for name in ready:
            del waiting[name]
    for name, port in ports.items():
        if port["direction"] == "output":
            counts = {count for bit in port["bits"] if (count := passed.get(bit)) is not None}
            if counts - {cycles}:
                wrong.append(f"{name}: {sorted(counts)}")
    return wrong


def _bits(cell: Any, direction: str) -> list[Any]:
    return [
        bit
        for pin, bits in cell["connections"].items()
        if cell["port_directions"][pin] == direction
        for bit in bits
    ]


def check_pipeline(
    block: Block,
    cycles: int,
    late: tuple[str, ...],
    folder: Path,
    late_cycles: int | None = None,
) -> list[str]:
    """Prove that an emitted pipeline is its block, `cycles` late; what is wrong otherwise.

    All paths pass as many registers of one clock and enable, and with wires for registers both
    have the same outputs for all inputs (SAT): so every output is the function of the inputs that
    came so many enabled cycles before.
    """
    flat = folder / "flat"
    flat.mkdir()
    piped = Emission("piped").emit_top(Pipelined(block, cycles, late, late_cycles))
    (folder / "piped.v").write_text(rtlil_to_verilog(piped, folder) + FULL_ADDER_VERILOG)
    (folder / "plain.v").write_text(
        rtlil_to_verilog(Emission("plain").emit_top(block), folder) + FULL_ADDER_VERILOG
    )
    (flat / "wire.v").write_text(WIRE_REGISTER)
    _yosys(
        flat,
        "read_verilog ../piped.v",
        "hierarchy -top piped",
        "proc",
        "flatten",
        "opt_dff -simple-dffe -nosdff",
        "opt_clean",
        "write_json flat.json",
        "techmap -map wire.v",
        "opt_clean",
        "delete piped/clk piped/enable piped/rst",
        "write_verilog -noattr wires.v",
    )
    module = json.loads((flat / "flat.json").read_text())["modules"]["piped"]
    wrong = _registers_differ(module, cycles, late, cycles if late_cycles is None else late_cycles)
    if not any(cell["type"] == "$dffe" for cell in module["cells"].values()):
        wrong.append("no registers")
    if not wrong:
        result = prove_equal(
            [folder / "plain.v"], "plain", [flat / "wires.v"], "piped", build_dir=folder / "proof"
        )
        if not result.is_equal:
            wrong.append(f"differs for {result.counterexample}")
    return wrong


@pytest.mark.parametrize("cycles", [1, 4])
@pytest.mark.parametrize(
    "text",
    [
        "e4m3:e6m9:stages1",
        "e5m2:exact:lanes2:stages1",
        "int4:int12:lanes3:stages1",
        "e2m1:e3m2:lanes2:stages1",
        "int4:int12:lanes3:stages1:loop=carrysave",
    ],
)
def test_a_pipelined_step_is_proven_the_same(text: str, cycles: int, tmp_path: Path) -> None:
    assert check_pipeline(_step(text), cycles, LATE, tmp_path) == []


@pytest.mark.parametrize(("cycles", "late_cycles"), [(2, 0), (4, 1)])
def test_a_step_whose_loop_is_cut_is_proven_the_same(
    cycles: int, late_cycles: int, tmp_path: Path
) -> None:
    block = _step("e3m2:e4m3:stages1")
    assert check_pipeline(block, cycles, LATE, tmp_path, late_cycles) == []


def test_a_cut_loop_is_as_much_shorter(tmp_path: Path) -> None:
    rtlil = Emission("step").emit_top(_step("e4m3:e6m9"))
    graph = CellGraph(json.loads(rtlil_to_json(rtlil, tmp_path))["modules"], "step")
    levels = [balance(graph, stages, LATE, 0).levels for stages in range(4)]
    assert all(levels[stages] < levels[0] / (stages + 1) + 8 for stages in (1, 2, 3))
    # with the product before the loop there is less in it
    assert balance(graph, 3, LATE, 1).levels < levels[2]


@pytest.mark.filterwarnings(
    "ignore::amaranth.UnusedElaboratable", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_inputs_too_late_are_refused() -> None:
    with pytest.raises(ValueError, match="late inputs must come 0 to 3 cycles late, not 4"):
        Pipelined(_step("e4m3:e6m9"), 3, LATE, 4)
    gc.collect()  # neither is ever elaborated


def test_conversions_are_proven_the_same(tmp_path: Path) -> None:
    config = parse_design("e3m2:exact/8/e5m2:oute4m3").mac
    for name, block, late in (
        ("outer", OuterStep(config), LATE),
        ("convert", Convert(config, mac_widths(config).last, config.output_format), ()),
    ):
        folder = tmp_path / name
        folder.mkdir()
        assert check_pipeline(block, 3, late, folder) == []


def test_a_register_too_few_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unbalanced(graph: CellGraph, *arguments: Any) -> Balance:
        found = balance(graph, *arguments)
        # a cell that reads a bit of an earlier stage is put there, all its copies alike
        victim = next(
            node
            for index, node in enumerate(graph.nodes)
            if not node.is_port
            and len({found.stage[at] for at in graph.sources(node)}) > 1
            and found.stage[index] == 2
        )
        for index, node in enumerate(graph.nodes):
            kinds = [found.instance_class[each.instance] for each in (node, victim)]
            if kinds[0] == kinds[1] and not node.is_port and node.name == victim.name:
                found.stage[index] -= 1
        return found

    monkeypatch.setattr(macsmith.hw.pipelined, "balance", unbalanced)
    assert check_pipeline(_step("e3m2:exact:lanes2:stages1"), 2, LATE, tmp_path)


def test_a_wrong_bit_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = macsmith.hw.pipelined.insert_registers

    def swapped(*arguments: Any) -> Any:
        design = right(*arguments)
        registers = [
            cell
            for module in design["modules"].values()
            for cell in module["cells"].values()
            if cell["type"] == "$dffe" and len(cell["connections"]["D"]) > 1
        ]
        bits = registers[0]["connections"]["D"]
        bits[0], bits[1] = bits[1], bits[0]
        return design

    monkeypatch.setattr(macsmith.hw.pipelined, "insert_registers", swapped)
    (problem,) = check_pipeline(_step("e3m2:exact:lanes2:stages1"), 2, LATE, tmp_path)
    assert problem.startswith("differs for")


def test_stages_shorten_until_the_loop_bounds_them(tmp_path: Path) -> None:
    rtlil = Emission("step").emit_top(_step("e4m3:exact:lanes4:stages1"))
    graph = CellGraph(json.loads(rtlil_to_json(rtlil, tmp_path))["modules"], "step")
    levels = [balance(graph, stages, LATE).levels for stages in range(8)]
    assert levels == sorted(levels, reverse=True)
    # no cell of these formats takes long: stages are at most a cell longer than equal ones
    for stages in (1, 2, 3):
        assert levels[stages] < levels[0] / (stages + 1) + 15
    # the addition of the partial sum is one cell
    assert levels[7] < levels[0] / 3


def test_minimum_cuts() -> None:
    rng = random.Random(3)
    for _ in range(60):
        count = rng.randint(2, 7)
        arcs = [
            (rng.randrange(count), rng.randrange(count), rng.choice([1, 2, 5, INFINITE]))
            for _ in range(rng.randint(1, 14))
        ]
        arcs = [arc for arc in arcs if arc[:2] != (0, count - 1)]
        graph = FlowGraph(count)
        for arc in arcs:
            graph.add_arc(*arc)
        before = graph.cut_latest(0, count - 1)

        def cost(side: set[int], arcs: list[tuple[int, int, int]] = arcs) -> int:
            return sum(size for at, to, size in arcs if at in side and to not in side)

        sides = [
            {0, *chosen}
            for size in range(count - 1)
            for chosen in combinations(range(1, count - 1), size)
        ]
        least = min(map(cost, sides))
        found = {node for node in range(count) if before[node]}
        assert cost(found) == least or least >= INFINITE
        assert least >= INFINITE or found == set().union(
            *(side for side in sides if cost(side) == least)
        )
