"""How many steps the sums of a check have."""

from macsmith.model.accumulators import ChunkedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths

__all__ = ["chunk_steps", "longest_steps", "longest_sum_steps", "max_steps", "sum_lengths"]

#: Longest directed sum, in steps.
MAX_DIRECTED_STEPS = 4096

#: Longest sum that is made to fill an accumulator to its limit, in steps.
MAX_LONGEST_STEPS = 140_000


def chunk_steps(config: MacConfig) -> int | None:
    """Steps of a chunk; None if the accumulator is not chunked."""
    if isinstance(config.accumulator, ChunkedAccumulator):
        return config.accumulator.length // config.lanes
    return None


def max_steps(config: MacConfig) -> int | None:
    """Most steps of one sum; None if there is no limit."""
    limit = mac_widths(config).max_terms
    return None if limit is None else limit // config.lanes


def sum_lengths(config: MacConfig, *, quick: bool) -> list[int]:
    """Steps of the random sums: short ones, both sides of every chunk boundary, long ones."""
    lengths = [1, 2, 3, 4, 7, 16]
    if not quick:
        lengths += [5, 9, 33, 64, 150]
    if (chunk := chunk_steps(config)) is not None:
        lengths += [chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1, 3 * chunk]
        if not quick:
            lengths += [2 * chunk - 1, 4 * chunk + 1, 5 * chunk + chunk // 2]
    if (limit := max_steps(config)) is not None:
        lengths = [min(length, limit) for length in lengths]
    return sorted({length for length in lengths if length > 0})


def longest_sum_steps(design: Design, *, quick: bool) -> int | None:
    """Steps of the sum that fills the accumulator to its limit; None if there is no limit or it is
    too far to be tried."""
    limit = max_steps(design.mac)
    most = 2100 if quick or design.implementation.is_array else MAX_LONGEST_STEPS
    return None if limit is None or limit > most else limit


def longest_steps(config: MacConfig) -> int:
    """Steps of the longest directed sum of a configuration."""
    limit = mac_widths(config).max_terms
    return MAX_DIRECTED_STEPS if limit is None else min(limit // config.lanes, MAX_DIRECTED_STEPS)
