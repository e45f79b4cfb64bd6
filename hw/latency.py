"""Latency and interval of a design, in cycles."""

from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.convert import needs_conversion
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths

__all__ = [
    "chunk_interval_cycles",
    "columns_per_element",
    "convert_cycles",
    "core_latency_cycles",
    "drain_start_cycles",
    "edge_cycles",
    "interval_cycles",
    "keeps_carries",
    "latency_cycles",
    "outer_cycles",
    "propagate_cycles",
    "read_out_cycles",
    "restarts",
    "shares_outer",
    "step_cycles",
    "weight_column_cycles",
]


def shares_outer(design: Design) -> bool:
    """Whether one outer adder serves a whole column of an array, instead of one in each element."""
    if design.is_switchable:
        return False
    return resolve_architecture(design.mac, design.implementation).outer == "shared"


def columns_per_element(design: Design) -> int:
    """Columns of an array that one processing element serves, with A in common."""
    return 2 if resolve_architecture(design.mac, design.implementation).pair == "columns" else 1


def step_cycles(design: Design) -> int:
    """Pipeline stages between the operand codes and the partial sum behind the step: those before
    the accumulator, and those within its loop."""
    return design.implementation.stages + design.implementation.interleave - 1


def keeps_carries(design: Design) -> bool:
    """Whether the inner accumulator is a carry-save one."""
    return resolve_architecture(design.mac, design.implementation).loop == "carrysave"


def restarts(design: Design) -> bool:
    """Whether a sum is read out of its register, in which the next one's first beat replaces it."""
    return resolve_architecture(design.mac, design.implementation).loop == "restart"


def propagate_cycles(design: Design) -> int:
    """Pipeline stages in which the carries of a finished carry-save sum are propagated."""
    return design.implementation.stages


def read_out_cycles(design: Design) -> int:
    """Pipeline stages in which a finished sum that is kept in parts is made one number: one before
    a conversion in stages, none where there is nothing to separate it from, nor before a chunk is
    added (whose conversion begins with it)."""
    is_whole = resolve_architecture(design.mac, design.implementation).accumulate == "whole"
    is_chunked = mac_widths(design.mac).outer is not None
    return 0 if is_whole or is_chunked else min(convert_cycles(design), 1)


def outer_cycles(design: Design) -> int:
    """Pipeline stages between a finished chunk and the outer sum behind its addition: where the
    chunk is converted, and in the loop through the outer sum."""
    converts = any(
        widths.outer is not None and widths.inner.format != widths.outer.format
        for widths in map(mac_widths, design.modes)
    )
    before = design.implementation.stages if converts else 0
    return before + design.implementation.interleave - 1


def convert_cycles(design: Design) -> int:
    """Pipeline stages between a finished sum and the result code, where the sum is converted: as
    many as in the step."""
    converts = any(
        needs_conversion(mac_widths(mode).last, mode.output_format) for mode in design.modes
    )
    return step_cycles(design) if converts else 0


def core_latency_cycles(design: Design) -> int:
    """Cycles from a sum's last beat to `macsmith.hw.core.Core.is_finished`, 0 if the same."""
    cycles = step_cycles(design)
    if restarts(design):
        cycles += 1
    if keeps_carries(design):
        cycles += 1 + propagate_cycles(design)
    if mac_widths(design.mac).outer is not None and not shares_outer(design):
        cycles += 1 + outer_cycles(design)
    return cycles


def edge_cycles(design: Design) -> int:
    """Cycles that a result spends at the edge of an array, before those of its column."""
    cycles = read_out_cycles(design) + convert_cycles(design)
    return cycles + (1 + outer_cycles(design) if shares_outer(design) else 0)


def drain_start_cycles(design: Design) -> int:
    """Cycles from a tile's last beat to the first result at the edge of an array's column 0."""
    if design.implementation.feed == "broadcast":
        return core_latency_cycles(design) + 1
    # one into the element's registers, one from row to row, one into its result register
    return core_latency_cycles(design) + design.implementation.rows + 1


def latency_cycles(design: Design) -> int:
    """Cycles from the one in which a sum's (tile's) last beat passes to that of its (first)
    result, if nothing waits; 0 for a combinational unit."""
    if design.implementation.form == "unit":
        return 0
    if design.implementation.is_weight_stationary:
        return weight_column_cycles(design) + design.implementation.columns
    if design.implementation.is_array:
        columns = design.implementation.columns // columns_per_element(design)
        if design.implementation.feed == "broadcast":
            columns = 0  # they are in line
        return drain_start_cycles(design) + columns + edge_cycles(design)
    return core_latency_cycles(design) + 1 + read_out_cycles(design) + convert_cycles(design)


def weight_column_cycles(design: Design) -> int:
    """Cycles from a beat before a weight-stationary array to column 0's result, converted."""
    # one into the elements' registers, one from row to row
    cycles = step_cycles(design) + design.implementation.rows + 1 + convert_cycles(design)
    if mac_widths(design.mac).outer is not None:
        # the chunk's register, and that of the outer sum before it is converted
        cycles += 1 + outer_cycles(design) + 1
    return cycles


def interval_cycles(design: Design) -> int:
    """Least cycles between the last beats of two sums (tiles); beats follow in every cycle."""
    return 1 if design.implementation.is_weight_stationary else design.implementation.rows


def chunk_interval_cycles(design: Design) -> int:
    """Least cycles between the last beats of two chunks: the rows whose chunks share an adder.

    Whole chunks are never shorter; only a last, shorter chunk of a tile waits.
    """
    return design.implementation.rows if shares_outer(design) else 1
