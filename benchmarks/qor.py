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
import csv
import itertools
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from textbook import textbook_verilog

KEPT = Path(__file__).parent / "results" / "qor.csv"
PUBLISHED = ("smallest", "fastest")
"""The ABC scripts that the peers were measured with."""
TEXTBOOK = "textbook"
_KEY = ("technology", "job", "design", "recipe")
_FIGURES = ("area", "delay_ps", "carry")


@dataclass(frozen=True)
class Peer:
    """The best public unit for a job, mapped to ASAP7 by ``smallest`` and by ``fastest``."""

    name: str
    smallest_um2: float
    fastest_um2: float
    fastest_ps: float


@dataclass(frozen=True)
class Job:
    """One line of the table.

    `max_area_um2` and `max_ratio` are the aims: area per product by a ``smallest`` recipe, and area
    times delay by a ``fastest`` one as a part of the peer's. `has_register`: the partial sum's
    register, with its clear, is measured too.
    """

    name: str
    design: str
    peer: Peer
    max_area_um2: float
    max_ratio: float
    has_register: bool = False
    max_lut4: tuple[tuple[str, int], ...] = ()


JOBS = (
    Job("E4M3 into (1,6,9)", "e4m3:e6m9:unit", Peer("HardFloat", 59.1, 82.0, 1390), 40, 0.65,
        max_lut4=(("ecp5", 190), ("ice40", 240))),
    Job("E5M2 into (1,6,9)", "e5m2:e6m9:unit",
        Peer("recoded operands", 45.6, 71.7, 1038), 36, 0.75),
    Job("E4M3 dot of 32, exact", "e4m3:exact:lanes32:unit",
        Peer("MX-for-FPGA", 31.5, 40.9, 1587), 24, 0.65),
    Job("E5M2 dot of 32, exact", "e5m2:exact:lanes32:unit",
        Peer("MX-for-FPGA", 43.7, 53.4, 2072), 33, 0.65),
    Job("E3M2 dot of 32, exact", "e3m2:exact:lanes32:unit",
        Peer("MX-for-FPGA", 16.6, 22.6, 1166), 13, 0.7),
    Job("E2M3 dot of 32, exact", "e2m3:exact:lanes32:unit",
        Peer("MX-for-FPGA", 14.8, 21.5, 1073), 11.5, 0.7),
    Job("E2M1 dot of 32, exact", "e2m1:exact:lanes32:unit",
        Peer("MX-for-FPGA", 7.1, 10.6, 868), 5.5, 0.7),
    Job("INT8 dot of 16", "int8:int32:lanes16:unit",
        Peer("MX-for-FPGA", 31.0, 46.2, 1092), 22, 0.7),
    Job("E4M3 dot of 8 into FP32, aligned", "e4m3:fp32_aligned25:lanes8:rtz:unit",
        Peer("Vortex", 53.3, 74.1, 2760), 34, 0.5),
    Job("E4M3 dot of 2 into FP16, stochastic", "e4m3:fp16:lanes2:sr11:unit",
        Peer("CVFPU SDOTP", 70.6, 101.0, 2716), 42, 0.6),
    Job("E4M3 exact PE, 64 terms", "e4m3:exact:terms64:unit",
        Peer("textbook, 48 bits", 63.2, 78.2, 1175), 46, 0.7, has_register=True),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One netlist: area per product and delay, or LUTs and carries on an FPGA."""

    technology: str
    job: str
    design: str
    recipe: str
    area: float
    delay_ps: float
    carry: float = 0.0

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same row in another run."""
        return (self.technology, self.job, self.design, self.recipe)


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


def _is_speed(row: Row) -> bool:
    return row.recipe.startswith("fastest")


def _least(rows: Iterable[Row], *, cells: bool, speed: bool) -> Row | None:
    """The best row: of least area, or of least area times delay by a recipe for speed."""
    # in a library without a full-adder cell the plain recipes are all there are
    fit = [row for row in rows if (("-fa" in row.recipe) <= cells) and _is_speed(row) == speed]
    if not speed:
        fit = [row for row in fit if row.recipe.startswith("smallest")]
    return min(fit, key=lambda row: row.area * row.delay_ps if speed else row.area, default=None)


def _read_kept() -> dict[tuple[str, str, str, str], Row]:
    if not KEPT.exists():
        return {}
    with KEPT.open(encoding="utf-8", newline="") as file:
        rows = [
            Row(*(line[name] for name in _KEY), *(float(line[name]) for name in _FIGURES))
            for line in csv.DictReader(file)
        ]
    return {row.key: row for row in rows}


def _write_kept(rows: Sequence[Row]) -> None:
    """Put the measured rows in the place of those kept for the same technology and job."""
    measured = {(row.technology, row.job) for row in rows}
    kept = [row for row in _read_kept().values() if (row.technology, row.job) not in measured]
    order = {job.name: place for place, job in enumerate(JOBS)}
    every = sorted(
        [*kept, *rows], key=lambda r: (r.technology, order.get(r.job, 99), r.design, r.recipe)
    )
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_KEY, *_FIGURES])
        for row in every:
            writer.writerow([*row.key, f"{row.area:.4f}", f"{row.delay_ps:.1f}", f"{row.carry:g}"])


def _change(row: Row, kept: dict[tuple[str, str, str, str], Row]) -> str:
    before = kept.get(row.key)
    if before is None or not before.area:
        return "new"
    return f"{100 * (row.area / before.area - 1):+.1f} %"


def _mark(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def _area_table(tech: str, jobs: Sequence[Job], rows: Sequence[Row]) -> Table:
    kept = _read_kept()
    table = Table(title=f"{tech}: um2 per product; area x delay in 1000 um2 ps per product")
    small_heads = ["smallest", "gates only", "change", "textbook", "ours / textbook"]
    fast_heads = ["fastest", "area x delay", "gates only"]
    if tech == "asap7":
        small_heads += ["peer", "aim", ""]
        fast_heads += ["peer", "aim", ""]
    table.add_column("job")
    for head in [*small_heads, *fast_heads]:
        table.add_column(head, justify="right")
    for job in jobs:
        ours = [row for row in rows if row.job == job.name and row.design != TEXTBOOK]
        book = [row for row in rows if row.job == job.name and row.design == TEXTBOOK]
        small = _small_cells(job, ours, book, kept) if ours else []
        fast = _fast_cells(job, ours) if ours else []
        cells = [
            *(small or [""] * len(small_heads))[: len(small_heads)],
            *(fast or [""] * len(fast_heads))[: len(fast_heads)],
        ]
        table.add_row(job.name, *cells)
    return table


def _small_cells(
    job: Job,
    ours: Sequence[Row],
    book: Sequence[Row],
    kept: dict[tuple[str, str, str, str], Row],
) -> list[str]:
    small = _least(ours, cells=True, speed=False)
    gates = _least(ours, cells=False, speed=False)
    yardstick = _least(book, cells=False, speed=False)
    if small is None or gates is None:
        return []
    return [
        f"{small.area:.2f}",
        f"{gates.area:.2f}",
        _change(small, kept),
        f"{yardstick.area:.1f}" if yardstick else "",
        f"{small.area / yardstick.area:.3f}" if yardstick else "",
        f"{job.peer.smallest_um2:g}",
        f"{job.max_area_um2:g}",
        _mark(small.area <= job.max_area_um2),
    ]


def _fast_cells(job: Job, ours: Sequence[Row]) -> list[str]:
    fast = _least(ours, cells=True, speed=True)
    gates = _least(ours, cells=False, speed=True)
    if fast is None or gates is None:
        return []
    product = fast.area * fast.delay_ps / 1000
    peers = job.peer.fastest_um2 * job.peer.fastest_ps / 1000
    aim = job.max_ratio * peers
    return [
        f"{fast.area:.1f} @ {fast.delay_ps:.0f}",
        f"{product:.1f}",
        f"{gates.area * gates.delay_ps / 1000:.1f}",
        f"{peers:.1f}",
        f"{aim:.1f}",
        _mark(product <= aim),
    ]


def _lut_table(tech: str, jobs: Sequence[Job], rows: Sequence[Row]) -> Table:
    table = Table(title=f"{tech}: LUTs + carry bits per product, no DSP blocks")
    for head in ("job", "ours", "architecture", "change", "textbook", "aim", ""):
        table.add_column(head, justify="left" if head in ("job", "architecture") else "right")
    kept = _read_kept()
    for job in jobs:
        ours = [row for row in rows if row.job == job.name and row.design != TEXTBOOK]
        book = [row for row in rows if row.job == job.name and row.design == TEXTBOOK]
        if not ours:
            continue
        best = min(ours, key=lambda row: row.area)
        aim = dict(job.max_lut4).get(tech)
        table.add_row(
            job.name,
            f"{best.area:.1f} + {best.carry:.1f}",
            best.design,
            _change(best, kept),
            f"{book[0].area:.1f} + {book[0].carry:.1f}" if book else "",
            str(aim or ""),
            _mark(best.area <= aim) if aim else "",
        )
    return table


def _front_table(job: Job, rows: Sequence[Row]) -> Table:
    """Rows that no other beats in both area and delay."""
    table = Table(title=f"{job.name}: front of area and delay over recipes and architectures")
    for head in ("um2", "ps", "1000 um2 ps", "recipe", "design"):
        table.add_column(head, justify="left" if head in ("recipe", "design") else "right")
    best = float("inf")
    ours = [row for row in rows if row.job == job.name and row.design != TEXTBOOK]
    for row in sorted(ours, key=lambda row: (row.area, row.delay_ps)):
        if row.delay_ps < best:
            best = row.delay_ps
            table.add_row(
                f"{row.area:.2f}",
                f"{row.delay_ps:.0f}",
                f"{row.area * row.delay_ps / 1000:.1f}",
                row.recipe,
                row.design,
            )
    return table


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
    make = _lut_table if arguments.tech in FAMILIES else _area_table
    console.print(make(arguments.tech, jobs, rows))
    if arguments.front and arguments.tech not in FAMILIES:
        for job in jobs:
            console.print(_front_table(job, rows))
    if arguments.modules and arguments.tech not in FAMILIES:
        with tempfile.TemporaryDirectory() as scratch:
            for index, job in enumerate(jobs):
                _print_modules(job, arguments.tech, Path(scratch) / str(index), console)
    versions = ", ".join(f"{name} {version}" for name, version in tool_versions().items())
    console.print(f"recipes: {', '.join(recipe.name for recipe in recipes)}; {versions}")
    if arguments.keep:
        _write_kept(rows)
        console.print(f"kept in {KEPT.name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
