"""Is every fault of a netlist told by the vectors that designs are checked with?

All single-cell faults of a mapped ``unit`` are planted in turn. One that no vector tells is either
proven by SAT to change nothing (the cell is redundant there), or there is an input that tells it,
which the proof finds: then the vectors have a gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_check import pack_fields
from macsmith.sim.netlist_faults import Fault, FaultSimulator, netlist_verilog, single_faults
from macsmith.sim.netlist_graph import Netlist
from macsmith.sim.unit_random import random_unit_vectors
from macsmith.sim.unit_stimulus import UnitStimulus, fixed_limit, make_unit_stimulus
from macsmith.synth.equivalence import prove_equal
from numpy.typing import NDArray

__all__ = ["MutationResult", "examine_mutations", "vectors_of"]


@dataclass(frozen=True)
class MutationResult:
    """What became of all faults of one netlist; the five kinds add up to `faults`.

    Attributes
    ----------
    found_by_stimulus
        Told by the vectors of the full check.
    found_by_random
        Told only by the random vectors after them.
    equivalent
        Proven to change nothing.
    unreachable
        Told only by a partial sum that no sum of the design's reaches.
    missed
        With the inputs that tell them.
    """

    design: str
    cells: int
    faults: int
    found_by_stimulus: int
    found_by_random: int
    equivalent: int
    unreachable: int
    missed: list[tuple[Fault, dict[str, int]]] = field(default_factory=list)


def vectors_of(stimulus: UnitStimulus) -> dict[str, NDArray[np.generic]]:
    """Values of every input port of a unit, ``[vectors]`` or ``[vectors, words]``."""
    config, sums = stimulus.design.mac, stimulus.partial_sums
    vectors: dict[str, NDArray[np.generic]] = {
        "a": pack_fields(stimulus.a, config.a.bits),
        "b": pack_fields(stimulus.b, config.b.bits),
        "partial_sum_i": sums[:, 0] if sums.shape[1] == 1 else sums,
    }
    if mac_widths(config).outer is not None:
        vectors["chunk_end"] = stimulus.chunk_end
    if stimulus.random is not None:
        vectors["random"] = stimulus.random
    return vectors


def examine_mutations(
    design: Design,
    netlist: Netlist,
    models: Mapping[str, CellModel],
    build_dir: Path,
    *,
    random_vectors: int = 1 << 20,
    seed: int = 1,
    quick: bool = False,
) -> MutationResult:
    """Plant every single-cell fault in a netlist of a ``unit`` and look who tells it.

    Parameters
    ----------
    random_vectors
        How many follow those of the full check.
    quick
        Take those of the quick check instead.

    Raises
    ------
    NetlistError
        The netlist is not combinational.
    ToolError
        A proof could not be ended.
    """
    faults = single_faults(netlist, models)
    stimulus = make_unit_stimulus(design, seed=seed, quick=quick)
    left = _not_found(netlist, models, faults, stimulus)
    by_stimulus = len(faults) - len(left)
    before = len(left)
    if left and random_vectors:
        vectors = random_unit_vectors(design, seed, random_vectors)
        left = _not_found(netlist, models, left, vectors)
    folder = Path(build_dir)
    folder.mkdir(parents=True, exist_ok=True)
    good, wrong = folder / "good.v", folder / "wrong.v"
    good.write_text(netlist_verilog(netlist, models, "good"), encoding="utf-8")
    equivalent = unreachable = 0
    missed: list[tuple[Fault, dict[str, int]]] = []
    for fault in left:
        wrong.write_text(netlist_verilog(netlist, models, "wrong", fault), encoding="utf-8")
        proof = prove_equal([good], "good", [wrong], "wrong", build_dir=folder)
        if proof.is_equal:
            equivalent += 1
        elif _is_reachable(design, proof.counterexample):
            missed.append((fault, proof.counterexample))
        else:
            unreachable += 1
    return MutationResult(
        design.text,
        len(netlist.instances),
        len(faults),
        by_stimulus,
        before - len(left),
        equivalent,
        unreachable,
        missed,
    )


def _not_found(
    netlist: Netlist,
    models: Mapping[str, CellModel],
    faults: Sequence[Fault],
    stimulus: UnitStimulus,
) -> list[Fault]:
    if not faults:
        return []
    first = FaultSimulator(netlist, models, faults).first_vectors(vectors_of(stimulus))
    return [fault for fault, vector in zip(faults, first.tolist(), strict=True) if vector < 0]


def _is_reachable(design: Design, inputs: Mapping[str, int]) -> bool:
    """Whether a sum can have the partial sum of a counterexample: fixed-point ones are limited.

    What is not limited by that counts as reachable.
    """
    widths = mac_widths(design.mac)
    bits = inputs.get("partial_sum_i", 0)
    for part in (widths.inner, widths.outer):
        if part is None:
            continue
        if part.format is None:
            integer = bits & ((1 << part.integer_bits) - 1)
            integer -= (integer >> (part.integer_bits - 1)) << part.integer_bits
            flags = bits >> part.integer_bits & ((1 << part.flag_bits) - 1)
            if abs(integer) > fixed_limit(design.mac, part) or (flags and integer):
                return False
        bits >>= part.bits
    return True
