"""The verb ``verify``: Verilog or netlists against the golden model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macsmith.verbs import (
    BUILD_DIR,
    EXIT_NO,
    BuildDirOption,
    DesignArgument,
    JsonOption,
    SeedOption,
    app,
    finish,
    help_text,
    read_design,
)

__all__ = ["app"]


@app.command(
    short_help="Check the Verilog against the golden model.",
    help=help_text(
        "Check the emitted Verilog against the golden model: cocotb on Verilator, every operand "
        "pair up to 16 bits together, directed corners and seeded random beyond, with coverage.",
        "macsmith verify e4m3:exact",
        "macsmith verify e4m3xe5m2:e6m9/64 --seed 7",
        "macsmith verify int8:int32:4x4 --quick --json",
        "macsmith verify e4m3:e6m9 --netlist asap7 --vectors 100000000",
    ),
)
def verify(
    design: DesignArgument,
    seed: SeedOption = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer vectors; the result says so.")
    ] = False,
    netlist: Annotated[
        str | None,
        typer.Option(
            "--netlist",
            metavar="TECH",
            help="Check the netlists mapped to a cell library instead of the Verilog.",
        ),
    ] = None,
    vectors: Annotated[
        int,
        typer.Option("--vectors", min=0, help="Random vectors of each netlist, beyond the others."),
    ] = 1_000_000,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    if netlist is not None:
        _verify_netlists(design, netlist, vectors, seed, build_dir, as_json)
        return
    from macsmith.console import columns, only_results_on_stdout

    parsed = read_design(design)
    with only_results_on_stdout():
        from macsmith.reports import stages

        outcome = stages.verify(parsed, build_dir, seed=seed, quick=quick)
    result = outcome.to_dict() | {"directory": str(outcome.directory)}
    rows = [
        ("ok" if check.passed else "FAILED", check.count, check.name, check.detail)
        for check in outcome.checks
    ]
    lines = [
        f"{outcome.design}, seed {seed}: {'PASSED' if outcome.passed else 'FAILED'}",
        columns(("", "count", "check", ""), rows),
        *outcome.failures[:10],
        f"log and bench: {outcome.directory}",
    ]
    finish(result, as_json, "\n".join(lines))
    if not result["passed"]:
        raise typer.Exit(EXIT_NO)


def _verify_netlists(
    design: str, technology: str, vectors: int, seed: int, build_dir: Path, as_json: bool
) -> None:
    from macsmith.console import columns, only_results_on_stdout
    from macsmith.reports.progress import progress_line
    from macsmith.sim.netlist_check import NetlistMismatchError

    parsed = read_design(design)
    failure = ""
    with only_results_on_stdout(), progress_line(f"verify {technology}") as progress:
        from macsmith.reports import stages

        try:
            result = stages.verify_netlists(
                parsed, technology, build_dir, vectors=vectors, seed=seed, progress=progress
            )
        except NetlistMismatchError as error:
            failure = str(error)
            result = {"design": parsed.text, "technology": technology, "passed": False}
            result |= {"seed": seed, "failure": failure}
    heads = ("part", "recipe", "cells", "stimulus_vectors", "random_vectors", "seconds")
    rows = [[entry[head] for head in heads] for entry in result.get("netlists", [])]
    for row in rows:
        row[-1] = f"{row[-1]:.1f}"
    outcome = f"FAILED\n{failure}" if failure else "all equal to the golden model"
    text = f"{parsed.text}, {technology}, seed {seed}: {outcome}"
    finish(result, as_json, text if failure else f"{text}\n{columns(heads, rows)}")
    if failure:
        raise typer.Exit(EXIT_NO)
