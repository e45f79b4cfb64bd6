"""The verb ``generate``: Verilog of a design, or of an accelerator around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from macsmith.verbs import (
    BUILD_DIR,
    BuildDirOption,
    DesignArgument,
    JsonOption,
    app,
    finish,
    help_text,
    read_design,
)

if TYPE_CHECKING:
    from macsmith.model.design import Design

__all__ = ["app"]


@app.command(
    short_help="Verilog, manifest, vectors and a bench.",
    help=help_text(
        "Write Verilog with its manifest, FuseSoC core file, golden vectors and a plain-Verilog "
        "bench. --accelerator puts operand banks, a sequencer, counters and an interface around "
        "the array and writes that, with its register map as a table and a C header: axi has "
        "AXI4-Stream for packets and results and AXI4-Lite for registers, uart a serial line.",
        "macsmith generate e4m3:exact",
        "macsmith generate e4m3xe5m2:e6m9/64:lanes4 -o rtl",
        "macsmith generate int8:int32:16x16 --json",
        "macsmith generate int8:int32:8x8 --accelerator axi --depth 1024 -o rtl",
        "macsmith generate e4m3:exact:4x4 --accelerator uart --clock-hz 25e6 --baud 1e6",
    ),
)
def generate(
    design: DesignArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Put the files here instead."),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option(
            "--accelerator",
            metavar="axi|uart",
            help="The array with buffers behind this interface, instead of the array alone.",
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            metavar="N",
            help="With --accelerator: entries in each of the two banks of A and of B, a power of "
            "two. An entry is what the array takes in a cycle. [default: 512]",
        ),
    ] = None,
    clock_hz: Annotated[
        float | None,
        typer.Option("--clock-hz", metavar="HZ", help="With uart: the clock. [default: 25e6]"),
    ] = None,
    baud: Annotated[
        float | None,
        typer.Option("--baud", metavar="BAUD", help="With uart: of the line. [default: 1e6]"),
    ] = None,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from macsmith.console import fields, only_results_on_stdout

    parsed = read_design(design)
    if accelerator is not None:
        _generate_accelerator(
            parsed, output, accelerator, depth, clock_hz, baud, build_dir, as_json
        )
        return
    for name, value in (("--depth", depth), ("--clock-hz", clock_hz), ("--baud", baud)):
        if value is not None:
            raise ValueError(f"{name} goes with --accelerator: state --accelerator axi or uart")
    with only_results_on_stdout():
        from macsmith.reports import stages

        generated = stages.generate(parsed, output, build_dir=build_dir)
        result = stages.generated_files(generated)
    shown = {key: result[key] for key in ("design", "directory", "latency_cycles", "files")}
    finish(result, as_json, fields(shown))


def _generate_accelerator(
    design: Design,
    output: Path | None,
    interface: str,
    depth: int | None,
    clock_hz: float | None,
    baud: float | None,
    build_dir: Path,
    as_json: bool,
) -> None:
    from macsmith.console import fields, only_results_on_stdout

    if interface != "uart" and (clock_hz is not None or baud is not None):
        raise ValueError("--clock-hz and --baud are for a serial line: state --accelerator uart")
    with only_results_on_stdout():
        from macsmith.reports import accelerator_files

        made = accelerator_files.generate_accelerator(
            design,
            output,
            interface=interface,
            depth=512 if depth is None else depth,
            clock_hz=25e6 if clock_hz is None else clock_hz,
            baud=1e6 if baud is None else baud,
            build_dir=build_dir,
        )
    kept = ("design", "directory", "top", "a_depth", "cycles_per_bit", "files")
    finish(made, as_json, fields({key: made[key] for key in kept if key in made}))
