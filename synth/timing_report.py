"""What static timing finds: arrivals, slacks and the steps of the longest path."""

from dataclasses import dataclass

__all__ = ["Endpoint", "HoldReport", "PathStep", "TimingReport"]


@dataclass(frozen=True)
class PathStep:
    """One step of a path: behind `instance` (empty: an input port) the signal is on `net`.

    `pin` is the input through which the path goes (of a register its clock), `delay_ps` what
    this step takes, `slew_ps` and `load_ff` are those of the net.
    """

    instance: str
    cell: str
    pin: str
    net: str
    rises: bool
    delay_ps: float
    arrival_ps: float
    slew_ps: float
    load_ff: float


@dataclass(frozen=True)
class Endpoint:
    """Where paths end: a bit of an output port (`setup_ps` 0), or a data pin of a register.

    `name` is ``port[bit]`` or ``instance.pin``; `rises` tells the worse edge.
    """

    name: str
    net: int
    rises: bool
    arrival_ps: float
    setup_ps: float

    @property
    def total_ps(self) -> float:
        """The least clock period that this endpoint allows."""
        return self.arrival_ps + self.setup_ps


@dataclass(frozen=True)
class TimingReport:
    """Arrivals at all endpoints, and the longest path.

    Attributes
    ----------
    delay_ps
        The least clock period the netlist allows (register to register, port to register and
        register to port, clock-to-output and setup included) or, without registers, the delay
        from inputs to outputs; 0 where there is no path at all.
    endpoint
        Where the longest path ends, in words; empty where there is none.
    path
        Its steps, from a port or a register.
    endpoints
        All that a path reaches, worst first.
    arrivals_ps
        By output port: when the later edge of each bit arrives; 0 for constants.
    is_registered
        Whether there are registers.
    """

    delay_ps: float
    endpoint: str
    path: tuple[PathStep, ...]
    endpoints: tuple[Endpoint, ...]
    arrivals_ps: dict[str, tuple[float, ...]]
    is_registered: bool

    @property
    def setup_ps(self) -> float:
        """Setup time at the end of the longest path; 0 at a port."""
        return self.endpoints[0].setup_ps if self.endpoints else 0.0

    @property
    def clock_to_output_ps(self) -> float | None:
        """What the register at the start of the longest path takes; None if a port starts it."""
        return self.path[0].delay_ps if self.path and self.path[0].instance else None

    @property
    def fmax_mhz(self) -> float | None:
        """Highest clock frequency; None without registers or without a path."""
        return 1e6 / self.delay_ps if self.is_registered and self.delay_ps else None

    def slack_ps(self, period_ps: float) -> float:
        """What is left of a clock period on the longest path; negative: it does not fit."""
        return period_ps - self.delay_ps


@dataclass(frozen=True)
class HoldReport:
    """The worst hold: `slack_ps` is what the data stay longer than the register asks.

    Only paths from a register count, with an ideal clock.
    """

    endpoint: str
    arrival_ps: float
    hold_ps: float

    @property
    def slack_ps(self) -> float:
        """Negative: the data change too soon."""
        return self.arrival_ps - self.hold_ps
