"""Processing elements of a weight-stationary array, and rows of them."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.block import Block
from macsmith.hw.element_row import connect_row
from macsmith.hw.latency import step_cycles
from macsmith.hw.pipeline import delay
from macsmith.hw.pipelined import pipelined, place_enabled
from macsmith.hw.step import inner_step
from macsmith.hw.word_widths import operand_bits
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths

__all__ = ["CONTROL_BITS", "WeightElement", "WeightRow"]

#: What goes with A along a row: ``| adds | swap | move |``, least significant first.
CONTROL_BITS = 3


class WeightElement(Block):
    """Keeps a beat of B, adds its products with A to the sum that comes from above.

    The next beats of B move down while the present ones are at work.

    Parameters
    ----------
    design
        What is computed, and in how many stages.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    a_i, a_o : In, Out(lanes * config.a.bits)
        Passed to the right, one cycle later.
    control_i, control_o : In, Out(CONTROL_BITS)
        Accompanies A. `adds`: the element has a part in this sum; else the sum passes by. `swap`:
        from this A on, the next B is the present one. `move`: the next B is taken from above.
    b_i, b_o : In, Out(lanes * config.b.bits)
        The next B, moving down.
    sum_i, sum_o : In, Out(inner.bits)
        Partial sums moving down: in `macsmith.hw.latency.step_cycles` + 1 cycles after A, out one
        cycle later.
    """

    enable: Signal
    a_i: Signal
    a_o: Signal
    control_i: Signal
    control_o: Signal
    b_i: Signal
    b_o: Signal
    sum_i: Signal
    sum_o: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        a_bits, b_bits = operand_bits(design)
        sum_bits = mac_widths(design.mac).inner.bits
        super().__init__(
            "weight_element",
            {
                "enable": In(1),
                "a_i": In(a_bits),
                "a_o": Out(a_bits),
                "control_i": In(CONTROL_BITS),
                "control_o": Out(CONTROL_BITS),
                "b_i": In(b_bits),
                "b_o": Out(b_bits),
                "sum_i": In(sum_bits),
                "sum_o": Out(sum_bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        design = self.design
        cycles = step_cycles(design)
        architecture = resolve_architecture(design.mac, design.implementation)
        step = pipelined(inner_step(design.mac, architecture), cycles, ("partial_sum_i",))
        place_enabled(m, platform, "step", step, self.enable)
        a = Signal.like(self.a_i, name="a", reset_less=True)
        control = Signal.like(self.control_i, name="control")
        present = Signal.like(self.b_i, name="present_b", reset_less=True)
        following = Signal.like(self.b_i, name="next_b", reset_less=True)
        partial_sum = Signal.like(self.sum_i, name="partial_sum", reset_less=True)
        swap, move = self.control_i[1], self.control_i[2]
        adds = delay(m, "adds", control[0], cycles, self.enable)
        with m.If(self.enable):
            m.d.sync += [
                a.eq(self.a_i),
                control.eq(self.control_i),
                partial_sum.eq(Mux(adds, step.partial_sum_o, self.sum_i)),
            ]
        with m.If(self.enable & swap):
            m.d.sync += present.eq(following)
        with m.If(self.enable & move):
            m.d.sync += following.eq(self.b_i)
        m.d.comb += [
            step.a.eq(a),
            step.b.eq(present),
            getattr(step, "partial_sum_i").eq(self.sum_i),  # noqa: B009 - no sum of blocks
            self.a_o.eq(a),
            self.control_o.eq(control),
            self.b_o.eq(following),
            self.sum_o.eq(partial_sum),
        ]
        return m


class WeightRow(Block):
    """A row of elements, A moving from column 0 to the right.

    Parameters
    ----------
    design
        What is computed, in how many stages and columns.

    Members
    -------
    enable : In(1)
    a : In(lanes * config.a.bits)
    control : In(CONTROL_BITS)
    b_i, b_o : In, Out(columns * lanes * config.b.bits)
        Column 0 in the lowest bits.
    sum_i, sum_o : In, Out(columns * inner.bits)
        The same.
    """

    enable: Signal
    a: Signal
    control: Signal
    b_i: Signal
    b_o: Signal
    sum_i: Signal
    sum_o: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        self.columns = design.implementation.columns
        a_bits, b_bits = operand_bits(design)
        sum_bits = mac_widths(design.mac).inner.bits
        super().__init__(
            "weight_row",
            {
                "enable": In(1),
                "a": In(a_bits),
                "control": In(CONTROL_BITS),
                "b_i": In(self.columns * b_bits),
                "b_o": Out(self.columns * b_bits),
                "sum_i": In(self.columns * sum_bits),
                "sum_o": Out(self.columns * sum_bits),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        elements = [WeightElement(self.design) for _ in range(self.columns)]
        connect_row(m, platform, self, elements, ("b", "sum"))
        return m
