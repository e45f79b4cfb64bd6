"""Remake the technology tables from Liberty files.

Run as ``python -m macsmith.synth.make_tables asap7 FILE... [-o FOLDER]``. The Liberty files stay
where they are; only figures derived from them are written. ``dont_use`` below is part of every
result: without ASAP7's small drives (``*xp*``) the same circuits come out 18 to 30 % larger.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from macsmith.synth.cells import Technology
from macsmith.synth.liberty import LibertyError, read_liberty
from macsmith.synth.linear import technology_from_library
from macsmith.synth.technology import DATA_FOLDER, dump_technology

__all__ = ["RECIPES", "TableRecipe", "main", "make_table"]


@dataclass(frozen=True)
class TableRecipe:
    """What the Liberty files of a technology do not say themselves."""

    title: str
    source: str
    corner: str
    licence: str
    attribution: str
    dont_use: tuple[str, ...]
    driver_cell: str
    output_load_ff: float


RECIPES: dict[str, TableRecipe] = {
    "asap7": TableRecipe(
        title="ASAP7 sc7p5t rev 28, RVT, 7 nm predictive",
        source="asap7sc7p5t_{AO,INVBUF,OA,SEQ,SIMPLE}_RVT_TT_nldm Liberty files, "
        "https://github.com/The-OpenROAD-Project/asap7sc7p5t_28",
        corner="TT, 0.70 V, 25 C",
        licence="BSD-3-Clause, see asap7.LICENSE",
        attribution="Copyright 2022 Lawrence T. Clark, Vinay Vashishtha, or Arizona State "
        "University",
        # Clock inverters, hold buffers, scan and asynchronous flip-flops have no use here; the
        # negative-edge flip-flops would never be chosen; dfflibmap takes DFFHQx4 (25 % larger
        # than DFFHQNx1 and an inverter is cheaper) when it is offered.
        dont_use=("CKINVDC*", "HB*", "SDF*", "DFFASR*", "DFFL*", "DFFHQx4_*"),
        driver_cell="BUFx2_ASAP7_75t_R",
        output_load_ff=1.5,
    ),
    "sky130": TableRecipe(
        title="SkyWater SKY130 HD, 130 nm",
        source="sky130_fd_sc_hd__tt_025C_1v80 Liberty file, "
        "https://github.com/google/skywater-pdk-libs-sky130_fd_sc_hd",
        corner="tt, 1.80 V, 25 C",
        licence="Apache-2.0",
        attribution="Copyright 2020 The SkyWater PDK Authors",
        # Low-power isolation, probes, delay cells and chained buffers are for other uses than
        # logic; of the flip-flops the ones with two outputs or a falling clock; fah* are full
        # adders for carry chains with inverted pins, larger than fa.
        dont_use=(
            "*__lpflow_*",
            "*__probe*",
            "*dly*",
            "*__bufbuf_*",
            "*__bufinv_*",
            "*__clkinvlp_*",
            "*__fah*",
            "*__dfb*",
            "*__dfrbp_*",
            "*__dfrtn_*",
            "*__dfsbp_*",
            "*__dfxbp_*",
            "*__edfxbp_*",
        ),
        driver_cell="sky130_fd_sc_hd__buf_2",
        output_load_ff=6.0,
    ),
    "ihp-sg13g2": TableRecipe(
        title="IHP SG13G2, 130 nm BiCMOS",
        source="sg13g2_stdcell_typ_1p20V_25C Liberty file, revision 0.1.4, "
        "https://github.com/IHP-GmbH/IHP-Open-PDK",
        corner="typ, 1.20 V, 25 C",
        licence="Apache-2.0",
        attribution="Copyright 2024 IHP PDK Authors",
        dont_use=("*dly*",),
        driver_cell="sg13g2_buf_2",
        output_load_ff=7.0,
    ),
}


def make_table(name: str, files: Sequence[Path]) -> Technology:
    """The table of one of `RECIPES` from its Liberty files.

    Raises
    ------
    ValueError
        No such recipe.
    LibertyError
        A file cannot be used.
    """
    if name not in RECIPES:
        raise ValueError(f"table {name!r} is unknown; must be one of {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    library = read_liberty(files, recipe.dont_use)
    return technology_from_library(
        library,
        name=name,
        title=recipe.title,
        source=recipe.source,
        corner=recipe.corner,
        licence=recipe.licence,
        attribution=recipe.attribution,
        dont_use=recipe.dont_use,
        driver_cell=recipe.driver_cell,
        output_load_ff=recipe.output_load_ff,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 2 after one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m macsmith.synth.make_tables", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("files", nargs="+", type=Path, help="Liberty files, plain or gzip")
    parser.add_argument("-o", "--output", type=Path, default=DATA_FOLDER, help="folder")
    options = parser.parse_args(arguments)
    try:
        text = dump_technology(make_table(options.name, options.files))
    except LibertyError as error:
        print(f"make_tables: {error}", file=sys.stderr)
        return 2
    target = options.output / f"{options.name}.json"
    target.write_text(text, encoding="utf-8")
    print(f"{target}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
