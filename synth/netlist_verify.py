"""Mapped netlists of a design against the golden model: the cells that would be made."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from macsmith.hw.emit import design_verilog
from macsmith.model.design import Design
from macsmith.sim.netlist_check import UnitNetlist
from macsmith.sim.stream_check import check_mac_netlist, is_checkable_mac
from macsmith.sim.unit_random import random_unit_vectors
from macsmith.sim.unit_stimulus import make_unit_stimulus, unit_expected
from macsmith.synth.cells import Technology
from macsmith.synth.recipes import RECIPES, Recipe
from macsmith.synth.synthesize import MappedDesign, synthesize

__all__ = ["NetlistVerification", "map_design", "verify_netlists"]

BATCH = 1 << 19


@dataclass(frozen=True)
class NetlistVerification:
    """One mapped netlist that equals the golden model.

    Attributes
    ----------
    part
        ``unit``: the arithmetic step alone; ``mac``: the whole design.
    stimulus_vectors
        Vectors of the full check (`macsmith.sim.unit_stimulus`), or sums of a MAC.
    random_vectors
        Further ones (`macsmith.sim.unit_random`).
    seconds
        Of the check, mapping left out.
    """

    part: str
    recipe: str
    cells: int
    stimulus_vectors: int
    random_vectors: int
    seconds: float


def verify_netlists(
    design: Design,
    technology: Technology,
    build_dir: Path,
    *,
    vectors: int = 1_000_000,
    seed: int = 1,
    recipes: Sequence[Recipe] = RECIPES,
    progress: Callable[[float, str], None] | None = None,
) -> list[NetlistVerification]:
    """Map a design by every recipe and compare each netlist on the front with the golden model.

    The arithmetic step (the ``unit`` of the design, with its architecture) gets every vector of
    the full check and `vectors` more; where A and B have up to 16 bits together, both hold every
    pair of operand codes many times, with other partial sums. The netlist of a single MAC plays
    sums through its registers too (`macsmith.sim.stream_check`).

    Raises
    ------
    ValueError
        A switchable design or one of block formats: they are checked as Verilog.
    NetlistMismatchError
        A netlist that differs; the message has the first vector.
    ToolError
        Yosys or ABC failed.
    """
    if design.is_switchable:
        raise ValueError(
            f"{design.text}: netlists are checked mode by mode: state one mode's design, or use "
            "macsmith verify without --netlist, which plays all modes"
        )
    if design.mac.block is not None:
        raise ValueError(
            f"{design.text}: netlists of block formats are not compared by themselves; use "
            "macsmith verify without --netlist"
        )
    results: list[NetlistVerification] = []
    unit = _unit_of(design)
    stimulus = make_unit_stimulus(unit, seed=seed)
    expected = unit_expected(stimulus)
    mapped = map_design(unit, technology, build_dir / "unit", recipes)
    checked = [UnitNetlist(unit, each.netlist(), technology.models()) for each in mapped]
    seconds = [0.0] * len(mapped)
    for index, netlist in enumerate(checked):
        start = time.perf_counter()
        netlist.check(stimulus, expected)
        seconds[index] += time.perf_counter() - start
    done = 0
    while done < vectors:
        count = min(BATCH, vectors - done)
        # one batch and its golden results serve all netlists
        start = time.perf_counter()
        batch = random_unit_vectors(unit, seed + done, count)
        golden = unit_expected(batch)
        shared = (time.perf_counter() - start) / len(mapped)
        for index, netlist in enumerate(checked):
            start = time.perf_counter()
            netlist.check(batch, golden)
            seconds[index] += shared + time.perf_counter() - start
        done += count
        if progress is not None:
            progress(done / vectors, f"{done:,} vectors")
    for each, spent in zip(mapped, seconds, strict=True):
        results.append(
            NetlistVerification("unit", each.recipe, _cells(each), stimulus.count, done, spent)
        )
    if is_checkable_mac(design):
        for each in map_design(design, technology, build_dir / "mac", recipes):
            start = time.perf_counter()
            count = check_mac_netlist(design, each.netlist(), technology.models(), seed=seed)
            spent = time.perf_counter() - start
            results.append(NetlistVerification("mac", each.recipe, _cells(each), count, 0, spent))
    return results


_OF_A_UNIT = {"goal", "path", "multiply", "align", "signs", "reduce"}
"""Choices of architecture that concern the arithmetic step."""


def _unit_of(design: Design) -> Design:
    if design.implementation.form == "unit":
        return design
    choices = design.implementation.model_dump(include=_OF_A_UNIT)
    implementation = type(design.implementation)(form="unit", **choices)
    return design.model_copy(update={"implementation": implementation})


def map_design(
    design: Design, technology: Technology, folder: Path, recipes: Sequence[Recipe]
) -> tuple[MappedDesign, ...]:
    """Netlists on the front of area and delay."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{design.id}.v"
    source.write_text(design_verilog(design), encoding="utf-8")
    result = synthesize([source], design.id, technology, build_dir=folder, recipes=recipes)
    return tuple(result.front)


def _cells(mapped: MappedDesign) -> int:
    return sum(mapped.cell_counts.values())
