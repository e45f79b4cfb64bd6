"""The price of a design in one flat record: area, delay, energy, or LUTs.

This is what the command line's ``synth`` verb prints and what a result row takes its cost from.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from macsmith.sim.netlist import SimulationResult, compile_netlist
from macsmith.sim.netlist_graph import Netlist
from macsmith.sim.timed import TimedNetlist, TimedResult, time_netlist
from macsmith.synth.activity import Activity, Waveforms
from macsmith.synth.cells import Technology
from macsmith.synth.delays import output_delays
from macsmith.synth.energy import SPLIT, EnergyModel, EnergyResult
from macsmith.synth.fpga import FAMILIES, FpgaResult, family_of, map_to_fpga
from macsmith.synth.liberty import read_liberty
from macsmith.synth.linear import technology_from_library
from macsmith.synth.parts import assign_parts, read_reference
from macsmith.synth.recipes import RECIPES, Recipe
from macsmith.synth.synthesize import MappedDesign, SynthesisResult, synthesize
from macsmith.synth.tabulated import with_tables
from macsmith.synth.technology import TECHNOLOGIES, technology
from macsmith.synth.timing_record import timing_record
from macsmith.synth.wires import Wires, wires_of
from macsmith.synth.yosys import quote, run_yosys
from numpy.typing import NDArray

__all__ = ["MismatchError", "price", "reference_netlist", "resolve_technology"]

LARGE_NETLIST = 4000
"""Netlists of more cells are simulated only for the record's own figures: each costs seconds."""

STEPS_PER_PATH = 3072
"""Steps of the timed simulation over the longest path; see ``benchmarks/timed_toggles.py``."""
STEPS_PER_LARGE_PATH = 512
"""The same for netlists of more cells than `LARGE_NETLIST`, for their waveforms fill the memory."""

VECTORLESS_ACTIVITY = 0.5
"""Toggles of every net in a cycle where nothing is known of the operands: half the clock's edges
would be 1, a net that is redrawn at random in every cycle has one half."""


class MismatchError(RuntimeError):
    """A mapped netlist that does not do what the Verilog says; shows the first difference."""


def resolve_technology(name: str, liberty: Sequence[Path] = ()) -> Technology:
    """A technology kept in the project, or one made from the user's Liberty files.

    That of Liberty files is timed over their own look-up tables; the mapper sees fitted lines.

    Parameters
    ----------
    name
        Name or alias; only a label where `liberty` is given.
    liberty
        Liberty files, plain or gzip.

    Raises
    ------
    ValueError
        Unknown name, or (`LibertyError`) a file that cannot be used.
    """
    if liberty:
        library = read_liberty(liberty)
        return with_tables(technology_from_library(library, name=name), library)
    known = [alias for aliases in TECHNOLOGIES.values() for alias in aliases]
    if name.strip().lower() not in known:
        raise ValueError(
            f"technology {name!r} is unknown; must be one of {', '.join(TECHNOLOGIES)}, "
            f"{', '.join(FAMILIES)}, or give Liberty files of your own"
        )
    return technology(name)


def price(
    verilog: Path | Sequence[Path],
    top: str,
    tech: str | Technology,
    *,
    build_dir: Path,
    waveforms: Waveforms | None = None,
    macs_per_cycle: float = 1.0,
    first_counted_cycle: int = 1,
    further: Mapping[str, Activity] | None = None,
    wires: Wires | None = None,
    valid_ports: Mapping[str, str] | None = None,
    period_ps: float | None = None,
    recipes: Sequence[Recipe] = RECIPES,
    allow_dsp: bool = False,
    dsp_blocks: int | None = None,
) -> dict[str, Any]:
    """Area, delay and energy of a design on a standard-cell library, or its counts on an FPGA.

    Parameters
    ----------
    verilog
        The file or files of the design.
    top
        Its top module.
    tech
        A `Technology`, the name of one, or an FPGA family.
    waveforms
        Operands for the energy: for every input port but the clock an array
        ``[cycles, streams]`` (see `CompiledNetlist.simulate`). With them every netlist on the front
        is also compared with the Verilog, output by output, from `first_counted_cycle` on; of
        netlists with more than `LARGE_NETLIST` cells only the one of the record's figures.
        Without waveforms the record has no energy.
    macs_per_cycle
        Multiply-accumulates per counted cycle, on average over the waveforms.
    first_counted_cycle
        First cycle that counts; those before it hold the reset and the filling of pipelines.
    further
        Other activities, by name, to set the chosen netlist's energy beside; only with `waveforms`.
    wires
        What is assumed of wires; by default those of the technology.
    valid_ports
        Output ports that mean something only in cycles in which another output port is 1, by
        name: ``{"o_data": "o_valid"}``. Registers without reset may differ elsewhere.
    period_ps
        Clock period for slack and leakage; by default there is no slack, and leakage counts over
        the delay of each netlist.
    allow_dsp
        On an FPGA, whether multipliers may become DSP blocks.
    dsp_blocks
        With `allow_dsp`, how many there must be; None: as many as come.

    Returns
    -------
    dict
        ``energy_pj_per_mac`` counts glitches and estimated wires; ``no_wires_energy_pj_per_mac`` is
        without the wires, ``settled_energy_pj_per_mac`` without glitches: only the change of each
        net from one cycle's end to the next. Its split, ``<part>_energy_pj_per_mac``, is that of
        `macsmith.synth.energy.SPLIT`. Each further activity has ``<name>_energy_pj_per_mac`` and
        ``<name>_settled_energy_pj_per_mac``. Flat but for ``front`` (a list of flat records, one
        per recipe on the front of area and delay) and ``tool_versions``. The figures outside
        ``front`` are those of the netlist of least area times delay; so are those of
        `macsmith.synth.timing_record.timing_record`. JSON-ready; a metric that was not measured is
        missing.

    Raises
    ------
    ValueError
        Unknown technology, missing file, waveforms that do not fit the ports, or with them a
        library without internal energies.
    ToolError
        Yosys or ABC failed.
    MismatchError
        A mapped netlist computes something else than the Verilog.
    KeyError
        `valid_ports` names a port that is no output.
    """
    verilog_files = [Path(verilog)] if isinstance(verilog, str | Path) else list(verilog)
    if isinstance(tech, str):
        family = family_of(tech)
        if family is not None:
            result_on_fpga = map_to_fpga(
                verilog_files,
                top,
                family,
                build_dir=Path(build_dir),
                allow_dsp=allow_dsp,
                dsp_blocks=dsp_blocks,
            )
            return _fpga_record(result_on_fpga, top)
        tech = resolve_technology(tech)
    if waveforms is not None and not tech.has_internal_energy:
        raise ValueError(
            f"{tech.name}: no cell states internal_power, and energies without it would be too "
            "small; leave energy out (--operands none)"
        )
    result = synthesize(verilog_files, top, tech, build_dir=build_dir, recipes=recipes)
    energies: dict[str, EnergyResult] = {}
    compared = 0
    chosen = _chosen(result)
    beside: dict[str, Any] = {}
    if waveforms is not None:
        measured = [
            design
            for design in result.front
            if sum(design.cell_counts.values()) <= LARGE_NETLIST or design is chosen
        ]
        wires = wires_of(tech) if wires is None else wires
        counted = Activity(waveforms, first_counted_cycle, macs_per_cycle)
        source = reference_netlist(verilog_files, top, Path(build_dir))
        reference = compile_netlist(source, {}).simulate(waveforms).outputs
        for design in measured:
            netlist = design.netlist()
            is_large = len(netlist.instances) > LARGE_NETLIST
            timed = time_netlist(
                netlist,
                tech.models(),
                output_delays(netlist, tech),
                step_ps=design.delay_ps / (STEPS_PER_LARGE_PATH if is_large else STEPS_PER_PATH),
            )
            simulated = timed.simulate(waveforms, first_counted_cycle=first_counted_cycle)
            compared = _compare(
                netlist,
                design,
                waveforms,
                simulated.outputs,
                reference,
                first_counted_cycle,
                valid_ports or {},
            )
            is_chosen = design is chosen
            parts = assign_parts(netlist, tech.models(), source).parts if is_chosen else None
            energy = _Energy(
                timed,
                EnergyModel(netlist, tech, wires=wires, parts=parts),
                period_ps or design.delay_ps,
            )
            energies[design.recipe] = energy.of(simulated, counted)
            if is_chosen:
                beside = energy.beside(simulated, counted, further or {})
    timing = timing_record(_chosen(result), tech, period_ps)
    record = _record(result, tech, energies, compared) | timing | beside
    return record if tech.has_leakage else _without_leakage(record)


def _without_leakage(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a library that states no leakage: no figure rather than 0."""
    kept = {
        name: figure
        for name, figure in record.items()
        if "leakage" not in name and name != "clock_gated_energy_pj_per_mac"
    }
    if "front" in kept:
        kept["front"] = [_without_leakage(entry) for entry in kept["front"]]
    return kept


@dataclass(frozen=True)
class _Energy:
    """One netlist's energy in several activities."""

    timed: TimedNetlist
    model: EnergyModel
    period_ps: float

    def of(self, result: SimulationResult, activity: Activity) -> EnergyResult:
        return self.model.measure(
            result, period_ps=self.period_ps, macs_per_cycle=activity.macs_per_cycle
        )

    def beside(
        self, simulated: TimedResult, counted: Activity, further: Mapping[str, Activity]
    ) -> dict[str, Any]:
        """Split, settled figure, and the figures of other activities, as a record has them."""
        whole = self.of(simulated, counted)
        macs = counted.macs_per_cycle
        vectorless = self.model.vectorless(
            VECTORLESS_ACTIVITY, period_ps=self.period_ps, macs_per_cycle=macs
        )
        figures = {
            "settled": self.of(simulated.settled(), counted).energy_pj_per_mac,
            "internal": whole.internal_pj,
            "pin": whole.pin_pj,
            "wire": whole.wire_pj,
            **{part: whole.split_pj[part] for part in SPLIT},
        }
        for name, activity in further.items():
            result = self.timed.simulate(
                activity.waveforms, first_counted_cycle=activity.first_counted_cycle
            )
            figures[name] = self.of(result, activity).energy_pj_per_mac
            figures[f"{name}_settled"] = self.of(result.settled(), activity).energy_pj_per_mac
        figures["vectorless"] = vectorless.energy_pj_per_mac
        figures["clock_gated"] = self.model.clock_gated_pj(
            period_ps=self.period_ps, macs_per_cycle=macs
        )
        return {f"{name}_energy_pj_per_mac": _figure(value) for name, value in figures.items()}


def _fpga_record(result: FpgaResult, top: str) -> dict[str, Any]:
    return {
        "top": top,
        "technology": result.family,
        "technology_title": result.title,
        "kind": "fpga",
        **result.metrics,
        "flow": result.flow,
        "tool_versions": result.tool_versions,
    }


def reference_netlist(verilog_files: Sequence[Path], top: str, build_dir: Path) -> Netlist:
    """The Verilog itself as generic gates: nothing optimised by ABC, names by hierarchy."""
    folder = build_dir.resolve()
    commands = [f"read_verilog {quote(Path(file).resolve())}" for file in verilog_files]
    commands += [
        f"hierarchy -check -top {top}",
        "proc",
        "opt_expr",
        "memory_map",
        "techmap",
        "simplemap",
        # last, so that every gate's name tells the instance that it is in
        "flatten",
        "opt_clean",
        "delete t:$scopeinfo",
        "write_json reference.json",
    ]
    run_yosys(commands, folder, "reference")
    return read_reference(folder / "reference.json", top)


def _compare(
    netlist: Netlist,
    design: MappedDesign,
    waveforms: Waveforms,
    outputs: Mapping[str, NDArray[np.uint64]],
    reference: Mapping[str, NDArray[np.uint64]],
    first: int,
    valid_ports: Mapping[str, str],
) -> int:
    """Number of output values compared; raises on the first difference."""
    compared = 0
    for port, wanted in reference.items():
        got = outputs[port][first:]
        meant = np.ones(wanted[first:].shape[:2], dtype=np.bool_)
        if port in valid_ports:
            meant = reference[valid_ports[port]][first:] == 1
        unequal = got != wanted[first:]
        differs = np.argwhere((unequal.any(axis=2) if unequal.ndim == 3 else unequal) & meant)
        compared += int(meant.sum())
        if differs.size:
            cycle, stream = int(differs[0][0]), int(differs[0][1])
            inputs = ", ".join(
                f"{name}={_hex(np.asarray(wave)[first + cycle, stream])}"
                for name, wave in waveforms.items()
            )
            raise MismatchError(
                f"{netlist.name}, recipe {design.recipe}: output {port} in cycle "
                f"{first + cycle} of stream {stream} is {_hex(got[cycle, stream])}, must be "
                f"{_hex(wanted[first + cycle, stream])} (inputs in that cycle: {inputs}); "
                f"netlist {design.netlist_path}"
            )
    return compared


def _hex(value: Any) -> str:
    words = [int(word) & (2**64 - 1) for word in np.atleast_1d(np.asarray(value)).tolist()]
    return hex(sum(word << 64 * place for place, word in enumerate(words)))


def _chosen(result: SynthesisResult) -> MappedDesign:
    return min(result.front, key=lambda design: design.area_um2 * design.delay_ps)


def _record(
    result: SynthesisResult,
    tech: Technology,
    energies: Mapping[str, EnergyResult],
    compared: int,
) -> dict[str, Any]:
    chosen = _chosen(result)
    record: dict[str, Any] = {
        "top": result.top,
        "technology": tech.name,
        "technology_title": tech.title,
        "kind": "asic",
        "corner": tech.corner,
        **_design_record(chosen, energies.get(chosen.recipe)),
        "smallest_area_um2": _figure(result.smallest.area_um2),
        "smallest_delay_ps": _figure(result.smallest.delay_ps),
        "fastest_area_um2": _figure(result.fastest.area_um2),
        "fastest_delay_ps": _figure(result.fastest.delay_ps),
        "front": [_design_record(d, energies.get(d.recipe)) for d in result.front],
        "recipes_run": [design.recipe for design in result.designs],
        "flow": result.flow,
        "dont_use": list(result.dont_use),
        "driver_cell": tech.driver_cell,
        "output_load_ff": _figure(tech.output_load_ff),
        "tool_versions": result.tool_versions,
    }
    if energies:
        record["netlist_outputs_compared"] = compared
    return record


def _design_record(design: MappedDesign, energy: EnergyResult | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "recipe": design.recipe,
        "area_um2": _figure(design.area_um2),
        "combinational_area_um2": _figure(design.combinational_area_um2),
        "sequential_area_um2": _figure(design.sequential_area_um2),
        "delay_ps": _figure(design.delay_ps),
        "leakage_nw": _figure(design.leakage_nw),
        "cells": sum(design.cell_counts.values()),
        "flip_flops": design.flip_flops,
        "full_adder_cells": design.full_adder_cells,
    }
    if energy is not None:
        record |= {
            "energy_pj_per_mac": _figure(energy.energy_pj_per_mac),
            "no_wires_energy_pj_per_mac": _figure(energy.energy_without_wires_pj),
            "combinational_energy_pj_per_mac": _figure(energy.combinational_pj),
            "register_energy_pj_per_mac": _figure(energy.register_pj),
            "clock_energy_pj_per_mac": _figure(energy.clock_pj),
            "leakage_energy_pj_per_mac": _figure(energy.leakage_pj),
            "energy_period_ps": _figure(energy.period_ps),
            "energy_cycles": energy.counted_cycles,
            "energy_method": energy.method,
        }
    return record


def _figure(value: float) -> float:
    """Seven significant digits: enough for any comparison, the same on every machine."""
    if not math.isfinite(value):
        raise ValueError(f"figure {value} must be finite")
    return float(f"{value:.7g}")
