"""Networks whose layers are computed in different designs' arithmetics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from macsmith.model.accuracy import g2p
from macsmith.model.accuracy.arithmetic import (
    AnyArithmetic,
    Float32Array,
    ReferenceArithmetic,
    Work,
)
from macsmith.model.accuracy.cache import Arrays, remember
from macsmith.model.accuracy.scaling import scaling_for
from macsmith.model.accuracy.smollm2 import linear_layer_names
from macsmith.model.accuracy.smollm2_task import open_smollm2
from macsmith.model.accuracy.task import Sample, Task, paired_change
from macsmith.model.accuracy.tasks import Accumulation, arithmetics_of, find_task
from macsmith.model.design import Design, parse_design

__all__ = [
    "GROUPINGS",
    "Grouping",
    "MixedArithmetic",
    "MixedLoss",
    "layer_groups",
    "layer_macs",
    "mixed_loss",
]

Grouping = Literal["layer", "kind", "block"]
#: Which layers have one format: each its own, those of one name in all blocks, those of one block.
GROUPINGS: tuple[Grouping, ...] = ("layer", "kind", "block")


@dataclass(frozen=True)
class _Weight:
    design: str | None
    prepared: Any


@dataclass
class _Input:
    activations: Float32Array
    prepared: dict[str | None, Any] = field(default_factory=dict)


class MixedArithmetic:
    """Each layer in the arithmetic of its own design; layers without one in float32.

    Layers that share an input quantise it each for itself, as their designs say.

    Parameters
    ----------
    designs
        Design text of each layer; a layer that is not named is computed in float32.
    make
        Makes the arithmetic of a design text.
    """

    def __init__(self, designs: Mapping[str, str], make: Callable[[str], AnyArithmetic]) -> None:
        self.designs = dict(designs)
        self.work = Work()
        self.macs: dict[str, int] = {}
        self._arithmetics: dict[str | None, AnyArithmetic] = {None: ReferenceArithmetic()}
        for text in designs.values():
            if text not in self._arithmetics:
                self._arithmetics[text] = make(text)

    def prepare_weight(self, name: str, weight: Float32Array) -> tuple[str, _Weight]:
        """Prepare a layer's weights in its own arithmetic."""
        design = self.designs.get(name)
        self.work.layers.add(name)
        return name, _Weight(design, self._arithmetics[design].prepare_weight(name, weight))

    def prepare_input(self, activations: Float32Array) -> _Input:
        """Keep the activations; they are quantised when the layer is known."""
        return _Input(activations)

    def product(self, prepared_input: _Input, prepared_weight: tuple[str, _Weight]) -> Float32Array:
        """Return the product in the arithmetic of the weights' layer."""
        name, weight = prepared_weight
        arithmetic = self._arithmetics[weight.design]
        if weight.design not in prepared_input.prepared:
            prepared = arithmetic.prepare_input(prepared_input.activations)
            prepared_input.prepared[weight.design] = prepared
        before = arithmetic.work.macs, arithmetic.work.non_finite_outputs
        result: Float32Array = arithmetic.product(
            prepared_input.prepared[weight.design], weight.prepared
        )
        macs = arithmetic.work.macs - before[0]
        self.macs[name] = self.macs.get(name, 0) + macs
        self.work.macs += macs
        self.work.non_finite_outputs += arithmetic.work.non_finite_outputs - before[1]
        return result


def layer_groups(task: str, grouping: str) -> dict[str, tuple[str, ...]]:
    """Groups of a network's linear layers that are to have one format, by name.

    Raises
    ------
    ValueError
        Unknown task or grouping; ``g2p`` has no blocks: its layers are all of different kinds.
    """
    find_task(task)
    if grouping not in GROUPINGS:
        raise ValueError(f"groups must be one of {', '.join(GROUPINGS)}, not {grouping!r}")
    if task == "g2p":
        if grouping == "block":
            raise ValueError("g2p: groups must be layer or kind, not block: it has no blocks")
        return {name: (name,) for name in g2p.LINEAR_LAYERS}
    groups: dict[str, list[str]] = {}
    for name in linear_layer_names(open_smollm2()[0].shape):
        block, _, kind = name.rpartition(".")
        group = {"layer": name, "kind": kind, "block": block}[grouping]
        groups.setdefault(group, []).append(name)
    return {name: tuple(layers) for name, layers in groups.items()}


@dataclass(frozen=True)
class MixedLoss:
    """What a network loses when its layers are computed in given arithmetics.

    Attributes
    ----------
    loss
        Change of the negative log-likelihood against the unquantised network on the same sample,
        nats per token, or per phoneme of the dictionary's first pronunciation. (Counts of wrong
        phonemes are too coarse to tell what one layer does.) Infinite where a sum overflowed.
    standard_error
        Of the loss, over paired differences.
    metrics
        All figures of the task.
    """

    loss: float
    standard_error: float
    metrics: dict[str, float]


def _run(
    task: Task,
    sample: Sample,
    designs: Mapping[str, str],
    accumulation: Accumulation,
    scaling: Sequence[str] = (),
) -> Arrays:
    """Raw outcomes of the network, from the cache or computed."""

    def make(text: str) -> AnyArithmetic:
        mac = parse_design(text).mac
        made = arithmetics_of(mac, scaling_for(mac, scaling))
        return made.bit_exact() if accumulation == "bit-exact" else made.exact()

    def compute() -> Arrays:
        arithmetic = MixedArithmetic(designs, make)
        outcome = task.run(sample, arithmetic, None)
        unknown = set(designs) - arithmetic.work.layers
        if unknown:
            raise ValueError(f"{task.name}: there is no layer {sorted(unknown)[0]!r}")
        outcome["non_finite_outputs"] = np.array(arithmetic.work.non_finite_outputs)
        outcome["mac_layers"] = np.array(list(arithmetic.macs))
        outcome["layer_macs"] = np.array(list(arithmetic.macs.values()))
        if task.name == "g2p":
            network = g2p.G2pNetwork(g2p.load_weights(), arithmetic)
            answers = [word.pronunciations[0] for word in sample.content]
            with np.errstate(invalid="ignore", over="ignore"):
                outcome["nll"] = network.negative_log_likelihood(
                    [word.letters for word in sample.content], answers
                )
        return outcome

    content = {
        "task": task.name,
        "sample": sample.identity,
        "mixed": dict(sorted(designs.items())),
        "accumulation": accumulation,
        "numpy": np.__version__,
        **({"scaling": list(scaling)} if scaling else {}),
    }
    return remember(content, compute)


def _texts(designs: Mapping[str, Design | str]) -> dict[str, str]:
    """Texts of what the designs compute, without how they are built."""
    return {
        name: Design(mac=(parse_design(each) if isinstance(each, str) else each).mac).text
        for name, each in designs.items()
    }


def mixed_loss(
    task: str,
    designs: Mapping[str, Design | str],
    *,
    tokens: int,
    seed: int = 0,
    accumulation: Accumulation = "exact",
    scaling: Sequence[str] = (),
) -> MixedLoss:
    """Compute a network with each layer in the arithmetic of its own design.

    Parameters
    ----------
    task
        ``g2p`` or ``smollm2``.
    designs
        By layer; a layer that is not named is computed in float32.
    tokens
        Size of the sample; see `macsmith.model.accuracy.tasks.evaluate`.
    seed
        Another seed gives another sample.
    accumulation
        ``exact`` or ``bit-exact`` sums.
    scaling
        Rules for the scales of operands; see `macsmith.model.accuracy.scaling.scaling_for`.

    Raises
    ------
    ValueError
        Unknown task or layer, or a design text that is wrong.
    """
    chosen = find_task(task)
    sample = chosen.sample(tokens, seed)
    reference = _run(chosen, sample, {}, "exact")
    outcome = _run(chosen, sample, _texts(designs), accumulation, scaling)
    metrics = chosen.metrics(outcome, reference, None)
    change = (outcome["nll"] - reference["nll"]).reshape(-1)
    if not np.isfinite(change).all():
        return MixedLoss(float("inf"), float("inf"), metrics)
    loss, error = paired_change(change)
    return MixedLoss(loss, error, metrics)


def layer_macs(task: str, *, tokens: int, seed: int = 0) -> dict[str, int]:
    """Multiply-accumulates of each linear layer of a network on a sample, unquantised."""
    chosen = find_task(task)
    outcome = _run(chosen, chosen.sample(tokens, seed), {}, "exact")
    names, macs = outcome["mac_layers"], outcome["layer_macs"]
    return {str(name): int(count) for name, count in zip(names, macs, strict=True)}
