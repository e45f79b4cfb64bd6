"""The steps of one design point as functions: the Python API behind the verbs.

Each takes a design (or its text) and the folder of artefacts, ``build`` by default, and leaves
what it makes in ``<build_dir>/<design id>/<step>/``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from macsmith.model.design import Design, parse_design
from macsmith.reports.checks import keep_check, kept_check

if TYPE_CHECKING:
    from macsmith.hw.emit import GeneratedDesign
    from macsmith.sim.verify import VerifyResult
    from macsmith.synth.technology import Technology
    from macsmith.synth.wires import Wires

__all__ = [
    "DEFAULT_BUILD_DIR",
    "ENERGY_OPERANDS",
    "accuracy",
    "bitslice",
    "generate",
    "generated_files",
    "step_folder",
    "synthesize",
    "verify",
    "verify_netlists",
]

DEFAULT_BUILD_DIR = Path("build")

DEFAULT_TECHNOLOGY = "asap7"

#: Operands that drive the energy figure unless others are named.
ENERGY_OPERANDS = "smollm2"


def _design(design: Design | str) -> Design:
    return parse_design(design) if isinstance(design, str) else design


def step_folder(build_dir: Path | str, design: Design, step: str) -> Path:
    """Where a step leaves its artefacts."""
    return Path(build_dir) / design.id / step


def generate(
    design: Design | str,
    directory: Path | str | None = None,
    *,
    build_dir: Path | str = DEFAULT_BUILD_DIR,
) -> GeneratedDesign:
    """Emit Verilog, manifest, core file, golden vectors and a plain-Verilog bench.

    Parameters
    ----------
    directory
        Where the files go, instead of the design's ``generate`` folder.

    Raises
    ------
    ValueError
        The design text is wrong, or the design cannot be built.
    OSError
        The folder cannot be written.
    """
    from macsmith.hw.emit import generate as emit
    from macsmith.sim.vectors import golden_vectors

    design = _design(design)
    folder = Path(directory) if directory else step_folder(build_dir, design, "generate")
    return emit(design, folder, vectors=golden_vectors(design))


def generated_files(generated: GeneratedDesign) -> dict[str, Any]:
    """What was emitted, as JSON can hold it: folder, files, and what the manifest says."""
    return {
        **generated.manifest,
        "directory": str(generated.directory),
        "verilog": str(generated.verilog),
        "manifest": str(generated.manifest_file),
        "files": [str(path) for path in generated.files],
    }


def verify(
    design: Design | str,
    build_dir: Path | str = DEFAULT_BUILD_DIR,
    *,
    seed: int = 0,
    quick: bool = False,
    generated: GeneratedDesign | None = None,
) -> VerifyResult:
    """Check the emitted Verilog against the golden model with cocotb on Verilator.

    The result of a full check is kept: a price of the same Verilog then says that it was checked.

    Parameters
    ----------
    generated
        What `generate` returned; emitted anew by default.

    Raises
    ------
    ValueError
        The design text is wrong.
    RuntimeError
        A tool is missing or failed; the message has its command and the tail of its log.
    """
    from macsmith.sim.tools import find_compiler
    from macsmith.sim.verify import verify as run

    design = _design(design)
    find_compiler()  # if there is none, that is told before anything is written
    generated = generated or generate(design, build_dir=build_dir)
    result = run(design, Path(build_dir), seed=seed, quick=quick, generated=generated)
    if not quick:
        keep_check(design, generated.verilog, Path(build_dir), seed, result.to_dict())
    return result


def verify_netlists(
    design: Design | str,
    technology: str = DEFAULT_TECHNOLOGY,
    build_dir: Path | str = DEFAULT_BUILD_DIR,
    *,
    vectors: int = 1_000_000,
    seed: int = 1,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Any]:
    """Compare the mapped netlists of a design with the golden model.

    See `macsmith.synth.netlist_verify.verify_netlists`.

    Returns
    -------
    dict
        Design, technology, and ``netlists``: a record of each, as JSON can hold it.

    Raises
    ------
    ValueError
        The design text is wrong, a switchable design, an unknown technology or an FPGA family.
    RuntimeError
        A netlist differs, or Yosys or ABC failed.
    """
    from dataclasses import asdict

    from macsmith.synth.fpga import family_of
    from macsmith.synth.netlist_verify import verify_netlists as run
    from macsmith.synth.price import resolve_technology
    from macsmith.synth.technology import TECHNOLOGIES

    design = _design(design)
    if family_of(technology) is not None:
        raise ValueError(
            f"netlists are checked on a cell library: must be one of {', '.join(TECHNOLOGIES)}, "
            f"not the FPGA family {technology}"
        )
    chosen = resolve_technology(technology)
    folder = step_folder(build_dir, design, "verify") / "netlists" / chosen.name
    results = run(design, chosen, folder, vectors=vectors, seed=seed, progress=progress)
    return {
        "design": design.text,
        "technology": chosen.name,
        "seed": seed,
        "passed": True,
        "netlists": [asdict(result) for result in results],
    }


def synthesize(
    design: Design | str,
    technology: str | None = None,
    build_dir: Path | str = DEFAULT_BUILD_DIR,
    *,
    liberty: Sequence[Path] = (),
    operands: str | None = ENERGY_OPERANDS,
    dataflow: str = "os",
    wires: Wires | None = None,
    seed: int = 0,
    generated: GeneratedDesign | None = None,
    dsp: bool = False,
    period_ps: float | None = None,
) -> dict[str, Any]:
    """Area, delay and energy of a design in a technology, or its counts on an FPGA.

    Parameters
    ----------
    technology
        Name of a kept technology or FPGA family, ``asap7`` by default; only a label where
        `liberty` is given, by default the first file's name.
    liberty
        Liberty files of the user's, plain or gzip.
    operands
        Operands that drive the energy figure, see
        `macsmith.model.accuracy.stimulus.parse_operands`; None: no energy.
    dataflow
        In which order they come, ``os`` or ``ws``; see
        `macsmith.reports.activities.operand_waveforms`.
    wires
        What the energy figure assumes of wires; by default those of the technology.
    seed
        Selects the operands.
    generated
        What `generate` returned; emitted anew by default.
    dsp
        On an FPGA: price the design built with the family's DSP blocks (``fpga=FAMILY:dsp=on``).
    period_ps
        Clock period for slack and leakage, on a standard-cell library.

    Returns
    -------
    dict
        See `macsmith.synth.price.price`; with ``design``, ``macs``, ``checked`` (which check of
        this very Verilog passed, with the same seed, or ``unchecked``), and each figure that
        grows with the design also per MAC; ``architecture`` is that of
        `macsmith.hw.explain.explain_architecture`.

    Raises
    ------
    ValueError
        Unknown technology or task, a file that is no Liberty file, or a design that cannot be
        built with DSP blocks, or is for those of another family.
    RuntimeError
        Yosys or ABC failed; the message has the command and the tail of its log.
    """
    from macsmith.hw.dsp_plan import dsp_blocks
    from macsmith.hw.explain import explain_architecture
    from macsmith.model.accuracy.stimulus import parse_operands
    from macsmith.reports.activities import (
        ENERGY_STREAMS,
        further_activities,
        operand_waveforms,
    )
    from macsmith.synth.fpga import family_of
    from macsmith.synth.price import price, resolve_technology

    design = _design(design)
    if technology is None:
        technology = Path(liberty[0]).name.partition(".")[0] if liberty else DEFAULT_TECHNOLOGY
    family = None if liberty else family_of(technology)
    chosen = family or resolve_technology(technology, liberty)  # fails before any work is done
    label = chosen if isinstance(chosen, str) else chosen.name
    if dsp:
        design, generated = _with_dsp(design, family, label), None
    has_dsp = design.implementation.dsp == "on" and family is not None
    if has_dsp and family != design.implementation.fpga:
        raise ValueError(
            f"{design.text} is built for the DSP blocks of {design.implementation.fpga}, not of "
            f"{family}; state fpga={family}"
        )
    generated = generated or generate(design, build_dir=build_dir)
    macs = design.mac.lanes * design.implementation.rows * design.implementation.columns
    macs_per_cycle = macs / design.mac.lanes * mean(mode.lanes for mode in design.modes)
    waveforms, first_counted_cycle, further = None, 1, {}
    if operands is not None and family is None:
        waveforms, first_counted_cycle = operand_waveforms(
            design, operands, seed=seed, dataflow=dataflow
        )
        further = further_activities(
            design,
            operands,
            waveforms,
            seed=seed,
            dataflow=dataflow,
            macs_per_cycle=macs_per_cycle,
        )
    folder = step_folder(build_dir, design, "synth") / label
    record = price(
        [generated.verilog],
        design.id,
        chosen,
        build_dir=folder,
        waveforms=waveforms,
        macs_per_cycle=macs_per_cycle,
        further=further,
        wires=wires,
        first_counted_cycle=first_counted_cycle,
        valid_ports=None if design.implementation.form == "unit" else {"o_data": "o_valid"},
        period_ps=period_ps,
        allow_dsp=has_dsp,
        dsp_blocks=dsp_blocks(design) if has_dsp else None,
    )
    checked = kept_check(design, generated.verilog, Path(build_dir), seed)
    result = {"design": design.text, "macs": macs, "checked": checked, **record}
    result["architecture"] = explain_architecture(design)
    for name in ("area_um2", "smallest_area_um2", "lut4", "lut6", "carry", "flip_flops"):
        if name in record:
            result[f"{name}_per_mac"] = record[name] / macs
    if family is None:
        result |= _area_split(design, generated.verilog, chosen, folder / "modules")
    if waveforms is not None:
        each_mode = f" in each of {len(design.modes)} modes" if design.is_switchable else ""
        order = "output" if dataflow == "os" else "weight"
        result["energy_operands"] = (
            f"{parse_operands(str(operands)).text}, {order}-stationary, "
            f"{ENERGY_STREAMS} streams{each_mode}"
        )
    return result


def bitslice(
    design: Design | str,
    directory: Path | str | None = None,
    *,
    operator: str = "fma",
    build_dir: Path | str = DEFAULT_BUILD_DIR,
) -> dict[str, Any]:
    """An operator of a design as bit-sliced C; see `macsmith.synth.bitslice.bitslice`.

    Parameters
    ----------
    directory
        Where the files go, instead of the design's ``bitslice`` folder.

    Returns
    -------
    dict
        Files, parameters with their widths, and logic operations; as JSON can hold it.

    Raises
    ------
    ValueError
        The design text is wrong, or the design has no such operator.
    RuntimeError
        Yosys or ABC failed.
    """
    from macsmith.synth.bitslice import bitslice as run
    from macsmith.synth.bitslice import operator_kind

    design = _design(design)
    work = step_folder(build_dir, design, "bitslice")
    made = run(
        design, directory or work, operator=operator_kind(operator), build_dir=work / "circuits"
    )
    return {
        "design": design.text,
        "operator": made.operator,
        "function": made.name,
        "inputs": made.inputs,
        "output": made.output,
        "gate_operations": made.gate_operations,
        "table_operations": made.table_operations,
        "header": str(made.header),
        "common_header": str(made.common_header),
        "example": str(made.example),
    }


def _with_dsp(design: Design, family: str | None, technology: str) -> Design:
    """The design, built with the DSP blocks of an FPGA family."""
    if family is None:
        raise ValueError(
            f"technology {technology} has no DSP blocks; must be an FPGA family: ice40, ecp5 or "
            "xilinx7"
        )
    implementation = design.implementation.model_copy(update={"fpga": family, "dsp": "on"})
    # by its text, which is checked like any other
    return parse_design(design.model_copy(update={"implementation": implementation}).text)


def _area_split(
    design: Design, verilog: Path, technology: str | Technology, folder: Path
) -> dict[str, Any]:
    """Where the area goes: of each module, and of the core that every MAC has.

    The core is the arithmetic step with its partial sum; outside it are handshake, skew, and the
    conversion to the result format, which an array has once a column. A unit has no core.
    """
    from macsmith.synth.module_area import measure_module_areas
    from macsmith.synth.technology import technology as kept_technology

    chosen = kept_technology(technology) if isinstance(technology, str) else technology
    areas = measure_module_areas([verilog], design.id, chosen, build_dir=folder)
    result: dict[str, Any] = {
        "module_area_um2": {
            module.name: {
                "instances": module.instances,
                "area_um2": module.area_um2,
                "own_area_um2": module.own_area_um2,
            }
            for module in areas
        }
    }
    core = next((module for module in areas if module.name == f"{design.id}_core"), None)
    if core is not None:
        result["core_area_um2_per_mac"] = core.area_um2 / design.mac.lanes
    return result


def accuracy(
    task: str,
    design: Design | str,
    build_dir: Path | str = DEFAULT_BUILD_DIR,
    *,
    scaling: str = "row",
    accumulation: str = "exact",
    tokens: int | None = None,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Any]:
    """A real network computed in a design's arithmetic, compared with the unquantised one.

    See `macsmith.model.accuracy.tasks.evaluate`. The result is also written to the design's
    ``accuracy`` folder.

    Returns
    -------
    dict
        Task, design, metrics and provenance, flat.
    """
    import json

    from macsmith.model.accuracy.tasks import evaluate

    design = _design(design)
    if design.is_switchable:
        texts = " or ".join(Design(mac=mode).text for mode in design.modes)
        raise ValueError(f"{design.text}: accuracy is that of one mode: state its design, {texts}")
    result = evaluate(
        task,
        design,
        scaling=scaling,
        accumulation=accumulation,
        tokens=tokens,
        seed=seed,
        progress=progress,
    ).as_dict()
    folder = step_folder(build_dir, design, "accuracy")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task}_{accumulation}_{scaling}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return dict(result)
