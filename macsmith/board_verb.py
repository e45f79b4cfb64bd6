"""``macsmith board``: an accelerator on a board, or on a simulated one."""

from __future__ import annotations

import time
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
    short_help="An accelerator with buffers and a host, simulated.",
    help=help_text(
        "Run a design as an accelerator: array, operand banks, packets and a serial line, the "
        "whole top under Verilator behind a pseudo-terminal that the host opens like any serial "
        "port. Matrix products are sent to it and every result bit is compared.",
        "macsmith board sim e4m3:exact:4x4 --run",
        "macsmith board sim int8:int32:8x8 --depth 256 --run --json",
        "macsmith board sim e4m3:exact:4x4 --serve   (then: Accelerator.connect(PORT, DESIGN))",
        "macsmith board /dev/ttyUSB1 e4m3:exact:4x4 --run --baud 1000000",
    ),
)
def board(
    target: Annotated[
        str,
        typer.Argument(metavar="BOARD", help="sim, or the serial port of a programmed board."),
    ],
    design: DesignArgument,
    run: Annotated[
        bool, typer.Option("--run", help="Send products and compare every result bit.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the simulated board running until interrupted.")
    ] = False,
    depth: Annotated[
        int, typer.Option("--depth", help="Entries in each of the two banks of A and of B.")
    ] = 128,
    baud: Annotated[int, typer.Option("--baud", help="Of a serial port.")] = 1_000_000,
    seed: SeedOption = 0,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from macsmith.console import columns, only_results_on_stdout, tell

    parsed = read_design(design)
    if run == serve:
        raise ValueError("state one of --run and --serve")
    is_simulated = target == "sim"
    if serve and not is_simulated:
        raise ValueError("--serve is for the simulated board: state sim")
    if not is_simulated and "/" not in target and not target.upper().startswith("COM"):
        raise ValueError(f"board {target!r}: must be sim or a serial port, such as /dev/ttyUSB1")
    with only_results_on_stdout():
        from macsmith.board import SIMULATION_TIMEOUT_SECONDS, check_products, simulated
        from macsmith.host import Accelerator
        from macsmith.reports.progress import progress_line

        if is_simulated:
            folder = build_dir / parsed.id / "board"
            with simulated(parsed, depth, folder, tell) as simulation:
                if serve:
                    tell(f"{parsed.text} answers at {simulation.port}; end with Ctrl-C")
                    while simulation.is_running:
                        time.sleep(0.2)
                    raise RuntimeError("the simulated board ended")
                connected = Accelerator.connect(
                    simulation.port, parsed, timeout_seconds=SIMULATION_TIMEOUT_SECONDS
                )
                with connected, progress_line("products") as progress:
                    result = check_products(connected, seed=seed, progress=progress)
        else:
            connected = Accelerator.connect(target, parsed, baud=baud)
            with connected, progress_line("products") as progress:
                result = check_products(connected, seed=seed, progress=progress)
    rows = [
        [product[key] for key in ("m", "k", "n", "results", "wrong", "macs", "seconds")]
        for product in result["products"]
    ]
    lines = [
        f"{parsed.text}: {'PASSED' if result['passed'] else 'FAILED'}, {result['results']} results"
        f" compared with the golden model, {result['wrong']} wrong",
        columns(("M", "K", "N", "results", "wrong", "MACs", "seconds"), rows),
        f"{result['frames']} frames, {result['retries']} sent again",
    ]
    finish(result | {"board": target}, as_json, "\n".join(lines))
    if not result["passed"]:
        raise typer.Exit(EXIT_NO)
