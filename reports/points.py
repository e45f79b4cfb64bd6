"""Points of a sweep: what is computed for one design, or for one network in one arithmetic.

A point runs in a process of its own and keeps each step's result in the store as soon as it has
it. What is already kept is not computed again; a failed step is kept with its reason, and tried
again by the next run, for the reason may have been the machine's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macsmith.model.accumulators import (
    ExactAccumulator,
    FloatAccumulator,
    IntAccumulator,
    IntOverflow,
    accumulator_parts,
)
from macsmith.model.config import MacConfig
from macsmith.model.design import Design, parse_design
from macsmith.model.formats import FloatFormat, parse_format
from macsmith.model.rounding import Rounding
from macsmith.reports import stages
from macsmith.reports.checks import STORE_FOLDER, VERIFY_STEP, check_determinants
from macsmith.reports.fingerprints import file_sha256, source_digest, versions
from macsmith.reports.leases import lease
from macsmith.reports.store import FULL, Record, ResultStore, StoreFullError, content_key

if TYPE_CHECKING:
    from macsmith.hw.emit import GeneratedDesign

__all__ = [
    "DESIGN_STEPS",
    "AccuracyPoint",
    "DesignPoint",
    "Point",
    "StepFailedError",
    "Steps",
    "is_lossless",
    "is_nearly_lossless",
    "point_records",
]


#: Steps of a design, in their order.
DESIGN_STEPS = ("generate", VERIFY_STEP, "synth")


#: A disk with less room than this is full: no step of a design does with it.
_LEAST_FREE_BYTES = 64 * 1024


class StepFailedError(RuntimeError):
    """A step of a point failed; the record has the reason."""

    def __init__(self, record: Record) -> None:
        super().__init__(f"{record.step}: {record.failure}")
        self.record = record


class _NotKeptError(Exception):
    """A result is not in the store and must not be computed now."""


@dataclass(frozen=True)
class DesignPoint:
    """A design to generate, verify and price.

    `operands` names the accuracy task whose operands drive the energy figure; None: no energy.
    """

    design: str
    technologies: tuple[str, ...]
    seed: int
    operands: str | None

    @property
    def name(self) -> str:
        """For people."""
        return self.design


@dataclass(frozen=True)
class AccuracyPoint:
    """A network computed in one arithmetic.

    `own_sums`: every sum as the design's hardware computes it; else exact sums, which depend on
    the operand formats alone. `tokens`: size of the sample; None: the task's default. `scaling`:
    rule for the scales of operands; ``row`` is the formats' own.
    """

    task: str
    design: str
    own_sums: bool
    seed: int
    tokens: int | None = None
    scaling: str = "row"

    @property
    def name(self) -> str:
        """For people."""
        parts = [f"{self.task} {self.design}"]
        parts += [] if self.own_sums else ["exact sums"]
        parts += [] if self.scaling == "row" else [f"scales by {self.scaling}"]
        return ", ".join(parts)


Point = DesignPoint | AccuracyPoint


def is_lossless(config: MacConfig) -> bool:
    """Whether no product and no sum is ever rounded (the result still is, on its way out)."""
    return config.product is None and all(
        isinstance(part, ExactAccumulator)
        or (isinstance(part, IntAccumulator) and part.overflow is IntOverflow.FORBID)
        for part in accumulator_parts(config.accumulator)
    )


def is_nearly_lossless(config: MacConfig) -> bool:
    """Whether no sum is rounded to less than binary32 has, nearest.

    Networks with exact sums are computed in binary32 themselves, and cannot tell such sums from
    them: a difference is that of activations which happen to be rounded otherwise.
    """
    single = parse_format("fp32")
    assert isinstance(single, FloatFormat)
    if is_lossless(config):
        return True
    return (
        config.product is None
        and config.stochastic is None
        and config.rounding in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY)
        and all(
            isinstance(part, ExactAccumulator)
            or (
                isinstance(part, FloatAccumulator)
                and part.format.fraction_bits >= single.fraction_bits
                and part.format.exponent_bits >= single.exponent_bits
            )
            for part in accumulator_parts(config.accumulator)
        )
    )


def _one_line(error: BaseException) -> str:
    """A failure as text: its kind is told where the message alone would not say it."""
    text = str(error).strip()
    if isinstance(error, ValueError | RuntimeError | OSError):
        return text or type(error).__name__
    return f"{type(error).__name__}: {text}"


def _is_disk_full(error: Exception, folder: Path) -> bool:
    """Whether a step failed for want of room: then the next ones would fail too.

    Tools tell it in words of theirs or not at all, so the disk is asked as well.
    """
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    if any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
        return True
    existing = next(part for part in (folder, *folder.absolute().parents) if part.exists())
    with contextlib.suppress(OSError):
        usage = shutil.disk_usage(existing)
        # a file system that does not know its size says 0 of all
        return usage.total > 0 and usage.free < _LEAST_FREE_BYTES
    return False


class Steps:
    """Runs steps, each through the store; ``records`` are those of all steps so far."""

    def __init__(self, store: ResultStore, may_compute: bool) -> None:
        self.store = store
        self.may_compute = may_compute
        self.records: list[Record] = []

    def step(
        self,
        name: str,
        determinants: Mapping[str, Any],
        compute: Callable[[], Mapping[str, Any]],
        *,
        is_still_there: Callable[[Record], bool] = lambda record: True,
    ) -> Record:
        """The record of a step, kept or computed now.

        `is_still_there` says whether the artefacts that a kept record speaks of exist.

        Raises
        ------
        StepFailedError
            The step failed just now.
        StoreFullError
            There is no room for its files or its result.
        """
        kept = self.store.get(name, determinants)
        if kept is not None and not kept.is_failed and is_still_there(kept):
            self.records.append(kept)
            return kept
        if not self.may_compute:
            raise _NotKeptError
        start = time.perf_counter()
        try:
            values, failure = compute(), None
        except Exception as error:  # told and kept, whatever it is: other points must go on
            if _is_disk_full(error, self.store.root):
                raise StoreFullError(
                    errno.ENOSPC,
                    f"{self.store.root}: no room for the files of {name}; all that was kept before "
                    "is whole: make room and run the same command again",
                ) from error
            values, failure = {}, _one_line(error)
        seconds = time.perf_counter() - start
        record = self.store.put(name, determinants, values, failure=failure, seconds=seconds)
        self.records.append(record)
        if record.is_failed:
            raise StepFailedError(record)
        return record


def point_records(
    point: Point, build_dir: Path, *, may_compute: bool = True, wait: bool = True
) -> list[Record] | None:
    """All records of a point, from the store or computed now.

    While one process computes a point, no other one does: neither its results nor the files of
    its design are made by two at a time.

    Parameters
    ----------
    point
        What to compute.
    build_dir
        Folder of artefacts; the store is its sub-folder ``store``.
    may_compute
        False: only look into the store.
    wait
        Whether to wait if another process is computing the point.

    Returns
    -------
    list of Record
        In the order of the steps; the last may be a failure, and later steps are then absent
        (technologies are independent of each other). None if `may_compute` is false and something
        is not kept, or is kept as failed; or if another process is computing it and `wait` is
        false.

    Raises
    ------
    StoreFullError
        There is no room to keep a result.
    """
    if not may_compute:
        return _records(point, Path(build_dir), may_compute=False)
    with lease(_store(Path(build_dir)).root / ".leases", _lease_name(point), wait=wait) as is_mine:
        return _records(point, Path(build_dir), may_compute=True) if is_mine else None


def _lease_name(point: Point) -> str:
    if isinstance(point, AccuracyPoint):
        return content_key("accuracy", _accuracy_determinants(point))
    # all that works on one design writes the same files
    return f"design {parse_design(point.design).id}"


@cache
def _store(build_dir: Path) -> ResultStore:
    """One for each folder, which keeps its packs open."""
    return ResultStore(build_dir / STORE_FOLDER)


def _records(point: Point, build_dir: Path, *, may_compute: bool) -> list[Record] | None:
    steps = Steps(_store(build_dir), may_compute)
    try:
        if isinstance(point, AccuracyPoint):
            _accuracy_step(steps, point, build_dir)
        else:
            _DesignSteps(steps, point, build_dir).run()
    except StepFailedError:
        pass
    except _NotKeptError:
        return None
    return steps.records


class _DesignSteps:
    """The steps of one design; each needs the emitted Verilog."""

    def __init__(self, steps: Steps, point: DesignPoint, build_dir: Path) -> None:
        self.steps = steps
        self.point = point
        self.build_dir = build_dir
        self.design = parse_design(point.design)
        folder = stages.step_folder(build_dir, self.design, "generate")
        self.verilog = folder / f"{self.design.id}.v"

    @cached_property
    def generated(self) -> GeneratedDesign:
        """The emitted design, as emitted by this process."""
        return stages.generate(self.design, build_dir=self.build_dir)

    def run(self) -> None:
        """All steps; a failed check or price does not keep the other ones."""
        generated = self.steps.step(
            "generate",
            {
                "design": self.design.text,
                "source": source_digest("hw", "model", "sim"),
                "versions": versions("amaranth", "pyosys", "macsmith"),
            },
            self._generate,
            is_still_there=self._is_verilog_there,
        )
        rtl = {
            "design": self.design.text,
            "verilog_sha256": generated.values["verilog_sha256"],
            "seed": self.point.seed,
        }
        failures = []
        prices = [partial(self._synth, rtl, name) for name in self.point.technologies]
        for work in (partial(self._verify, rtl), *prices):
            try:
                work()
            except StepFailedError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _generate(self) -> Mapping[str, Any]:
        self.__dict__.pop("generated", None)
        assert self.generated is not None
        return {"verilog_sha256": file_sha256(self.verilog)}

    def _is_verilog_there(self, record: Record) -> bool:
        is_file = self.verilog.is_file()
        return is_file and file_sha256(self.verilog) == record.values["verilog_sha256"]

    def _verify(self, rtl: Mapping[str, Any]) -> None:
        determinants = check_determinants(self.design, rtl["verilog_sha256"], self.point.seed)

        def verify() -> Mapping[str, Any]:
            result = stages.verify(
                self.design, self.build_dir, seed=self.point.seed, generated=self.generated
            )
            return result.to_dict()

        self.steps.step(VERIFY_STEP, determinants, verify)

    def _synth(self, rtl: Mapping[str, Any], technology: str) -> None:
        determinants = {
            **rtl,
            "technology": technology,
            "operands": self.point.operands,
            "source": source_digest(
                "synth", "synth/data", "sim", "model/accuracy", "reports/activities"
            ),
            "versions": versions("pyosys", "numpy"),
        }

        def synthesize() -> Mapping[str, Any]:
            return stages.synthesize(
                self.design,
                technology,
                self.build_dir,
                operands=self.point.operands,
                seed=self.point.seed,
                generated=self.generated,
            )

        self.steps.step("synth", determinants, synthesize)


def _accuracy_determinants(point: AccuracyPoint) -> dict[str, Any]:
    design = parse_design(point.design)
    arithmetic = (
        Design(mac=design.mac).text if point.own_sums else " x ".join(design.mac.operand_names)
    )
    return {
        "task": point.task,
        "own_sums": point.own_sums,
        "arithmetic": arithmetic,
        "seed": point.seed,
        "tokens": point.tokens,
        # what was kept before there was a choice is what the default gives
        **({} if point.scaling == "row" else {"scaling": point.scaling}),
        "source": source_digest("model", "model/accuracy"),
        "versions": versions("numpy"),
    }


def _accuracy_step(steps: Steps, point: AccuracyPoint, build_dir: Path) -> None:
    steps.step(
        "accuracy",
        _accuracy_determinants(point),
        lambda: stages.accuracy(
            point.task,
            parse_design(point.design),
            build_dir,
            scaling=point.scaling,
            accumulation="bit-exact" if point.own_sums else "exact",
            tokens=point.tokens,
            seed=point.seed,
        ),
    )
