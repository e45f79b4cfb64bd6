"""Random words that an accelerator rounds a product's sums with."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from macsmith.model.lfsr import random_words
from macsmith.model.random_source import lfsr_of
from macsmith.model.tiling import Run, Schedule

__all__ = ["schedule_words"]


def schedule_words(schedule: Schedule) -> npt.NDArray[np.uint32]:
    """Words of a product that begins at the restart of an output-stationary accelerator.

    Its one shift register gives a word a beat, beats counted through the schedule; all elements of
    the array add a beat with the same word.

    Returns
    -------
    uint32 array
        ``[M, N, steps]``: `random` of `macsmith.model.fast.matmul`.
    """
    config = schedule.config
    runs = [packet for packet in schedule.packets if isinstance(packet, Run)]
    beats = sum(run.row_tiles * run.column_tiles * run.beats for run in runs)
    source = itertools.islice(random_words(lfsr_of(config.design.mac.random_bits)), beats)
    words = np.fromiter(source, dtype=np.uint32, count=beats)
    tiles = np.zeros((schedule.row_tiles, schedule.column_tiles, schedule.beats), dtype=np.uint32)
    filled = np.zeros(tiles.shape[:2], dtype=np.int64)
    at = 0
    for run in runs:
        row_tiles = range(run.first_row_tile, run.first_row_tile + run.row_tiles)
        column_tiles = range(run.first_column_tile, run.first_column_tile + run.column_tiles)
        for tile in itertools.product(row_tiles, column_tiles):
            first = filled[tile]
            tiles[tile][first : first + run.beats] = words[at : at + run.beats]
            filled[tile] += run.beats
            at += run.beats
    rows = np.arange(schedule.m) // config.tile_rows
    columns = np.arange(schedule.n) // config.columns
    return tiles[rows[:, np.newaxis], columns]
