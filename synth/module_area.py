"""Area of a design by the modules it is made of.

Prices come from the flattened design, where gates of neighbouring modules merge. Here every
module is mapped for itself, by the same script, so the sum is a little larger; what it says is
where the area goes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macsmith.synth.cells import Technology
from macsmith.synth.flow import count_modules, is_plain_name, run_front_ends, run_recipes
from macsmith.synth.recipes import Recipe
from macsmith.synth.synthesize import liberty_file

__all__ = ["ModuleArea", "measure_module_areas"]


@dataclass(frozen=True)
class ModuleArea:
    """Area of one module.

    Attributes
    ----------
    instances
        How often it occurs in the design.
    own_area_um2
        Cells of one instance, without the modules below it.
    area_um2
        One instance with everything below it.
    """

    name: str
    instances: int
    own_area_um2: float
    area_um2: float


def measure_module_areas(
    verilog_files: Sequence[Path],
    top: str,
    technology: Technology,
    *,
    build_dir: Path,
    recipe: Recipe | None = None,
) -> tuple[ModuleArea, ...]:
    """Map a design with its hierarchy kept and add up cells by module, the top first.

    Parameters
    ----------
    recipe
        Default ``smallest``, full adders as gates.

    Raises
    ------
    ToolError
        Yosys or ABC failed.
    """
    recipe = recipe or Recipe("smallest")
    build_dir = Path(build_dir).resolve()
    build_dir.mkdir(parents=True, exist_ok=True)
    sources = [Path(file).resolve() for file in verilog_files]
    counts = count_modules(sources, top, build_dir)
    kept = [name for name in counts if is_plain_name(name)]
    run_front_ends(sources, top, [recipe.front], kept, build_dir)
    run_recipes([recipe], technology, [liberty_file(technology)], kept, build_dir, flat=False)
    data = json.loads((build_dir / f"{recipe.name}.json").read_text(encoding="utf-8"))
    modules: dict[str, Any] = data["modules"]
    areas: dict[str, tuple[float, float]] = {}

    def area_of(name: str) -> float:
        if name not in areas:
            own = below = 0.0
            for cell in modules[name]["cells"].values():
                kind = cell["type"]
                if kind in technology.cells:
                    own += technology.cells[kind].area_um2
                elif kind in modules:
                    below += area_of(kind)
            areas[name] = (own, own + below)
        return areas[name][1]

    area_of(top)
    rows = [
        ModuleArea(name, 1 if name == top else counts[name][0], own, total)
        for name, (own, total) in areas.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.name != top, -row.area_um2, row.name)))
