"""Energy of sampled designs with operands of many kinds, for the cost model.

    python -m macsmith.synth.energy_samples run [--designs 32] [--store FILE]
    python -m macsmith.synth.energy_samples table [--store FILE] [-o FILE]

A part of the designs of `macsmith.synth.sample_designs` is mapped to ASAP7 for one clock target and
simulated in time, glitches included, with streams of `STREAMS`: as many streams and cycles as for a
price, in steps of `STEPS_PER_PATH`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from macsmith.hw.emit import design_verilog
from macsmith.model import fast
from macsmith.model.accuracy.quantise import Scaling, scale_matrix, target_magnitude
from macsmith.model.accuracy.stimulus import capture_layer, operand_stream, parse_operands
from macsmith.model.cost.activity import STATISTICS, operand_statistics
from macsmith.model.cost.samples import ENERGY_FILE, write_table
from macsmith.model.design import Design, parse_design
from macsmith.model.rounding import Overflow, Rounding
from macsmith.model.widths import mac_widths
from macsmith.sim.timed import TimedNetlist, time_netlist
from macsmith.sim.vectors import port_waveforms
from macsmith.synth.delays import output_delays
from macsmith.synth.energy import EnergyModel
from macsmith.synth.recipes import recipe
from macsmith.synth.sample_designs import sample_designs
from macsmith.synth.samples import TARGETS
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology
from macsmith.synth.wires import wires_of
from macsmith.synth.yosys import tool_versions
from numpy.typing import NDArray

__all__ = ["STREAMS", "energy_designs"]

#: Names of operand streams: of networks' layers, all codes alike, normally distributed numbers
#: whose largest are that share of the format's largest, and those with so many activations 0.
STREAMS = (
    "smollm2/blk.0.attn_q",
    "smollm2/blk.14.ffn_up",
    "smollm2/blk.14.ffn_down",
    "smollm2/blk.29.attn_output",
    "g2p/dec_w_hh",
    "g2p/enc_w_ih",
    "uniform",
    "gaussian 1",
    "gaussian 0.25",
    "gaussian 0.0625",
    "zeros 0.5",
    "zeros 0.9",
    "held 4",
)
STEPS_PER_PATH = 512
_CYCLES, _COUNT = 192, 64
_SUM = 576


def energy_designs(count: int) -> Iterator[tuple[Design, str]]:
    """Designs and the clock target of each, in turns."""
    found = 0
    for design in sample_designs(1000):
        mac, shape = design.mac, design.implementation
        is_left_out = bool(mac.scales) or shape.is_array or mac.random_bits
        is_left_out |= not (mac.a.is_signed and mac.b.is_signed)  # no network's operands are
        if is_left_out or max(mac.a.bits, mac.b.bits) > 16:
            continue
        yield design, tuple(TARGETS)[found % len(TARGETS)]
        found += 1
        if found == count:
            return


def _gaussian(
    design: Design, rng: np.random.Generator, shape: tuple[int, ...], share: float, zeros: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Codes of normally distributed numbers in rows of `_SUM` that share a scale."""
    codes = []
    for side, fmt in enumerate((design.mac.a, design.mac.b)):
        values = rng.standard_normal((int(np.prod(shape)) // _SUM, _SUM), dtype=np.float32)
        values = scale_matrix(values, target_magnitude(fmt) * share, Scaling.ROW).values
        if zeros and side == 0:
            values = values * (rng.random(values.shape) >= zeros)
        rounded = fast.encode(
            fmt, values.astype(np.float32), Rounding.NEAREST_EVEN, Overflow.SATURATE
        )
        codes.append(rounded.reshape(shape))
    return codes[0], codes[1]


def operand_codes(
    design: Design, name: str, products: int, seed: int = 0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Codes ``[streams, products]`` of a stream by its name; `products` a multiple of 576."""
    rng = np.random.Generator(np.random.PCG64(seed))
    kind, _, number = name.partition(" ")
    shape = (_COUNT, products)
    if kind == "gaussian":
        return _gaussian(design, rng, shape, float(number), 0.0)
    if kind == "zeros":
        return _gaussian(design, rng, shape, 1.0, float(number))
    if kind == "held":  # each activation stays for so many steps, its weights change
        a, b = _gaussian(design, rng, shape, 1.0, 0.0)
        lanes, times = design.mac.lanes, int(number)
        steps = np.arange(products) // (lanes * times) * lanes * times
        return a[:, steps + np.arange(products) % lanes], b
    a, b = operand_stream(name, design, _COUNT * products, seed)
    return a.reshape(shape), b.reshape(shape)


def _operands(design: Design, name: str) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Codes of a stream as long as is simulated, and the products of a sum."""
    mac = design.mac
    most = mac_widths(mac).max_terms or _SUM
    whole = -(-_CYCLES * mac.lanes // _SUM) * _SUM
    a, b = operand_codes(design, name, whole)
    return a, b, min(_SUM, most) // mac.lanes * mac.lanes


class Mapped:
    """A design mapped for a clock target, ready to be simulated."""

    def __init__(self, design: Design, target: str, folder: Path) -> None:
        self.design, tech = design, technology("asap7")
        verilog = folder / f"{design.id}.v"
        verilog.write_text(design_verilog(design), encoding="utf-8")
        name = TARGETS[target][0]
        found = synthesize(
            [verilog], design.id, tech, build_dir=folder / "map", recipes=[recipe(name)]
        )
        (self.mapped,) = found.designs
        netlist = self.mapped.netlist()
        self.timed: TimedNetlist = time_netlist(
            netlist,
            tech.models(),
            output_delays(netlist, tech),
            step_ps=self.mapped.delay_ps / STEPS_PER_PATH,
        )
        self.model = EnergyModel(netlist, tech, wires=wires_of(tech))

    def measure(self, name: str) -> dict[str, Any]:
        """Energy with operands of a stream, and their statistics."""
        mac, shape = self.design.mac, self.design.implementation
        a, b, sum_products = _operands(self.design, name)
        is_unit = shape.form == "unit"
        first = 1 if is_unit else 3 + shape.stages
        waves = port_waveforms(
            self.design, a, b, sum_products=sum_products, reset_cycles=0 if is_unit else 2
        )
        result = self.timed.simulate(waves, first_counted_cycle=first)
        period = self.mapped.delay_ps
        energy = self.model.measure(result, period_ps=period, macs_per_cycle=mac.lanes)
        settled = self.model.measure(result.settled(), period_ps=period, macs_per_cycle=mac.lanes)
        statistics = operand_statistics(a, b, mac.a, mac.b, mac.lanes, sum_products)
        return {
            "operands": name,
            "energy_fj_per_mac": round(1000 * energy.energy_pj_per_mac, 4),
            "settled_energy_fj_per_mac": round(1000 * settled.energy_pj_per_mac, 4),
            "clock_energy_fj_per_mac": round(1000 * energy.clock_pj, 4),
            "leakage_energy_fj_per_mac": round(1000 * energy.leakage_pj, 5),
            **{key: round(value, 5) for key, value in asdict(statistics).items()},
        }


def run(store: Path, count: int) -> None:
    """Measure what the store does not have."""
    store.parent.mkdir(parents=True, exist_ok=True)
    kept = set()
    if store.exists():
        for line in store.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            kept.add((record["design"], record["target"]))
    for name in STREAMS:  # the networks run once, not once for each design
        operands = None if " " in name else parse_operands(name)
        if operands is not None and not operands.is_synthetic:
            capture_layer(operands.source, operands.layer)
    for index, (design, target) in enumerate(energy_designs(count)):
        if (design.text, target) in kept:
            continue
        start = time.process_time()
        try:
            with tempfile.TemporaryDirectory(prefix="macsmith-") as folder:
                mapped = Mapped(parse_design(design.text), target, Path(folder))
                records = [mapped.measure(name) for name in STREAMS]
        except RuntimeError as error:
            print(f"{design.text}: {error}", file=sys.stderr, flush=True)
            continue
        common = {
            "design": design.text,
            "technology": "asap7",
            "target": target,
            "area_um2": round(mapped.mapped.area_um2, 4),
            "delay_ps": round(mapped.mapped.delay_ps, 2),
            "tools": tool_versions(),
        }
        with store.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(common | record) + "\n" for record in records))
        energies = [record["energy_fj_per_mac"] for record in records]
        print(
            f"{index + 1}/{count} {design.text} {target}: {min(energies):.1f} to "
            f"{max(energies):.1f} fJ ({time.process_time() - start:.1f} s)",
            flush=True,
        )


_COLUMNS = (
    "design",
    "technology",
    "target",
    "operands",
    "energy_fj_per_mac",
    "settled_energy_fj_per_mac",
    "clock_energy_fj_per_mac",
    *STATISTICS,
)


def write_energy(store: Path, path: Path) -> None:
    """Write the store as the committed table, with where it comes from."""
    rows = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
    for row in rows:  # those of the operands need no simulation
        design = parse_design(row["design"])
        a, b, products = _operands(design, row["operands"])
        mac = design.mac
        found = operand_statistics(a, b, mac.a, mac.b, mac.lanes, products)
        row |= {name: round(value, 5) for name, value in asdict(found).items()}
    tools = sorted({f"{k} {v}" for row in rows for k, v in row["tools"].items()})
    designs = len({row["design"] for row in rows})
    comments = [
        f"{len(rows)} simulations of {designs} designs; {', '.join(tools)}",
        f"glitches included, {STEPS_PER_PATH} steps over the longest path, {_COUNT} streams of "
        f"{_CYCLES} cycles or more, wires estimated, no clock tree, the period that of the netlist",
        "remade by: python -m macsmith.synth.energy_samples run; and again with table",
    ]
    chosen = [{name: row[name] for name in _COLUMNS} for row in rows]
    chosen.sort(key=lambda row: (row["target"], row["design"], STREAMS.index(row["operands"])))
    write_table(path, comments, _COLUMNS, chosen)
    print(f"{len(rows)} points in {path}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table"), nargs="?", default="run")
    parser.add_argument("-o", "--output", type=Path, default=Path("model/cost") / ENERGY_FILE)
    parser.add_argument("--designs", type=int, default=32)
    parser.add_argument("--store", type=Path, default=Path("build/cost/energy.jsonl"))
    arguments = parser.parse_args()
    if arguments.what == "table":
        write_energy(arguments.store, arguments.output)
        return
    run(arguments.store, arguments.designs)


if __name__ == "__main__":
    main()
