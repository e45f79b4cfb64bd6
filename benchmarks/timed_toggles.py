"""Toggle counts of the timed simulator against Icarus Verilog, net by net, with the same delays.

    python benchmarks/timed_toggles.py [--keep] [DESIGN ...]

Every design is mapped to ASAP7, and the netlist written once more as Verilog in which each gate is
a continuous assignment with its own rise and fall delay in femtoseconds. Icarus Verilog, an
event-driven simulator, runs the same operands (a layer of SmolLM2, uniform codes, Gaussian
numbers); its value-change dump is counted. The timed simulator rounds all delays to whole steps:
the table shows what that costs. What nets change from one cycle's end to the next must be equal in
number, net by net. Rows more than 2 % off in edges or 3 % in energy, at the resolution that prices
take, are named; it fails if energy is in one row, or edges are in more than a tenth of them.
``--keep`` writes the table to ``benchmarks/results/timed_toggles.csv``.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from macsmith.hw.emit import generate
from macsmith.model.design import Design, parse_design
from macsmith.reports.activities import operand_waveforms
from macsmith.sim.netlist import SimulationResult
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_graph import CONSTANT_NETS, Netlist, model_of
from macsmith.sim.timed import OutputDelay, time_netlist
from macsmith.synth.cells import Technology
from macsmith.synth.delays import output_delays
from macsmith.synth.energy import measure_energy
from macsmith.synth.price import STEPS_PER_PATH
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

DESIGNS = (
    "e4m3:exact:unit",
    "e4m3:e6m9:unit",
    "e5m2:e6m5:unit",
    "int8:int32",
    "e2m1:exact:lanes8:unit",
    "e4m3:exact",
    "e3m2:exact:lanes4:unit",
    "int4:int16:lanes4",
    "e4m3:e5m10:unit",
    "e4m3:e6m5/64:stages1",
)
CYCLES = 200
STEPS = (512, 1024, STEPS_PER_PATH)
STREAMS = ("smollm2", "uniform", "gaussian")
FEMTOSECONDS = 1000  # per ps
RESULTS = Path(__file__).parent / "results" / "timed_toggles.csv"

Counts = NDArray[np.int64]


def netlist_verilog(
    netlist: Netlist,
    models: Mapping[str, CellModel],
    delays: Mapping[tuple[str, str], OutputDelay],
    waveforms: Mapping[str, NDArray[np.generic]],
    clock: str | None,
    period: int,
) -> str:
    """A self-contained bench: the netlist with its delays, driven by stream 0 of the waveforms."""
    lines = ["`timescale 1fs/1fs", "module bench;", "  reg clk = 0;"]
    driven = {net for p in netlist.ports.values() if not p.is_output for net in p.nets}
    for net in range(CONSTANT_NETS, netlist.net_count):
        lines.append(f"  {'reg' if net in driven else 'wire'} n{net};")
    lines += ["  wire n0 = 1'b0, n1 = 1'b1;"]
    for number, instance in enumerate(netlist.instances):
        model = model_of(instance, models)
        register = model.flip_flop
        names = {pin: f"n{net}" for pin, net in instance.pins.items()}
        if register is not None:
            names |= {register.state: f"s{number}", register.inverted_state: f"~s{number}"}
            text = _verilog(register.next_state.to_c(lambda n, names=names: names[n]))
            lines.append(f"  reg s{number} = 0; always @(posedge clk) s{number} <= {text};")
        for pin, function in model.outputs.items():
            if pin not in instance.pins:
                continue
            delay = delays[instance.name, pin]
            local = dict(names)
            for name in function.variables():
                later = round(delay.later_ps.get(name, 0.0) * FEMTOSECONDS)
                if later:
                    local[name] = f"d{number}_{pin}_{name}"
                    lines.append(
                        f"  reg {local[name]}; always @({names[name]}) "
                        f"{local[name]} <= #{later} {names[name]};"
                    )
            text = _verilog(function.to_c(lambda n, local=local: local[n]))
            rise, fall = (round(t * FEMTOSECONDS) for t in (delay.rise_ps, delay.fall_ps))
            lines.append(f"  assign #({rise}, {fall}) n{instance.pins[pin]} = {text};")
    lines += ["  initial begin", '    $dumpfile("bench.vcd"); $dumpvars(1, bench);']
    cycles = next(iter(waveforms.values())).shape[0]
    for cycle in range(cycles):
        # registers begin at 0: all settles before the first edge
        lines.append("    clk = 1;" if clock and cycle else "")
        # operands change with the registers, not before them
        for name, wave in waveforms.items():
            value = wave[cycle, 0]
            words = np.atleast_1d(value).astype(object)
            whole = sum((int(word) & (2**64 - 1)) << 64 * place for place, word in enumerate(words))
            lines += [
                f"    n{net} <= 1'b{whole >> bit & 1};"
                for bit, net in enumerate(netlist.ports[name].nets)
            ]
        lines.append(f"    #{period // 2} clk = 0; #{period - period // 2};")
    return "\n".join([*lines, "    $finish;", "  end", "endmodule", ""])


def _verilog(text: str) -> str:
    return text.replace("~UINT64_C(0)", "1'b1").replace("UINT64_C(0)", "1'b0")


def icarus_toggles(text: str, nets: int, period: int, first: int) -> tuple[Counts, Counts]:
    """Edges of every net from cycle `first` on, and changes from one cycle's end to the next."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.v").write_text(text)
        for command in (["iverilog", "-g2005", "-o", "bench", "bench.v"], ["vvp", "bench"]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        dump = (folder / "bench.vcd").read_text()
    identifiers = {
        code: int(net) for code, net in re.findall(r"\$var \w+ 1 (\S+) n(\d+) \$end", dump)
    }
    counts, settled = np.zeros(nets, dtype=np.int64), np.zeros(nets, dtype=np.int64)
    now: dict[int, str] = {}
    at_start: dict[int, str] = {}  # of nets that changed in this cycle
    cycle = 0

    def end_cycle() -> None:
        for net, value in at_start.items():
            if cycle >= first and {value, now[net]} == {"0", "1"}:
                settled[net] += 1
        at_start.clear()

    for line in dump.split("$enddefinitions $end", 1)[1].splitlines():
        if line.startswith("#"):
            if int(line[1:]) // period != cycle:
                end_cycle()
                cycle = int(line[1:]) // period
        elif line and line[0] in "01xz" and (net := identifiers.get(line[1:])) is not None:
            before = now.get(net, "x")
            at_start.setdefault(net, before)
            if cycle >= first and {before, line[0]} == {"0", "1"}:
                counts[net] += 1
            now[net] = line[0]
    end_cycle()
    return counts, settled


def operands(design: Design, kind: str) -> tuple[dict[str, NDArray[np.generic]], int]:
    """Waveforms of one stream with operands of a kind, and the first cycle that counts."""
    waves, first = operand_waveforms(design, kind, streams=1)
    return {name: wave[:CYCLES].copy() for name, wave in waves.items()}, first


def _energy(
    netlist: Netlist,
    tech: Technology,
    simulated: SimulationResult,
    period_ps: float,
    toggles: NDArray[np.int64],
) -> float:
    counted = replace(simulated, toggles=toggles)
    return measure_energy(
        netlist, tech, counted, period_ps=period_ps, macs_per_cycle=1
    ).energy_pj_per_mac


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("design", nargs="*", default=list(DESIGNS))
    parser.add_argument("--keep", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    if shutil.which("iverilog") is None:
        raise SystemExit("iverilog is not on PATH. Debian, Ubuntu: sudo apt-get install iverilog")
    tech = technology("asap7")
    rows = []
    for text in arguments.design:
        design = parse_design(text)
        with tempfile.TemporaryDirectory() as name:
            generated = generate(design, Path(name) / "rtl")
            result = synthesize(
                [generated.verilog], design.id, tech, build_dir=Path(name) / "synth",
                recipes=[recipe("balanced-fa"), recipe("balanced")],
            )  # fmt: skip
            mapped = min(result.designs, key=lambda made: made.area_um2 * made.delay_ps)
            netlist = mapped.netlist()
        for kind in STREAMS:
            row = compare(design, kind, netlist, tech, mapped.delay_ps, STEPS)
            rows.append(row)
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    columns = list(rows[0])
    table = Table(title="timed simulator against Icarus Verilog: edges and energy")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    Console(width=200).print(table)
    if arguments.keep:
        with RESULTS.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    def beyond(name: str, limit: float) -> list[str]:
        return [
            f"{row['design']} with {row['operands']}: {name} {row[column]} %"
            for row in rows
            if abs(float(row[column := f"{name}_percent_{STEPS_PER_PATH}"])) > limit
        ]

    edges, energies = beyond("edges", 2), beyond("energy", 3)
    print(f"{len(rows)} comparisons at 1/{STEPS_PER_PATH}, settled counts equal in all; beyond 2 %")
    print(f"of the edges or 3 % of the energy: {'; '.join(edges + energies) or 'none'}")
    if energies or len(edges) > len(rows) / 10:
        raise SystemExit(1)


def compare(
    design: Design,
    kind: str,
    netlist: Netlist,
    tech: Technology,
    delay_ps: float,
    steps: Sequence[int],
) -> dict[str, str]:
    """One row: differences to Icarus at each resolution."""
    models, delays = tech.models(), output_delays(netlist, tech)
    waves, first = operands(design, kind)
    clock = next((port for port in netlist.ports if port == "clk"), None)
    period = round(3 * delay_ps * FEMTOSECONDS)
    bench = netlist_verilog(netlist, models, delays, waves, clock, period)
    wanted, settled = icarus_toggles(bench, netlist.net_count, period, first)
    if clock:
        wanted[netlist.ports[clock].nets[0]] = settled[netlist.ports[clock].nets[0]] = 0
    row = {
        "design": design.text,
        "operands": kind,
        "cells": str(len(netlist.instances)),
        "edges": str(wanted.sum()),
        "glitch_factor": f"{wanted.sum() / settled.sum():.2f}",
    }
    for count in steps:
        timed = time_netlist(netlist, models, delays, step_ps=delay_ps / count)
        got = timed.simulate(waves, first_counted_cycle=first)
        assert got.toggles is not None
        if not np.array_equal(settled, got.settled_toggles):
            raise SystemExit(f"{design.text}, {kind}: settled counts differ from Icarus'")
        energy = partial(_energy, netlist, tech, got, delay_ps)
        if "settled_energy_percent" not in row:
            row["settled_energy_percent"] = f"{_percent(energy(settled), energy(wanted)):+.1f}"
        row |= {
            f"edges_percent_{count}": f"{_percent(got.toggles.sum(), wanted.sum()):+.2f}",
            f"energy_percent_{count}": f"{_percent(energy(got.toggles), energy(wanted)):+.2f}",
            f"per_net_r_{count}": f"{np.corrcoef(got.toggles, wanted)[0, 1]:.4f}",
        }
    return row


def _percent(figure: float, wanted: float) -> float:
    return 100 * (figure / wanted - 1)


if __name__ == "__main__":
    main()
