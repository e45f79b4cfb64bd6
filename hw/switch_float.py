"""The step of a switchable design whose modes all add one product to the same float format."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Signal
from macsmith.hw.block import Block, place
from macsmith.hw.float_add import place_float_add
from macsmith.hw.partial_products import Multiplier
from macsmith.hw.switch_lane import SwitchLane, integer_modes
from macsmith.hw.switch_step import step_members
from macsmith.model.config import MacConfig
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

__all__ = ["SwitchFloatStep", "can_share_float"]


def can_share_float(modes: Sequence[MacConfig]) -> bool:
    """Whether one float adder can serve all modes: one product a step, not rounded by itself, not
    of two integers, added to one float format."""
    first = mac_widths(modes[0]).inner.format
    return (
        first is not None
        and not integer_modes(tuple(modes))
        and all(
            mac_widths(mode).inner.format == first
            and mode.lanes == 1
            and mode.product is None
            and mode.aligned is None
            for mode in modes
        )
    )


class SwitchFloatStep(Block):
    """Next inner partial sum of the present mode: product added by one adder, rounded once.

    Combinational.

    Parameters
    ----------
    modes
        What is computed in each mode; `can_share_float` holds.
    multiplier
        How significands are multiplied.

    Members
    -------
    mode, a, b, partial_sum_i, partial_sum_o
        As those of `macsmith.hw.switch_step.SeparateSteps`.
    """

    mode: Signal
    a: Signal
    b: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(self, modes: tuple[MacConfig, ...], multiplier: Multiplier = "array") -> None:
        self.modes = modes
        self.multiplier: Multiplier = multiplier
        super().__init__("switch_float_step", step_members(modes))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, widths = self.modes[0], switch_widths(self.modes)
        fmt = mac_widths(config).inner.format
        assert fmt is not None
        lane = SwitchLane(
            self.modes,
            widths.mode_bits,
            widths.a_slot_bits,
            widths.b_slot_bits,
            is_common=True,
            zero_specials=False,
            multiplier=self.multiplier,
        )
        place(m, platform, "lane", lane)
        term = lane.term
        add = place_float_add(
            m,
            platform,
            ("normalise_term", "float_add"),
            term,
            fmt,
            config.rounding,
            config.overflow_of(fmt),
            self.partial_sum_i,
        )
        m.d.comb += [
            lane.mode.eq(self.mode),
            lane.a.eq(self.a),
            lane.b.eq(self.b),
            self.partial_sum_o.eq(add.partial_sum_o),
        ]
        return m
