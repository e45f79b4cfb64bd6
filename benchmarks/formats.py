"""What a product and its sum cost, format by format: posits, powers of four, digits beside others.

    python benchmarks/formats.py                      the table of the guides, on ASAP7
    python benchmarks/formats.py DESIGN... --tech sky130

Figures are of the bare combinational step (``:unit``): um2 per lane by recipe `smallest-fa`, and
um2 per lane @ ps of the whole unit by `fastest`.
"""

import argparse
import tempfile
from pathlib import Path

from macsmith.hw.emit import design_verilog
from macsmith.model.design import Design, parse_design
from macsmith.model.widths import mac_widths
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology

EXACT = """
e4m3 e5m2 int8 posit8es0 posit8es1 posit8es2 posit6es1 posit4es0 e2m1 int4 r4e3 bin1 ternary
int2 bin2 ternaryxint8 bin1xint8
"""
DESIGNS = (
    *(f"{operands}:exact:lanes16" for operands in EXACT.split()),
    *(f"{operands}:e6m9" for operands in ("e4m3", "posit8es1", "r4e3")),
)
RECIPE_NAMES = ("smallest-fa", "fastest")


def measure(design: Design, tech: str) -> dict[str, tuple[float, float]]:
    """Area in um2 and delay in ps of a unit, by recipe."""
    with tempfile.TemporaryDirectory() as folder:
        verilog = Path(folder) / f"{design.id}.v"
        verilog.write_text(design_verilog(design), encoding="utf-8")
        result = synthesize(
            [verilog],
            design.id,
            technology(tech),
            build_dir=Path(folder) / "synth",
            recipes=[recipe(name) for name in RECIPE_NAMES],
        )
    return {each.recipe: (each.area_um2, each.delay_ps) for each in result.designs}


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("designs", nargs="*", default=DESIGNS, metavar="DESIGN")
    parser.add_argument("--tech", default="asap7")
    options = parser.parse_args()
    print("| unit | partial sum, bits | um2 per lane | um2 per lane @ ps |")
    print("|---|---|---|---|")
    for text in options.designs:
        design = parse_design(f"{text}:unit")
        lanes = design.mac.lanes
        figures = measure(design, options.tech)
        (small, _), (fast, delay) = (figures[name] for name in RECIPE_NAMES)
        print(
            f"| `{text}` | {mac_widths(design.mac).partial_sum_bits} | {small / lanes:.1f} | "
            f"{fast / lanes:.1f} @ {delay:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
