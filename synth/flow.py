"""The Yosys commands of a synthesis run, and the files they read.

Two processes: the front end reads the design and maps it to Yosys' own gates, once for each way
of treating adders that the recipes ask for; then every recipe maps one of these onto cells.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from macsmith.synth.carry import (
    PREFIXES,
    carry_boxes,
    techmap_boxes,
    techmap_constant_boxes,
    techmap_prefix,
)
from macsmith.synth.cells import Technology
from macsmith.synth.full_adder import (
    FULL_ADDER,
    plan_full_adders,
    primitive_as_box,
    primitive_as_gates,
    techmap_chains,
    techmap_constants,
    techmap_onto_cell,
)
from macsmith.synth.polish import keep_smallest
from macsmith.synth.recipes import ABC_SCRIPTS, Recipe
from macsmith.synth.registers import inverting_flip_flop, techmap_folded
from macsmith.synth.yosys import quote, run_yosys

__all__ = [
    "FLOW",
    "REPEATS_KEPT",
    "count_modules",
    "is_plain_name",
    "run_front_ends",
    "run_recipes",
]

FLOW = (
    "synth -flatten -run begin:; opt_clean -purge; dfflibmap; opt; abc -constr -script; "
    "static timing over linear delays, no wires, ideal clock"
)

LOGIC_BIAS = 0.6
"""What flipping a full adder may save or cost for an input that comes from a gate, in inverters.

On ASAP7 either sign wins by up to 5 % of the area, depending on the design.
"""

REPEATS_KEPT = 4
"""A module with registers that occurs at least this often is mapped once (an array's element)."""

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
# Constants spread from adder to adder, so the rule is applied until little is left.
_SWEEP = ["techmap -map full_adder_constant.v -map carry_constant.v", "opt -full"]
_AFTER_TECHMAP = ("opt_expr", "simplemap", "opt")
_KEPT: dict[str, str] = {f"kept-{prefix}": f"kept-{prefix}.v" for prefix in PREFIXES}
_CARRY_MAPS = {
    "brent-kung": "",
    "kogge-stone": "+/choices/kogge-stone.v",
    "ripple": "ripple.v",
    "chain": "chain.v",
    **_KEPT,
}


def count_modules(sources: Sequence[Path], top: str, folder: Path) -> dict[str, tuple[int, bool]]:
    """How often each module occurs below `top`, and whether it holds registers itself or below.

    The full-adder primitive and `top` are left out; empty without asking Yosys for a design of
    one module.
    """
    declared = [
        name
        for file in sources
        for name in re.findall(
            r"^\s*module\s+(\S+?)\s*[(;#]", file.read_text(errors="replace"), re.M
        )
    ]
    if set(declared) <= {top, FULL_ADDER}:
        return {}
    commands = [f"read_verilog {quote(file)}" for file in sources]
    commands += [f"hierarchy -check -top {top}", "proc", "write_json modules.json"]
    run_yosys(commands, folder, "modules")
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))["modules"]
    counts: dict[str, int] = {}
    registered: dict[str, bool] = {}

    def visit(name: str) -> bool:
        counts[name] = counts.get(name, 0) + 1
        found = False
        for cell in modules[name]["cells"].values():
            kind = cell["type"]
            # every instance is visited, so that counts are those of the whole design
            found |= visit(kind) if kind in modules else "ff" in kind
        registered[name] = found
        return found

    visit(top)
    return {
        name: (count, registered[name])
        for name, count in counts.items()
        if name not in (top, FULL_ADDER)
    }


def is_plain_name(module: str) -> bool:
    """Whether a module's name can stand in a Yosys selection as it is (no parameters in it)."""
    return re.fullmatch(r"[A-Za-z_][\w.]*", module) is not None


def front_name(front: Iterable[str]) -> str:
    """File stem of what a front end leaves."""
    return "front-" + "-".join(part for part in front if part)


def run_front_ends(
    sources: Sequence[Path],
    top: str,
    fronts: Sequence[tuple[str, str, str]],
    kept: Sequence[str],
    folder: Path,
) -> None:
    """Read the design and write ``front-*.il`` and ``front-*.json``, one pair for each of `fronts`.

    `kept` are the modules that stay separate; everything else is flattened.
    """
    (folder / "full_adder_gates.v").write_text(primitive_as_gates(), encoding="utf-8")
    (folder / "full_adder_box.v").write_text(primitive_as_box(), encoding="utf-8")
    (folder / "full_adder_constant.v").write_text(techmap_constants(), encoding="utf-8")
    (folder / "ripple.v").write_text(_RIPPLE, encoding="utf-8")
    for prefix in PREFIXES:
        rules = techmap_prefix(prefix)
        (folder / f"kept-{prefix}.v").write_text(rules, encoding="utf-8")
    (folder / "carry_boxes.v").write_text(carry_boxes(), encoding="utf-8")
    (folder / "carry_constant.v").write_text(techmap_constant_boxes(), encoding="utf-8")
    (folder / "chain.v").write_text(techmap_chains(), encoding="utf-8")
    commands: list[str] = []
    begun = dict.fromkeys((full_adders, multiply) for full_adders, _, multiply in fronts)
    for full_adders, multiply in begun:
        commands += ["design -reset"]
        commands += [f"read_verilog {quote(file)}" for file in sources]
        commands += [
            f"read_verilog -overwrite full_adder_{'box' if full_adders == 'cells' else 'gates'}.v",
            "read_verilog -overwrite carry_boxes.v",
            f"hierarchy -check -top {top}",
            *(f"setattr -mod -set keep_hierarchy 1 {module}" for module in kept),
        ]
        if full_adders == "cells":
            commands += ["proc", "flatten", "opt -full", *_SWEEP * 3]
        multiplier = f" -{multiply}" if multiply else ""
        commands += [f"synth -flatten{multiplier} -run begin:fine", "design -save begun"]
        for carry in (c for f, c, m in fronts if (f, m) == (full_adders, multiply)):
            commands += ["design -load begun", *_carry_commands(full_adders, carry)]
            name = front_name((full_adders, carry, multiply))
            commands += [f"write_json {name}.json", f"write_rtlil {name}.il"]
    run_yosys(commands, folder, "front")


def _carry_commands(full_adders: str, carry: str) -> list[str]:
    """From coarse cells to gates: the second half of ``synth``, with a rule for carries."""
    carry_map = _CARRY_MAPS[carry]
    if full_adders == "gates" and carry not in _KEPT:
        extra_map = f" -extra-map {carry_map}" if carry_map else ""
        synth = [f"synth -flatten{extra_map} -run fine:"]
        return [*synth, "opt_clean -purge", "delete t:$scopeinfo"]
    # The same, with adders that have constant inputs taken apart between.
    extra_map = f" -map {carry_map}" if carry_map else ""
    return [
        *("opt -fast -full", "memory_map", "opt -full"),
        f"techmap -map +/techmap.v{extra_map}",
        *("opt -full", *_SWEEP * 3),
        *("opt -fast", "abc", "opt -fast", "hierarchy -check"),
        *("opt_clean -purge", "delete t:$scopeinfo"),
        *_renaming("f"),
    ]


def run_recipes(
    recipes: Sequence[Recipe],
    technology: Technology,
    liberty: Sequence[Path],
    kept: Sequence[str],
    folder: Path,
    *,
    dont_use: Sequence[str] = (),
    flat: bool = True,
) -> None:
    """Map by every recipe and write ``<recipe>.v`` and ``<recipe>.json``.

    Parameters
    ----------
    liberty
        Files that describe `technology`: its own minimal one, or the library's with `dont_use`.
    flat
        The JSON holds one module: modules of `kept` are dissolved after they were mapped.
    """
    (folder / "constraints.txt").write_text(
        f"set_driving_cell {technology.driver_cell}\nset_load {technology.output_load_ff:g}\n",
        encoding="utf-8",
    )
    for name, lines in ABC_SCRIPTS.items():
        (folder / f"{name}.abc").write_text("\n".join(lines) + "\n", encoding="utf-8")
    library = " ".join(f"-liberty {quote(file)}" for file in liberty)
    choice = " ".join([library, *(f"-dont_use {pattern}" for pattern in dont_use)])
    commands: list[str] = []
    variants = {recipe: _variants(recipe, technology) for recipe in recipes}
    for recipe in recipes:
        for name, logic_bias in variants[recipe].items():
            commands += ["design -reset", f"read_rtlil {front_name(recipe.front)}.il"]
            if recipe.keeps_carries:
                (folder / "carry_cells.v").write_text(techmap_boxes(technology), encoding="utf-8")
                commands += ["techmap -map carry_cells.v", *_AFTER_TECHMAP]
            if recipe.full_adders == "cells":
                commands += _full_adder_commands(recipe, technology, folder, logic_bias)
            if recipe.fold_inverters:
                commands += _folding_commands(technology, folder)
            script = f" -script {recipe.script}.abc" if ABC_SCRIPTS[recipe.script] else ""
            commands += [
                f"dfflibmap {choice}",
                "opt",
                f"abc {choice} -constr constraints.txt{script}",
                "opt_clean -purge",
            ]
            if recipe.full_adders == "cells":
                commands += [*_renaming("u"), f"write_json {name}.mapped.json"]
            else:
                commands += _writing_commands(recipe, library, kept if flat else ())
    run_yosys(commands, folder, "map")
    polished = [recipe for recipe in recipes if recipe.full_adders == "cells"]
    commands = []
    for recipe in polished:
        keep_smallest(list(variants[recipe]), recipe.name, recipe.script, technology, folder)
        commands += ["design -reset", f"read_json {recipe.name}.mapped.json"]
        commands += _writing_commands(recipe, library, kept if flat else ())
    if polished:
        run_yosys(commands, folder, "polish")


def _writing_commands(recipe: Recipe, library: str, dissolved: Sequence[str]) -> list[str]:
    """Commands that write the netlist: as Verilog, then with some modules dissolved as JSON."""
    commands = [*_renaming("v"), f"write_verilog -noattr -noexpr {recipe.name}.v"]
    if dissolved:
        commands += [
            *(f"setattr -mod -unset keep_hierarchy {module}" for module in dissolved),
            "flatten",
            "delete t:$scopeinfo",
            "opt_clean -purge",
            *_renaming("w"),
        ]
    return [*commands, f"stat {library}", f"write_json {recipe.name}.json"]


def _variants(recipe: Recipe, technology: Technology) -> dict[str, float]:
    """File stems of what is mapped for a recipe, with the bias of its full adders' polarity."""
    adder = technology.full_adder
    inverts = adder is not None and adder.sum_inverted and adder.carry_inverted
    if recipe.makes_chains and recipe.script == "smallest" and inverts:
        return {f"{recipe.name}+direct": -LOGIC_BIAS, f"{recipe.name}+flipped": LOGIC_BIAS}
    return {recipe.name: -LOGIC_BIAS}


def _renaming(letter: str) -> list[str]:
    # Names made up by Yosys hold paths and counters; numbered ones are the same from run to run.
    # A new letter each time: Yosys 0.70 aborts where a name comes again.
    return ["rename -hide c:*", f"rename -enumerate -pattern {letter}%_"]


def _full_adder_commands(
    recipe: Recipe, technology: Technology, folder: Path, logic_bias: float
) -> list[str]:
    adder = technology.full_adder
    assert adder is not None  # such recipes are left out otherwise
    data: dict[str, Any] = json.loads(
        (folder / f"{front_name(recipe.front)}.json").read_text(encoding="utf-8")
    )
    commands: list[str] = []
    for name, module in data["modules"].items():
        commands += plan_full_adders(module, adder, logic_bias).commands(name)
    (folder / "full_adder_cell.v").write_text(techmap_onto_cell(adder), encoding="utf-8")
    return [*commands, "techmap -map full_adder_cell.v", *_AFTER_TECHMAP]


def _folding_commands(technology: Technology, folder: Path) -> list[str]:
    cell = inverting_flip_flop(technology)
    if cell is None:
        return []
    (folder / "folded.v").write_text(techmap_folded(cell), encoding="utf-8")
    # Registers with reset or enable become plain ones behind gates first, as dfflibmap would do.
    return ["dfflegalize -cell $_DFF_P_ x", "techmap -map folded.v", "simplemap", "opt"]
