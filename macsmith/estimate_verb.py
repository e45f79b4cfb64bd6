"""The verb ``estimate``: cost by the fitted model, in milliseconds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from macsmith.verbs import JsonOption, app, finish, help_text

__all__ = ["app"]


@app.command(
    short_help="Area, delay or LUTs without synthesis.",
    help=help_text(
        "Estimate the cost of designs by a model fitted to synthesised ones, each figure with the "
        "interval that held nine of ten samples left out of the fit. Designs unlike those samples "
        "are told as such: then it is a guess, and `macsmith synth` knows.",
        "macsmith estimate e4m3:exact:lanes8 e4m3:e6m9/64",
        "macsmith estimate int8:int32:lanes16:unit --tech sky130 --target speed",
        "macsmith estimate mxfp8_e4m3:fp32:lanes8 --tech ecp5 --json",
        "macsmith estimate e4m3:exact int8:int32 --operands g2p",
        "macsmith estimate --formulas --tech asap7",
    ),
)
def estimate(
    designs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DESIGN]", help="Design texts, or .toml files of designs."),
    ] = None,
    tech: Annotated[
        str,
        typer.Option("--tech", metavar="NAME", help="A technology that was sampled."),
    ] = "asap7",
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="area|speed",
            help="Clock target of a cell library: the smallest or the fastest recipe.",
        ),
    ] = None,
    operands: Annotated[
        str | None,
        typer.Option(
            "--operands",
            metavar="WHICH",
            help="Whose operands the energy is estimated for: smollm2, g2p, one layer as "
            "smollm2/blk.3.attn_q, gaussian or uniform; by default of no one's in particular.",
        ),
    ] = None,
    show_formulas: Annotated[
        bool, typer.Option("--formulas", help="Print the model itself.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    from pathlib import Path

    from macsmith.console import columns, only_results_on_stdout
    from macsmith.model.cost.energy import ENERGY
    from macsmith.model.cost.estimate import estimate_table, formulas
    from macsmith.model.design import Design, load_designs, parse_design

    if show_formulas:
        text = formulas(tech, target)
        finish({"technology": tech, "formulas": text.splitlines()}, as_json, text)
        if not designs:
            return
    if not designs:
        raise ValueError("estimate: must have a design, or --formulas")
    parsed: list[Design] = []
    for argument in designs:
        if argument.endswith(".toml"):
            parsed += load_designs(Path(argument))
        else:
            parsed.append(parse_design(argument))
    with only_results_on_stdout():
        statistics = None
        if operands is not None:
            from macsmith.model.cost.operands import operand_columns

            statistics = operand_columns(parsed, operands)
        table = estimate_table(parsed, tech, target, statistics)
    records = [{"design": design.text, **table.record(row)} for row, design in enumerate(parsed)]
    figures = [name for name in ("area_um2", "delay_ps", ENERGY, "lut") if name in table.figures]
    rows: list[list[Any]] = []
    for record in records:
        row: list[Any] = [record["design"]]
        for name in figures:
            known = name in record  # energy was not measured of all families
            low, high = record.get(f"{name}_low", 0.0), record.get(f"{name}_high", 0.0)
            row.append(f"{record[name]:.4g}" if known else "-")
            row.append(f"{low:.4g} to {high:.4g}" if known else "-")
        rows.append([*row, record.get("outside", "")])
    heads = ["design"]
    for name in figures:
        heads += [name, "9 of 10"]
    notes = [f"{table.technology}, {table.target}: estimated, not synthesised"]
    if operands is not None and ENERGY not in table.figures:
        notes.append(f"operands {operands} do not count: {table.technology} has no energy samples")
    finish(
        {"technology": table.technology, "target": table.target, "estimates": records},
        as_json,
        "\n".join([columns([*heads, "outside of the samples"], rows), *notes]),
    )
