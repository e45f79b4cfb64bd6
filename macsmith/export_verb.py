"""``macsmith export``: priced designs as components of tools for whole accelerators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macsmith.verbs import (
    BUILD_DIR,
    BuildDirOption,
    JsonOption,
    SeedOption,
    app,
    finish,
    help_text,
    read_design,
)

__all__ = ["app"]


@app.command(
    short_help="Designs as components of Accelergy, AccelForge, ZigZag.",
    help=help_text(
        "Price designs, and quantisers for their formats, and write them as components of tools "
        "that map whole networks: tables for Accelergy and Timeloop, a plug-in package of "
        "hwcomponents for AccelForge, accelerators for ZigZag. With --table the figures are those "
        "of a report, with --estimate those of the cost model, and nothing is synthesised.",
        "macsmith export --to hwcomponents e4m3:e6m9/64 mxfp4:fp32:lanes32 -o plugin",
        "macsmith export --to timeloop e4m3:exact --tech asap7 --tech sky130 -o tables",
        "macsmith export --to zigzag int8:int32:16x16 -o accelerators",
        "macsmith export --to accelforge e4m3:exact:lanes4 --estimate -o plugin",
        "macsmith export --to accelergy --table build/report/results.csv -o tables",
    ),
)
def export(
    target: Annotated[
        str,
        typer.Option(
            "--to", metavar="TOOL", help="accelergy, timeloop, hwcomponents, accelforge or zigzag."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the files go.")
    ],
    designs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DESIGN...]", help="Design texts, or .toml files with one each."),
    ] = None,
    tech: Annotated[
        list[str] | None,
        typer.Option(
            "--tech",
            metavar="NAME",
            help="asap7 (the default), sky130 or ihp-sg13g2; may be repeated.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", metavar="FILE", help="results.csv or results.parquet of a report."),
    ] = None,
    is_estimate: Annotated[
        bool,
        typer.Option("--estimate", help="By the cost model, in milliseconds: MACs only."),
    ] = False,
    operands: Annotated[
        str,
        typer.Option(
            "--operands", metavar="WHICH", help="Whose operands drive the energy; see synth."
        ),
    ] = "gaussian",
    no_quantisers: Annotated[
        bool, typer.Option("--no-quantisers", help="Leave the quantisers out.")
    ] = False,
    seed: SeedOption = 0,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from macsmith.bridges.export import check_target
    from macsmith.bridges.export import export as run
    from macsmith.console import columns, only_results_on_stdout
    from macsmith.reports.progress import progress_line

    check_target(target)
    parsed = [read_design(design) for design in designs or ()]
    with only_results_on_stdout(), progress_line(f"export {target}") as progress:
        components, files = run(
            target,
            parsed,
            output,
            technologies=tuple(tech or (() if table else ("asap7",))),
            table=table,
            is_estimate=is_estimate,
            build_dir=build_dir,
            operands=operands,
            quantisers=not no_quantisers,
            seed=seed,
            progress=progress,
        )
    result = {
        "to": target,
        "components": [component.to_dict() for component in components],
        "files": [str(path) for path in files],
    }
    heads = ("component", "area_um2", "energy_pj", "delay_ps", "leakage_nw")
    rows = [
        (
            component.name,
            f"{component.area_um2:.2f}",
            f"{component.energy_pj:.4f}",
            f"{component.delay_ps:.0f}",
            "–" if component.leakage_nw is None else f"{component.leakage_nw:.1f}",
        )
        for component in components
    ]
    written = "\n".join(f"wrote {path}" for path in files)
    finish(result, as_json, f"{columns(heads, rows)}\n\n{written}")
