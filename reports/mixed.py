"""Mixed precision: which design computes which layers of a network, for the least cost and loss.

Three kinds of candidates are evaluated, each with all layers quantised together:

- *uniform*: one design for all layers;
- *additive*: the loss of each group of layers alone in each design is measured, and integer
  programming finds the cheapest assignment whose summed losses stay below a bound, for a row of
  bounds; what they lose together is measured then;
- *search*: NSGA-II from there on, on measured losses of whole assignments.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from macsmith.model.accuracy.mixed import Grouping, layer_groups, layer_macs, mixed_loss
from macsmith.model.accuracy.scaling import check_scalings
from macsmith.model.design import parse_design
from macsmith.reports.checks import STORE_FOLDER
from macsmith.reports.executors import Executor
from macsmith.reports.fingerprints import source_digest, versions
from macsmith.reports.leases import lease
from macsmith.reports.pareto import pareto_front
from macsmith.reports.points import StepFailedError, Steps
from macsmith.reports.progress import job_progress
from macsmith.reports.store import Record, ResultStore, content_key
from numpy.typing import NDArray

__all__ = [
    "Assignment",
    "Candidate",
    "MixedPoint",
    "MixedResult",
    "additive_assignments",
    "explore_mixed",
    "mixed_point",
]

MIXED_STEP = "mixed"
Numbers = NDArray[np.float64]

#: Index of a design for each group of layers, in the order of the groups.
Assignment = tuple[int, ...]

#: Bounds of the additive loss for which integer programming is asked.
BOUNDS = 16


@dataclass(frozen=True)
class MixedPoint:
    """A network with the arithmetic of a design in each of some layers.

    `layers`: pairs of layer and design text; other layers are computed in float32. `scaling`:
    rules for the scales of operands.
    """

    task: str
    layers: tuple[tuple[str, str], ...]
    tokens: int
    seed: int
    name: str = field(compare=False)
    scaling: tuple[str, ...] = ()


MixedWork = Callable[[Path, bool, MixedPoint], Record | None]


def _determinants(point: MixedPoint) -> dict[str, Any]:
    return {
        "task": point.task,
        "layers": dict(point.layers),
        "tokens": point.tokens,
        "seed": point.seed,
        **({"scaling": list(point.scaling)} if point.scaling else {}),
        "source": source_digest("model", "model/accuracy"),
        "versions": versions("numpy"),
    }


def mixed_point(build_dir: Path, wait: bool, point: MixedPoint) -> Record | None:
    """The record of a point, kept or computed now; None if another process has it in hand and
    `wait` is false."""
    determinants = _determinants(point)
    store = ResultStore(build_dir / STORE_FOLDER)
    with lease(store.root / ".leases", content_key(MIXED_STEP, determinants), wait=wait) as is_mine:
        if not is_mine:
            return None
        steps = Steps(store, may_compute=True)
        try:
            return steps.step(MIXED_STEP, determinants, partial(_loss, point))
        except StepFailedError as error:
            return error.record


def _loss(point: MixedPoint) -> dict[str, Any]:
    found = mixed_loss(
        point.task,
        dict(point.layers),
        tokens=point.tokens,
        seed=point.seed,
        scaling=point.scaling,
    )
    if not np.isfinite(found.loss):
        raise ValueError("a sum overflowed: there is no loss")
    return {"loss": found.loss, "standard_error": found.standard_error, **found.metrics}


@dataclass(frozen=True)
class Candidate:
    """An assignment with what it costs and what was measured.

    Attributes
    ----------
    assignment
        Design of each group, by index.
    kind
        ``uniform``, ``additive`` or ``search``: who proposed it first.
    cost
        Mean over the network's multiply-accumulates.
    loss
        Measured with all layers together; infinite if a sum overflowed.
    standard_error
        Of the loss; None if it is infinite.
    additive_loss
        Sum of the losses of its groups alone.
    """

    assignment: Assignment
    kind: str
    cost: float
    loss: float
    standard_error: float | None
    additive_loss: float


@dataclass(frozen=True)
class MixedResult:
    """What an exploration of mixed precision found.

    Attributes
    ----------
    groups, designs
        Names of the groups and texts of the designs that assignments speak of.
    shares
        Part of the network's multiply-accumulates in each group.
    losses
        ``[groups, designs]``: loss with only this group quantised.
    costs
        Per multiply-accumulate of each design.
    candidates
        All that were evaluated, in that order.
    front
        Which of them no other one beats.
    """

    task: str
    cost_name: str
    groups: tuple[str, ...]
    designs: tuple[str, ...]
    shares: Numbers
    losses: Numbers
    costs: Numbers
    candidates: tuple[Candidate, ...]
    front: tuple[bool, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row a candidate, with the design of each group."""
        return [
            {
                "kind": each.kind,
                "is_on_front": on_front,
                self.cost_name: each.cost,
                "loss": each.loss,
                "standard_error": each.standard_error,
                "additive_loss": each.additive_loss,
                **{
                    group: self.designs[index]
                    for group, index in zip(self.groups, each.assignment, strict=True)
                },
            }
            for each, on_front in zip(self.candidates, self.front, strict=True)
        ]


def additive_assignments(
    losses: Numbers, costs: Numbers, bounds: Sequence[float]
) -> list[Assignment]:
    """The cheapest assignment for each bound of the sum of losses, by integer programming.

    Parameters
    ----------
    losses
        ``[groups, designs]``; what is below 0 is noise and counts as 0.
    costs
        ``[groups, designs]``, any unit.
    bounds
        Of the summed losses; one that no assignment meets gives none.

    Returns
    -------
    list of Assignment
        Each once, in the order of the bounds.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    groups, designs = losses.shape
    usable = np.isfinite(losses)
    weights = np.where(usable, np.maximum(losses, 0.0), 0.0).ravel()
    most: Any = usable.ravel().astype(np.float64)
    one_each = np.kron(np.eye(groups), np.ones(designs))
    found: dict[Assignment, None] = {}
    for bound in bounds:
        solved = milp(
            costs.ravel(),
            integrality=np.ones(groups * designs),
            bounds=Bounds(0, most),
            constraints=[
                LinearConstraint(one_each, 1, 1),
                LinearConstraint(weights[np.newaxis], -np.inf, bound),
            ],
        )
        if solved.success:
            chosen = np.round(solved.x).reshape(groups, designs).argmax(axis=1)
            found.setdefault(tuple(int(index) for index in chosen))
    return list(found)


class _Evaluator:
    """Measures assignments, through the store and an executor; each once."""

    def __init__(
        self,
        task: str,
        groups: Mapping[str, Sequence[str]],
        designs: Sequence[str],
        tokens: int,
        seed: int,
        scaling: Sequence[str],
        build_dir: Path,
        executor: Executor,
        work: MixedWork,
    ) -> None:
        self.task, self.groups, self.designs = task, groups, designs
        self.tokens, self.seed, self.scaling = tokens, seed, tuple(scaling)
        self.build_dir, self.executor, self.work = build_dir, executor, work
        self.store = ResultStore(build_dir / STORE_FOLDER)

    def point(self, chosen: Mapping[str, int], name: str) -> MixedPoint:
        """The point in which some groups have a design, by index."""
        layers = [
            (layer, self.designs[index])
            for group, index in chosen.items()
            for layer in self.groups[group]
        ]
        placed = tuple(sorted(layers))
        return MixedPoint(self.task, placed, self.tokens, self.seed, name, self.scaling)

    def measure(self, points: Sequence[MixedPoint], title: str) -> list[Record]:
        """Records of all points; a point whose process died has a failure."""
        found: dict[MixedPoint, Record] = {}
        for point in points:
            kept = self.store.get(MIXED_STEP, _determinants(point))
            if kept is not None and not kept.is_failed:
                found[point] = kept
        unique = list(dict.fromkeys(point for point in points if point not in found))
        if not unique:
            return [found[point] for point in points]
        with job_progress(len(unique), title) as progress:
            for wait in (False, True):
                for outcome in self.executor.run(
                    partial(self.work, self.build_dir, wait),
                    [point for point in unique if point not in found],
                    on_start=lambda running: progress.started([point.name for point in running]),
                ):
                    record = outcome.result
                    if outcome.death is not None:
                        record = Record(MIXED_STEP, {}, {}, outcome.death, 0.0)
                    if record is not None:
                        found[outcome.job] = record
                        text = record.failure or f"loss {record.values['loss']:+.4f}"
                        progress.finished(outcome.job.name, text.splitlines()[0])
        return [found[point] for point in points]


def _value(record: Record) -> float:
    return float("inf") if record.is_failed else float(record.values["loss"])


def explore_mixed(
    task: str,
    designs: Sequence[str],
    costs: Sequence[float],
    *,
    executor: Executor,
    cost_name: str = "cost",
    grouping: Grouping = "kind",
    tokens: int | None = None,
    trials: int = 48,
    seed: int = 0,
    scaling: Sequence[str] = (),
    build_dir: Path = Path("build"),
    work: MixedWork = mixed_point,
) -> MixedResult:
    """Find assignments of designs to layers with little cost and little loss.

    Every loss is kept in the store of `build_dir`, and the search is seeded: an interrupted run
    goes on where it was, and a second one computes nothing.

    Parameters
    ----------
    task
        ``g2p`` or ``smollm2``.
    designs, costs
        Texts of two designs or more, and what a multiply-accumulate costs in each.
    cost_name
        Name of the cost in tables.
    grouping
        Which layers have one design; see `macsmith.model.accuracy.mixed.GROUPINGS`.
    tokens
        Sample: predicted tokens or words; by default 128 or 2,000.
    trials
        Assignments that NSGA-II proposes.
    scaling
        Rules for the scales of operands; see `macsmith.model.accuracy.scaling.scaling_for`.
    work
        What is done for a point, for tests.

    Raises
    ------
    ValueError
        Unknown task, grouping or scaling, fewer than two designs, one that is named twice, a cost
        that is not a number above 0.
    RuntimeError
        No assignment could be evaluated; the message has the reason.
    """
    if len(designs) < 2 or len(designs) != len(costs):
        raise ValueError(f"mixed precision needs 2 designs or more with a cost, not {len(designs)}")
    computed = [parse_design(text).text for text in designs]
    for text in computed:
        if computed.count(text) > 1:
            raise ValueError(f"{text}: is named twice; designs must be different ones")
    for text, value in zip(designs, costs, strict=True):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{text}: {cost_name} must be a number above 0, not {value}")
    check_scalings(scaling)
    groups = layer_groups(task, grouping)
    names = list(groups)
    tokens = tokens or DEFAULT_TOKENS[task]
    macs = layer_macs(task, tokens=tokens, seed=seed)
    counts = np.array([sum(macs[layer] for layer in groups[name]) for name in names], float)
    shares = counts / counts.sum()
    price = np.array(costs, float)
    evaluator = _Evaluator(task, groups, designs, tokens, seed, scaling, build_dir, executor, work)

    single = list(itertools.product(range(len(names)), range(len(designs))))
    points = [
        evaluator.point({names[group]: index}, f"{names[group]} in {designs[index]}")
        for group, index in single
    ]
    values = [_value(record) for record in evaluator.measure(points, "each group alone")]
    losses = np.array(values).reshape(len(names), len(designs))

    found: dict[Assignment, Candidate] = {}

    def evaluate(assignments: Sequence[Assignment], kind: str) -> None:
        new = list(dict.fromkeys(each for each in assignments if each not in found))
        points = [
            evaluator.point(dict(zip(names, each, strict=True)), f"{kind} {number + 1}")
            for number, each in enumerate(new)
        ]
        for each, record in zip(new, evaluator.measure(points, kind), strict=True):
            chosen = list(each)
            found[each] = Candidate(
                each,
                kind,
                float(shares @ price[chosen]),
                _value(record),
                record.values.get("standard_error"),
                float(np.maximum(losses[range(len(names)), chosen], 0).sum()),
            )

    evaluate([(index,) * len(names) for index in range(len(designs))], "uniform")
    evaluate(_additive(losses, np.outer(shares, price)), "additive")
    _search(list(found), len(designs), trials, seed, found, evaluate)
    candidates = tuple(found.values())
    table = np.array([(each.cost, each.loss) for each in candidates])
    table[~np.isfinite(table)] = np.nan
    if np.isnan(table[:, 1]).all():
        raise RuntimeError(f"{task}: no assignment has a loss: every design overflows")
    front = tuple(bool(flag) for flag in pareto_front(table))
    return MixedResult(
        task,
        cost_name,
        tuple(names),
        tuple(designs),
        shares,
        losses,
        price,
        candidates,
        front,
    )


#: Samples that tell assignments apart and take seconds.
DEFAULT_TOKENS = {"g2p": 2000, "smollm2": 128}


def _additive(losses: Numbers, costs: Numbers) -> list[Assignment]:
    """Assignments for bounds from the least to the greatest sum of losses."""
    usable = np.where(np.isfinite(losses), np.maximum(losses, 0), np.nan)
    least, most = np.nanmin(usable, axis=1).sum(), np.nanmax(usable, axis=1).sum()
    # closer together where losses are small: there the choice is worth something
    parts = np.linspace(0, 1, BOUNDS) ** 2
    return additive_assignments(losses, costs, list(least + (most - least) * parts + 1e-12))


def _search(
    seeds: Sequence[Assignment],
    designs: int,
    trials: int,
    seed: int,
    found: Mapping[Assignment, Candidate],
    evaluate: Callable[[Sequence[Assignment], str], None],
) -> None:
    """NSGA-II over assignments; a generation is evaluated together."""
    if trials < 1:
        return
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    population = max(4, min(len(seeds), 24))
    sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    study = optuna.create_study(directions=("minimize", "minimize"), sampler=sampler)
    groups = len(seeds[0])
    kinds: dict[str, optuna.distributions.BaseDistribution] = {
        str(group): optuna.distributions.CategoricalDistribution(range(designs))
        for group in range(groups)
    }
    for each in seeds:
        # the first generation: what is already measured
        study.enqueue_trial({str(group): index for group, index in enumerate(each)})
    for start in range(0, len(seeds) + trials, population):
        asked = [study.ask(kinds) for _ in range(min(population, len(seeds) + trials - start))]
        chosen = [tuple(trial.params[str(group)] for group in range(groups)) for trial in asked]
        evaluate(chosen, "search")
        for trial, each in zip(asked, chosen, strict=True):
            values = (found[each].cost, found[each].loss)
            if np.isfinite(values).all():
                study.tell(trial, values)
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
