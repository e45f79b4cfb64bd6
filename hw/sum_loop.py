"""The loop through an accumulator: one sum in one cycle, or several sums in turn."""

from amaranth.hdl import Module, Mux, Signal, Value
from macsmith.hw.pipeline import delay

__all__ = ["close_loop", "waits_for_turn"]


def close_loop(
    m: Module,
    name: str,
    before: Signal,
    after: Value,
    *,
    sums: int,
    enable: Value,
    adds: Value,
    ends: Value,
    empty: int = 0,
) -> None:
    """Feed the partial sums that come out of a step back into it.

    A loop of as many cycles as sums: each enabled cycle the next one is at both ends. What is not
    added to goes round beside the step::

        +-> before -> step, sums - 1 stages -> after -+
        |   before -> sums - 1 registers -------------+-> register -+
        +-----------------------------------------------------------+

    Parameters
    ----------
    before
        The step's partial sum before; driven here.
    after
        The step's partial sum after, ``sums - 1`` enabled cycles later.
    adds
        The sum at `after` is added to in this cycle.
    ends
        It is finished by that: it starts from `empty` again.
    empty
        State of an empty sum; 0 where there are several sums.
    """
    if empty and sums > 1:
        raise ValueError("close_loop: sums in rotation must begin with 0")
    partial_sum = Signal(len(before), name=name, init=empty)
    m.d.comb += before.eq(partial_sum)
    following = Mux(ends, empty, after)
    if sums == 1:
        with m.If(enable & adds):
            m.d.sync += partial_sum.eq(following)
        return
    kept = delay(m, f"{name}_kept", partial_sum, sums - 1, enable, reset=True)
    with m.If(enable):
        m.d.sync += partial_sum.eq(Mux(adds, following, kept))


def waits_for_turn(m: Module, sums: int, enable: Value, offered: Value) -> Value:
    """Whether a beat must wait until its sum's turn comes; of 2 sums or more.

    Beats belong to the sums in rotation. A beat in every cycle never waits; after a pause the next
    one waits until the loop has come round to its sum.
    """
    cycles_left = Signal(range(sums), name="cycles_until_turn")
    with m.If(enable):
        with m.If(cycles_left != 0):
            m.d.sync += cycles_left.eq(cycles_left - 1)
        with m.Elif(~offered):
            m.d.sync += cycles_left.eq(sums - 1)
    return cycles_left.any()
