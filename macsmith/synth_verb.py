"""The verbs ``synth`` and ``bitslice``: what a design becomes, and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macsmith.verbs import (
    BUILD_DIR,
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
    short_help="Area, delay and energy, or LUTs.",
    help=help_text(
        "Price a design: area, delay and energy in a standard-cell library, or LUTs, carries and "
        "flip-flops of an FPGA family. Several recipes are run and the front is kept.",
        "macsmith synth e4m3:exact",
        "macsmith synth e4m3:e6m9:unit --tech sky130",
        "macsmith synth int8:int32 --liberty my_tt.lib my_ff.lib.gz",
        "macsmith synth e4m3:e6m9:unit --operands g2p --dataflow ws --wires none",
        "macsmith synth e4m3:exact --tech ice40 --json",
        "macsmith synth int8:int32:lanes4 --tech ice40 --dsp",
        "macsmith synth e4m3:exact:lanes32:unit --explain",
        "macsmith synth e4m3:exact --timing --clock 1000",
    ),
)
def synth(
    design: DesignArgument,
    tech: Annotated[
        str | None,
        typer.Option(
            "--tech",
            metavar="NAME",
            help="asap7 (the default), sky130, ihp-sg13g2, ice40, ecp5 or xilinx7.",
        ),
    ] = None,
    liberty: Annotated[
        list[Path] | None,
        typer.Option(
            "--liberty", metavar="FILE...", help="Your own Liberty files instead, .gz too."
        ),
    ] = None,
    operands: Annotated[
        str,
        typer.Option(
            "--operands",
            metavar="WHICH",
            help="Whose operands drive the energy figure: smollm2, g2p, one layer as "
            "smollm2/blk.3.attn_q, gaussian, uniform, or none.",
        ),
    ] = "smollm2",
    dataflow: Annotated[
        str,
        typer.Option(
            "--dataflow",
            metavar="os|ws",
            help="In which order they come: output-stationary, or (units) weight-stationary.",
        ),
    ] = "os",
    wires: Annotated[
        str,
        typer.Option(
            "--wires",
            metavar="FF_PER_UM",
            help="Wire capacitance that the energy figure assumes, or estimated, or none.",
        ),
    ] = "estimated",
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Also tell the architecture that was built, and area by module."
        ),
    ] = False,
    timing: Annotated[
        bool, typer.Option("--timing", help="Also list the worst path, cell by cell.")
    ] = False,
    clock: Annotated[
        float | None,
        typer.Option("--clock", metavar="PERIOD_PS", help="Clock period, for the slack."),
    ] = None,
    dsp: Annotated[
        bool,
        typer.Option("--dsp", help="On an FPGA: the design built with the family's DSP blocks."),
    ] = False,
    seed: SeedOption = 0,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from macsmith.console import only_results_on_stdout
    from macsmith.price_text import explanation_text, price_text, timing_text

    if clock is not None and not 0 < clock < float("inf"):
        raise ValueError(f"--clock must be a period in ps, greater than 0, not {clock:g}")
    parsed = read_design(design)
    with only_results_on_stdout():
        from macsmith.reports import stages
        from macsmith.synth.wires import parse_wires

        result = stages.synthesize(
            parsed,
            tech,
            build_dir,
            liberty=liberty or [],
            operands=None if operands == "none" else operands,
            dataflow=dataflow,
            wires=parse_wires(wires),
            seed=seed,
            dsp=dsp,
            period_ps=clock,
        )
    parts = [price_text(result)]
    if timing:
        parts.append(timing_text(result))
    if explain:
        parts.append(explanation_text(result))
    finish(result, as_json, "\n\n".join(parts))


@app.command(
    short_help="The arithmetic as bit-sliced C.",
    help=help_text(
        "Write an operator of a design as bit-sliced C99: software arithmetic in any format, for "
        "64 values at once in plain C, 256 with AVX2, 512 with AVX-512, with an example that "
        "checks itself.",
        "macsmith bitslice e4m3:e6m9",
        "macsmith bitslice e4m3:e4m3 --operator multiply -o my_fp8",
        "macsmith bitslice e5m2:e3m2 --operator convert --json",
    ),
)
def bitslice(
    design: DesignArgument,
    operator: Annotated[
        str,
        typer.Option(
            "--operator",
            help="fma: products added to a partial sum; multiply: products alone; add: A added "
            "to a partial sum; convert: A in the accumulator's format.",
        ),
    ] = "fma",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Put the files here instead."),
    ] = None,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from macsmith.console import fields, only_results_on_stdout

    parsed = read_design(design)
    with only_results_on_stdout():
        from macsmith.reports import stages

        result = stages.bitslice(parsed, output, operator=operator, build_dir=build_dir)
    text = fields(result) + f"\n\ntry it: cc -O2 {result['example']} && ./a.out"
    finish(result, as_json, text)
