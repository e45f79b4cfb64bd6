"""The verb ``estimate``: cost by the fitted model, in milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from macsmith.verbs import JsonOption, app, finish, help_text

if TYPE_CHECKING:
    from macsmith.model.design import Design

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
        "macsmith estimate --formulas int8:int32",
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
        bool,
        typer.Option(
            "--formulas",
            help="Print the model itself; with designs, each one's counts times coefficients.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    from pathlib import Path

    from macsmith.console import columns, only_results_on_stdout
    from macsmith.model.cost.energy import ENERGY
    from macsmith.model.cost.estimate import estimate_table
    from macsmith.model.cost.formulas import formulas
    from macsmith.model.design import load_designs, parse_design

    if show_formulas and not designs:
        text = formulas(tech, target)
        finish({"technology": tech, "formulas": text.splitlines()}, as_json, text)
        return
    if not designs:
        raise ValueError("estimate: must have a design, or --formulas")
    parsed: list[Design] = []
    for argument in designs:
        if argument.endswith(".toml"):
            parsed += load_designs(Path(argument))
        else:
            parsed.append(parse_design(argument))
    if show_formulas:
        terms = [_written_out(design, tech, target) for design in parsed]
        finish(
            {"technology": tech, "designs": [found for found, _ in terms]},
            as_json,
            "\n\n".join(text for _, text in terms),
        )
        return
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


def _written_out(design: Design, tech: str, target: str | None) -> tuple[dict[str, Any], str]:
    """Terms of a design's formulas, as JSON can hold them and as text."""
    from macsmith.console import columns
    from macsmith.model.cost.formulas import formula_terms

    terms = formula_terms(design, tech, target)
    totals: dict[str, float] = {}
    for term in terms:
        totals[term.figure] = totals.get(term.figure, 0.0) + term.product
    rows: list[list[Any]] = []
    for figure, total in totals.items():
        rows.append([figure, "", "", "", f"{total:.4g}"])
        rows += [
            ["", term.piece, f"{term.count:.4g}", f"{term.coefficient:.4g}", f"{term.product:.4g}"]
            for term in terms
            if term.figure == figure
        ]
    found = {
        "design": design.text,
        "totals": totals,
        "terms": [
            {
                "figure": term.figure,
                "piece": term.piece,
                "count": term.count,
                "coefficient": term.coefficient,
            }
            for term in terms
        ],
    }
    table = columns([design.text, "piece", "count", "each", "together"], rows)
    note = "delay is that of the longest path, a little more where two are nearly as long"
    return found, f"{table}\n{note}"
