"""Additions that become chains of full-adder cells, in designs that hold no full adders."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from macsmith.sim.netlist import compile_netlist
from macsmith.synth import flow
from macsmith.synth.cells import Technology
from macsmith.synth.full_adder import techmap_chains
from macsmith.synth.price import MismatchError, price
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology

OPERATIONS = """
module operations (input [4:0] a, input [4:0] b, output [5:0] sum, output [4:0] difference,
                   output [4:0] next, output [4:0] negative, output below, output signed_below,
                   output not_above, output signed [7:0] mixed);
  assign sum = a + b;
  assign difference = a - b;
  assign next = a + 5'd1;
  assign negative = -b;
  assign below = a < b;
  assign signed_below = $signed(a) < $signed(b);
  assign not_above = a <= b;
  assign mixed = $signed(a) + $signed({1'b0, b[3:0]}) - 8'sd11;
endmodule
"""
INCREMENT = """
module increment (input [4:0] a, output [4:0] next);
  assign next = a + 5'd1;
endmodule
"""


def operands() -> dict[str, Any]:
    codes = np.tile(np.arange(1024), (2, 1))  # two cycles: the first one is not counted
    return {"a": codes & 31, "b": codes >> 5}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "operations.v"
    path.write_text(OPERATIONS)
    return path


@pytest.mark.parametrize("name", ["tiny", "asap7", "sky130"])
def test_all_operand_pairs(name: str, tiny: Technology, source: Path, tmp_path: Path) -> None:
    table = tiny if name == "tiny" else technology(name)
    recipes = [recipe("smallest-fa"), recipe("fastest-fa-chain")]
    result = synthesize([source], "operations", table, build_dir=tmp_path, recipes=recipes)
    operand = operands()
    a, b = operand["a"], operand["b"]
    signed_a, signed_b = a - (a >> 4 << 5), b - (b >> 4 << 5)
    wanted = {
        "sum": a + b,
        "difference": (a - b) & 31,
        "next": (a + 1) & 31,
        "negative": -b & 31,
        "below": a < b,
        "signed_below": signed_a < signed_b,
        "not_above": a <= b,
        "mixed": (signed_a + (b & 15) - 11) & 255,
    }
    for design in result.designs:
        assert design.full_adder_cells > 0
        compiled = compile_netlist(design.netlist(), table.models())
        outputs = compiled.simulate(operand).outputs
        for port, values in wanted.items():
            assert np.array_equal(outputs[port], values), (design.recipe, port)


def test_a_chain_of_half_adders_is_all_gates(tmp_path: Path) -> None:
    source = tmp_path / "increment.v"
    source.write_text(INCREMENT)
    record = price(
        source,
        "increment",
        "asap7",
        build_dir=tmp_path,
        waveforms={"a": np.tile(np.arange(32), (2, 1))},
        recipes=[recipe("smallest-fa")],
    )
    assert record["full_adder_cells"] == 0
    assert record["netlist_outputs_compared"] == 32


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (".c(carry[k])", ".c(carry[k] & k != 3)"),  # the carry into position 3 is lost
        ("BI ? ~long_b", "BI ? long_b"),  # a subtraction adds
        ("X = long_a ^ second", "X = long_a & second"),  # what tells equal operands
    ],
)
def test_a_planted_fault_in_the_rule_is_found(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    rules = techmap_chains()
    assert right in rules
    monkeypatch.setattr(flow, "techmap_chains", lambda: rules.replace(right, wrong))
    with pytest.raises(MismatchError, match="operations, recipe smallest-fa: output"):
        price(
            source,
            "operations",
            "asap7",
            build_dir=tmp_path,
            waveforms=operands(),
            recipes=[recipe("smallest-fa")],
        )
