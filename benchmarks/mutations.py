"""Every single-cell fault planted in mapped netlists: told by the vectors, or proven to be none.

    python benchmarks/mutations.py [DESIGN ...] [--tech asap7] [--random 1048576]

Faults are inverted outputs and inputs, inputs stuck at 0 and 1, exchanged inputs, and exchanged AND
and OR, each in every cell (`macsmith.sim.netlist_faults`). The vectors are those of the full
check of a unit, then random ones; what none of them tells is given to a SAT solver, which
proves that it changes nothing, or finds the inputs that were missing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from macsmith.model.design import parse_design
from macsmith.synth.mutations import examine_mutations
from macsmith.synth.netlist_verify import map_design
from macsmith.synth.recipes import recipe
from macsmith.synth.technology import technology
from rich.console import Console
from rich.table import Table

DESIGNS = (
    "e4m3:e6m9:unit",
    "e4m3:exact:unit",
    "int8:int32:unit",
    "e5m2:e4m3:unit",
    "e2m1:exact/8/e5m2:lanes2:unit",
    "e4m3:e5m2:sr4:unit",
)


def main() -> None:
    """Examine and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("design", nargs="*", default=list(DESIGNS))
    parser.add_argument("--tech", default="asap7")
    parser.add_argument("--random", type=int, default=1 << 20)
    arguments = parser.parse_args()
    tech = technology(arguments.tech)
    table = Table(title=f"single-cell faults, {arguments.tech}")
    heads = ("cells", "faults", "full check", "random", "equivalent", "unreachable", "missed", "s")
    for head in ("design", *heads):
        table.add_column(head, justify="left" if head == "design" else "right")
    notes: list[str] = []
    for text in arguments.design:
        design = parse_design(text)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            mapped = min(
                map_design(design, tech, folder, [recipe("balanced"), recipe("balanced-fa")]),
                key=lambda made: made.area_um2 * made.delay_ps,
            )
            start = time.process_time()
            result = examine_mutations(
                design, mapped.netlist(), tech.models(), folder / "proofs",
                random_vectors=arguments.random,
            )  # fmt: skip
        counts = (
            result.cells, result.faults, result.found_by_stimulus, result.found_by_random,
            result.equivalent, result.unreachable, len(result.missed),
        )  # fmt: skip
        seconds = time.process_time() - start
        table.add_row(text, *(f"{count:,}" for count in counts), f"{seconds:.0f}")
        notes += [f"{text}: {fault}: missed, told by {inputs}" for fault, inputs in result.missed]
    console = Console(width=120)
    console.print(table)
    for note in notes:
        console.print(note)


if __name__ == "__main__":
    main()
