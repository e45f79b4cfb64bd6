"""Designs exported to other tools: priced here or taken from a report's table, then written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from macsmith.bridges.accelergy import write_accelergy
from macsmith.bridges.components import (
    Component,
    components_of_estimate,
    components_of_price,
    components_of_rows,
)
from macsmith.bridges.hwcomponents_plugin import write_hwcomponents
from macsmith.bridges.quantisers import price_quantiser
from macsmith.bridges.zigzag import write_zigzag
from macsmith.model.design import Design
from macsmith.reports import stages

__all__ = ["TARGETS", "check_target", "export", "price_components"]

Writer = Callable[[Sequence[Component], Path], list[Path]]

#: Tools that components can be written for.
TARGETS: dict[str, Writer] = {
    "accelergy": write_accelergy,
    "timeloop": write_accelergy,
    "hwcomponents": write_hwcomponents,
    "accelforge": write_hwcomponents,
    "zigzag": write_zigzag,
}


def check_target(target: str) -> Writer:
    """The writer of a tool; ValueError with the names of all for an unknown one."""
    if target not in TARGETS:
        raise ValueError(f"--to must be {', '.join(TARGETS)}, not {target!r}")
    return TARGETS[target]


def price_components(
    designs: Sequence[Design],
    technologies: Sequence[str],
    build_dir: Path,
    *,
    operands: str = "gaussian",
    quantisers: bool = True,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> list[Component]:
    """Synthesise designs, and a quantiser for each of their operand formats.

    Parameters
    ----------
    operands
        What drives the energy; see `macsmith.synthesize`.
    quantisers
        Whether to price them too.
    progress
        Called with the share that is done, and with what comes next.

    Raises
    ------
    ValueError
        A switchable design, or a technology that is no standard-cell one of macsmith's.
    RuntimeError
        A tool failed.
    """
    formats = dict.fromkeys(name for design in designs for name in design.mac.operand_names)
    things: list[Design | str] = [*designs, *(formats if quantisers else ())]
    jobs = [(what, technology) for technology in technologies for what in things]
    found: list[Component] = []
    for place, (what, technology) in enumerate(jobs):
        if progress is not None:
            progress(place / len(jobs), f"{what} in {technology}")
        if isinstance(what, Design):
            record = stages.synthesize(what, technology, build_dir, operands=operands, seed=seed)
            found += components_of_price(record, what)
        else:
            found.append(price_quantiser(what, technology, build_dir=build_dir, seed=seed))
    return found


def export(
    target: str,
    designs: Sequence[Design],
    folder: Path,
    *,
    technologies: Sequence[str] = ("asap7",),
    table: Path | None = None,
    is_estimate: bool = False,
    build_dir: Path = stages.DEFAULT_BUILD_DIR,
    operands: str = "gaussian",
    quantisers: bool = True,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> tuple[list[Component], list[Path]]:
    """Write designs as components of another tool.

    Parameters
    ----------
    target
        One of `TARGETS`.
    designs
        At least one, unless a `table` is given, of which all is taken then.
    table
        ``results.csv`` or ``results.parquet`` of a report, instead of synthesis: MACs only.
    is_estimate
        Take the cost model's figures instead of synthesis: MACs only, leakage unknown.

    Returns
    -------
    components, files

    Raises
    ------
    ValueError
        An unknown target, no design, or a design without the figures that are needed.
    """
    from macsmith.synth.fpga import family_of

    write = check_target(target)
    if table is not None and is_estimate:
        raise ValueError("figures must be those of a table or estimates, not both")
    for technology in technologies:
        if family_of(technology) is not None:
            raise ValueError(
                f"technology must be a standard-cell library, not the FPGA family {technology}: "
                "components have area and energy"
            )
    if table is not None:
        texts = [design.text for design in designs]
        components = components_of_rows(table, texts, technologies)
    elif not designs:
        raise ValueError("there must be at least 1 design (or --table), not 0")
    elif is_estimate:
        components = [
            component
            for technology in technologies
            for component in components_of_estimate(designs, technology)
        ]
    else:
        components = price_components(
            designs,
            technologies,
            build_dir,
            operands=operands,
            quantisers=quantisers and write is not write_zigzag,
            seed=seed,
            progress=progress,
        )
    return components, write(components, folder)
