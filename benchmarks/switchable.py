"""What it costs to switch formats at run time: one unit for several modes beside a unit for each.

    python benchmarks/switchable.py                    the four examples on ASAP7
    python benchmarks/switchable.py DESIGN... --tech sky130
    python benchmarks/switchable.py --ports            also with nothing shared but the ports

Every figure is of the bare combinational step (``:unit``): um2 per lane, and ps for the whole unit;
`smallest-fa` is for small area, `fastest` for speed. A lane of a double-rate mode has two of its
products. The sum of the single units is what switching would cost with a unit for each mode,
without the choice between their outputs.
"""

import argparse
import tempfile
from pathlib import Path

from macsmith.hw.emit import design_verilog
from macsmith.model.design import Design, parse_design
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology
from rich.console import Console
from rich.table import Table

DESIGNS = (
    "e4m3+e5m2:exact:lanes32",
    "e4m3+e5m2:e6m9",
    "int8+e4m3:int32+exact:lanes16",
    "int8+e4m3:exact:lanes16",
    "e4m3+2e2m1:exact:lanes16",
)
SHOWN = ("smallest-fa", "fastest")

Figures = dict[str, tuple[float, float]]


def measure(design: Design, tech: str) -> Figures:
    """Area in um2 and delay in ps of a unit, by recipe."""
    recipes = [recipe(name) for name in SHOWN]
    with tempfile.TemporaryDirectory() as folder:
        verilog = Path(folder) / f"{design.id}.v"
        verilog.write_text(design_verilog(design), encoding="utf-8")
        result = synthesize(
            [verilog],
            design.id,
            technology(tech),
            build_dir=Path(folder) / "synth",
            recipes=recipes,
        )
    return {each.recipe: (each.area_um2, each.delay_ps) for each in result.designs}


def unit(text: str, share: str = "") -> Design:
    """The unit of a design text."""
    return parse_design(":".join(part for part in (text, share, "unit") if part))


def rows(text: str, tech: str, *, with_ports: bool) -> list[list[str]]:
    """Table rows of one switchable design."""
    switchable = unit(text)
    lanes = switchable.mac.lanes
    shared = measure(switchable, tech)
    singles = [(design, measure(design, tech)) for design in switchable.mode_designs]
    lines = [(text, shared)]
    if with_ports:
        lines.append(("nothing shared", measure(unit(text, "share=ports"), tech)))
    lines += [(f"{design.text.removesuffix(':unit')} alone", each) for design, each in singles]
    found = [
        [
            name,
            *(f"{figures[key][0] / lanes:.1f} @ {figures[key][1]:.0f}" for key in SHOWN),
        ]
        for name, figures in lines
    ]
    for name, combine in (("shared / sum of the single ones", sum), ("shared / largest", max)):
        ratios = [shared[key][0] / combine(each[key][0] for _, each in singles) for key in SHOWN]
        found.append([name, *(f"{ratio:.2f}" for ratio in ratios)])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("designs", nargs="*", default=DESIGNS, metavar="DESIGN")
    parser.add_argument("--tech", default="asap7")
    parser.add_argument("--ports", action="store_true", help="also with nothing shared")
    options = parser.parse_args()
    table = Table(title=f"{options.tech}: um2 per lane @ ps")
    for column in ("unit", *SHOWN):
        table.add_column(column)
    for text in options.designs:
        for line in rows(text, options.tech, with_ports=options.ports):
            table.add_row(*line)
        table.add_section()
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
