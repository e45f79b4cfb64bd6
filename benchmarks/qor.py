"""Quality of results: what the generated units cost beside the best public ones and textbook ones.

    python benchmarks/qor.py                          every job on ASAP7, the published recipes
    python benchmarks/qor.py --tech sky130 -j dot     jobs whose name holds "dot", on SKY130
    python benchmarks/qor.py --tech ecp5              LUTs and carries
    python benchmarks/qor.py --front                  all recipes and every architecture: the front
    python benchmarks/qor.py --modules                also where the area goes
    python benchmarks/qor.py --keep                   write the rows to benchmarks/results/qor.csv

Every job is one combinational step, ``DESIGN:unit``, divided by the products it adds; the PE has
its register too. ``smallest`` and ``fastest`` are the two fixed ABC scripts that the peers were
measured with; recipes differ in what is done with adders before: ``-fa`` keeps full adders as the
library's cells where it has one. A unit is measured in the architecture it is given by itself for
small area and in the one for speed.

Peers were measured on ASAP7 only: areas (um2 per product) and delays (ps) below are of HardFloat,
CVFPU (its FMA and SDOTP units), Vortex' fused dot product and MX-for-FPGA, mapped by the same two
scripts. On every library the textbook unit of `benchmarks/textbook.py` is the yardstick: the ratio
to it tells whether a gain carries over.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from macsmith.hw.emit import design_verilog
from macsmith.model.design import Design, parse_design
from macsmith.model.implementation import ARCHITECTURE_CHOICES
from macsmith.model.widths import mac_widths
from macsmith.synth.fpga import FAMILIES, map_to_fpga
from macsmith.synth.module_area import measure_module_areas
from macsmith.synth.recipes import RECIPES, Recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology
from macsmith.synth.yosys import tool_versions
from qor_jobs import JOBS, KEPT, TEXTBOOK, Job, Row, write_kept
from qor_tables import area_table, front_table, lut_table
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from textbook import textbook_verilog

PUBLISHED = ("smallest", "fastest")
"""The ABC scripts that the peers were measured with."""


def _registered(design: Design, unit: str) -> tuple[str, str]:
    """Verilog and name of a module with the unit and the register of its partial sum."""
    bits = mac_widths(design.mac).partial_sum_bits
    lanes, mac = design.mac.lanes, design.mac
    text = (
        f"module {unit}_pe(input clk, input clear, input [{lanes * mac.a.bits - 1}:0] a,\n"
        f"  input [{lanes * mac.b.bits - 1}:0] b, output reg [{bits - 1}:0] partial_sum);\n"
        f"  wire [{bits - 1}:0] next;\n"
        f"  {unit} unit (.a(a), .b(b), .partial_sum_i(partial_sum), .partial_sum_o(next));\n"
        "  always @(posedge clk) partial_sum <= clear ? 0 : next;\nendmodule\n"
    )
    return text, f"{unit}_pe"


def _sources(job: Job, text: str, folder: Path) -> tuple[Path, str]:
    """The Verilog of a unit, or of the textbook's, and its top module."""
    folder.mkdir(parents=True, exist_ok=True)
    if text == TEXTBOOK:
        design, top = parse_design(job.design), "textbook"
        verilog = textbook_verilog(design, top)
    else:
        design = parse_design(text)
        verilog, top = design_verilog(design), design.id
    if job.has_register:
        wrapper, name = _registered(design, top)
        verilog, top = verilog + wrapper, name
    path = folder / "unit.v"
    path.write_text(verilog, encoding="utf-8")
    return path, top


def _measure(job: Job, text: str, tech: str, recipes: Sequence[Recipe], folder: Path) -> list[Row]:
    path, top = _sources(job, text, folder)
    products = parse_design(job.design).mac.lanes
    if tech in FAMILIES:
        counts = map_to_fpga([path], top, tech, build_dir=folder).metrics
        luts = sum(counts.get(kind, 0) for kind in ("lut4", "lut6"))
        return [Row(tech, job.name, text, "luts", luts / products, 0.0, counts["carry"] / products)]
    result = synthesize([path], top, technology(tech), build_dir=folder, recipes=recipes)
    return [
        Row(tech, job.name, text, made.recipe, made.area_um2 / products, made.delay_ps)
        for made in result.designs
    ]


def _variants(job: Job, tech: str, *, every_architecture: bool) -> list[str]:
    """Texts of the unit in the architectures to measure, each Verilog once.

    Those it is given for area and for speed; on request also each of them with one choice changed.
    """
    options: list[list[str]] = [[]]
    if tech in FAMILIES:
        options += [[f"fpga={tech}"]]
    if every_architecture:
        options += [
            [f"{key}={value}"]
            for key, values in ARCHITECTURE_CHOICES.items()
            for value in values[1:]
            if key not in ("goal", "fpga", "dsp")
        ]
    found: dict[str, str] = {}
    for goal, choice in itertools.product(ARCHITECTURE_CHOICES["goal"], options):
        try:
            design = parse_design(":".join([job.design, f"goal={goal}", *choice]))
            verilog = design_verilog(design).replace(design.id, "unit")
        except ValueError:
            continue  # the choice is none for this function
        body = "\n".join(line for line in verilog.splitlines() if not line.startswith("//"))
        found.setdefault(body, design.text)
    return list(found.values())


def _worth(text: str, texts: Sequence[str], recipes: Sequence[Recipe]) -> list[Recipe]:
    """Recipes that can give the best row of a unit: by ``smallest`` that for area, by ``fastest``
    that for speed where the two differ; the textbook's plainly."""
    if text == TEXTBOOK:
        return [recipe for recipe in recipes if recipe == Recipe(recipe.script)]
    if len(texts) != 3 or TEXTBOOK not in texts:
        return list(recipes)
    left_out = "smallest" if "goal=speed" in text else "fastest"
    return [recipe for recipe in recipes if recipe.script != left_out] or list(recipes)


def _print_modules(job: Job, tech: str, folder: Path, console: Console) -> None:
    path, top = _sources(job, job.design, folder)
    products = parse_design(job.design).mac.lanes
    table = Table(title=f"{job.name}: area of its modules, each mapped for itself")
    for head in ("module", "instances", "own um2", "with those below", "um2 per product"):
        table.add_column(head, justify="left" if head == "module" else "right")
    cells = technology(tech).full_adder is not None
    chosen = Recipe("smallest", full_adders="cells" if cells else "gates")
    for module in measure_module_areas(
        [path], top, technology(tech), build_dir=folder, recipe=chosen
    ):
        table.add_row(
            module.name.removeprefix(f"{parse_design(job.design).id}_"),
            str(module.instances),
            f"{module.own_area_um2:.2f}",
            f"{module.area_um2:.2f}",
            f"{module.own_area_um2 * module.instances / products:.2f}",
        )
    console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tech", default="asap7", help="a library or an FPGA family (asap7)")
    parser.add_argument("-j", "--job", action="append", help="only jobs whose name holds this")
    parser.add_argument("--script", choices=PUBLISHED, help="only recipes of this ABC script")
    parser.add_argument("--no-textbook", action="store_true", help="leave the yardstick out")
    parser.add_argument("--front", action="store_true", help="all recipes and architectures")
    parser.add_argument("--modules", action="store_true", help="area by module")
    parser.add_argument("--keep", action="store_true", help="keep the rows for later runs")
    parser.add_argument("--processes", type=int, default=2, help="synthesis runs at once (2)")
    arguments = parser.parse_args()
    jobs = [
        job
        for job in JOBS
        if not arguments.job or any(part.lower() in job.name.lower() for part in arguments.job)
    ]
    if not jobs:
        parser.error(f"no job has that name; there are: {', '.join(job.name for job in JOBS)}")
    plain = [
        Recipe(script, full_adders=adders) for script in PUBLISHED for adders in ("gates", "cells")
    ]
    recipes = list(dict.fromkeys([*plain, *RECIPES]))
    if not arguments.front:
        wanted = (arguments.script,) if arguments.script else PUBLISHED
        recipes = [recipe for recipe in recipes if recipe.script in wanted]
    console = Console(width=200)
    work = [
        (job, text)
        for job in jobs
        for text in [*_variants(job, arguments.tech, every_architecture=arguments.front), TEXTBOOK]
        if text != TEXTBOOK or not arguments.no_textbook
    ]
    texts = {job: [text for other, text in work if other is job] for job in jobs}
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        Progress(console=Console(stderr=True)) as progress,
        ThreadPoolExecutor(arguments.processes) as pool,
    ):
        task = progress.add_task("synthesis", total=len(work))

        def run(index: int) -> list[Row]:
            job, text = work[index]
            folder = Path(scratch) / str(index)
            try:
                return _measure(
                    job, text, arguments.tech, _worth(text, texts[job], recipes), folder
                )
            except ValueError:
                if text != TEXTBOOK:
                    raise
                return []  # no textbook unit is written for this job
            finally:
                progress.advance(task)

        for measured in pool.map(run, range(len(work))):
            rows += measured
    make = lut_table if arguments.tech in FAMILIES else area_table
    console.print(make(arguments.tech, jobs, rows))
    if arguments.front and arguments.tech not in FAMILIES:
        for job in jobs:
            console.print(front_table(job, rows))
    if arguments.modules and arguments.tech not in FAMILIES:
        with tempfile.TemporaryDirectory() as scratch:
            for index, job in enumerate(jobs):
                _print_modules(job, arguments.tech, Path(scratch) / str(index), console)
    versions = ", ".join(f"{name} {version}" for name, version in tool_versions().items())
    console.print(f"recipes: {', '.join(recipe.name for recipe in recipes)}; {versions}")
    if arguments.keep:
        write_kept(rows)
        console.print(f"kept in {KEPT.name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
