"""The verbs of the command line: each is a thin layer over a function of the Python API.

Imports stand inside the verbs: ``macsmith --help`` must not wait for NumPy.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from macsmith.model.design import Design

__all__ = [
    "BUILD_DIR",
    "EXIT_NO",
    "BuildDirOption",
    "DesignArgument",
    "JsonOption",
    "SeedOption",
    "app",
    "finish",
    "help_text",
    "read_design",
]

#: Exit code of a verb that did its work and has to answer no.
EXIT_NO = 1

# A paragraph that begins with \b is shown as it stands.
_EPILOG = """\
\b
A design is a text, A[xB]:ACCUMULATOR[:OPTION...], or a .toml file with one:
  e4m3:exact                 products of two E4M3, summed without any rounding
  e4m3xe5m2:e6m9/64          rounded to 1-6-9 after each addition, chunks of 64
  int8:int32:16x16:stages1   a 16x16 systolic array, one pipeline stage
  e2m1:exact:lanes32:unit    32 products a step, only the arithmetic

\b
Start here:
  macsmith doctor                        are all tools there?
  macsmith formats e4m3                  what a format can say
  macsmith generate e4m3:e6m9/64 -o rtl  its Verilog, with a bench to check it
  macsmith verify e4m3:e6m9/64           against the golden model, bit by bit
  macsmith synth e4m3:e6m9/64            area, delay, energy in a 7 nm library
  macsmith bitslice e4m3:e6m9            the arithmetic as C for processors
  macsmith accuracy g2p e4m3:e6m9/64     a network computed in this arithmetic
  macsmith explore                       all of it for many designs: a report
  macsmith mixed g2p e2m1:exact int8:exact   a design for each group of layers
  macsmith layers smollm2 e4m3:exact:16x16  a network's layers on an accelerator
  macsmith export --to zigzag int8:int32 -o out   as a component of other tools
  macsmith board sim e4m3:exact:4x4 --run   an accelerator that computes what it is sent

Every verb takes --json and shows examples with --help.
"""

app = typer.Typer(
    name="macsmith",
    help="Hardware for sums of products in any small number format: generate it, check it bit "
    "for bit, price it, and see what the arithmetic does to a real network.",
    epilog=_EPILOG,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

DesignArgument = Annotated[
    str, typer.Argument(metavar="DESIGN", help="Design text, or a .toml file with one design.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")
]
BuildDirOption = Annotated[
    Path,
    typer.Option("--build-dir", metavar="DIR", help="Where artefacts go: DIR/<design id>/<verb>/."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]

BUILD_DIR = Path("build")


def help_text(summary: str, *examples: str) -> str:
    """Help of a verb: what it does, then examples as they are typed."""
    return "\n".join([summary, "", "\b", "Examples:", *(f"  {example}" for example in examples)])


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="On an error, show where in the code it arose.")
    ] = False,
) -> None:
    if traceback:
        os.environ["MACSMITH_TRACEBACK"] = "1"
    if version:
        import importlib.metadata

        print(f"macsmith {importlib.metadata.version('macsmith')}")
        raise typer.Exit


def read_design(argument: str) -> Design:
    """The one design that an argument names: a design text, or a TOML file."""
    from macsmith.model.design import load_designs, parse_design

    if not argument.endswith(".toml"):
        return parse_design(argument)
    designs = load_designs(Path(argument))
    if len(designs) != 1:
        raise ValueError(
            f"{argument}: must hold one design, not {len(designs)}: use `macsmith explore`"
        )
    return designs[0]


def finish(result: dict[str, Any], as_json: bool, text: str) -> None:
    from macsmith.console import print_json

    if as_json:
        print_json(result)
    else:
        print(text)


# -- verbs ----------------------------------------------------------------------------------------


@app.command(
    short_help="Number formats: the list, or one with its values.",
    help=help_text(
        "List the named formats, or show one: its properties and a drawing of its values.",
        "macsmith formats",
        "macsmith formats e4m3",
        "macsmith formats e6m9ns --plot e6m9ns.png",
    ),
)
def formats(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Any eXmY, intN, uintN, or a name of the list."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Also draw the values here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    from macsmith.format_pages import format_page, formats_page

    if name is None and plot is not None:
        raise ValueError("--plot draws one format: name it")
    page = formats_page() if name is None else format_page(name, plot)
    finish(page.document, as_json, page.text)


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
        str, typer.Option("--scaling", help="How operands are scaled to their formats.")
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

    chosen = load_sweep(sweep or default_sweep_path())
    if tech:
        chosen = replace(chosen, technologies=tuple(dict.fromkeys(tech)))
    if task:
        chosen = replace(chosen, tasks=tuple(dict.fromkeys(task)))
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


@app.command(
    short_help="Which tools are there, how to get the others.",
    help=help_text(
        "Tell which tools are there, in which versions, and how to get the missing ones.",
        "macsmith doctor",
        "macsmith doctor --json",
    ),
)
def doctor(as_json: JsonOption = False) -> None:
    from dataclasses import asdict

    from macsmith.console import columns
    from macsmith.doctor import examine, how_to_get

    findings = examine()
    ways = how_to_get(findings)
    is_ready = all(finding.is_usable for finding in findings if finding.required)
    rows = [
        (
            finding.name,
            finding.version,
            "ok" if finding.is_usable else ("MISSING" if finding.required else "optional"),
            finding.purpose if finding.is_usable else f"{finding.purpose}: {finding.problem}",
        )
        for finding in findings
    ]
    text = columns(("tool", "version", "", "needed for"), rows)
    if ways:
        text += "\n\nHow to get what is missing:\n" + "\n".join(f"  {way}" for way in ways)
    result = {
        "ready": is_ready,
        "tools": [asdict(finding) for finding in findings],
        "how_to_get": ways,
    }
    finish(result, as_json, text)
    if not is_ready:
        raise typer.Exit(EXIT_NO)
