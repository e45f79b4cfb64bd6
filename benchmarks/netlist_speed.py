"""Speed of the netlist simulators, in one run: compiled, timed, NumPy, Icarus Verilog.

    python benchmarks/netlist_speed.py [DESIGN ...] [--tech asap7]

Every design is mapped, and the netlist is run on uniform operands, its register loop included: sums
of 64 products, of which every result is read back. MAC/s is multiply-accumulates per second of
processor time on one core, packing of operands and unpacking of results included. NumPy evaluates
the same netlist bit-parallel, 64 streams in each word; Icarus Verilog the same netlist with the
delays of the timed simulator, one stream. Compile times are processor time too, from
an empty cache; the runtimes' own, needed once, is in the first ones.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from macsmith.hw.emit import generate
from macsmith.model.design import Design, parse_design
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_graph import Netlist, combinational_order, model_of
from macsmith.sim.timed import time_netlist
from macsmith.synth.delays import output_delays
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from timed_toggles import netlist_verilog

DESIGNS = ("e4m3:exact", "e4m3:exact:unit", "e4m3:e6m9", "int8:int32")
SUM = 64
Waves = dict[str, NDArray[np.generic]]


def operand_waves(netlist: Netlist, clock: str | None, cycles: int, streams: int) -> Waves:
    """Uniform operands; control ports, the same in all streams, that let a MAC run at full rate."""
    rng = np.random.default_rng(0)
    waves: Waves = {}
    for port in netlist.ports.values():
        if port.is_output or port.name == clock:
            continue
        width = len(port.nets)
        size = next((size for size in (8, 16, 32, 64) if size >= width), 64)
        if port.name in ("rst", "i_valid", "o_ready", "i_last"):
            wave = np.ones((cycles, 1), dtype=np.uint8)
            if port.name == "rst":
                wave[2:] = 0
            if port.name == "i_last":
                wave[:, 0] = np.arange(cycles) % SUM == SUM - 1
            waves[port.name] = wave
        elif width <= 64:
            waves[port.name] = rng.integers(
                0, 1 << width, size=(cycles, streams), dtype=f"u{size // 8}"
            )
        else:
            words = rng.integers(0, 1 << 64, size=(cycles, streams, -(-width // 64)), dtype="u8")
            words[:, :, -1] &= np.uint64((1 << (width - 1) % 64 + 1) - 1)
            waves[port.name] = words
    return waves


def processor_time(run: object) -> float:
    """Seconds of processor time that a call takes, the least of two."""
    assert callable(run)
    best = np.inf
    for _ in range(2):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return float(best)


def run_in_numpy(
    netlist: Netlist, models: Mapping[str, CellModel], cycles: int, words: int
) -> None:
    """The netlist without delays, 64 streams in each word, on operands that are ready as bits."""
    rng = np.random.default_rng(0)
    order, registers = combinational_order(netlist, models)
    ones = np.full(words, 2**64 - 1, dtype=np.uint64)
    values = [np.zeros(words, dtype=np.uint64)] * netlist.net_count
    values[1] = ones
    states = [values[0]] * len(registers)
    parts = [(i, model_of(i, models)) for i in order]
    kept = [(i, model_of(i, models)) for i in registers]

    def evaluate(function: object, names: Mapping[str, NDArray[np.uint64]]) -> NDArray[np.uint64]:
        return function.evaluate(names, ones)  # type: ignore[attr-defined, no-any-return]

    for _ in range(cycles):
        for port in netlist.ports.values():
            if not port.is_output:
                for net in port.nets:
                    values[net] = rng.integers(0, 1 << 64, size=words, dtype=np.uint64)
        for (instance, model), state in zip(kept, states, strict=True):
            assert model.flip_flop is not None
            names = {model.flip_flop.state: state, model.flip_flop.inverted_state: ~state}
            for pin, function in model.outputs.items():
                if pin in instance.pins:
                    values[instance.pins[pin]] = evaluate(function, names)
        for instance, model in parts:
            names = {pin: values[instance.pins[pin]] for pin in model.inputs}
            for pin, function in model.outputs.items():
                if pin in instance.pins:
                    values[instance.pins[pin]] = evaluate(function, names)
        for index, (instance, model) in enumerate(kept):
            assert model.flip_flop is not None
            names = {pin: values[instance.pins[pin]] for pin in model.inputs}
            names[model.flip_flop.state] = states[index]
            states[index] = evaluate(model.flip_flop.next_state, names)


def icarus_seconds(text: str) -> float:
    """Processor time of Icarus Verilog on a bench, compilation left out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [line for line in text.splitlines() if "$dump" not in line]
        (folder / "bench.v").write_text("\n".join(lines))
        subprocess.run(["iverilog", "-g2005", "-o", "bench", "bench.v"], cwd=folder, check=True)
        timed = subprocess.run(
            ["bash", "-c", "time vvp bench"], cwd=folder, check=True, capture_output=True, text=True
        )
        for line in timed.stderr.splitlines():
            if line.startswith("user"):
                minutes, seconds = line.split()[1].rstrip("s").split("m")
                return 60 * float(minutes) + float(seconds)
    raise RuntimeError(f"no time was told: {timed.stderr}")


def compile_seconds() -> float:
    """Processor time of this process and its compilers so far."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measure(design: Design, tech_name: str, table: Table, folder: Path) -> None:
    """One design's rows."""
    tech = technology(tech_name)
    generated = generate(design, folder / "rtl")
    result = synthesize(
        [generated.verilog], design.id, tech, build_dir=folder / "synth",
        recipes=[recipe("balanced-fa"), recipe("balanced")],
    )  # fmt: skip
    mapped = min(result.designs, key=lambda made: made.area_um2 * made.delay_ps)
    netlist, models, macs = mapped.netlist(), tech.models(), design.mac.lanes
    cells, cache = str(len(netlist.instances)), folder / "cache"

    def row(what: str, seconds: float, count: int, compile_s: float | None = None) -> None:
        shown = "" if compile_s is None else f"{compile_s:.1f}"
        table.add_row(design.text, cells, what, f"{count * macs / seconds / 1e6:,.4f}", shown)

    start = compile_seconds()
    compiled = compile_netlist(netlist, models, cache_dir=cache)
    compile_s = compile_seconds() - start
    # after a result is complete, it is at the output in the next cycle
    cycles, streams = 4 * SUM + 2, 1 << 15
    waves = operand_waves(netlist, compiled.clock, cycles, streams)
    kept = None if compiled.clock is None else list(range(SUM, cycles, SUM))
    seconds = processor_time(lambda: compiled.simulate(waves, kept_cycles=kept))
    row("zero delay", seconds, cycles * streams, compile_s)
    compiled.simulate({n: w[:2] for n, w in waves.items()}, count_toggles=True)  # compiles
    seconds = processor_time(lambda: compiled.simulate(waves, kept_cycles=kept, count_toggles=True))
    row("zero delay, toggles", seconds, cycles * streams)
    few = {n: w[:SUM, : min(4096, w.shape[1])] for n, w in waves.items()}
    seconds = processor_time(lambda: compiled.simulate(few, kept_cycles=[], count_states=True))
    row("zero delay, states", seconds, SUM * 4096)
    seconds = processor_time(lambda: run_in_numpy(netlist, models, 4, 512))
    row("zero delay, NumPy", seconds, 4 * 512 * 64)
    delays = output_delays(netlist, tech)
    few = {n: w[:20, : min(2048, w.shape[1])] for n, w in waves.items()}
    for steps in (128, 256, 512):
        start = compile_seconds()
        timed = time_netlist(
            netlist, models, delays, step_ps=mapped.delay_ps / steps, cache_dir=cache
        )
        compile_s = compile_seconds() - start
        seconds = processor_time(lambda timed=timed: timed.simulate(few))
        row(f"timed, 1/{steps} of the path", seconds, 20 * 2048, compile_s)
    if shutil.which("iverilog"):
        one = {n: np.ascontiguousarray(w[:200, :1]) for n, w in waves.items()}
        bench = netlist_verilog(netlist, models, delays, one, compiled.clock, 3 * mapped.delay_ps)
        row("timed, Icarus Verilog", icarus_seconds(bench), 200)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("design", nargs="*", default=list(DESIGNS))
    parser.add_argument("--tech", default="asap7")
    arguments = parser.parse_args()
    table = Table(title=f"netlist simulation, {arguments.tech}, one core")
    for head in ("design", "cells", "simulator", "M MAC/s", "compile s"):
        table.add_column(head, justify="left" if head in ("design", "simulator") else "right")
    for text in arguments.design:
        with tempfile.TemporaryDirectory() as name:
            measure(parse_design(text), arguments.tech, table, Path(name))
        table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
