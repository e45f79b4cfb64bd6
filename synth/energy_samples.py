"""Energy of sampled designs with operands of many kinds, for the cost model.

    python -m macsmith.synth.energy_samples run [--designs 32] [--store FILE]
    python -m macsmith.synth.energy_samples table [--store FILE] [-o FILE]

A part of the designs of `macsmith.synth.sample_designs` is mapped to ASAP7 for one clock target and
simulated in time, glitches included, with streams of `STREAMS`: as many streams and cycles as for a
price, in steps of `STEPS_PER_PATH`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from macsmith.hw.emit import design_verilog
from macsmith.model.accuracy.stimulus import capture_layer, parse_operands
from macsmith.model.cost.activity import STATISTICS, OperandStatistics, operand_statistics
from macsmith.model.cost.columns import design_columns
from macsmith.model.cost.features import families
from macsmith.model.cost.samples import ENERGY_FILE, read_energy_rows, write_table
from macsmith.model.cost.widths import derive_widths
from macsmith.model.design import Design, parse_design
from macsmith.sim.timed import TimedNetlist, time_netlist
from macsmith.synth.delays import output_delays
from macsmith.synth.energy import EnergyModel
from macsmith.synth.energy_streams import (
    COUNT,
    CYCLES,
    STREAMS,
    DrawnOperands,
    draw_operands,
    first_full_cycle,
    has_stream,
)
from macsmith.synth.recipes import recipe
from macsmith.synth.sample_designs import rough_gates, sample_designs
from macsmith.synth.samples import TARGETS
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology
from macsmith.synth.wires import wires_of
from macsmith.synth.yosys import tool_versions

__all__ = ["Job", "Mapped", "energy_designs", "stream_statistics"]

STEPS_PER_PATH = 512
#: Rough gates of a step above which a design is passed over, for each clock target: the time to map
#: and simulate grows with it.
LARGEST = 320
LARGEST_ARRAY = 4
#: Rounds of the families from which designs are drawn.
ROUNDS = 12


@dataclass(frozen=True)
class Job:
    """A design and the clock targets for which it is mapped."""

    design: Design
    targets: tuple[str, ...]


def energy_designs(count: int) -> Iterator[Job]:
    """Designs of the committed table, then newly drawn ones: each for `area`, every other one for
    `speed` too."""
    known: dict[str, list[str]] = {}
    for row in read_energy_rows():
        targets = known.setdefault(row["design"], [])
        if row["target"] not in targets:
            targets.append(row["target"])
    for text, targets in known.items():
        yield Job(parse_design(text), tuple(targets))
    drawn: dict[int, list[Design]] = {}
    for design in sample_designs(ROUNDS):
        if _is_small(design) and design.text not in known:
            family = int(families(derive_widths(design_columns([design])))[0])
            drawn.setdefault(family, []).append(design)
    # families in turn, those that have fewest first
    turns = [
        design
        for turn in zip_longest(*sorted(drawn.values(), key=len))
        for design in turn
        if design is not None
    ]
    for index, design in enumerate(turns[:count]):
        yield Job(design, tuple(TARGETS) if index % 2 == 0 else ("area",))


def _is_small(design: Design) -> bool:
    mac, shape = design.mac, design.implementation
    return (
        "posit" not in design.text  # in no family of the area model
        and max(mac.a.bits, mac.b.bits) <= 16
        and rough_gates(design) <= LARGEST
        and shape.rows * shape.columns <= LARGEST_ARRAY
    )


class Mapped:
    """A design mapped for a clock target, ready to be simulated."""

    def __init__(self, design: Design, target: str, folder: Path) -> None:
        self.design, tech = design, technology("asap7")
        verilog = folder / f"{design.id}.v"
        text = design_verilog(design)
        self.verilog_sha256 = hashlib.sha256(text.encode()).hexdigest()[:12]
        verilog.write_text(text, encoding="utf-8")
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

    def measure(self, name: str, drawn: DrawnOperands) -> dict[str, Any]:
        """Energy with operands of a stream."""
        shape = self.design.implementation
        result = self.timed.simulate(
            drawn.waveforms(self.design), first_counted_cycle=first_full_cycle(self.design)
        )
        period = self.mapped.delay_ps
        macs = self.design.mac.lanes * shape.rows * shape.columns
        energy = self.model.measure(result, period_ps=period, macs_per_cycle=macs)
        settled = self.model.measure(result.settled(), period_ps=period, macs_per_cycle=macs)
        return {
            "operands": name,
            "energy_fj_per_mac": round(1000 * energy.energy_pj_per_mac, 4),
            "settled_energy_fj_per_mac": round(1000 * settled.energy_pj_per_mac, 4),
            "clock_energy_fj_per_mac": round(1000 * energy.clock_pj, 4),
            "leakage_energy_fj_per_mac": round(1000 * energy.leakage_pj, 5),
        }


def _records(job: Job, target: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Some streams of a design mapped for a clock target."""
    with tempfile.TemporaryDirectory(prefix="macsmith-") as folder:
        mapped = Mapped(job.design, target, Path(folder))
    records = []
    for name in names:
        drawn = draw_operands(job.design, name)
        if drawn is not None:
            records.append(mapped.measure(name, drawn))
    common = {
        "design": job.design.text,
        "technology": "asap7",
        "target": target,
        "verilog_sha256": mapped.verilog_sha256,
        "area_um2": round(mapped.mapped.area_um2, 4),
        "delay_ps": round(mapped.mapped.delay_ps, 2),
        "tools": tool_versions(),
    }
    return [common | record for record in records]


def run(store: Path, count: int) -> None:
    """Measure what the store does not have."""
    store.parent.mkdir(parents=True, exist_ok=True)
    kept = set()
    if store.exists():
        for line in store.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            kept.add((record["design"], record["target"], record["operands"]))
    for name in STREAMS:  # the networks run once, not once for each design
        operands = None if " " in name else parse_operands(name)
        if operands is not None and not operands.is_synthetic:
            capture_layer(operands.source, operands.layer)
    for index, job in enumerate(energy_designs(count)):
        for target in job.targets:
            text = job.design.text
            names = [name for name in STREAMS if (text, target, name) not in kept]
            names = [name for name in names if has_stream(job.design, name)]
            if not names:
                continue
            start = time.process_time()
            try:
                records = _records(job, target, names)
            except (RuntimeError, ValueError) as error:
                print(f"{text}: {error}", file=sys.stderr, flush=True)
                continue
            with store.open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps(record) + "\n" for record in records))
            energies = [record["energy_fj_per_mac"] for record in records]
            print(
                f"{index + 1} {text} {target}: {min(energies):.1f} to {max(energies):.1f} fJ "
                f"({time.process_time() - start:.1f} s)",
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


@cache
def stream_statistics(text: str, name: str) -> OperandStatistics:
    """Of the operands that `Mapped.measure` took; of an array's rows and columns in pairs."""
    design = parse_design(text)
    drawn = draw_operands(design, name)
    assert drawn is not None
    shape = design.implementation
    pairs = max(shape.rows, shape.columns)
    products = drawn.a.shape[-1]
    a = drawn.a[:, np.arange(pairs) % shape.rows].reshape(-1, products)
    b = drawn.b[:, np.arange(pairs) % shape.columns].reshape(-1, products)
    scales = drawn.scales
    return operand_statistics(design.mac, a, b, drawn.sum_products, scales)


def write_energy(store: Path, path: Path) -> None:
    """Write the store as the committed table, with where it comes from."""
    rows = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
    for row in rows:  # statistics need no simulation
        found = stream_statistics(row["design"], row["operands"])
        row |= {name: float(f"{value:.4g}") for name, value in asdict(found).items()}
    # operands that never change, as narrow numbers in two bits, show nothing
    rows = [row for row in rows if min(row["a_toggles"], row["b_toggles"]) > 0]
    tools = sorted({f"{k} {v}" for row in rows for k, v in row["tools"].items()})
    designs = len({row["design"] for row in rows})
    comments = [
        f"{len(rows)} simulations of {designs} designs; {', '.join(tools)}",
        f"glitches included, {STEPS_PER_PATH} steps over the longest path, {COUNT} streams of "
        f"{CYCLES} cycles or more, wires estimated, no clock tree, the period that of the netlist",
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
