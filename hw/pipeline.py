"""Where the feed-forward part of a step is cut into pipeline stages."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from macsmith.model.accumulators import AlignedAccumulator, ChunkedAccumulator, FloatAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.formats import IntFormat

__all__ = ["NO_CUTS", "Cuts", "delay", "plan_cuts"]


@dataclass(frozen=True)
class Cuts:
    """Registers at each place where a step can be cut, in the order of the data.

    ``codes | decode | multiply | term | sum``: behind the operand codes, the decoders, the
    multipliers, the aligned or rounded products, and the sum of the lanes.
    """

    codes: int = 0
    decode: int = 0
    multiply: int = 0
    term: int = 0
    sum: int = 0

    @property
    def total(self) -> int:
        """Cycles that operands spend before they meet the partial sum."""
        return self.codes + self.decode + self.multiply + self.term + self.sum

    @property
    def is_clocked(self) -> bool:
        """Whether there is any register."""
        return self.total > 0


NO_CUTS = Cuts()


def _places(config: MacConfig) -> Sequence[str]:
    """Places to cut, the most useful first."""
    accumulator = config.accumulator
    inner = accumulator.inner if isinstance(accumulator, ChunkedAccumulator) else accumulator
    is_integer = isinstance(config.a, IntFormat) and isinstance(config.b, IntFormat)
    if isinstance(inner, AlignedAccumulator):
        # a late partial sum meets the rounded sum of the products; else it decides the alignment
        places = ["sum"] * inner.is_late + ["term", "multiply", "decode", "codes"]
    elif isinstance(inner, FloatAccumulator) and config.lanes == 1 and not is_integer:
        # the addition is the longest part; everything else fits in one stage
        places = ["term", "multiply", "decode", "codes"]
    elif is_integer and config.product is None:
        # partial products go straight into the tree of adders
        places = ["sum", "codes"]
    elif config.lanes == 1:
        places = ["term", "multiply", "decode", "codes"]
    else:
        places = ["sum", "term", "multiply", "decode", "codes"]
    return places


def plan_cuts(config: MacConfig, stages: int) -> Cuts:
    """Distribute `stages` registers over the feed-forward part of a step.

    The accumulator's own loop is not cut: it stays one cycle. More stages than places become
    further registers behind the operand codes, where retiming tools find them.
    """
    places = _places(config)
    count = dict.fromkeys(places, 0)
    for place in places[:stages]:
        count[place] = 1
    count["codes"] = count.get("codes", 0) + max(stages - len(places), 0)
    return Cuts(**count)


def delay(
    m: Module, name: str, value: Value, cycles: int, enable: Value, *, reset: bool = False
) -> Value:
    """`value`, `cycles` enabled clock cycles later.

    Registers are not reset unless `reset`: data behind an invalid beat is never looked at.
    """
    for cycle in range(cycles):
        register = Signal(
            value.shape(), name=f"{name}_{cycle}" if cycles > 1 else name, reset_less=not reset
        )
        m.d.sync += register.eq(Mux(enable, value, register))
        value = register
    return value
