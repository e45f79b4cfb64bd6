"""Mapping a small design: areas, netlists that compute the same, reproducibility, errors."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.tools import ToolError
from macsmith.synth.cells import Technology
from macsmith.synth.module_area import measure_module_areas
from macsmith.synth.recipes import ABC_SCRIPTS, Recipe, recipe
from macsmith.synth.synthesize import SynthesisResult, synthesize
from macsmith.synth.technology import technology


@pytest.fixture(scope="module", params=["asap7", "sky130", "ihp-sg13g2"])
def mapped(
    request: pytest.FixtureRequest, mac_verilog: Path, tmp_path_factory: pytest.TempPathFactory
) -> SynthesisResult:
    folder = tmp_path_factory.mktemp("mapped")
    return synthesize([mac_verilog], "tiny_mac", technology(request.param), build_dir=folder)


def test_areas_are_those_yosys_states(mapped: SynthesisResult) -> None:
    folder = mapped.designs[0].netlist_path.parent
    log = "".join(file.read_text() for file in folder.glob("*.log"))
    stated = [float(number) for number in re.findall(r"Chip area for module.*: ([0-9.]+)", log)]
    assert len(stated) == len(mapped.designs)
    for design in mapped.designs:
        assert any(design.area_um2 == pytest.approx(area) for area in stated), design.recipe
    for design in mapped.designs:
        assert design.flip_flops == 8
        assert design.sequential_area_um2 > 0
        assert sum(design.area_by_cell_um2.values()) == pytest.approx(design.area_um2)
        assert design.combinational_area_um2 + design.sequential_area_um2 == pytest.approx(
            design.area_um2
        )
        assert design.timing.path[-1].arrival_ps <= design.delay_ps


def test_every_netlist_adds(mapped: SynthesisResult) -> None:
    """All recipes against Python's own sums, on long random streams."""
    rng = np.random.default_rng(1)
    cycles, streams = 30, 128
    a, b = rng.integers(0, 16, (2, cycles, streams), dtype=np.uint8)
    rst = rng.integers(0, 16, (cycles, streams)) == 0
    rst[:2] = True
    models = technology(mapped.technology).models()
    for design in mapped.designs:
        compiled = compile_netlist(design.netlist(), models)
        result = compiled.simulate({"a": a, "b": b, "rst": rst})
        total = np.zeros(streams, dtype=np.int64)
        for cycle in range(2, cycles):
            total = np.where(rst[cycle - 1], 0, total + a[cycle - 1] + b[cycle - 1]) % 256
            wrong = np.flatnonzero(result.outputs["total"][cycle] != total)
            assert wrong.size == 0, (design.recipe, cycle, wrong[0])


def test_front(mapped: SynthesisResult) -> None:
    front = mapped.front
    assert front[0].area_um2 == min(design.area_um2 for design in mapped.designs)
    assert front[-1].delay_ps == min(design.delay_ps for design in mapped.designs)
    for smaller, larger in pairwise(front):
        assert smaller.area_um2 < larger.area_um2
        assert smaller.delay_ps > larger.delay_ps
    for design in mapped.designs:
        assert any(
            other.area_um2 <= design.area_um2 and other.delay_ps <= design.delay_ps
            for other in front
        )
    assert mapped.of("smallest").recipe == "smallest"
    with pytest.raises(ValueError, match=r"recipe 'x' was not run for tiny_mac; must be one of"):
        mapped.of("x")


def test_full_adders_become_cells_where_there_is_one(mapped: SynthesisResult) -> None:
    by_name = {design.recipe: design for design in mapped.designs}
    if mapped.technology == "ihp-sg13g2":
        assert not any("-fa" in name for name in by_name)
        return
    # Positions 0 to 3 have three true inputs; 4 to 6 have constants and go back to gates.
    folding = "-folded" if mapped.technology == "asap7" else ""
    assert by_name["balanced-fa" + folding].full_adder_cells == 4
    # The addition has three, at positions 2 to 4: below and above one of its operands is 0.
    assert by_name["smallest-fa" + folding].full_adder_cells == 7
    assert by_name["smallest"].full_adder_cells == 0
    folded = [name for name in by_name if name.endswith("-folded")]
    assert bool(folded) == (mapped.technology == "asap7")


def test_folding_saves_the_inverters(mac_verilog: Path, tmp_path: Path) -> None:
    recipes = [Recipe("smallest"), Recipe("smallest", fold_inverters=True)]
    result = synthesize(
        [mac_verilog], "tiny_mac", technology("asap7"), build_dir=tmp_path, recipes=recipes
    )
    plain, folded = result.designs
    assert folded.sequential_area_um2 == plain.sequential_area_um2
    assert folded.area_um2 < plain.area_um2


def test_same_result_in_any_folder(mac_verilog: Path, tmp_path: Path) -> None:
    recipes = [recipe("smallest-fa"), recipe("fastest-koggestone-folded")]
    texts = []
    for folder in (tmp_path / "one", tmp_path / "a longer path" / "two"):
        result = synthesize(
            [mac_verilog], "tiny_mac", technology("asap7"), build_dir=folder, recipes=recipes
        )
        texts.append([design.verilog_path.read_bytes() for design in result.designs])
        assert not any(str(tmp_path).encode() in text for text in texts[-1])
    assert texts[0] == texts[1]


def test_users_own_library(mac_verilog: Path, tiny: Technology, tmp_path: Path) -> None:
    recipes = [*map(Recipe, ABC_SCRIPTS), recipe("smallest-fa"), recipe("balanced-fa")]
    result = synthesize([mac_verilog], "tiny_mac", tiny, build_dir=tmp_path, recipes=recipes)
    assert result.technology == "tiny"
    assert result.of("smallest-fa").full_adder_cells == 7
    assert result.of("balanced-fa").full_adder_cells == 4
    assert {name for design in result.designs for name in design.cell_counts} <= set(tiny.cells)


ARRAY = """
module element (input clk, input [3:0] a, input [3:0] b, output reg [7:0] total);
  always @(posedge clk) total <= total + a * b;
endmodule
module grid (input clk, input [7:0] a, input [7:0] b, output [31:0] totals);
  genvar i, j;
  generate
    for (i = 0; i < 2; i = i + 1) begin : row
      for (j = 0; j < 2; j = j + 1) begin : column
        element e (.clk(clk), .a(a[4*i +: 4]), .b(b[4*j +: 4]), .total(totals[8*(2*i+j) +: 8]));
      end
    end
  endgenerate
endmodule
"""


def test_repeated_elements_are_mapped_once(tmp_path: Path) -> None:
    source = tmp_path / "grid.v"
    source.write_text(ARRAY)
    asap7, recipes = technology("asap7"), [Recipe("smallest")]
    whole = synthesize([source], "grid", asap7, build_dir=tmp_path / "grid", recipes=recipes)
    one = synthesize([source], "element", asap7, build_dir=tmp_path / "one", recipes=recipes)
    assert whole.smallest.area_um2 == pytest.approx(4 * one.smallest.area_um2)
    assert whole.smallest.verilog_path.read_text().count("module element") == 1
    assert whole.smallest.flip_flops == 32
    rows = measure_module_areas([source], "grid", asap7, build_dir=tmp_path / "areas")
    assert [(row.name, row.instances) for row in rows] == [("grid", 1), ("element", 4)]
    assert rows[0].own_area_um2 == 0.0
    assert rows[0].area_um2 == pytest.approx(4 * rows[1].own_area_um2)
    assert rows[1].own_area_um2 == pytest.approx(one.smallest.area_um2)


def test_errors_name_the_tool_and_show_its_log(tmp_path: Path, mac_verilog: Path) -> None:
    asap7 = technology("asap7")
    bad = tmp_path / "bad.v"
    bad.write_text("module bad (input a;\nendmodule\n")
    with pytest.raises(ToolError, match=r"Yosys script .*front\.ys failed[\s\S]*syntax error"):
        synthesize([bad], "bad", asap7, build_dir=tmp_path, recipes=[Recipe("smallest")])
    with pytest.raises(ToolError, match=r"Module `no_such' not found"):
        synthesize([mac_verilog], "no_such", asap7, build_dir=tmp_path)
    with pytest.raises(ValueError, match=r"none\.v is not there; generate the design first"):
        synthesize([tmp_path / "none.v"], "x", asap7, build_dir=tmp_path)
    buffers = {cell.name for cell in asap7.buffers()}
    cells = {name: cell for name, cell in asap7.cells.items() if name not in buffers}
    with pytest.raises(ValueError, match="asap7: no usable buffer; the library must have one"):
        synthesize([mac_verilog], "tiny_mac", replace(asap7, cells=cells), build_dir=tmp_path)
    only_cells = [recipe("smallest-fa")]
    with pytest.raises(ValueError, match="no recipe to run"):
        synthesize(
            [mac_verilog],
            "tiny_mac",
            technology("ihp"),
            build_dir=tmp_path,
            recipes=only_cells,
        )
