"""The accuracy tasks, and the one function that computes one of them in a design's arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from macsmith.model.accuracy.arithmetic import AnyArithmetic, ReferenceArithmetic
from macsmith.model.accuracy.block_arithmetic import (
    BitExactBlockArithmetic,
    BlockArithmetic,
    parse_block_scaling,
)
from macsmith.model.accuracy.cache import Arrays, remember
from macsmith.model.accuracy.g2p_task import G2pTask
from macsmith.model.accuracy.packages import package_version
from macsmith.model.accuracy.quantise import Scaling, parse_scaling
from macsmith.model.accuracy.quantised import BitExactArithmetic, ExactArithmetic
from macsmith.model.accuracy.results import AccuracyResult
from macsmith.model.accuracy.smollm2_task import SmolLM2Task
from macsmith.model.accuracy.task import Sample, Task
from macsmith.model.config import MacConfig
from macsmith.model.design import Design

Accumulation = Literal["exact", "bit-exact"]
ACCUMULATIONS: tuple[Accumulation, ...] = ("exact", "bit-exact")
Progress = Callable[[float, str], None]

TASKS: dict[str, Task] = {task.name: task for task in (G2pTask(), SmolLM2Task())}


def find_task(name: str) -> Task:
    """Return a task by its name.

    Raises
    ------
    ValueError
        If there is none; the message lists them.
    """
    task = TASKS.get(name)
    if task is None:
        raise ValueError(f"accuracy task must be one of {', '.join(TASKS)}, not {name!r}")
    return task


def evaluate(
    task: str,
    design: Design,
    *,
    scaling: str | Scaling = Scaling.ROW,
    accumulation: str = "exact",
    tokens: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> AccuracyResult:
    """Compute a task in a design's arithmetic and compare with the unquantised network.

    Operand A of the design holds activations, B weights. What was computed before, for this design
    or for another with the same operand formats, is read from the cache.

    Parameters
    ----------
    task
        ``g2p`` or ``smollm2``.
    design
        The design. Only what it computes matters, not how it is built.
    scaling
        Name of a rule in `macsmith.model.accuracy.quantise.SCALINGS`.
    accumulation
        ``exact``: the accumulator is ignored. ``bit-exact``: every sum is what the design's
        hardware computes; the sample is smaller by default. Metrics beginning with ``accumulator_``
        then tell what the accumulator alone does: the change against exact sums on the same
        sample, and ``accumulator_relative_rms_error``, the error of single sums against exact
        sums of the same operands, which needs no statistics.
    tokens
        Size of the sample: predicted tokens, or words for ``g2p``. By default 3,072 tokens (512 bit
        by bit), or 2,000 words.
    seed
        Another seed gives another sample.
    progress
        Called with the fraction done and a few words about what is being done.

    Raises
    ------
    ValueError
        Unknown task, scaling or accumulation, or a sample that cannot be had.
    MissingPackageError
        A package with the task's data is not installed.
    """
    chosen = find_task(task)
    if accumulation not in ACCUMULATIONS:
        raise ValueError(
            f"accumulation must be one of {', '.join(ACCUMULATIONS)}, not {accumulation!r}"
        )
    bit_exact = accumulation == "bit-exact"
    config = design.mac
    arithmetics = arithmetics_of(config, scaling)
    if tokens is None:
        tokens = chosen.default_bit_exact_tokens if bit_exact else chosen.default_tokens
    sample = chosen.sample(tokens, seed)

    def stage(first: float, last: float, what: str) -> Callable[[float], None] | None:
        if progress is None:
            return None
        report = progress
        report(first, what)
        return lambda fraction: report(first + (last - first) * fraction, what)

    reference = _run(
        chosen, sample, {"arithmetic": "float32"}, ReferenceArithmetic, stage(0.0, 0.2, "reference")
    )
    a_name, b_name = config.operand_names
    exact_key = {
        "arithmetic": "exact",
        "a": a_name,
        "b": b_name,
        "scaling": arithmetics.scaling,
    }
    exact = _run(
        chosen,
        sample,
        exact_key,
        arithmetics.exact,
        stage(0.2, 0.4 if bit_exact else 1.0, f"{a_name} x {b_name}, exact sums"),
    )
    outcome = exact
    if bit_exact:
        computation = Design(mac=config).text
        outcome = _run(
            chosen,
            sample,
            {
                "arithmetic": "bit-exact",
                "computation": computation,
                "scaling": arithmetics.scaling,
            },
            arithmetics.bit_exact,
            stage(0.4, 1.0, f"{computation}, bit by bit"),
        )
    metrics = chosen.metrics(outcome, reference, exact if bit_exact else None)
    if bit_exact:
        metrics["accumulator_relative_rms_error"] = float(outcome["relative_rms_error"])
    metrics["non_finite_outputs"] = int(outcome["non_finite_outputs"])
    if progress is not None:
        progress(1.0, "done")
    return AccuracyResult(
        task=task,
        design=design.text,
        # A standard error of one token is not a number: such a figure is missing.
        metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
        provenance={
            **sample.provenance,
            "seed": seed,
            "quantised_layers": chosen.quantised_layers,
            "quantised_layer_count": int(outcome["layers"]),
            "macs": int(outcome["macs"]),
            "activations": a_name,
            "weights": b_name,
            "scaling": arithmetics.scaling,
            "accumulation": accumulation,
            **_details(outcome),
            "versions": versions(chosen),
        },
    )


@dataclass(frozen=True)
class _Arithmetics:
    """The arithmetics that a design is evaluated in, and the name of the rule for their scales."""

    scaling: str
    exact: Callable[[], AnyArithmetic]
    bit_exact: Callable[[], AnyArithmetic]


def arithmetics_of(config: MacConfig, scaling: str | Scaling) -> _Arithmetics:
    if config.block is None:
        rule = parse_scaling(scaling)
        return _Arithmetics(
            rule.value,
            lambda: ExactArithmetic(config.a, config.b, rule),
            lambda: BitExactArithmetic(config, rule),
        )
    name = scaling.value if isinstance(scaling, Scaling) else scaling
    blocks = parse_block_scaling(config, name)
    return _Arithmetics(
        f"block {blocks.value}",
        lambda: BlockArithmetic(config, blocks),
        lambda: BitExactBlockArithmetic(config, blocks),
    )


def versions(task: Task) -> str:
    """Return names and versions of the packages that a result depends on."""
    ours = [f"{p.distribution.partition('==')[0]} {package_version(p)}" for p in task.packages]
    return ", ".join([*ours, f"numpy {np.__version__}"])


def _run(
    task: Task,
    sample: Sample,
    key: dict[str, str],
    make_arithmetic: Callable[[], AnyArithmetic],
    progress: Callable[[float], None] | None,
) -> Arrays:
    """Run a task in an arithmetic, or take the outcome from the cache."""

    def compute() -> Arrays:
        arithmetic = make_arithmetic()
        outcome = task.run(sample, arithmetic, progress)
        outcome["layers"] = np.array(len(arithmetic.work.layers))
        outcome["macs"] = np.array(arithmetic.work.macs)
        outcome["non_finite_outputs"] = np.array(arithmetic.work.non_finite_outputs)
        if isinstance(arithmetic, BitExactArithmetic | BitExactBlockArithmetic):
            outcome["headroom_binades"] = np.array(arithmetic.largest_headroom_binades)
            outcome["passes"] = np.array(arithmetic.largest_passes)
            outcome["relative_rms_error"] = np.array(arithmetic.relative_rms_error)
        return outcome

    content = {
        "task": task.name,
        "sample": sample.identity,
        "key": key,
        "numpy": np.__version__,
    }
    return remember(content, compute)


def _details(outcome: Arrays) -> dict[str, str | int]:
    """Return what only bit-exact runs have to tell."""
    if "headroom_binades" not in outcome:
        return {}
    return {
        "largest_headroom_binades": int(outcome["headroom_binades"]),
        "largest_passes_per_sum": int(outcome["passes"]),
    }
