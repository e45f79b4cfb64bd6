"""Error of one layer's sums in a design's arithmetic: an accuracy that takes milliseconds."""

from functools import lru_cache

import numpy as np
from macsmith.model.accuracy.arithmetic import Float32Array
from macsmith.model.accuracy.quantise import Scaling
from macsmith.model.accuracy.stimulus import (
    SYNTHETIC_PRODUCTS,
    Operands,
    capture_layer,
    parse_operands,
)
from macsmith.model.accuracy.tasks import arithmetics_of
from macsmith.model.config import MacConfig
from numpy.typing import NDArray

__all__ = ["layer_error_percent"]

#: Outputs that are computed: so many rows of activations by so many rows of weights.
OUTPUT_ROWS = 64


@lru_cache(maxsize=4)
def _matrices(
    operands: Operands, seed: int
) -> tuple[Float32Array, Float32Array, NDArray[np.float64]]:
    """Activations, weights, and the exact sums of their products."""
    random = np.random.default_rng(seed)
    if operands.source == "gaussian":
        shape = (OUTPUT_ROWS, SYNTHETIC_PRODUCTS)
        a, b = (random.standard_normal(shape, dtype=np.float32) for _ in range(2))
    else:
        layer = capture_layer(operands.source, operands.layer)
        a, b = (
            matrix[random.choice(len(matrix), min(OUTPUT_ROWS, len(matrix)), replace=False)]
            for matrix in (layer["activations"], layer["weights"])
        )
    return a, b, a.astype(np.float64) @ b.T.astype(np.float64)


def layer_error_percent(
    config: MacConfig,
    operands: str | Operands = "smollm2",
    *,
    seed: int = 0,
    scaling: str | Scaling = Scaling.ROW,
) -> float:
    """Error of a layer's outputs in a design's arithmetic, against exact sums of real numbers.

    Operands are scaled (by default row by row, blocks by their format's own rule) and quantised,
    and each sum is computed bit for bit as the design does; rounding of operands and of sums both
    count. A sample of 64 by 64 outputs takes milliseconds, so it orders thousands of designs; what
    a network as a whole makes of it only an accuracy task tells.

    Parameters
    ----------
    config
        What the design computes.
    operands
        A network's layer or ``gaussian``; see `macsmith.model.accuracy.stimulus.parse_operands`.
    seed
        Selects the outputs.
    scaling
        Rule for the scales; see `macsmith.model.accuracy.scaling.scaling_for`.

    Returns
    -------
    float
        100 times the root mean square of the error over that of the exact sums; infinite if any
        output is NaN or infinite.

    Raises
    ------
    ValueError
        Operands ``uniform``, which are codes and not numbers, or that do not exist; a format
        without sign; a rule that is none of this kind of format.
    """
    chosen = parse_operands(operands)
    if chosen.source == "uniform":
        raise ValueError("layer error: operands must be a network's layer or gaussian, not uniform")
    a, b, exact = _matrices(chosen, seed)
    arithmetic = arithmetics_of(config, scaling).bit_exact()
    weight = arithmetic.prepare_weight("layer", b)
    found = arithmetic.product(arithmetic.prepare_input(a), weight).astype(np.float64)
    if not np.isfinite(found).all():
        return float("inf")
    return float(100 * np.sqrt(np.mean((found - exact) ** 2) / np.mean(exact**2)))
