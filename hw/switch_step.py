"""Steps of switchable designs: what every mode needs, and modes whose steps stand side by side."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from macsmith.hw.architecture import Architecture
from macsmith.hw.block import Block, place
from macsmith.hw.block_sum import BlockSum
from macsmith.hw.outer_step import OuterStep
from macsmith.hw.step import inner_step
from macsmith.model.config import MacConfig
from macsmith.model.switch import CommonSum, switch_widths
from macsmith.model.widths import mac_widths

__all__ = [
    "SeparateSteps",
    "SwitchOuterStep",
    "common_sum",
    "mode_codes",
    "own_sum",
    "select",
    "step_members",
]


def select(mode: Value, values: Sequence[Value]) -> Value:
    """The value of a mode; that of the last one where the number of the mode is beyond."""
    chosen = values[-1]
    for index in reversed(range(len(values) - 1)):
        chosen = Mux(mode == index, values[index], chosen)
    return chosen


def mode_codes(value: Value, slot_bits: int, lanes: int, rate: int, bits: int) -> Value:
    """Codes of a mode, side by side, from the slots of an operand port."""
    return Cat(
        value[lane * slot_bits + part * bits :][:bits]
        for lane in range(lanes)
        for part in range(rate)
    )


def own_sum(common: CommonSum, mode: int, value: Value) -> Value:
    """A mode's own partial sum from the common one."""
    own = common.modes[mode]
    if own.format is not None:
        return value[: own.bits]
    flags = value[common.integer_bits : common.integer_bits + own.flag_bits]
    return Cat(value[: own.integer_bits], flags)


def common_sum(common: CommonSum, mode: int, value: Value) -> Value:
    """The common partial sum from a mode's own one."""
    own = common.modes[mode]
    if own.format is not None:
        return Cat(value, Const(0, common.bits - own.bits))
    sign = value[own.integer_bits - 1]
    flags = value[own.integer_bits :]
    if own.flag_bits == 1:
        flags = flags.replicate(common.flag_bits)
    word = Cat(
        value[: own.integer_bits], sign.replicate(common.integer_bits - own.integer_bits), flags
    )
    return Cat(word, Const(0, common.bits - len(word)))


def step_members(modes: tuple[MacConfig, ...]) -> dict[str, wiring.Member]:
    """Signature of the step of a switchable design: ``mode``, ``a``, ``b``, ``partial_sum_i`` and
    ``partial_sum_o``."""
    widths = switch_widths(modes)
    return {
        "mode": In(widths.mode_bits),
        "a": In(widths.lanes * widths.a_slot_bits),
        "b": In(widths.lanes * widths.b_slot_bits),
        "partial_sum_i": In(widths.inner.bits),
        "partial_sum_o": Out(widths.inner.bits),
    }


class SeparateSteps(Block):
    """Next inner partial sum of the present mode: the steps of all modes, and one is chosen.

    They share ports and registers, nothing else: for modes whose arithmetic has nothing in common.

    Parameters
    ----------
    modes
        What is computed in each mode.
    architectures
        How the step of each mode is built.

    Members
    -------
    mode : In
        Of the operands.
    a, b : In
        Slots of all lanes, as `macsmith.model.switch` lays them out.
    partial_sum_i, partial_sum_o : In, Out
        In the common layout.
    """

    mode: Signal
    a: Signal
    b: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(
        self, modes: tuple[MacConfig, ...], architectures: tuple[Architecture, ...]
    ) -> None:
        self.modes, self.architectures = modes, architectures
        super().__init__("separate_steps", step_members(modes))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths = switch_widths(self.modes)
        sums: list[Value] = []
        for index, config in enumerate(self.modes):
            step = inner_step(config, self.architectures[index])
            assert not isinstance(step, BlockSum)  # modes have no block formats
            place(m, platform, f"step_{index}", step)
            rate = widths.rates[index]
            m.d.comb += [
                step.a.eq(
                    mode_codes(self.a, widths.a_slot_bits, widths.lanes, rate, config.a.bits)
                ),
                step.b.eq(
                    mode_codes(self.b, widths.b_slot_bits, widths.lanes, rate, config.b.bits)
                ),
                step.partial_sum_i.eq(own_sum(widths.inner, index, self.partial_sum_i)),
            ]
            sums.append(common_sum(widths.inner, index, step.partial_sum_o))
        m.d.comb += self.partial_sum_o.eq(select(self.mode, sums))
        return m


class SwitchOuterStep(Block):
    """Next outer partial sum of the present mode; combinational.

    Modes with the same float accumulators share one adder; others have one each.

    Parameters
    ----------
    modes
        What is computed in each mode; all have chunks.

    Members
    -------
    mode : In
    chunk : In
        A finished inner partial sum.
    partial_sum_i, partial_sum_o : In, Out
        All in the common layout.
    """

    mode: Signal
    chunk: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(self, modes: tuple[MacConfig, ...]) -> None:
        self.modes = modes
        self.widths = switch_widths(modes)
        if self.widths.outer is None:
            raise ValueError("SwitchOuterStep: must have chunked accumulators")
        self.outer: CommonSum = self.widths.outer
        super().__init__(
            "switch_outer_step",
            {
                "mode": In(self.widths.mode_bits),
                "chunk": In(self.widths.inner.bits),
                "partial_sum_i": In(self.outer.bits),
                "partial_sum_o": Out(self.outer.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sums: list[Value] = []
        adders: dict[object, Value] = {}
        for index, config in enumerate(self.modes):
            inner, outer = self.widths.inner.modes[index], self.outer.modes[index]
            is_float = inner.format is not None and outer.format is not None
            key: object = (inner.format, outer.format) if is_float else index
            if key not in adders:
                step = OuterStep(config)
                place(m, platform, f"outer_step_{index}", step)
                m.d.comb += [
                    step.chunk.eq(own_sum(self.widths.inner, index, self.chunk)),
                    step.partial_sum_i.eq(own_sum(self.outer, index, self.partial_sum_i)),
                ]
                adders[key] = step.partial_sum_o
            sums.append(common_sum(self.outer, index, adders[key]))
        is_one = len(adders) == 1
        m.d.comb += self.partial_sum_o.eq(sums[0] if is_one else select(self.mode, sums))
        return m


def has_chunks(modes: Sequence[MacConfig]) -> bool:
    """Whether the modes' accumulators are chunked."""
    return mac_widths(modes[0]).outer is not None
