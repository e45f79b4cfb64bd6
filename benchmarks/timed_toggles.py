"""Toggle counts of the timed simulator against Icarus Verilog, net by net, with the same delays.

    python benchmarks/timed_toggles.py [DESIGN ...]

Every design is mapped to ASAP7, and the netlist written once more as Verilog in which each gate is
a continuous assignment with its own rise and fall delay in femtoseconds. Icarus Verilog, an
event-driven simulator, runs the same operands; its value-change dump is counted. The timed
simulator rounds all delays to whole steps: the table shows what that costs. Operands are real ones
(a layer of SmolLM2), uniform codes, and Gaussian numbers in the operand formats.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from macsmith.hw.emit import generate
from macsmith.model.design import Design, parse_design
from macsmith.model.fast import encode
from macsmith.model.formats import IntFormat
from macsmith.reports.activities import operand_waveforms
from macsmith.sim.netlist import SimulationResult, compile_netlist
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_graph import CONSTANT_NETS, Netlist, model_of
from macsmith.sim.timed import OutputDelay, time_netlist
from macsmith.synth.cells import Technology
from macsmith.synth.delays import output_delays
from macsmith.synth.energy import measure_energy
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
)
CYCLES = 200
FEMTOSECONDS = 1000  # per ps


def netlist_verilog(
    netlist: Netlist,
    models: Mapping[str, CellModel],
    delays: Mapping[tuple[str, str], OutputDelay],
    waveforms: Mapping[str, NDArray[np.generic]],
    clock: str | None,
    period_ps: float,
) -> str:
    """A self-contained bench: the netlist with its delays, driven by stream 0 of the waveforms."""
    period = int(np.ceil(period_ps)) * FEMTOSECONDS
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


def icarus_toggles(text: str, nets: int, period_ps: float, first: int) -> NDArray[np.int64]:
    """Changes between 0 and 1 of every net from cycle `first` on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.v").write_text(text)
        for command in (["iverilog", "-g2005", "-o", "bench", "bench.v"], ["vvp", "bench"]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        dump = (folder / "bench.vcd").read_text()
    identifiers = {
        code: int(net) for code, net in re.findall(r"\$var \w+ 1 (\S+) n(\d+) \$end", dump)
    }
    start = first * int(np.ceil(period_ps)) * FEMTOSECONDS
    counts = np.zeros(nets, dtype=np.int64)
    before: dict[int, str] = {}
    time = 0
    for line in dump.split("$enddefinitions $end", 1)[1].splitlines():
        if line.startswith("#"):
            time = int(line[1:])
        elif line and line[0] in "01xz" and (net := identifiers.get(line[1:])) is not None:
            if time >= start and {before.get(net), line[0]} == {"0", "1"}:
                counts[net] += 1
            before[net] = line[0]
    return counts


def operands(design: Design, kind: str) -> tuple[dict[str, NDArray[np.generic]], int]:
    """Waveforms of one stream with operands of a kind, and the first cycle that counts."""
    waves, first = operand_waveforms(design, "smollm2")
    waves = {name: wave[:CYCLES, :1].copy() for name, wave in waves.items()}
    if kind == "real":
        return waves, first
    rng = np.random.default_rng(0)
    for side, fmt in (("a", design.mac.a), ("b", design.mac.b)):
        name = side if side in waves else f"i_{side}"
        lanes = design.mac.lanes
        shape = (CYCLES, lanes)
        if kind == "uniform":
            codes = rng.integers(0, 1 << fmt.bits, size=shape)
        else:
            scale = fmt.max_code_integer / 4 if isinstance(fmt, IntFormat) else 1.0
            codes = encode(fmt, rng.normal(size=shape) * scale).astype(np.int64)
        total = sum(codes[:, lane].astype(object) << (lane * fmt.bits) for lane in range(lanes))
        words = max(1, -(-lanes * fmt.bits // 64))
        split = [[int(v) >> 64 * w & (2**64 - 1) for w in range(words)] for v in total]
        array = np.array(split, dtype=np.uint64).reshape(CYCLES, 1, words)
        waves[name] = array if words > 1 else array[:, :, 0]
    return waves, first


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
    parser.add_argument("--steps", type=int, nargs="+", default=[128, 256, 512])
    arguments = parser.parse_args()
    if shutil.which("iverilog") is None:
        raise SystemExit("iverilog is not on PATH. Debian, Ubuntu: sudo apt-get install iverilog")
    tech = technology("asap7")
    table = Table(title="toggles and energy: timed simulator against Icarus Verilog")
    for head in ("design", "operands", "Icarus", "glitches", "zero-delay"):
        table.add_column(head, justify="left" if head == "design" else "right")
    for steps in arguments.steps:
        table.add_column(f"1/{steps}: toggles", justify="right")
        table.add_column("energy", justify="right")
        table.add_column("per-net r", justify="right")
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
        models, delays = tech.models(), output_delays(netlist, tech)
        for kind in ("real", "uniform", "gaussian"):
            waves, first = operands(design, kind)
            settled = compile_netlist(netlist, models).simulate(
                waves, count_toggles=True, first_counted_cycle=first
            )
            period_ps = 3 * mapped.delay_ps
            clock = next((p for p in netlist.ports if p == "clk"), None)
            bench = netlist_verilog(netlist, models, delays, waves, clock, period_ps)
            wanted = icarus_toggles(bench, netlist.net_count, period_ps, first)
            if clock:
                wanted[netlist.ports[clock].nets[0]] = 0
            assert settled.toggles is not None

            energy = partial(_energy, netlist, tech, settled, mapped.delay_ps)
            base = int(settled.toggles.sum())
            row = [
                text, kind, f"{wanted.sum()}", f"{wanted.sum() / base:.2f} x",
                f"{100 * (energy(settled.toggles) / energy(wanted) - 1):+.1f} %",
            ]  # fmt: skip
            for steps in arguments.steps:
                timed = time_netlist(netlist, models, delays, step_ps=mapped.delay_ps / steps)
                got = timed.simulate(waves, first_counted_cycle=first)
                assert got.toggles is not None
                assert np.array_equal(got.settled_toggles, settled.toggles)
                row += [
                    f"{100 * (got.toggles.sum() / wanted.sum() - 1):+.1f} %",
                    f"{100 * (energy(got.toggles) / energy(wanted) - 1):+.1f} %",
                    f"{np.corrcoef(got.toggles, wanted)[0, 1]:.4f}",
                ]
            table.add_row(*row)
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
