"""Running a job's beats through a design's Verilog under cocotb."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths
from macsmith.sim.bench_job import FULL_RATE, BenchJob, BenchOutcome, Bits, bit_rows
from macsmith.sim.expected import Words
from macsmith.sim.harness import HARNESS_NAME, PUBLIC_PORTS, beat_layout, harness_verilog
from macsmith.sim.stimulus import Stimulus
from macsmith.sim.tools import ToolError, run_tool
from macsmith.sim.unit_stimulus import UnitStimulus
from macsmith.sim.verilator import build_simulation, simulation_environment

__all__ = ["RATES", "result_rows", "run_bench", "stream_job", "unit_job"]

#: Rates of the batches in turn: without pauses, either side slow, both.
RATES = (
    (FULL_RATE, FULL_RATE),
    (FULL_RATE, 140),
    (FULL_RATE, FULL_RATE),
    (140, FULL_RATE),
    (170, 170),
    (FULL_RATE, FULL_RATE),
    (FULL_RATE, 60),
    (60, FULL_RATE),
)

#: A simulation that takes longer than this has hung; the longest takes some seconds.
SIMULATION_LIMIT_SECONDS = 900.0


def result_rows(words: Words, bits: int) -> Bits:
    """Bits, least significant first, of numbers with their words on the last axis."""
    return bit_rows(words, 64).reshape(*words.shape[:-1], -1)[..., :bits]


def stream_job(stimulus: Stimulus, expected: Words) -> BenchJob:
    """The job that plays a stream stimulus.

    Parameters
    ----------
    expected
        (tiles, rows, columns, words) result codes of all sums, one after the other.
    """
    design = stimulus.design
    layout = beat_layout(design)
    mac = design.mac
    a, b, last = stimulus.beats()
    count = len(last)
    columns = [
        bit_rows(a, mac.a.bits).reshape(count, -1),
        bit_rows(b, mac.b.bits).reshape(count, -1),
    ]
    if stimulus.random_words is not None and design.implementation.lfsr == "port":
        columns.append(bit_rows(stimulus.random_words, mac.random_bits))
    columns.append(last.astype(np.uint8)[:, np.newaxis])
    beats = np.concatenate(columns, axis=1)
    tiles, rows, _, _ = expected.shape
    results = result_rows(
        expected[stimulus.rotation.completed], mac_widths(mac).output_bits
    ).reshape(tiles * rows, -1)
    return BenchJob(
        beats=beats,
        expected=results,
        probe_beats=int(stimulus.steps[0]),
        reset_beats=stimulus.reset_beats,
        results_per_sum=rows,
        rates=RATES,
        batch_beats=layout.batch_beats,
        results_per_batch=layout.results_per_batch,
    )


def unit_job(stimulus: UnitStimulus, expected: Words) -> BenchJob:
    """The job that plays a unit's vectors; `expected` are (vectors, words) partial sums."""
    design = stimulus.design
    layout = beat_layout(design)
    mac = design.mac
    bits = mac_widths(mac).partial_sum_bits
    columns = [
        bit_rows(stimulus.a, mac.a.bits).reshape(stimulus.count, -1),
        bit_rows(stimulus.b, mac.b.bits).reshape(stimulus.count, -1),
        result_rows(stimulus.partial_sums, bits),
    ]
    if mac.has_chunk_end:
        columns.append(stimulus.chunk_end.astype(np.uint8)[:, np.newaxis])
    if stimulus.random is not None:
        columns.append(bit_rows(stimulus.random, mac.random_bits))
    return BenchJob(
        beats=np.concatenate(columns, axis=1),
        expected=result_rows(expected, bits),
        probe_beats=0,
        reset_beats=0,
        results_per_sum=1,
        rates=((FULL_RATE, FULL_RATE),),
        batch_beats=layout.batch_beats,
        results_per_batch=layout.results_per_batch,
    )


def _processing_element(design: Design, sources: Sequence[Path]) -> str | None:
    """Name of the module that an emitted array repeats; None if there is no such module."""
    name = f"{design.id}_processing_element"
    declaration = re.compile(rf"^module {name}\b", re.MULTILINE)
    if any(declaration.search(source.read_text(encoding="utf-8")) for source in sources):
        return name
    return None


def run_bench(
    design: Design, sources: Sequence[Path], directory: Path, job: BenchJob, *, seed: int
) -> BenchOutcome:
    """Build the simulation of a design and play a job.

    Parameters
    ----------
    sources
        The design's Verilog; its top module is named `design.id`.
    directory
        For everything that is written: bench, simulation, logs, job and outcome.
    seed
        Of the registers' values before reset.

    Raises
    ------
    ToolError
        Verilator, the compiler, or the simulation failed otherwise than by a failing check.
    MissingToolError
        A tool is not installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    bench = directory / f"{HARNESS_NAME}.v"
    bench.write_text(harness_verilog(design), encoding="utf-8")
    program = build_simulation(
        directory / "simulation",
        [*sources, bench],
        HARNESS_NAME,
        PUBLIC_PORTS,
        repeated_module=_processing_element(design, sources),
    )
    job_file, outcome_file = directory / "job.npz", directory / "outcome.json"
    job.write(job_file)
    outcome_file.unlink(missing_ok=True)
    environment = simulation_environment(
        HARNESS_NAME, "macsmith.sim.cocotb_bench", directory / "results.xml"
    )
    environment["MACSMITH_BENCH_JOB"] = str(job_file.resolve())
    environment["MACSMITH_BENCH_OUTCOME"] = str(outcome_file.resolve())
    environment["COCOTB_RANDOM_SEED"] = str(seed)
    command = [
        str(program.resolve()),
        "+verilator+rand+reset+2",
        f"+verilator+seed+{seed % 2**31 or 1}",
    ]
    try:
        log = run_tool(
            "the simulation",
            command,
            cwd=directory,
            env=environment,
            log_file=directory / "simulation.log",
            timeout_seconds=SIMULATION_LIMIT_SECONDS,
        )
    except ToolError as error:
        log = error.log
        if "DIDNOTCONVERGE" in log:
            return BenchOutcome(problem="the design does not settle: its logic has a loop")
    if not outcome_file.exists():
        # cocotb ends a simulation whose test raised without saying so in the exit code
        told = re.sub(r"\x1b\[\d+m", "", log).partition("****")[0]  # without the summary
        raise ToolError("the simulation", command, told)
    return BenchOutcome.read(outcome_file)
