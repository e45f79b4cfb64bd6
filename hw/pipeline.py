"""Where the feed-forward part of a step is cut into pipeline stages."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value

__all__ = ["NO_CUTS", "Cuts", "delay"]


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
