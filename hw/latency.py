"""Latency and interval of a design, in cycles."""

from macsmith.hw.convert import needs_conversion
from macsmith.hw.pipeline import plan_cuts
from macsmith.model.config import Design
from macsmith.model.widths import mac_widths

__all__ = [
    "core_latency_cycles",
    "drain_start_cycles",
    "interval_cycles",
    "latency_cycles",
    "registers_output",
]


def core_latency_cycles(design: Design) -> int:
    """Cycles from a sum's last beat to `macsmith.hw.core.Core.is_finished`, 0 if the same."""
    is_chunked = mac_widths(design.mac).outer is not None
    return plan_cuts(design.mac, design.implementation.stages).total + is_chunked


def registers_output(design: Design) -> bool:
    """Whether a single MAC has a register behind the conversion of its result.

    A pipelined one that converts has, so that no path from the accumulator to the output port is
    longer than the rest. An array always has.
    """
    return design.implementation.stages > 0 and any(
        needs_conversion(mac_widths(mode).last, mode.output_format) for mode in design.modes
    )


def drain_start_cycles(design: Design) -> int:
    """Cycles from a tile's last beat to the first result at the edge of an array's column 0."""
    # one into the element's registers, one from row to row, one into its result register
    return core_latency_cycles(design) + design.implementation.rows + 1


def latency_cycles(design: Design) -> int:
    """Cycles from the one in which a sum's (tile's) last beat passes to that of its (first)
    result, if nothing waits; 0 for a combinational unit."""
    if design.implementation.form == "unit":
        return 0
    if design.implementation.is_array:
        return drain_start_cycles(design) + design.implementation.columns
    return core_latency_cycles(design) + 1 + registers_output(design)


def interval_cycles(design: Design) -> int:
    """Least cycles between the last beats of two sums (tiles); beats follow in every cycle."""
    return design.implementation.rows
