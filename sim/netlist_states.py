"""How often every cell of a netlist is in each state of its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_graph import Netlist, NetlistError
from numpy.typing import NDArray

__all__ = ["MAX_STATE_PINS", "CellStates", "StateTables"]

MAX_STATE_PINS = 10


@dataclass(frozen=True)
class CellStates:
    """States of one cell.

    Attributes
    ----------
    pins
        Input pins in the order of the cell's model, the clock left out; after them, for a
        register, the name of its state (``IQ``): the value it holds before the clock edge.
    counts
        int64, ``[2**pins]``: in how many counted cycles (times streams) the cell ended in the
        state whose bit k is the value of pin k.
    """

    pins: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """``[2**pins]``, sum 1."""
        return np.asarray(self.counts / self.counts.sum(), dtype=np.float64)


class StateTables:
    """The cells of a netlist and their pins, as the runtime takes them.

    Parameters
    ----------
    models
        By instance name.
    registers
        Number of each register's state, by instance name.

    Attributes
    ----------
    cells
        One per instance: pins, where they begin in `pins`, where its counts begin.
    pins
        uint32: nets, or the number of nets plus that of a register's state.

    Raises
    ------
    NetlistError
        A cell with more than `MAX_STATE_PINS` pins.
    """

    def __init__(
        self, netlist: Netlist, models: Mapping[str, CellModel], registers: Mapping[str, int]
    ) -> None:
        pins: list[int] = []
        rows: list[tuple[int, int, int]] = []
        self._names: dict[str, tuple[str, ...]] = {}
        self._total = 0
        for instance in netlist.instances:
            model = models[instance.name]
            names = model.inputs
            nets = {name: instance.pins[name] for name in names}
            register = model.flip_flop
            if register is not None:
                clocks = register.clocked_on.variables()
                names = (*(name for name in names if name not in clocks), register.state)
                nets[register.state] = netlist.net_count + registers[instance.name]
            if len(names) > MAX_STATE_PINS:
                raise NetlistError(
                    f"cell {instance.name} ({instance.cell}) has {len(names)} input pins; its "
                    f"states are counted up to {MAX_STATE_PINS}"
                )
            self._names[instance.name] = names
            rows.append((len(names), len(pins), self._total))
            pins += [nets[name] for name in names]
            self._total += 1 << len(names)
        kind = [("pins", "<u4"), ("start", "<u4"), ("counts", "<u8")]
        self.cells = np.array(rows, dtype=kind)
        self.pins = np.array([*pins, 0], dtype=np.uint32)
        self._rows = rows

    def counts(self) -> NDArray[np.int64]:
        """Zeros, one per state of every cell."""
        return np.zeros(self._total, dtype=np.int64)

    def by_instance(self, counts: NDArray[np.int64]) -> dict[str, CellStates]:
        """Counts of all cells, by instance name."""
        return {
            name: CellStates(pins, counts[start : start + (1 << len(pins))])
            for (name, pins), (_, _, start) in zip(self._names.items(), self._rows, strict=True)
        }
