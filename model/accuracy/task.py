"""What every accuracy task has: test material, a run in some arithmetic, and figures from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from macsmith.model.accuracy.arithmetic import AnyArithmetic
from macsmith.model.accuracy.cache import Arrays
from macsmith.model.accuracy.packages import DataPackage
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """What a task is evaluated on.

    Attributes
    ----------
    content
        The words or tokens themselves, for the task.
    identity
        What determines a result beside the arithmetic; JSON can hold it.
    provenance
        The same for a reader.
    """

    content: Any
    identity: dict[str, str | int]
    provenance: dict[str, str | int]


class Task(Protocol):
    """A network with its test material.

    `default_tokens` and `default_bit_exact_tokens` say how large a sample is when nobody says.
    """

    name: str
    packages: tuple[DataPackage, ...]
    default_tokens: int
    default_bit_exact_tokens: int
    quantised_layers: str

    def sample(self, tokens: int, seed: int) -> Sample:
        """Choose test material."""
        ...

    def run(
        self, sample: Sample, arithmetic: AnyArithmetic, progress: Callable[[float], None] | None
    ) -> Arrays:
        """Compute the network on the sample: raw outcomes, one element per token or word."""
        ...

    def metrics(self, outcome: Arrays, reference: Arrays, exact: Arrays | None) -> dict[str, float]:
        """Compare a run with the unquantised one and, if given, one with exact sums."""
        ...


def paired_change(change: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and standard error of paired differences, taken as independent.

    The standard error of a single difference is NaN.
    """
    spread = change.std(ddof=1) if change.size > 1 else np.nan
    return float(change.mean()), float(spread / np.sqrt(change.size))
