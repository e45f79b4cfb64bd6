"""The one interface through which a network computes its linear layers.

A network never multiplies matrices itself: it hands weights and inputs to an `Arithmetic`, which
computes in float32 (the reference), on quantised operands, or bit for bit as a design does.
"""

from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

Weight = TypeVar("Weight")
Input = TypeVar("Input")


@dataclass
class Work:
    """What an `Arithmetic` was asked to do: the proof that no layer was passed by.

    Attributes
    ----------
    layers
        Names of the layers whose weights were prepared.
    macs
        Multiply-accumulate operations in the products computed.
    non_finite_outputs
        Output elements that were infinite or NaN (an accumulator or output format that overflowed).
    """

    layers: set[str] = field(default_factory=set)
    macs: int = 0
    non_finite_outputs: int = 0


class Arithmetic(Protocol[Weight, Input]):
    """How linear layers are computed.

    `prepare_weight` and `prepare_input` are separate from `product` since several layers share an
    input and a recurrent network uses a weight many times.
    """

    work: Work

    def prepare_weight(self, name: str, weight: Float32Array) -> Weight:
        """Prepare the weights ``[N, K]`` (one row per output) of layer `name`."""
        ...

    def prepare_input(self, activations: Float32Array) -> Input:
        """Prepare the inputs ``[M, K]`` (one row per token)."""
        ...

    def product(self, prepared_input: Input, prepared_weight: Weight) -> Float32Array:
        """Return inputs times transposed weights, ``[M, N]``."""
        ...


AnyArithmetic = Arithmetic[Any, Any]


class ReferenceArithmetic(Generic[Weight]):
    """Float32 without quantisation: the network as it was published."""

    def __init__(self) -> None:
        self.work = Work()

    def prepare_weight(self, name: str, weight: Float32Array) -> Float32Array:
        """Return the weights as they are."""
        self.work.layers.add(name)
        return weight

    def prepare_input(self, activations: Float32Array) -> Float32Array:
        """Return the inputs as they are."""
        return activations

    def product(self, prepared_input: Float32Array, prepared_weight: Float32Array) -> Float32Array:
        """Return the float32 product by the BLAS that NumPy was built with."""
        self.work.macs += prepared_input.shape[0] * prepared_weight.size
        return prepared_input @ prepared_weight.T
