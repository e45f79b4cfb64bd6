"""The check of a design: its emitted Verilog, under cocotb, against the golden model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macsmith.model.design import Design
from macsmith.sim.block_verify import run_blocks
from macsmith.sim.checks import Check
from macsmith.sim.coverage import Coverage, stream_bins
from macsmith.sim.failures import command_line
from macsmith.sim.plain_verify import run_plain
from macsmith.sim.switch_verify import run_switchable
from macsmith.sim.verilator_runtime import tool_versions

if TYPE_CHECKING:
    from macsmith.hw.emit import GeneratedDesign

__all__ = ["Check", "VerifyResult", "verify", "verify_sources"]


@dataclass(frozen=True)
class VerifyResult:
    """What a check of a design found.

    Parameters
    ----------
    design
        Design text.
    checks
        Each with its count.
    coverage
        Bins required and filled, and those excluded by derivation.
    failures
        One line each: the command that repeats the check, operands, expected and got.
    counters
        Cycles, stalls and the like, from the bench.
    directory
        Where bench, logs and ``result.json`` are.
    """

    design: str
    seed: int
    quick: bool
    checks: tuple[Check, ...]
    coverage: Coverage
    failures: tuple[str, ...]
    counters: Mapping[str, int]
    latency_cycles: int | None
    versions: Mapping[str, str]
    directory: Path = field(default=Path(), compare=False)

    @property
    def passed(self) -> bool:
        """Whether every check passed and every required bin filled."""
        return all(check.passed for check in self.checks)

    @property
    def vectors(self) -> int:
        """Results that were compared with the golden model."""
        return next(check.count for check in self.checks if check.name == "results compared")

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "design": self.design,
            "passed": self.passed,
            "seed": self.seed,
            "quick": self.quick,
            "checks": [asdict(check) for check in self.checks],
            "coverage": self.coverage.to_dict(),
            "failures": list(self.failures),
            "counters": dict(self.counters),
            "latency_cycles": self.latency_cycles,
            "versions": dict(self.versions),
        }


def verify_sources(
    design: Design,
    sources: Sequence[Path],
    directory: Path,
    *,
    seed: int = 1,
    quick: bool = False,
    manifest: Mapping[str, Any] | None = None,
) -> VerifyResult:
    """Check Verilog that claims to be a design.

    Parameters
    ----------
    sources
        Files with the module `design.id` and all it needs.
    directory
        For bench, logs and ``result.json``.
    seed, quick
        See `verify`.
    manifest
        What the design states of itself; its ``latency_cycles`` is checked.

    Raises
    ------
    ToolError, MissingToolError
        The simulation could not be built or run.
    """
    directory.mkdir(parents=True, exist_ok=True)
    line = command_line(design, seed=seed, quick=quick)
    run = run_plain
    if design.is_switchable:
        run = run_switchable
    elif design.mac.block is not None:
        run = run_blocks
    outcome, checks, bins, failures = run(
        design, sources, directory, manifest or {}, seed=seed, quick=quick
    )
    latency = outcome.latency_cycles  # None of a unit
    bins += stream_bins(design, outcome.counters, was_reset=latency is not None)
    coverage = Coverage(tuple(bins))
    missing = coverage.missing
    checks.append(
        Check(
            "coverage bins filled",
            coverage.filled,
            not missing,
            f"{len(missing)} of {coverage.required} empty: {'; '.join(missing)}" if missing else "",
        )
    )
    failures += [
        f"{line}: {check.name}: {check.detail}"
        for check in checks
        if not check.passed and not (check.name == "results compared" and failures)
    ]
    result = VerifyResult(
        design=design.text,
        seed=seed,
        quick=quick,
        checks=tuple(checks),
        coverage=coverage,
        failures=tuple(failures),
        counters=outcome.counters,
        latency_cycles=latency,
        versions=tool_versions(),
        directory=directory,
    )
    report = json.dumps(result.to_dict(), indent=1)
    (directory / "result.json").write_text(report + "\n", encoding="utf-8")
    return result


def verify(
    design: Design,
    build_dir: Path = Path("build"),
    *,
    seed: int = 1,
    quick: bool = False,
    generated: "GeneratedDesign | None" = None,
) -> VerifyResult:
    """Check a design's emitted Verilog against the golden model.

    Parameters
    ----------
    design
        Single MAC, array, or unit.
    build_dir
        Artefacts go to ``<build_dir>/<design id>/verify/``.
    seed
        Of every random choice: the same seed repeats the very same check.
    quick
        A sample instead of all operand pairs, and shorter sums.
    generated
        What `macsmith.hw.emit.generate` returned; emitted anew by default.

    Returns
    -------
    VerifyResult
        `passed` tells; a failing check is no exception.

    Raises
    ------
    ValueError
        The design cannot be built.
    ToolError, MissingToolError
        A tool failed or is not installed.
    """
    build_dir = Path(build_dir)
    if generated is None:
        from macsmith.hw.emit import generate
        from macsmith.sim.vectors import golden_vectors

        generated = generate(
            design, build_dir / design.id / "generate", vectors=golden_vectors(design)
        )
    return verify_sources(
        design,
        [generated.verilog],
        build_dir / design.id / "verify",
        seed=seed,
        quick=quick,
        manifest=generated.manifest,
    )
