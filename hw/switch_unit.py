"""The step of a switchable design, and the unit that is nothing but a step."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.block import Block, place
from macsmith.hw.switch_fixed import SwitchFixedStep, can_share_fixed
from macsmith.hw.switch_float import SwitchFloatStep, can_share_float
from macsmith.hw.switch_step import SeparateSteps, SwitchOuterStep
from macsmith.model.design import Design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

__all__ = ["SwitchUnit", "shared_step", "switch_step"]

SwitchStep = SeparateSteps | SwitchFixedStep | SwitchFloatStep


def shared_step(design: Design) -> str:
    """What the modes of a switchable design share: ``datapath`` or ``ports``.

    One datapath is less than one for each mode wherever it can be built: in ASAP7 by
    ``smallest-fa`` 0.60 to 0.92 of the sum of the single steps, by ``fastest`` 0.66 to 0.88
    (`docs/hardware.md`). The forms for FPGAs are those of the single designs.

    Raises
    ------
    ValueError
        A common datapath is asked for and cannot be built.
    """
    implementation = design.implementation
    modes = design.modes
    can_share = (can_share_fixed(modes) or can_share_float(modes)) and all(
        resolve_architecture(mode, implementation).fpga == "none" for mode in modes
    )
    if implementation.share == "datapath" and not can_share:
        raise ValueError(
            f"{design.text}: share=datapath needs sums in fixed point that neither wrap nor clip, "
            "or one product a step into the same float format, and products that are not rounded: "
            "leave it out"
        )
    return "datapath" if can_share and implementation.share != "ports" else "ports"


def switch_step(design: Design) -> SwitchStep:
    """The step of a switchable design: one for all modes where they have enough in common."""
    modes = design.modes
    architectures = tuple(resolve_architecture(mode, design.implementation) for mode in modes)
    if shared_step(design) == "ports":
        return SeparateSteps(modes, architectures)
    if not can_share_fixed(modes):
        asked = design.implementation.multiply
        return SwitchFloatStep(modes, "array" if asked == "auto" else asked)
    # the mode with the largest products decides how they are added
    sizes = [mac_widths(mode).term.max_integer for mode in modes]
    return SwitchFixedStep(modes, architectures[sizes.index(max(sizes))])


class SwitchUnit(Block):
    """One whole step of a switchable design, to be embedded in other hardware; combinational.

    Parameters
    ----------
    design
        What is computed in each mode, and how it is built.

    Members
    -------
    mode : In
        Of this step.
    a, b : In
        Slots of all lanes.
    chunk_end : In(1)
        Only with chunked accumulators: this step is its chunk's last.
    partial_sum_i, partial_sum_o : In, Out
        Laid out as `macsmith.model.switch` says; all 0 to begin with.
    """

    mode: Signal
    a: Signal
    b: Signal
    chunk_end: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        self.widths = switch_widths(design.modes)
        members = {
            "mode": In(self.widths.mode_bits),
            "a": In(self.widths.lanes * self.widths.a_slot_bits),
            "b": In(self.widths.lanes * self.widths.b_slot_bits),
            "partial_sum_i": In(self.widths.partial_sum_bits),
            "partial_sum_o": Out(self.widths.partial_sum_bits),
        }
        if self.widths.outer is not None:
            members["chunk_end"] = In(1)
        super().__init__("switch_unit", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        inner_bits = self.widths.inner.bits
        step = switch_step(self.design)
        place(m, platform, "step", step)
        m.d.comb += [
            step.mode.eq(self.mode),
            step.a.eq(self.a),
            step.b.eq(self.b),
            step.partial_sum_i.eq(self.partial_sum_i[:inner_bits]),
        ]
        if self.widths.outer is None:
            m.d.comb += self.partial_sum_o.eq(step.partial_sum_o)
            return m
        before = self.partial_sum_i[inner_bits:]
        outer = SwitchOuterStep(self.design.modes)
        place(m, platform, "outer_step", outer)
        m.d.comb += [
            outer.mode.eq(self.mode),
            outer.chunk.eq(step.partial_sum_o),
            outer.partial_sum_i.eq(before),
            self.partial_sum_o.eq(
                Cat(
                    Mux(self.chunk_end, 0, step.partial_sum_o)[:inner_bits],
                    Mux(self.chunk_end, outer.partial_sum_o, before),
                )
            ),
        ]
        return m
