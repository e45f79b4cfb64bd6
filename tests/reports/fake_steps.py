"""Steps that take no time and give made-up figures, to test what is built around real ones."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from macsmith.model.design import Design
from macsmith.reports import checks, points, stages
from macsmith.reports.points import Point
from macsmith.reports.pool import Outcome
from macsmith.reports.store import Record

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

LOG_VARIABLE = "MACSMITH_TEST_LOG"


def _log(text: str) -> None:
    with Path(os.environ[LOG_VARIABLE]).open("a") as log:
        log.write(text + "\n")


class _Verified:
    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def to_dict(self) -> dict[str, Any]:
        return self.values


def _generate(design: Design, *, build_dir: Path, **_: Any) -> str:
    _log(f"generate {design.text}")
    if design.mac.a.name == "e5m3":
        raise ValueError("cannot be built, said the test")
    folder = stages.step_folder(build_dir, design, "generate")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{design.id}.v").write_text(f"module {design.id}; endmodule\n")
    return "generated"


def _verify(design: Design, build_dir: Path, **_: Any) -> _Verified:
    _log(f"verify {design.text}")
    passed = design.mac.a.name != "e2m2"
    counts = {"results compared": 1000, "products in them": 65536, "coverage bins filled": 40}
    return _Verified(
        {
            "passed": passed,
            "seed": 0,
            "checks": [{"name": name, "count": count} for name, count in counts.items()],
            "failures": [] if passed else ["macsmith verify e2m2:exact --seed 0: sum 3"],
        }
    )


def _synthesize(design: Design, technology: str, build_dir: Path, **_: Any) -> dict[str, Any]:
    _log(f"synth {design.text} {technology}")
    if design.mac.a.name == "e3m1":
        raise RuntimeError("yosys failed\ncommand: yosys x.ys\nlog tail")
    if design.mac.a.name == "e1m6":
        os.kill(os.getpid(), 9)
    area = 10.0 * design.mac.a.bits
    return {
        "area_um2": area,
        "area_um2_per_mac": area,
        "energy_pj_per_mac": area / 300,
        "delay_ps": 1000.0,
        "recipe": "smallest",
        "flow": "a flow",
        "tool_versions": {"yosys": "0.70"},
        "front": [{"area_um2": area}],
        "energy_method": "made up",
    }


def _accuracy(
    task: str, design: Design, build_dir: Path, *, accumulation: str, scaling: str, **_: Any
) -> dict[str, Any]:
    _log(f"accuracy {task} {design.text} {accumulation}")
    loss = 1.0 / design.mac.a.bits
    values: dict[str, Any] = {"task": task, "design": design.text, "tokens": 512, "text": "made up"}
    values |= {"scaling": scaling, "quantised_layers": "all", "versions": "none 1"}
    if task == "g2p":
        return values | {
            "phoneme_error_percent": 10 + loss,
            "reference_phoneme_error_percent": 10.0,
        }
    values |= {"nll_change_per_token": loss, "nll_change_standard_error": 0.003}
    if accumulation == "bit-exact":
        values |= {"nll_change_per_token": 5.0, "accumulator_nll_change_per_token": 0.1}
        values |= {"accumulator_nll_change_standard_error": 0.004}
        values |= {"accumulator_relative_rms_error": 0.025}
    return values


@contextlib.contextmanager
def fake_steps() -> Iterator[None]:
    """Put the fake steps in the place of the real ones."""
    with (
        mock.patch.object(stages, "generate", _generate),
        mock.patch.object(stages, "verify", _verify),
        mock.patch.object(stages, "synthesize", _synthesize),
        mock.patch.object(stages, "accuracy", _accuracy),
        mock.patch.object(points, "source_digest", return_value="of the tests"),
        mock.patch.object(checks, "source_digest", return_value="of the tests"),
    ):
        yield


def work(build_dir: Path, wait: bool, point: Point) -> list[Record] | None:
    """What a worker of `explore` does in tests."""
    with fake_steps():
        return points.point_records(point, build_dir, wait=wait)


class InProcess:
    """An executor without other processes, for tests of what is computed and not of where."""

    def run(
        self,
        work: Callable[[JobT], ResultT],
        jobs: Sequence[JobT],
        *,
        on_start: Callable[[list[JobT]], None] = lambda running: None,
    ) -> Generator[Outcome[JobT, ResultT], None, None]:
        for job in jobs:
            yield Outcome(job, work(job))
