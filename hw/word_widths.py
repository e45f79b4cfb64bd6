"""Widths of the words that move through a design: operands, scales, and what a core gives."""

from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.latency import shares_outer
from macsmith.hw.read_out import state_bits
from macsmith.model.design import Design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

__all__ = ["finished_bits", "moved_bits", "operand_bits", "scale_bits"]


def operand_bits(design: Design) -> tuple[int, int]:
    """Widths of a step's operands A and B."""
    if design.is_switchable:
        common = switch_widths(design.modes)
        return common.lanes * common.a_slot_bits, common.lanes * common.b_slot_bits
    mac = design.mac
    return mac.lanes * mac.a.bits, mac.lanes * mac.b.bits


def scale_bits(design: Design) -> tuple[int, int]:
    """Widths of the scales of A and B; 0 without."""
    a, b = design.mac.a_scale, design.mac.b_scale
    return a.bits if a else 0, b.bits if b else 0


def moved_bits(design: Design) -> tuple[int, int]:
    """Widths of A and B as they move through an array: operands, scales above them."""
    operands, scales = operand_bits(design), scale_bits(design)
    return operands[0] + scales[0], operands[1] + scales[1]


def finished_bits(design: Design) -> int:
    """Width of what an element of an array gives: a sum, or a chunk for an outer adder that it does
    not have; an inner one as it is kept, in parts perhaps. Above a chunk are the random bits that
    it is to be added with, where that is at random; above a switchable design's sum its mode."""
    if design.is_switchable:
        common = switch_widths(design.modes)
        return common.last.bits + common.mode_bits
    widths = mac_widths(design.mac)
    if widths.outer is not None and not shares_outer(design):
        return widths.outer.bits
    state = state_bits(design.mac, resolve_architecture(design.mac, design.implementation))
    return state + (design.mac.random_bits_of(design.mac.last_accumulator) if widths.outer else 0)
