"""What an accelerator's dataflows have in common: jobs and banks in, rows of results out."""

from typing import Any

from amaranth.hdl import Signal
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.model.accelerator import AcceleratorConfig

__all__ = ["Dataflow", "job_layout"]


def job_layout(config: AcceleratorConfig) -> StructLayout:
    """A RUN packet as it waits for its turn (`macsmith.model.accelerator`): no count is larger
    than a bank."""
    return StructLayout(
        {
            "beats": config.max_beats.bit_length(),
            "row_tiles": config.a_depth.bit_length(),
            "column_tiles": config.b_depth.bit_length(),
            "release_a": 1,
            "release_b": 1,
            "last": 1,
        }
    )


class Dataflow(Block):
    """An array with what reads its operands from the banks.

    Parameters
    ----------
    config
        The accelerator.
    module_name
        Verilog identifier.

    Members
    -------
    job_valid, job_ready : In(1), Out(1)
        A job is taken away when the last entry of its B is read.
    job : In
        A `job_layout`. Neither beats nor tiles are 0.
    a_can_read, b_can_read : In(1)
        There is a full bank.
    a_read, b_read : Out(1)
        The entry at the address is read in this cycle, and is there from the next one on.
    a_address, b_address : Out
    a_entry, b_entry : In
    release_a, release_b : Out(1)
        Of the banks, with the last entry of a job that is read.
    takes_beat : Out(1)
        The array takes a beat.
    ends_tile : Out(1)
        It does, the last one of a tile of results.
    is_busy : Out(1)
        A beat waits, or a job other than at `job`.
    o_valid, o_ready : Out(1), In(1)
        A row of results passes when both are 1.
    o_data, o_last : Out
        Results, column 0 in the lowest bits; the row is its tile's last.
    """

    job_valid: Signal
    job_ready: Signal
    job: Signal
    a_can_read: Signal
    b_can_read: Signal
    a_read: Signal
    b_read: Signal
    a_address: Signal
    b_address: Signal
    a_entry: Signal
    b_entry: Signal
    release_a: Signal
    release_b: Signal
    takes_beat: Signal
    ends_tile: Signal
    is_busy: Signal
    o_valid: Signal
    o_ready: Signal
    o_data: Signal
    o_last: Signal

    def __init__(self, config: AcceleratorConfig, module_name: str) -> None:
        self.config = config
        self.layout = job_layout(config)
        members: dict[str, Any] = {
            "job_valid": In(1),
            "job_ready": Out(1),
            "job": In(self.layout.size),
            "takes_beat": Out(1),
            "ends_tile": Out(1),
            "is_busy": Out(1),
            "o_valid": Out(1),
            "o_ready": In(1),
            "o_data": Out(config.columns * config.output_bits),
            "o_last": Out(1),
        }
        for side, depth, bits in (
            ("a", config.a_depth, config.a_entry_bits),
            ("b", config.b_depth, config.b_entry_bits),
        ):
            members |= {
                f"{side}_can_read": In(1),
                f"{side}_read": Out(1),
                f"{side}_address": Out((depth - 1).bit_length()),
                f"{side}_entry": In(bits),
                f"release_{side}": Out(1),
            }
        super().__init__(module_name, members, is_clocked=True)
