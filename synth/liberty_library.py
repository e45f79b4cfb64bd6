"""The cells of Liberty files as data, in ps, fF, nW, fJ, V and um2.

Tables keep the library's own slew convention (thresholds and derate), which `Library` carries.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from macsmith.sim.netlist_function import Function
from numpy.typing import NDArray

__all__ = [
    "EDGES",
    "Arc",
    "Edge",
    "LibertyCell",
    "LibertyFlipFlop",
    "LibertyPin",
    "Library",
    "Power",
    "Table",
]

Edge = Literal["rise", "fall"]
EDGES: tuple[Edge, Edge] = ("rise", "fall")


@dataclass(frozen=True)
class Table:
    """A look-up table over input slew (ps) and output load (fF), or over one of them.

    Attributes
    ----------
    slews_ps, loads_ff
        Axis points, ascending; one point where the table does not depend on that axis. For a
        setup table the second axis is the slew of the clock, in ps.
    values
        Shape ``[slews, loads]``, in ps or fJ.
    """

    slews_ps: NDArray[np.float64]
    loads_ff: NDArray[np.float64]
    values: NDArray[np.float64]

    def at(self, slew_ps: float, load_ff: float) -> float:
        """Bilinear interpolation; outside the table the outermost cell is extended."""
        slews, loads, values = self._plain
        row, row_part = _segment(slews, slew_ps)
        column, column_part = _segment(loads, load_ff)
        low = _between(values[row], column, column_part)
        if len(slews) == 1:
            return low
        high = _between(values[row + 1], column, column_part)
        return low + (high - low) * row_part

    @cached_property
    def _plain(self) -> tuple[list[float], list[float], list[list[float]]]:
        # Plain numbers are several times quicker than NumPy's for one point at a time.
        return self.slews_ps.tolist(), self.loads_ff.tolist(), self.values.tolist()

    def grid(
        self, slews_ps: NDArray[np.float64], loads_ff: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """`at` on all pairs at once, shape ``[slews, loads]``."""
        along_loads = _interpolate(self.loads_ff, self.values, loads_ff)
        return _interpolate(self.slews_ps, along_loads.T, slews_ps).T


def _interpolate(
    axis: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate (and extend) `values` along their last axis, whose points are `axis`."""
    if len(axis) == 1:
        return np.repeat(values, len(at), axis=-1)
    index = np.clip(np.searchsorted(axis, at) - 1, 0, len(axis) - 2)
    part = (at - axis[index]) / (axis[index + 1] - axis[index])
    low = values[..., index]
    result: NDArray[np.float64] = low + (values[..., index + 1] - low) * part
    return result


def _segment(axis: list[float], at: float) -> tuple[int, float]:
    if len(axis) == 1:
        return 0, 0.0
    index = min(max(bisect_left(axis, at) - 1, 0), len(axis) - 2)
    return index, (at - axis[index]) / (axis[index + 1] - axis[index])


def _between(row: list[float], index: int, part: float) -> float:
    if len(row) == 1:
        return row[0]
    return row[index] + (row[index + 1] - row[index]) * part


@dataclass(frozen=True)
class Arc:
    """A timing group: from `input_pin` to the pin that holds it.

    `delay` and `slew` are by output edge; for a setup or hold arc `delay` holds the constraint by
    edge of the data and `slew` is empty. `sense` is ``positive_unate``, ``negative_unate`` or
    ``non_unate``.
    """

    input_pin: str
    kind: str
    sense: str
    delay: dict[Edge, Table]
    slew: dict[Edge, Table]


@dataclass(frozen=True)
class Power:
    """An internal_power group: energy per edge of the pin that holds it, fJ."""

    related_pin: str
    when: str
    supply: str
    energy: dict[Edge, Table]


@dataclass(frozen=True)
class LibertyPin:
    """One signal pin of a cell.

    `capacitance_ff` is the mean of both edges; `least_ff` and `most_ff` are the ends of its range
    for a rising and for a falling edge, the same where the library gives no range.
    """

    name: str
    is_output: bool
    capacitance_ff: float
    least_ff: tuple[float, float]
    most_ff: tuple[float, float]
    max_load_ff: float
    function: Function | None
    is_clock: bool
    arcs: tuple[Arc, ...]
    powers: tuple[Power, ...]


@dataclass(frozen=True)
class LibertyFlipFlop:
    """An ``ff`` group: names of its two states and the functions that drive them."""

    state: str
    inverted_state: str
    clocked_on: Function
    next_state: Function
    clear: Function | None
    preset: Function | None


@dataclass(frozen=True)
class LibertyCell:
    """A cell; `unusable` says why it cannot serve as gate or flip-flop (empty: it can)."""

    name: str
    area_um2: float
    leakage_nw: float
    pins: dict[str, LibertyPin]
    flip_flop: LibertyFlipFlop | None
    unusable: str


@dataclass(frozen=True)
class Library:
    """The cells of one or several Liberty files of one corner."""

    name: str
    voltage_v: float
    temperature_c: float
    slew_lower_percent: float
    slew_upper_percent: float
    slew_derate: float
    cells: dict[str, LibertyCell]
    files: tuple[str, ...] = field(default=())
