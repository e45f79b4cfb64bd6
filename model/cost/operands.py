"""Statistics of the operands that a network's layer, or a distribution, gives to designs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from macsmith.model.accuracy.stimulus import Operands, operand_stream, parse_operands, sum_products
from macsmith.model.cost.activity import STATISTICS, operand_statistics
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths
from numpy.typing import NDArray

__all__ = ["operand_columns"]

_STREAMS, _STEPS = 16, 256


def operand_columns(
    designs: Sequence[Design], operands: str | Operands, seed: int = 0
) -> dict[str, NDArray[np.floating[Any]]]:
    """Statistics of operands as each design is given them, output-stationary.

    Parameters
    ----------
    operands
        See `macsmith.model.accuracy.stimulus.parse_operands`.

    Returns
    -------
    dict
        A column for each of `STATISTICS`, for `macsmith.estimate_table`. Block formats, whose
        streams are not drawn, have those of their elements as if they had one scale a row.

    Raises
    ------
    ValueError
        Unknown operands, or a format that cannot hold them.
    """
    chosen = parse_operands(operands)
    rows = []
    for design in designs:
        mac = design.mac
        length = max(_STEPS * mac.lanes, sum_products(chosen))
        a, b = operand_stream(chosen, design, _STREAMS * length, seed)
        most = mac_widths(mac).max_terms
        products = min(sum_products(chosen), most or length)
        found = operand_statistics(
            mac,
            a.reshape(_STREAMS, length),
            b.reshape(_STREAMS, length),
            max(products, mac.lanes),
        )
        rows.append([getattr(found, name) for name in STATISTICS])
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(STATISTICS))
    return {name: table[:, k] for k, name in enumerate(STATISTICS)}
