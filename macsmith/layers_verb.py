"""``macsmith layers``: a network's layers on an accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from macsmith.verbs import (
    BUILD_DIR,
    BuildDirOption,
    DesignArgument,
    JsonOption,
    app,
    finish,
    help_text,
    read_design,
)

if TYPE_CHECKING:
    from macsmith.layers import LayerRow, MacEnergy
    from macsmith.model.buffer_energy import BufferTechnology
    from macsmith.model.design import Design

__all__ = ["layers"]


@app.command(
    short_help="A network's layers on an accelerator.",
    help=help_text(
        "Predict cycles, utilisation, traffic and energy of a network's layers on an accelerator "
        "of this array. Cycles are those that its own counter would show with streams that are "
        "always ready. MAC energy is that of a price: kept by `macsmith explore`, given as a "
        "number or as a file of `macsmith synth --json`, or made now with --price.",
        "macsmith layers smollm2 e4m3:exact:16x16",
        "macsmith layers smollm2 int8:int32:32x32 --tokens 1 --price --clock-mhz 500",
        "macsmith layers g2p int8:int32:8x8 --depth 256 --energy-pj-per-mac 0.25",
        "macsmith layers smollm2 e4m3:exact:16x16 --tech ihp-sg13g2 --csv layers.csv",
    ),
)
def layers(
    task: Annotated[str, typer.Argument(metavar="TASK", help="smollm2 or g2p.")],
    design: DesignArgument,
    tokens: Annotated[
        int | None,
        typer.Option(
            "--tokens",
            min=1,
            help="smollm2: context computed at once (512); 1: a step of generation. g2p: words "
            "side by side (100).",
        ),
    ] = None,
    depth: Annotated[
        int,
        typer.Option("--depth", help="Entries in each of the two banks of A and of B."),
    ] = 1024,
    tech: Annotated[
        str, typer.Option("--tech", metavar="NAME", help="Whose energies: asap7, sky130, ...")
    ] = "asap7",
    energy: Annotated[
        float | None,
        typer.Option("--energy-pj-per-mac", metavar="PJ", help="Of a MAC, known from elsewhere."),
    ] = None,
    price_file: Annotated[
        Path | None,
        typer.Option(
            "--price-file", metavar="FILE.json", help="Output of `macsmith synth --json`."
        ),
    ] = None,
    price: Annotated[
        bool, typer.Option("--price", help="Price one MAC of the array now, as `synth` does.")
    ] = False,
    buffer_energy: Annotated[
        float | None,
        typer.Option(
            "--buffer-pj-per-bit",
            metavar="PJ",
            help="Of a bit written to or read from a buffer, instead of the published figures.",
        ),
    ] = None,
    clock_mhz: Annotated[
        float | None,
        typer.Option("--clock-mhz", metavar="MHZ", help="Also tell seconds and GB/s."),
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE.csv", help="Write the rows here, too.")
    ] = None,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from macsmith.console import only_results_on_stdout
    from macsmith.layers import network_layers, table_csv, total
    from macsmith.model.accelerator import AcceleratorConfig
    from macsmith.model.accuracy.layer_shapes import DEFAULT_TOKENS
    from macsmith.model.accuracy.tasks import find_task
    from macsmith.reports.progress import progress_line

    if sum((energy is not None, price_file is not None, price)) > 1:
        raise ValueError("state one of --energy-pj-per-mac, --price-file and --price")
    for name, value in (
        ("--energy-pj-per-mac", energy),
        ("--buffer-pj-per-bit", buffer_energy),
        ("--clock-mhz", clock_mhz),
    ):
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{name} must be greater than 0, not {value:g}")
    find_task(task)
    tech = _canonical(tech)
    parsed = read_design(design)
    AcceleratorConfig(parsed, depth, depth)  # told before anything is priced
    with only_results_on_stdout(), progress_line(f"layers {task}") as progress:
        buffers = _buffers(tech, buffer_energy)
        mac_energy = _mac_energy(parsed, tech, energy, price_file, price, build_dir)
        rows = network_layers(
            task,
            parsed,
            tokens=tokens,
            depth=depth,
            mac_energy=mac_energy,
            buffers=buffers,
            progress=progress,
        )
    whole = total(rows)
    if csv_file is not None:
        csv_file.write_text(table_csv([*rows, whole]), encoding="utf-8")
    result: dict[str, Any] = {
        "task": task,
        "design": parsed.text,
        "tokens": DEFAULT_TOKENS[task] if tokens is None else tokens,
        "a_depth": depth,
        "b_depth": depth,
        "mac_energy_source": mac_energy.source if mac_energy else None,
        "buffer_energy_source": buffers.source if buffers else None,
        "layers": [asdict(row) for row in rows],
        "all": asdict(whole),
    }
    if clock_mhz is not None:
        result |= {
            "clock_mhz": clock_mhz,
            "seconds": whole.cycles / clock_mhz / 1e6,
            "in_gb_per_s": whole.in_bytes_per_cycle * clock_mhz / 1e3,
            "out_gb_per_s": whole.out_bytes_per_cycle * clock_mhz / 1e3,
            "needed_in_gb_per_s": whole.needed_in_bytes_per_cycle * clock_mhz / 1e3,
            "needed_out_gb_per_s": whole.needed_out_bytes_per_cycle * clock_mhz / 1e3,
        }
    finish(result, as_json, _text(result, rows, whole))


def _canonical(tech: str) -> str:
    """A technology's or an FPGA family's own name."""
    from macsmith.synth.fpga import FAMILIES, family_of
    from macsmith.synth.technology import TECHNOLOGIES

    for canonical, aliases in TECHNOLOGIES.items():
        if tech.strip().lower() in aliases:
            return canonical
    family = family_of(tech)
    if family is None:
        known = ", ".join([*TECHNOLOGIES, *FAMILIES])
        raise ValueError(f"technology {tech!r} is unknown; must be one of {known}")
    return family


def _buffers(tech: str, pj_per_bit: float | None) -> BufferTechnology | None:
    from macsmith.model.buffer_energy import BUFFERS, BufferTechnology, Memory

    if pj_per_bit is not None:
        memory = Memory(1, pj_per_bit, pj_per_bit)
        return BufferTechnology("stated", (memory,), f"{pj_per_bit:g} pJ a bit, as stated")
    return BUFFERS.get(tech)


def _mac_energy(
    design: Design,
    tech: str,
    pj_per_mac: float | None,
    price_file: Path | None,
    price: bool,
    build_dir: Path,
) -> MacEnergy | None:
    """From the number, the file, a price made now, or one that is kept; None without any."""
    import json

    from macsmith.layers import MacEnergy
    from macsmith.model.design import Design
    from macsmith.model.implementation import Dataflow
    from macsmith.reports import stages
    from macsmith.reports.points import DesignPoint, point_records

    if pj_per_mac is not None:
        source = f"{pj_per_mac:g} pJ a MAC, as stated, padding too; idle cycles not counted"
        return MacEnergy(pj_per_mac, pj_per_mac, 0.0, source)
    if price_file is not None:
        try:
            return _of_price(json.loads(price_file.read_text(encoding="utf-8")), str(price_file))
        except json.JSONDecodeError as error:
            raise ValueError(f"{price_file}: must be output of `synth --json`: {error}") from None
    single = {"rows": 1, "columns": 1, "dataflow": Dataflow.OUTPUT_STATIONARY}
    implementation = design.implementation.model_copy(update=single)
    one = Design(mac=design.mac, implementation=implementation)
    if price:
        return _of_price(stages.synthesize(one, tech, build_dir), "priced now")
    point = DesignPoint(one.text, (tech,), 0, stages.ENERGY_OPERANDS)
    for record in point_records(point, build_dir, may_compute=False) or []:
        if record.step == "synth":
            return _of_price({"design": one.text, **record.values}, "kept price")
    return None


def _of_price(record: dict[str, Any], whence: str) -> MacEnergy:
    from macsmith.layers import MacEnergy

    names = ("energy_pj_per_mac", "zero_operand_energy_pj_per_mac", "idle_energy_pj_per_mac")
    missing = [name for name in names if not isinstance(record.get(name), int | float)]
    if missing:
        raise ValueError(f"{whence}: a price with energies must have {missing[0]}, and has none")
    source = (
        f"{whence}: {record.get('design')} in {record.get('technology')}, "
        f"{record['energy_pj_per_mac']:.4g} pJ a MAC, {record[names[1]]:.4g} with a zero, "
        f"{record[names[2]]:.4g} idle"
    )
    per_mac, per_zero, per_idle = (float(record[name]) for name in names)
    return MacEnergy(per_mac, per_zero, per_idle, source)


def _text(result: dict[str, Any], rows: list[LayerRow], whole: LayerRow) -> str:
    from macsmith.console import columns

    heads = (
        "layer", "products", "M", "K", "N", "cycles", "fill", "wait", "drain", "padding", "use",
        "needs in", "out", "MAC uJ", "idle uJ", "buffer uJ", "pJ/MAC",
    )  # fmt: skip

    def cells(row: LayerRow) -> list[Any]:
        return [
            row.layer,
            row.products,
            row.m,
            row.k or None,
            row.n or None,
            row.cycles,
            row.fill_cycles,
            row.wait_cycles,
            row.drain_cycles,
            round(row.padding_beats),
            f"{row.utilisation:.1%}",
            round(row.needed_in_bytes_per_cycle, 3),
            round(row.needed_out_bytes_per_cycle, 3),
            *(
                None if value is None else float(f"{value:.4g}")
                for value in (
                    row.mac_energy_uj,
                    row.idle_energy_uj,
                    row.buffer_energy_uj,
                    row.pj_per_mac,
                )
            ),
        ]

    lines = [
        f"{result['design']}, banks of {result['a_depth']}, {result['task']}, "
        f"{result['tokens']} {'words' if result['task'] == 'g2p' else 'tokens'}",
        columns(heads, [cells(row) for row in [*rows, whole]]),
        "cycles of all products of a row; padding: beats spent on what is not whole; needs: bytes "
        "a cycle for an array that never waits (the streams carry 4)",
    ]
    if "seconds" in result:
        lines.append(
            f"at {result['clock_mhz']:g} MHz: {result['seconds']:.4g} s, in "
            f"{result['in_gb_per_s']:.3g} GB/s, out {result['out_gb_per_s']:.3g} GB/s on the "
            f"average; needed {result['needed_in_gb_per_s']:.3g} and "
            f"{result['needed_out_gb_per_s']:.3g} GB/s"
        )
    lines.append(
        f"MAC energy: {result['mac_energy_source']}"
        if result["mac_energy_source"]
        else "MAC energy: no price is kept: state --price, --price-file or --energy-pj-per-mac"
    )
    lines.append(
        f"buffer energy: {result['buffer_energy_source']}"
        if result["buffer_energy_source"]
        else "buffer energy: none is known here: state --buffer-pj-per-bit"
    )
    return "\n".join(lines)
