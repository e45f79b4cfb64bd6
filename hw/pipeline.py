"""A value some clock cycles later."""

from amaranth.hdl import Module, Mux, Signal, Value

__all__ = ["delay"]


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
