"""The host's link to a simulated accelerator behind AXI: words go straight into its streams."""

from __future__ import annotations

from collections.abc import Sequence

from macsmith.model.accelerator import REGISTERS
from macsmith.model.link import Operation
from macsmith.serial_link import Link
from macsmith.sim.simulated_axi import SimulatedAxi

__all__ = ["AxiLink"]

_CONTROL = next(register.address for register in REGISTERS if register.name == "CONTROL")


class AxiLink(Link):
    """Requests that are carried out at once; nothing is lost, nothing is sent again.

    Parameters
    ----------
    simulation
        The running simulation; closed with the link.

    Attributes
    ----------
    frames
        Requests so far.
    retries
        Always 0.
    """

    def __init__(self, simulation: SimulatedAxi) -> None:
        self._simulation = simulation
        self.frames = 0
        self.retries = 0

    def begin(self) -> None:
        """Restart the accelerator: it forgets all that was before."""
        self.request(Operation.WRITE, (_CONTROL, 1))

    def request(self, operation: Operation, payload: Sequence[int] = ()) -> tuple[int, ...]:
        """The answer's payload."""
        self.frames += 1
        return self._simulation.request(operation, payload)

    def close(self) -> None:
        """End the simulation."""
        self._simulation.close()
