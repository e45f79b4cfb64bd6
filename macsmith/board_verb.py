"""``macsmith board``: an accelerator on a board, or on a simulated one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from macsmith.verbs import (
    BUILD_DIR,
    EXIT_NO,
    BuildDirOption,
    JsonOption,
    SeedOption,
    app,
    finish,
    help_text,
    read_design,
)

if TYPE_CHECKING:
    from macsmith.model.design import Design

__all__ = ["app"]


@app.command(
    short_help="An accelerator with buffers and a host: simulated, or as a bitstream.",
    help=help_text(
        "A design as an accelerator: array, operand banks, packets and a serial line. The "
        "simulated board is the whole top under Verilator behind a pseudo-terminal that the host "
        "opens like any serial port; for a board that amaranth-boards knows, a bitstream is built "
        "with the tools' wheels. --run sends matrix products and compares every result bit; --task "
        "computes a real network with every matrix product on the board, and compares every bit "
        "and the network's errors with the golden model's.",
        "macsmith board --list",
        "macsmith board sim e4m3:exact:4x4 --run",
        "macsmith board sim int8:int32:8x8 --depth 256 --run --json",
        "macsmith board sim e4m3:exact:4x4 --serve",
        "macsmith board sim int8:int32:8x8 --depth 256 --task g2p --samples 20",
        "macsmith board ulx3s_85f e4m3:exact:fpga=ecp5:4x4 --build",
        "macsmith board ulx3s_85f e4m3:exact:4x4 --build --load --run --port /dev/ttyUSB0",
        "macsmith board icebreaker int4:int16:fpga=ice40 --fit --depth 64",
    ),
)
def board(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[BOARD]", help="sim, or a name of --list."),
    ] = None,
    design: Annotated[
        str | None,
        typer.Argument(metavar="[DESIGN]", help="Design text, or a .toml file with one design."),
    ] = None,
    list_boards: Annotated[bool, typer.Option("--list", help="Names of all boards.")] = False,
    build: Annotated[bool, typer.Option("--build", help="Make the bitstream.")] = False,
    load: Annotated[bool, typer.Option("--load", help="Put it into the attached board.")] = False,
    fit: Annotated[
        bool,
        typer.Option("--fit", help="Search the largest array that fits; --build makes it."),
    ] = False,
    run: Annotated[
        bool, typer.Option("--run", help="Send products and compare every result bit.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the simulated board running until interrupted.")
    ] = False,
    task: Annotated[
        str | None,
        typer.Option(
            "--task", metavar="g2p|smollm2", help="Compute this network on the board instead."
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            min=1,
            help="With --task: words (g2p; 8), or predicted tokens (smollm2; 1).",
        ),
    ] = None,
    interface: Annotated[
        str,
        typer.Option(
            "--interface",
            metavar="axi|uart",
            help="With sim --task: words straight into the accelerator's streams (1 cycle each), "
            "or over the serial line (160 cycles each: an hour where axi takes a minute).",
        ),
    ] = "axi",
    port: Annotated[
        str | None, typer.Option("--port", metavar="PORT", help="Serial port of the board.")
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", help="Entries in each of the two banks of A and of B.")
    ] = 128,
    baud: Annotated[int, typer.Option("--baud", help="Of the serial line.")] = 1_000_000,
    clock: Annotated[
        float | None,
        typer.Option(
            "--clock", metavar="MHZ", help="With --build: by the FPGA's PLL, not the board's own."
        ),
    ] = None,
    seed: SeedOption = 0,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from macsmith.console import only_results_on_stdout

    if list_boards:
        from macsmith.synth.boards import TRIED_BOARDS, board_names

        names = board_names()
        text = "\n".join(each + ("  (tried)" if each in TRIED_BOARDS else "") for each in names)
        finish({"boards": names, "tried": list(TRIED_BOARDS)}, as_json, f"sim\n{text}")
        return
    if name is None or design is None:
        raise ValueError("state a board and a design, or --list")
    parsed = read_design(design)
    if task is None and samples is not None:
        raise ValueError("--samples is the size of a task's sample: state --task")
    with only_results_on_stdout():
        if name == "sim" and task is not None:
            if build or load or port is not None or run or serve:
                raise ValueError("sim --task builds and runs by itself: leave the others out")
            from macsmith.board_task import task_simulated

            result = task_simulated(
                parsed,
                task,
                samples=samples,
                interface=interface,
                depth=depth,
                seed=seed,
                build_dir=build_dir,
            )
        elif task is not None:
            if build or load or run or serve or port is None:
                raise ValueError("--task runs on a board that has the design: state --port alone")
            from macsmith.board_task import task_on_port

            result = task_on_port(parsed, task, port=port, baud=baud, samples=samples, seed=seed)
        elif name == "sim":
            if build or load or fit or port is not None or clock is not None:
                raise ValueError(
                    "sim is built by itself, at any size: leave --build, --load, --fit, --clock, "
                    "--port out"
                )
            if run == serve:
                raise ValueError("state one of --run and --serve")
            result = _simulate(parsed, depth, seed, build_dir, serve=serve)
        else:
            if serve:
                raise ValueError("--serve is for the simulated board: state sim")
            if fit and (load or run or clock is not None):
                raise ValueError(
                    "--fit searches a size: build that one then with --clock, load and run it"
                )
            if clock is not None and not 0 < clock < float("inf"):
                raise ValueError(f"--clock must be a number of MHz above 0, not {clock}")
            if clock is not None and not build:
                raise ValueError("--clock is the clock of what --build makes: state both")
            if not (build or run or fit):
                raise ValueError("state --build, --run or both, or --fit")
            if load and not build:
                raise ValueError("--load puts in what --build makes: state both")
            if run and port is None:
                raise ValueError("--run needs the board's serial port: --port /dev/ttyUSB0")
            if fit:
                from macsmith.board_fit import fit_on_board

                result = fit_on_board(
                    name, parsed, depth=depth, baud=baud, build_dir=build_dir, build=build
                )
            else:
                result = _on_board(
                    name, parsed, depth, baud, clock, seed, build_dir, build, load, port
                )
    if task is not None:
        from macsmith.network_on_board import network_text

        finish({"board": name, **result}, as_json, network_text(result))
    else:
        finish({"board": name, **result}, as_json, _text(result))
    if not result.get("passed", True):
        raise typer.Exit(EXIT_NO)


def _simulate(
    design: Design, depth: int, seed: int, build_dir: Path, *, serve: bool
) -> dict[str, Any]:
    from macsmith.board import SIMULATION_TIMEOUT_SECONDS, check_products, simulated
    from macsmith.console import tell
    from macsmith.host import Accelerator
    from macsmith.reports.progress import progress_line

    with simulated(design, depth, build_dir / design.id / "board", tell) as simulation:
        if serve:
            tell(f"{design.text} answers at {simulation.port}; end with Ctrl-C")
            while simulation.is_running:
                time.sleep(0.2)
            raise RuntimeError("the simulated board ended")
        accelerator = Accelerator.connect(
            simulation.port, design, timeout_seconds=SIMULATION_TIMEOUT_SECONDS
        )
        with accelerator, progress_line("products") as progress:
            return check_products(accelerator, seed=seed, progress=progress)


def _on_board(
    name: str,
    design: Design,
    depth: int,
    baud: int,
    clock: float | None,
    seed: int,
    build_dir: Path,
    build: bool,
    load: bool,
    port: str | None,
) -> dict[str, Any]:
    from macsmith.board import check_products
    from macsmith.board_fit import build_record
    from macsmith.console import tell
    from macsmith.host import Accelerator
    from macsmith.model.accelerator import AcceleratorConfig
    from macsmith.reports.progress import progress_line
    from macsmith.synth.boards import build_bitstream, load_bitstream

    result: dict[str, Any] = {"design": design.text}
    if build:
        directory = build_dir / design.id / name
        tell(f"building {design.text} for {name} in {directory}; placing and routing takes minutes")
        config = AcceleratorConfig(design, depth, depth)
        made = build_bitstream(name, config, directory, baud=baud, clock_mhz=clock)
        result |= build_record(made)
        if load:
            load_bitstream(name, made)
    if port is not None:
        accelerator = Accelerator.connect(port, design, baud=baud)
        with accelerator, progress_line("products") as progress:
            result |= check_products(accelerator, seed=seed, progress=progress)
    return result


def _text(result: dict[str, Any]) -> str:
    """What was built, and what was computed."""
    from macsmith.console import columns

    lines: list[str] = []
    if "tries" in result:
        from macsmith.board_fit import fit_text

        lines.append(fit_text(result))
    if "bitstream" in result:
        cells = [
            (kind, count["used"], count["available"], f"{count['used'] / count['available']:.0%}")
            for kind, count in result["cells"].items()
        ]
        lines += [
            f"{result['design']}: {result['bitstream']}",
            columns(("cells", "used", "of", ""), cells),
        ]
        for clock, mhz in result["clock_mhz"].items():
            verdict = "" if mhz["reached"] >= mhz["wanted"] else ": TOO SLOW"
            lines.append(f"{clock}: {mhz['reached']} MHz reached, {mhz['wanted']} wanted{verdict}")
    if "products" in result:
        rows = [
            [product[key] for key in ("m", "k", "n", "results", "wrong", "macs", "seconds")]
            for product in result["products"]
        ]
        lines += [
            f"{result['design']}: {'PASSED' if result['passed'] else 'FAILED'}, "
            f"{result['results']} results compared with the golden model, {result['wrong']} wrong",
            columns(("M", "K", "N", "results", "wrong", "MACs", "seconds"), rows),
            f"{result['frames']} frames, {result['retries']} sent again",
        ]
    return "\n".join(lines)
