"""Energy of one netlist with operands of many layers, in two dataflows, beside made-up ones.

    python benchmarks/operand_energy.py [--keep] [--macs 1000000] [DESIGN ...]

Every design is mapped by one recipe to ASAP7 and simulated in time, glitches included, with the
operands of layers of SmolLM2 and of the letters-to-phonemes network, output-stationary and (units)
weight-stationary, and with Gaussian and uniform ones. Then as many MACs of the default layer as
``--macs`` says, in batches of 512 streams that give a standard error, with the time they take.
``--keep`` writes the table to ``benchmarks/results/operand_energy.csv``.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from macsmith.hw.emit import generate
from macsmith.model.design import Design, parse_design
from macsmith.reports.activities import operand_waveforms
from macsmith.sim.timed import TimedNetlist, time_netlist
from macsmith.synth.delays import output_delays
from macsmith.synth.energy import EnergyModel, EnergyResult
from macsmith.synth.price import STEPS_PER_PATH
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology
from macsmith.synth.wires import wires_of

DESIGNS = ("e4m3:exact:unit", "e4m3:e6m9:unit", "int8:int32:unit", "e2m1:exact:unit")
LAYERS = (
    *(f"smollm2/blk.{b}.{n}" for b in (0, 14, 29) for n in ("attn_q", "attn_output", "ffn_up")),
    *("smollm2/blk.14.ffn_down", "g2p/dec_w_hh", "g2p/enc_w_ih"),
    *("gaussian", "uniform"),
)
RESULTS = Path(__file__).parent / "results" / "operand_energy.csv"


class Mapped(NamedTuple):
    """A design ready to be measured."""

    design: Design
    timed: TimedNetlist
    model: EnergyModel
    period_ps: float

    def measure(self, waves: dict, first: int) -> tuple[EnergyResult, EnergyResult]:
        """Energy with glitches and without."""
        result = self.timed.simulate(waves, first_counted_cycle=first)
        lanes = self.design.mac.lanes
        with_glitches, without = (
            self.model.measure(counts, period_ps=self.period_ps, macs_per_cycle=lanes)
            for counts in (result, result.settled())
        )
        return with_glitches, without


def map_design(text: str, recipe_name: str) -> Mapped:
    """Emit, map and prepare a design."""
    design, tech = parse_design(text), technology("asap7")
    with tempfile.TemporaryDirectory() as name:
        generated = generate(design, Path(name) / "rtl")
        folder = Path(name) / "synth"
        result = synthesize(
            [generated.verilog], design.id, tech, build_dir=folder, recipes=[recipe(recipe_name)]
        )
        (mapped,) = result.designs
        netlist = mapped.netlist()
    timed = time_netlist(
        netlist,
        tech.models(),
        output_delays(netlist, tech),
        step_ps=mapped.delay_ps / STEPS_PER_PATH,
    )
    model = EnergyModel(netlist, tech, wires=wires_of(tech))
    return Mapped(design, timed, model, mapped.delay_ps)


def many_macs(mapped: Mapped, macs: int) -> str:
    """Energy over many MACs of the default layer, its standard error, and the time."""
    lanes = mapped.design.mac.lanes
    start, energies, counted, seed = time.process_time(), [], 0, 0
    while counted < macs:
        waves, first = operand_waveforms(mapped.design, "smollm2", streams=512, seed=seed)
        energy, _ = mapped.measure(waves, first)
        energies.append(energy.energy_pj_per_mac)
        counted += energy.counted_cycles * lanes
        seed += 1
    seconds = time.process_time() - start
    error = stdev(energies) / sqrt(len(energies)) if len(energies) > 1 else float("nan")
    return (
        f"{mapped.design.text}: {mean(energies):.5f} pJ/MAC, standard error "
        f"{100 * error / mean(energies):.2f} %, over {counted:,} MACs in {seconds:.1f} s CPU"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("design", nargs="*", default=list(DESIGNS))
    parser.add_argument("--recipe", default="balanced")
    parser.add_argument("--macs", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    rows = []
    for text in arguments.design:
        mapped = map_design(text, arguments.recipe)
        is_unit = mapped.design.implementation.form == "unit"
        for layer in LAYERS:
            for dataflow in ("os", "ws") if is_unit else ("os",):
                waves, first = operand_waveforms(mapped.design, layer, dataflow=dataflow)
                energy, settled = mapped.measure(waves, first)
                row = {
                    "design": text,
                    "operands": layer,
                    "dataflow": dataflow,
                    "energy_fj_per_mac": f"{1000 * energy.energy_pj_per_mac:.1f}",
                    "settled_energy_fj_per_mac": f"{1000 * settled.energy_pj_per_mac:.1f}",
                    "macs": str(energy.counted_cycles * mapped.design.mac.lanes),
                }
                print(" ".join(row.values()), flush=True)
                rows.append(row)
        print(many_macs(mapped, arguments.macs), flush=True)
    if arguments.keep:
        with RESULTS.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
