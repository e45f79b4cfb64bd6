"""What a product and its sum cost, format by format: posits, powers of four, digits beside others.

    python benchmarks/formats.py                      the table of the guides, on ASAP7
    python benchmarks/formats.py DESIGN... --tech sky130 --recipe fastest

Figures are of the bare combinational step (``:unit``): um2 per lane, and ps of the whole unit.
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
posit8es1 r4e3 bin1 ternary ternaryxint8 int8 posit8es0 e2m1 bin1xint8 int2 bin2 int4 posit6es1
posit4es0 posit8es2
"""
DESIGNS = (
    *(f"{operands}:e6m9" for operands in ("posit8es1", "r4e3")),
    *(f"{operands}:exact:lanes16" for operands in EXACT.split()),
)


def measure(design: Design, tech: str, recipe_name: str) -> tuple[float, float]:
    """Area in um2 and delay in ps of a unit."""
    with tempfile.TemporaryDirectory() as folder:
        verilog = Path(folder) / f"{design.id}.v"
        verilog.write_text(design_verilog(design), encoding="utf-8")
        result = synthesize(
            [verilog],
            design.id,
            technology(tech),
            build_dir=Path(folder) / "synth",
            recipes=[recipe(recipe_name)],
        )
    (mapped,) = result.designs
    return mapped.area_um2, mapped.delay_ps


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("designs", nargs="*", default=DESIGNS, metavar="DESIGN")
    parser.add_argument("--tech", default="asap7")
    parser.add_argument("--recipe", default="smallest-fa")
    options = parser.parse_args()
    print("| unit | partial sum, bits | um2 per lane @ ps |")
    print("|---|---|---|")
    for text in options.designs:
        design = parse_design(f"{text}:unit")
        lanes = design.mac.lanes
        area_um2, delay_ps = measure(design, options.tech, options.recipe)
        print(
            f"| `{text}` | {mac_widths(design.mac).partial_sum_bits} | "
            f"{area_um2 / lanes:.1f} @ {delay_ps:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
