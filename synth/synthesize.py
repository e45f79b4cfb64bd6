"""From Verilog to a mapped netlist, by several recipes, keeping the front of area and delay."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from macsmith.sim.netlist_graph import Netlist, NetlistError, read_netlist
from macsmith.sim.tools import ToolError, cache_directory
from macsmith.synth.cells import Technology
from macsmith.synth.flow import (
    FLOW,
    REPEATS_KEPT,
    count_modules,
    is_plain_name,
    run_front_ends,
    run_recipes,
)
from macsmith.synth.full_adder import FULL_ADDER
from macsmith.synth.liberty_write import liberty_text
from macsmith.synth.recipes import RECIPES, Recipe, recipes_for
from macsmith.synth.registers import inverting_flip_flop
from macsmith.synth.timing import analyse_timing
from macsmith.synth.timing_report import TimingReport
from macsmith.synth.yosys import tool_versions

__all__ = ["MappedDesign", "SynthesisResult", "liberty_file", "synthesize"]


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
        Yosys JSON (flat) and Verilog of the mapped netlist.
    timing
        Arrivals and the longest path.
    """

    recipe: str
    top: str
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
    timing: TimingReport

    def netlist(self) -> Netlist:
        """The mapped netlist."""
        return read_netlist(self.netlist_path, self.top)


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
        Those that cannot differ are passed over: with full-adder cells where the design has no
        such instance or the library no such cell, folding where the library's flip-flop is plain.
    cache_dir
        Where the technology's Liberty file is kept, default ``liberty`` in
        `macsmith.sim.tools.cache_directory`. One place for all designs: ABC keeps its own reading
        of the file by its path.

    Raises
    ------
    ToolError
        Yosys or ABC failed (a syntax error in the Verilog included).
    ValueError
        A file is missing, no recipe is left to run, or the library has no buffer, without which ABC
        ends.
    """
    for file in verilog_files:
        if not Path(file).is_file():
            raise ValueError(f"Verilog file {file} is not there; generate the design first")
    if not technology.buffers():
        raise ValueError(
            f"{technology.name}: no usable buffer; the library must have one: add the file that has"
        )
    build_dir = Path(build_dir).resolve()
    build_dir.mkdir(parents=True, exist_ok=True)
    sources = [Path(file).resolve() for file in verilog_files]
    texts = [file.read_text(errors="replace") for file in sources]
    has_full_adders = any(FULL_ADDER in text for text in texts)
    has_registers = any(re.search(r"\b(pos|neg)edge\b", text) for text in texts)
    chosen = recipes_for(
        recipes,
        full_adders=has_full_adders,
        full_adder_cells=technology.full_adder is not None,
        inverting_flip_flop=has_registers and inverting_flip_flop(technology) is not None,
    )
    if not chosen:
        raise ValueError(f"{top}: no recipe to run; give at least one with full adders as gates")
    liberty = liberty_file(technology, cache_dir)
    kept = [
        name
        for name, (count, registered) in count_modules(sources, top, build_dir).items()
        if registered and count >= REPEATS_KEPT and is_plain_name(name)
    ]
    fronts = list(dict.fromkeys(recipe.front for recipe in chosen))
    run_front_ends(sources, top, fronts, kept, build_dir)
    run_recipes(chosen, technology, [liberty], kept, build_dir)
    designs = tuple(_measure(recipe, top, technology, build_dir) for recipe in chosen)
    return SynthesisResult(
        top=top,
        technology=technology.name,
        designs=designs,
        front=_front(designs),
        dont_use=technology.dont_use,
        flow=FLOW,
        tool_versions=tool_versions(),
    )


def liberty_file(technology: Technology, cache_dir: Path | None = None) -> Path:
    """The technology's minimal Liberty file, written to the cache if it is not there yet."""
    folder = Path(cache_dir or cache_directory() / "liberty").resolve()
    text = liberty_text(technology)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    path = folder / f"{technology.name}-{digest}.lib"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)  # whole or not at all: sweeps share the folder
    return path


def _measure(recipe: Recipe, top: str, technology: Technology, folder: Path) -> MappedDesign:
    path = folder / f"{recipe.name}.json"
    netlist = read_netlist(path, top)
    counts = netlist.cell_counts()
    unknown = [name for name in counts if name not in technology.cells]
    if unknown:
        raise ToolError(
            f"mapping onto {technology.name} by recipe {recipe.name}",
            ["yosys", str(folder / "map.ys")],
            f"cells are left that {technology.name} does not have: {', '.join(unknown)}",
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
        top=top,
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
        timing=timing,
    )


def _front(designs: Sequence[MappedDesign]) -> tuple[MappedDesign, ...]:
    """Designs that no other beats in both area and delay, smallest first."""
    front: list[MappedDesign] = []
    for design in sorted(designs, key=lambda d: (d.area_um2, d.delay_ps, d.recipe)):
        if not front or design.delay_ps < front[-1].delay_ps:
            front.append(design)
    return tuple(front)
