"""The verbs ``accuracy`` and ``explore``: networks in a design's arithmetic, sweeps of designs."""

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
    ScalingOption,
    app,
    finish,
    help_text,
    read_design,
)

__all__ = ["app"]


@app.command(
    short_help="A real network in this arithmetic.",
    help=help_text(
        "Compute a real network in a design's arithmetic and compare it with the unquantised one. "
        "Operand A holds activations, B weights.",
        "macsmith accuracy g2p e4m3:exact",
        "macsmith accuracy smollm2 e4m3xe5m2:exact --scaling tensor",
        "macsmith accuracy smollm2 e4m3:e6m5/64 --accumulation bit-exact --tokens 256",
    ),
)
def accuracy(
    task: Annotated[str, typer.Argument(metavar="TASK", help="smollm2 or g2p.")],
    design: DesignArgument,
    scaling: Annotated[
        str,
        typer.Option(
            "--scaling",
            help="How operands are scaled to their formats: row, tensor, row-pow2 or tensor-pow2; "
            "of block formats floor, rceil, ceil, even or max.",
        ),
    ] = "row",
    accumulation: Annotated[
        str,
        typer.Option("--accumulation", help="exact, or bit-exact: the design's own accumulator."),
    ] = "exact",
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=1, help="Size of the sample (words for g2p).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Selects the sample.")] = 0,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from macsmith.console import fields, only_results_on_stdout
    from macsmith.reports.progress import progress_line

    parsed = read_design(design)
    with only_results_on_stdout(), progress_line(f"accuracy {task}") as progress:
        from macsmith.reports import stages

        result = stages.accuracy(
            task,
            parsed,
            build_dir,
            scaling=scaling,
            accumulation=accumulation,
            tokens=tokens,
            seed=seed,
            progress=progress,
        )
    finish(result, as_json, fields(result))


@app.command(
    short_help="All of it over a sweep of designs: a report.",
    help=help_text(
        "Generate, verify, price and rate every design of a sweep, and write the report: a page "
        "with Pareto fronts, a picture, and all rows as CSV and Parquet. Results are kept as they "
        "come: after an interrupt the same command goes on, and a second run computes nothing.",
        "macsmith explore",
        "macsmith explore chunks.toml -o build/chunks --jobs 4",
        "macsmith explore chunks.toml --tech asap7 --tech sky130 --json",
        "macsmith explore chunks.toml --executor slurm --executor-config cluster.toml",
    ),
)
def explore(
    sweep: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SWEEP.toml]", help="What to explore; the built-in sweep if absent."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Report folder. [default: BUILD/report]"
        ),
    ] = None,
    tech: Annotated[
        list[str] | None,
        typer.Option("--tech", metavar="NAME", help="Instead of the sweep's; may be repeated."),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", metavar="TASK", help="Instead of the sweep's; may be repeated."),
    ] = None,
    scaling: ScalingOption = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at once.")] = 2,
    executor: Annotated[
        str | None,
        typer.Option(
            "--executor",
            metavar="NAME",
            help="Compute on a cluster, through Parsl: slurm, lsf, pbs, sge, kubernetes, or local.",
        ),
    ] = None,
    executor_config: Annotated[
        Path | None,
        typer.Option("--executor-config", metavar="FILE.toml", help="What the executor is told."),
    ] = None,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from dataclasses import replace

    from macsmith.console import only_results_on_stdout
    from macsmith.reports.executors import find_executor
    from macsmith.reports.sweep import default_sweep_path, load_sweep
    from macsmith.synth.price import resolve_technology

    chosen = load_sweep(sweep or default_sweep_path())
    if tech:
        for name in tech:
            resolve_technology(name)
        chosen = replace(chosen, technologies=tuple(dict.fromkeys(tech)))
    if task:
        chosen = replace(chosen, tasks=tuple(dict.fromkeys(task)))
    if scaling:
        chosen = replace(chosen, scaling=tuple(dict.fromkeys(scaling)))
    cluster = find_executor(executor, executor_config, jobs=jobs, run_dir=build_dir / "parsl")
    with only_results_on_stdout():
        from macsmith.reports.explore import explore as run

        try:
            result = run(chosen, build_dir, report_dir=output, jobs=jobs, executor=cluster)
        except KeyboardInterrupt as interrupt:
            # typer would swallow the message, which says what is kept
            raise RuntimeError(str(interrupt) or "interrupted") from None
    finish(result.to_dict(), as_json, result.summary)
    if result.failed_points:
        raise typer.Exit(EXIT_NO)
