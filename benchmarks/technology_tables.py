"""Technology tables against the full Liberty files they were made from.

Run as ``python benchmarks/technology_tables.py LIBERTY_FOLDER [asap7 sky130 ihp-sg13g2]``. Three
designs, a few recipes:

- area: the flow with the table's minimal Liberty file against the same flow with the full files;
- delay: the netlist of the table's flow timed over lines and over the full look-up tables (the same
  analysis, worst arc, slews propagated).
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from macsmith.sim.netlist_graph import read_netlist
from macsmith.synth.cells import Cell, FlipFlop, LinearTiming, OutputPin, Technology, TimingArc
from macsmith.synth.flow import run_front_ends, run_recipes
from macsmith.synth.liberty import read_liberty
from macsmith.synth.liberty_library import EDGES, Arc, Edge, LibertyCell, Library, Table
from macsmith.synth.recipes import Recipe, recipes_for
from macsmith.synth.synthesize import liberty_file
from macsmith.synth.technology import technology
from macsmith.synth.timing import analyse_timing
from rich.console import Console
from rich.table import Table as Grid

FILES = {
    "asap7": "asap7sc7p5t_*_RVT_TT_nldm.lib.gz",
    "sky130": "sky130_fd_sc_hd__tt_025C_1v80.lib.gz",
    "ihp-sg13g2": "sg13g2_stdcell_typ_1p20V_25C.lib.gz",
}
RECIPES = (
    Recipe("default"),
    Recipe("smallest"),
    Recipe("fastest"),
    Recipe("smallest", full_adders="cells"),
    Recipe("fastest", full_adders="cells"),
)

PLAIN = """
module plain (input clk, input clear, input signed [7:0] a, input signed [7:0] b,
              output reg signed [31:0] total);
  reg signed [7:0] ra, rb;
  always @(posedge clk) begin
    ra <= a; rb <= b;
    total <= clear ? 32'sd0 : total + ra * rb;
  end
endmodule
"""

DOT = """
module dot (input signed [5:0] a0, a1, a2, a3, b0, b1, b2, b3, output signed [13:0] y);
  assign y = a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3;
endmodule
"""


def tree_mac() -> str:
    """Verilog of a signed 8 x 8 multiply-accumulate into 32 bits: Baugh-Wooley, Dadda, one '+'."""
    width, lines, columns = 32, [], [[] for _ in range(32)]
    wires = 0

    def wire() -> str:
        nonlocal wires
        wires += 1
        lines.append(f"  wire w{wires};")
        return f"w{wires}"

    for i in range(8):
        for j in range(8):
            product = wire()
            complement = "~" if (i == 7) != (j == 7) else ""
            lines.append(f"  assign {product} = {complement}(ra[{i}] & rb[{j}]);")
            columns[i + j].append(product)
    constant = (2**8 - 2**15) % 2**width
    for weight, column in enumerate(columns):
        column.append(f"total[{weight}]")
        if constant >> weight & 1:
            column.append("1'b1")
    heights = [2]
    while heights[-1] < max(map(len, columns)):
        heights.append(heights[-1] * 3 // 2)
    for height in reversed(heights):
        for weight, column in enumerate(columns):
            while len(column) > height:
                third = "1'b0" if len(column) == height + 1 else column.pop(0)
                first, second, total, carry = column.pop(0), column.pop(0), wire(), wire()
                lines.append(
                    f"  macsmith_full_adder f{wires} (.a({first}), .b({second}), .c({third}), "
                    f".sum({total}), .carry({carry}));"
                )
                column.append(total)
                if weight + 1 < width:
                    columns[weight + 1].append(carry)
    rows = [
        ", ".join(column[row] if len(column) > row else "1'b0" for column in reversed(columns))
        for row in range(2)
    ]
    body = "\n".join(lines)
    return f"""
module macsmith_full_adder (input a, input b, input c, output sum, output carry);
  assign sum = a ^ b ^ c;
  assign carry = (a & b) | (a & c) | (b & c);
endmodule
module tree (input clk, input clear, input [7:0] a, input [7:0] b, output reg [31:0] total);
  reg [7:0] ra, rb;
{body}
  wire [31:0] row0 = {{{rows[0]}}}, row1 = {{{rows[1]}}};
  always @(posedge clk) begin
    ra <= a; rb <= b;
    total <= clear ? 32'd0 : row0 + row1;
  end
endmodule
"""


@dataclass(frozen=True)
class Tabulated(LinearTiming):
    """The same interface over the look-up tables of the arcs between two pins: the slowest."""

    delays: tuple[Table, ...] = ()
    slews: tuple[Table, ...] = ()

    def delay_ps(self, slew_ps: float, load_ff: float) -> float:
        return max(table.at(slew_ps, load_ff) for table in self.delays)

    def slew_ps(self, slew_ps: float, load_ff: float) -> float:
        return max(table.at(slew_ps, load_ff) for table in self.slews)


def tabulated(table: Technology, library: Library) -> Technology:
    """The technology with lines replaced by the library's own tables."""
    cells = {name: _tabulated_cell(cell, library.cells[name]) for name, cell in table.cells.items()}
    return replace(table, cells=cells)


def _tabulated_cell(cell: Cell, source: LibertyCell) -> Cell:
    outputs: dict[str, OutputPin] = {}
    for name, output in cell.outputs.items():
        arcs: dict[str, TimingArc] = {}
        for pin, line in output.arcs.items():
            group = [
                arc
                for arc in source.pins[name].arcs
                if arc.input_pin == pin and set(arc.delay) == set(EDGES) == set(arc.slew)
            ]
            arcs[pin] = TimingArc(line.sense, _edge(group, "rise"), _edge(group, "fall"))
        outputs[name] = replace(output, arcs=arcs)
    register = cell.flip_flop
    if register is not None:
        register = FlipFlop(**vars(register))
    return replace(cell, outputs=outputs, flip_flop=register)


def _edge(group: list[Arc], edge: Edge) -> Tabulated:
    delays = tuple(arc.delay[edge] for arc in group)
    slews = tuple(arc.slew[edge] for arc in group)
    return Tabulated(*[float("nan")] * 6, delays=delays, slews=slews)


def _area(netlist: Path, top: str, areas: dict[str, float]) -> float:
    counts = read_netlist(netlist, top).cell_counts()
    return sum(areas[cell] * count for cell, count in counts.items())


def compare(name: str, files: Sequence[Path], console: Console) -> None:
    """Print one table for a technology."""
    table = technology(name)
    library = read_liberty(files, table.dont_use)
    exact = tabulated(table, library)
    areas = {cell.name: cell.area_um2 for cell in library.cells.values()}
    grid = Grid(title=f"{table.title}: table ({len(table.cells)} cells) against {len(areas)} cells")
    for column in (
        "design",
        "recipe",
        "area um2",
        "full um2",
        "differs",
        "ps",
        "full ps",
        "differs",
    ):
        grid.add_column(column, justify="left" if column in ("design", "recipe") else "right")
    differences: list[tuple[float, float]] = []
    for top, text in (("plain", PLAIN), ("dot", DOT), ("tree", tree_mac())):
        chosen = recipes_for(
            RECIPES,
            full_adders=top == "tree",
            full_adder_cells=table.full_adder is not None,
            inverting_flip_flop=False,
        )
        with tempfile.TemporaryDirectory(prefix="macsmith-") as name_of_folder:
            folder = Path(name_of_folder)
            (folder / "design.v").write_text(text, encoding="utf-8")
            fronts = list(dict.fromkeys(recipe.front for recipe in chosen))
            run_front_ends([folder / "design.v"], top, fronts, [], folder)
            full_areas = {}
            run_recipes(chosen, table, files, [], folder, dont_use=table.dont_use)
            for recipe in chosen:
                full_areas[recipe] = _area(folder / f"{recipe.name}.json", top, areas)
            run_recipes(chosen, table, [liberty_file(table)], [], folder)
            for recipe in chosen:
                netlist = read_netlist(folder / f"{recipe.name}.json", top)
                area = _area(folder / f"{recipe.name}.json", top, areas)
                delay = analyse_timing(netlist, table).delay_ps
                true_delay = analyse_timing(netlist, exact).delay_ps
                off = (area / full_areas[recipe] - 1, delay / true_delay - 1)
                differences.append(off)
                grid.add_row(
                    top,
                    recipe.name,
                    f"{area:.2f}",
                    f"{full_areas[recipe]:.2f}",
                    f"{off[0]:+.1%}",
                    f"{delay:.0f}",
                    f"{true_delay:.0f}",
                    f"{off[1]:+.1%}",
                )
    console.print(grid)
    area_off, delay_off = np.array(differences).T
    console.print(
        f"{name}: area {area_off.min():+.1%} to {area_off.max():+.1%}, mean {area_off.mean():+.1%}"
        "; "
        f"delay {delay_off.min():+.1%} to {delay_off.max():+.1%}, mean {delay_off.mean():+.1%}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder with the Liberty files")
    parser.add_argument("names", nargs="*", default=list(FILES), help="technologies")
    options = parser.parse_args()
    console = Console(width=110)
    for name in options.names:
        files = sorted(options.folder.glob(FILES[name]))
        if not files:
            parser.error(f"{options.folder}: no file {FILES[name]}")
        compare(name, files, console)


if __name__ == "__main__":
    main()
