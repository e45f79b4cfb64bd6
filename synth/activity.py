"""What a netlist does while its energy is measured."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Activity", "Waveforms"]

Waveforms = Mapping[str, NDArray[np.generic]]
"""For every input port but the clock an array ``[cycles, streams]``; see
`macsmith.sim.netlist.CompiledNetlist.simulate`."""


@dataclass(frozen=True)
class Activity:
    """Port values and how to count them.

    Attributes
    ----------
    waveforms
        Values of every input port but the clock.
    first_counted_cycle
        Edges in this cycle and later ones count; those before it are reset and filling.
    macs_per_cycle
        Multiply-accumulates per counted cycle, or those that there might have been.
    """

    waveforms: Waveforms
    first_counted_cycle: int = 1
    macs_per_cycle: float = 1.0
