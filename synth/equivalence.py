"""Two circuits proven equal by SAT, whatever they are made of: no vectors, no sampling.

Yosys joins both into a miter, whose output is 1 where any of their outputs differ, and its SAT
solver shows that it never is. Combinational circuits only. The effort grows fast with the width of
multipliers and sums: units of small formats take seconds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from macsmith.sim.tools import ToolError
from macsmith.synth.yosys import quote, run_yosys

__all__ = ["EquivalenceResult", "prove_equal"]


@dataclass(frozen=True)
class EquivalenceResult:
    """Outcome of a proof.

    Attributes
    ----------
    is_equal
        Whether all outputs are proven equal for every input.
    counterexample
        Input values by port for which they differ; empty if they never do.
    clauses
        Size of the problem that the solver was given.
    """

    is_equal: bool
    clauses: int
    counterexample: dict[str, int] = field(default_factory=dict)


def prove_equal(
    first: Sequence[Path],
    first_top: str,
    second: Sequence[Path],
    second_top: str,
    *,
    build_dir: Path,
    timeout_s: float = 600.0,
) -> EquivalenceResult:
    """Prove that two combinational modules with the same ports have equal outputs, or find inputs
    for which they differ.

    Parameters
    ----------
    first, second
        Verilog files of each; both may hold modules of the same names.
    build_dir
        Where script and log go (``prove.ys``, ``prove.log``); made if missing.
    timeout_s
        The proof is given up after that long.

    Raises
    ------
    ToolError
        Yosys failed (ports that do not match, a register), or the time was up.
    """
    commands: list[str] = []
    for name, files, top in (("gold", first, first_top), ("gate", second, second_top)):
        commands += ["design -reset"]
        commands += [f"read_verilog {quote(Path(file).resolve())}" for file in files]
        commands += [
            f"hierarchy -check -top {top}",
            "proc",
            "flatten",
            "opt -full",
            f"rename {top} {name}",
            f"design -stash {name}",
        ]
    commands += [
        *(f"design -copy-from {name} -as {name} {name}" for name in ("gold", "gate")),
        "miter -equiv -flatten gold gate miter",
        "hierarchy -top miter",
        "techmap",
        "opt -full",
        # structural hashing and sweeping find what both have in common: the solver gets the rest
        "abc -g AND -script +strash;ifraig;scorr;dc2;ifraig",
        "opt_clean",
        f"sat -timeout {int(timeout_s)} -prove trigger 0 -show-inputs miter",
    ]
    log = run_yosys(commands, Path(build_dir).resolve(), "prove", timeout_s + 120.0)
    size = re.findall(r"Solving problem with \d+ variables and (\d+) clauses", log)
    clauses = int(size[-1]) if size else 0
    if "SAT proof finished - no model found: SUCCESS!" in log:
        return EquivalenceResult(True, clauses)
    if "SAT proof finished - model found: FAIL!" not in log:
        raise ToolError(
            f"proof that {first_top} equals {second_top} (given {timeout_s:g} s)",
            ["yosys", str(Path(build_dir) / "prove.ys")],
            log,
        )
    found = re.findall(r"^\s*\\in_(\w+)\s+(?:\d+|--)\s+(?:[0-9a-f]+|--)\s+([01]+)\s*$", log, re.M)
    return EquivalenceResult(False, clauses, {name: int(bits, 2) for name, bits in found})
