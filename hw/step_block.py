"""What the steps of all inner accumulators have in common: their ports."""

from collections.abc import Mapping

from amaranth.hdl import Signal
from amaranth.lib.wiring import In, Member, Out
from macsmith.hw.architecture import Architecture
from macsmith.hw.block import Block
from macsmith.model.config import MacConfig

__all__ = ["StepBlock"]


class StepBlock(Block):
    """Next partial sum of an inner accumulator; combinational.

    Parameters
    ----------
    module_name
        Name of the kind of step.
    config
        What is computed.
    architecture
        How it is built.
    partial_sum_bits
        Width of the partial sum.
    random_bits
        Width of the random word, 0 without stochastic rounding.
    columns
        Columns of an array that the step serves, with A in common.
    members
        Further members.

    Members
    -------
    a : In(lanes * config.a.bits)
    b : In(columns * lanes * config.b.bits)
        Lane 0 in the lowest bits, the first column below the second.
    partial_sum_i, partial_sum_o : In, Out(columns * partial_sum_bits)
    random : In(random_bits)
        Only with random bits.
    """

    a: Signal
    b: Signal
    random: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(
        self,
        module_name: str,
        config: MacConfig,
        architecture: Architecture,
        partial_sum_bits: int,
        random_bits: int = 0,
        columns: int = 1,
        members: Mapping[str, Member] | None = None,
    ) -> None:
        self.config, self.architecture = config, architecture
        ports = {
            "a": In(config.lanes * config.a.bits),
            "b": In(columns * config.lanes * config.b.bits),
            "partial_sum_i": In(columns * partial_sum_bits),
            "partial_sum_o": Out(columns * partial_sum_bits),
        }
        if random_bits:
            ports["random"] = In(random_bits)
        super().__init__(module_name, {**ports, **(members or {})})
