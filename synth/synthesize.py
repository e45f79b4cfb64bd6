"""From Verilog to a mapped netlist, by several recipes, keeping the front of area and delay.

Two Yosys processes do it: one reads the design and maps it to Yosys' own gates once per front
end that the recipes ask for, one maps each of these onto cells by each recipe.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macsmith.sim.netlist_graph import Netlist, NetlistError, read_netlist
from macsmith.synth.full_adder import (
    FULL_ADDER,
    plan_full_adders,
    primitive_as_box,
    primitive_as_gates,
    techmap_constants,
    techmap_onto_cell,
)
from macsmith.synth.liberty_write import liberty_text
from macsmith.synth.recipes import ABC_SCRIPTS, RECIPES, Recipe, recipes_for
from macsmith.synth.technology import Cell, Technology
from macsmith.synth.timing import PathStep, analyse_timing
from macsmith.synth.yosys import ToolError, quote, run_yosys, tool_versions

__all__ = ["MappedDesign", "SynthesisResult", "synthesize"]

FLOW = (
    "synth -flatten -run begin:; opt_clean -purge; dfflibmap; opt; abc -constr -script; "
    "static timing over linear delays, no wires, ideal clock"
)


@dataclass(frozen=True)
class MappedDesign:
    """A design mapped by one recipe.

    Attributes
    ----------
    delay_ps
        Least clock period, or input-to-output delay without registers; see `analyse_timing`.
    area_by_cell_um2, cell_counts
        By cell name.
    full_adder_cells
        Full-adder cells in the netlist.
    netlist_path, verilog_path
        Yosys JSON and Verilog of the mapped netlist.
    path
        The longest path.
    """

    recipe: str
    area_um2: float
    combinational_area_um2: float
    sequential_area_um2: float
    delay_ps: float
    leakage_nw: float
    flip_flops: int
    full_adder_cells: int
    cell_counts: dict[str, int]
    area_by_cell_um2: dict[str, float]
    netlist_path: Path
    verilog_path: Path
    path: tuple[PathStep, ...]

    def netlist(self) -> Netlist:
        """The mapped netlist."""
        return read_netlist(self.netlist_path)


@dataclass(frozen=True)
class SynthesisResult:
    """All mapped designs of one run.

    Attributes
    ----------
    designs
        One per recipe, in the recipes' order.
    front
        Those that no other beats in both area and delay, smallest first.
    """

    top: str
    technology: str
    designs: tuple[MappedDesign, ...]
    front: tuple[MappedDesign, ...]
    dont_use: tuple[str, ...]
    flow: str
    tool_versions: dict[str, str]

    @property
    def smallest(self) -> MappedDesign:
        """The design of least area (of those, the fastest)."""
        return self.front[0]

    @property
    def fastest(self) -> MappedDesign:
        """The design of least delay (of those, the smallest)."""
        return self.front[-1]

    def of(self, recipe: str) -> MappedDesign:
        """The design made by the recipe of that name.

        Raises
        ------
        ValueError
            The recipe was not run.
        """
        for design in self.designs:
            if design.recipe == recipe:
                return design
        names = ", ".join(design.recipe for design in self.designs)
        raise ValueError(f"recipe {recipe!r} was not run for {self.top}; must be one of {names}")


def synthesize(
    verilog_files: Sequence[Path],
    top: str,
    technology: Technology,
    *,
    build_dir: Path,
    recipes: Sequence[Recipe] = RECIPES,
    cache_dir: Path | None = None,
) -> SynthesisResult:
    """Map a design onto a technology by several recipes.

    Parameters
    ----------
    verilog_files
        All files of the design. Instances of ``macsmith_full_adder`` are treated as the
        recipes say, whatever body the files give it.
    top
        The module to map.
    build_dir
        Where scripts, logs and netlists go; made if missing. For every recipe there is
        ``<recipe>.v`` and ``<recipe>.json``.
    recipes
        Those with full-adder cells are passed over where the design has no such instance or the
        library no such cell.
    cache_dir
        Where the technology's Liberty file is kept, default ``build_dir``.

    Raises
    ------
    ToolError
        Yosys or ABC failed (a syntax error in the Verilog included).
    ValueError
        A file is missing, or no recipe is left to run.
    """
    for file in verilog_files:
        if not Path(file).is_file():
            raise ValueError(f"Verilog file {file} is not there; generate the design first")
    build_dir = Path(build_dir).resolve()
    build_dir.mkdir(parents=True, exist_ok=True)
    sources = [Path(file).resolve() for file in verilog_files]
    has_full_adders = any(FULL_ADDER in file.read_text(errors="replace") for file in sources)
    adder = technology.full_adder
    chosen = recipes_for(
        recipes, has_full_adders=has_full_adders, library_has_full_adder=adder is not None
    )
    if not chosen:
        raise ValueError(f"{top}: no recipe to run; give at least one with full adders as gates")
    liberty = _liberty_file(technology, Path(cache_dir).resolve() if cache_dir else build_dir)
    fronts = list(dict.fromkeys(recipe.front for recipe in chosen))
    _run_front_ends(sources, top, fronts, build_dir)
    _run_recipes(top, chosen, technology, liberty, build_dir)
    designs = tuple(_measure(recipe, technology, build_dir) for recipe in chosen)
    return SynthesisResult(
        top=top,
        technology=technology.name,
        designs=designs,
        front=_front(designs),
        dont_use=technology.dont_use,
        flow=FLOW,
        tool_versions=tool_versions(),
    )


def _liberty_file(technology: Technology, folder: Path) -> Path:
    text = liberty_text(technology)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    path = folder / f"{technology.name}-{digest}.lib"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{hashlib.sha256(str(id(text)).encode()).hexdigest()[:8]}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)  # whole or not at all: sweeps share the folder
    return path


def _front_name(front: tuple[str, ...]) -> str:
    return "front-" + "-".join(part for part in front if part)


# techmap tries the rules for a cell in the order of their names; Yosys' own is called _90_lcu.
_RIPPLE = """(* techmap_celltype = "$lcu" *)
module _80_lcu_ripple (P, G, CI, CO);
  parameter WIDTH = 2;
  (* force_downto *) input [WIDTH-1:0] P, G;
  input CI;
  (* force_downto *) output [WIDTH-1:0] CO;
  genvar k;
  generate
    for (k = 0; k < WIDTH; k = k + 1) begin : position
      if (k == 0) assign CO[k] = G[k] | (P[k] & CI);
      else assign CO[k] = G[k] | (P[k] & CO[k-1]);
    end
  endgenerate
endmodule
"""


def _run_front_ends(
    sources: Sequence[Path], top: str, fronts: Sequence[tuple[str, ...]], folder: Path
) -> None:
    (folder / "full_adder_gates.v").write_text(primitive_as_gates(), encoding="utf-8")
    (folder / "full_adder_box.v").write_text(primitive_as_box(), encoding="utf-8")
    (folder / "full_adder_constant.v").write_text(techmap_constants(), encoding="utf-8")
    (folder / "ripple.v").write_text(_RIPPLE, encoding="utf-8")
    commands: list[str] = []
    for front in fronts:
        full_adders, carry, multiply = front
        name = _front_name(front)
        body = "full_adder_box.v" if full_adders == "cells" else "full_adder_gates.v"
        options = {
            "brent-kung": "",
            "kogge-stone": " -extra-map +/choices/kogge-stone.v",
            "ripple": " -extra-map ripple.v",
        }[carry] + (f" -{multiply}" if multiply else "")
        commands += ["design -reset"]
        commands += [f"read_verilog {quote(file)}" for file in sources]
        commands += [f"read_verilog -overwrite {body}", f"hierarchy -check -top {top}"]
        if full_adders == "cells":
            # Constants spread from adder to adder, so the rule is applied until little is left.
            sweep = ["techmap -map full_adder_constant.v", "opt -full"]
            commands += ["proc", "flatten", "opt -full", *sweep * 3]
            commands += [f"synth -flatten{options} -run begin:", *sweep * 2]
        else:
            commands += [f"synth -flatten{options} -run begin:"]
        commands += ["opt_clean -purge", "delete t:$scopeinfo"]
        if full_adders == "cells":
            commands += ["rename -hide c:*", "rename -enumerate -pattern u%_"]
        commands += [f"write_json {name}.json", f"write_rtlil {name}.il"]
    run_yosys(commands, folder, "front")


def _run_recipes(
    top: str, recipes: Sequence[Recipe], technology: Technology, liberty: Path, folder: Path
) -> None:
    (folder / "constraints.txt").write_text(
        f"set_driving_cell {technology.driver_cell}\nset_load {technology.output_load_ff:g}\n",
        encoding="utf-8",
    )
    for name, lines in ABC_SCRIPTS.items():
        (folder / f"{name}.abc").write_text("\n".join(lines) + "\n", encoding="utf-8")
    commands: list[str] = []
    for recipe in recipes:
        commands += ["design -reset", f"read_rtlil {_front_name(recipe.front)}.il"]
        if recipe.full_adders == "cells":
            commands += _full_adder_commands(recipe, technology, folder)
        if recipe.fold_inverters:
            commands += _folding_commands(technology, folder)
        library = f"-liberty {quote(liberty)}"
        script = f" -script {recipe.script}.abc" if ABC_SCRIPTS[recipe.script] else ""
        commands += [
            f"dfflibmap {library}",
            "opt",
            f"abc {library} -constr constraints.txt{script}",
            "opt_clean -purge",
            "rename -hide c:*",
            "rename -enumerate -pattern u%_",
            f"stat {library}",
            f"write_verilog -noattr -noexpr {recipe.name}.v",
            f"write_json {recipe.name}.json",
        ]
    run_yosys(commands, folder, "map")


def _full_adder_commands(recipe: Recipe, technology: Technology, folder: Path) -> list[str]:
    adder = technology.full_adder
    assert adder is not None  # recipes_for left this recipe out otherwise
    name = _front_name(recipe.front)
    data: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    (module,) = [m for m in data["modules"].values() if m["cells"] or not _is_box(m)]
    plan = plan_full_adders(module, adder)
    (folder / "full_adder_cell.v").write_text(techmap_onto_cell(adder), encoding="utf-8")
    return [*plan.commands(), "techmap -map full_adder_cell.v", "opt_expr", "simplemap", "opt"]


def _is_box(module: dict[str, Any]) -> bool:
    return bool(int(str(module.get("attributes", {}).get("blackbox", "0")), 2))


def _folding_commands(technology: Technology, folder: Path) -> list[str]:
    """Map plain registers onto a flip-flop with only an inverted output, complement stored."""
    cell = _inverted_flip_flop(technology)
    if cell is None:
        return []
    register = cell.flip_flop
    assert register is not None
    (data,) = register.next_state.variables()
    (output,) = cell.outputs
    (folder / "folded.v").write_text(
        "module \\$_DFF_P_ (input D, input C, output Q);\n"
        f"  {cell.name} _TECHMAP_REPLACE_ (.{data}(~D), .{register.clock_pin}(C), .{output}(Q));\n"
        "endmodule\n",
        encoding="utf-8",
    )
    # Registers with reset or enable become plain ones behind gates first, as dfflibmap would do.
    return ["dfflegalize -cell $_DFF_P_ x", "techmap -map folded.v", "simplemap", "opt"]


def _inverted_flip_flop(technology: Technology) -> Cell | None:
    """The smallest plain flip-flop if its output is inverted, else None."""
    plain = [
        cell
        for cell in technology.cells.values()
        if cell.flip_flop is not None
        and len(cell.flip_flop.next_state.variables()) == 1
        and cell.flip_flop.clocked_on.operator == "variable"
        and not cell.flip_flop.clear
        and not cell.flip_flop.preset
        and len(cell.outputs) == 1
    ]
    if not plain:
        return None
    best = min(plain, key=lambda cell: (cell.area_um2, cell.name))
    return best if _inverts(best) else None


def _inverts(cell: Cell) -> bool:
    """Whether the output shows the complement of the data loaded."""
    register = cell.flip_flop
    assert register is not None
    (data,) = register.next_state.variables()
    (output,) = cell.outputs.values()
    loaded = register.next_state.evaluate({data: 1})
    return output.function.evaluate(
        {register.state: loaded, register.inverted_state: 1 - loaded}
    ) == 0


def _measure(recipe: Recipe, technology: Technology, folder: Path) -> MappedDesign:
    path = folder / f"{recipe.name}.json"
    netlist = read_netlist(path)
    counts = netlist.cell_counts()
    unknown = [name for name in counts if name not in technology.cells]
    if unknown:
        raise ToolError(
            f"yosys {folder / 'map.ys'}",
            "",
            f"recipe {recipe.name} left cells that {technology.name} does not have: "
            + ", ".join(unknown),
        )
    cells = {name: technology.cells[name] for name in counts}
    area = {name: counts[name] * cell.area_um2 for name, cell in cells.items()}
    sequential = sum(area[name] for name, cell in cells.items() if cell.flip_flop)
    try:
        timing = analyse_timing(netlist, technology)
    except NetlistError as error:
        raise NetlistError(f"recipe {recipe.name}: {error}") from error
    adder = technology.full_adder
    return MappedDesign(
        recipe=recipe.name,
        area_um2=sum(area.values()),
        combinational_area_um2=sum(area.values()) - sequential,
        sequential_area_um2=sequential,
        delay_ps=timing.delay_ps,
        leakage_nw=sum(counts[name] * cell.leakage_nw for name, cell in cells.items()),
        flip_flops=sum(counts[name] for name, cell in cells.items() if cell.flip_flop),
        full_adder_cells=counts.get(adder.cell.name, 0) if adder else 0,
        cell_counts=counts,
        area_by_cell_um2=area,
        netlist_path=path,
        verilog_path=folder / f"{recipe.name}.v",
        path=timing.path,
    )


def _front(designs: Sequence[MappedDesign]) -> tuple[MappedDesign, ...]:
    """Designs that no other beats in both area and delay, smallest first."""
    front: list[MappedDesign] = []
    for design in sorted(designs, key=lambda d: (d.area_um2, d.delay_ps, d.recipe)):
        if not front or design.delay_ps < front[-1].delay_ps:
            front.append(design)
    return tuple(front)
