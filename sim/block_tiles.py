"""Tiles of an array of block formats, made of the sums that a single MAC is checked with.

A tile takes as many sums of one length as its shorter side has elements: row r has the A and column
r the B of one of them, so that each of these sums is computed on the diagonal. The rest of the
longer side has A or B of other sums of that length, and elements beside the diagonal mixtures.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from macsmith.model.widths import mac_widths
from macsmith.sim.bench import RATES, result_rows
from macsmith.sim.bench_job import BenchJob, Bits, bit_rows
from macsmith.sim.block_stimulus import BlockStimulus
from macsmith.sim.expected import Words
from macsmith.sim.harness import beat_layout
from macsmith.sim.tile_groups import Codes
from numpy.typing import NDArray

__all__ = ["BlockTiles", "arrange_tiles", "tiles_job"]


@dataclass(frozen=True)
class BlockTiles:
    """Beats of tiles in playing order.

    Parameters
    ----------
    sums
        The sum of every element, tile by tile, row by row.
    a, b
        (beats, rows, lanes) and (beats, columns, lanes) codes.
    scales
        Of those operands that have one: (beats, rows) or (beats, columns) codes.
    steps
        Beats of each tile.
    """

    sums: BlockStimulus
    a: Codes
    b: Codes
    scales: tuple[Codes, ...]
    steps: NDArray[np.int64]

    @property
    def ends(self) -> NDArray[np.bool_]:
        """Which beats are their tile's last."""
        ends = np.zeros(len(self.a), dtype=np.bool_)
        ends[np.cumsum(self.steps) - 1] = True
        return ends

    def beat_bits(self, beats: slice) -> tuple[Bits, Bits, list[Bits]]:
        """Ports ``i_a`` and ``i_b`` of some beats, and those of the scales."""
        mac = self.sums.design.mac
        a, b = self.a[beats], self.b[beats]
        return (
            bit_rows(a, mac.a.bits).reshape(len(a), -1),
            bit_rows(b, mac.b.bits).reshape(len(b), -1),
            [
                bit_rows(codes[beats], fmt.bits).reshape(len(a), -1)
                for codes, fmt in zip(self.scales, mac.scales, strict=True)
            ],
        )


def _tile_members(
    steps: NDArray[np.int64], shorter: int, longer: int
) -> Iterator[NDArray[np.int64]]:
    """Sums of each tile's longer side, its own first: of one length, the shortest in the first
    tile, the longest in the next."""
    groups = []
    for length in sorted(set(steps.tolist())):
        members = np.flatnonzero(steps == length)
        own = np.resize(members, -(-len(members) // shorter) * shorter).reshape(-1, shorter)
        # others: those of the tiles that follow
        others = [np.roll(own.reshape(-1), -shorter * (index + 1)) for index in range(len(own))]
        groups.append(
            [
                np.concatenate([each, np.resize(rest, longer - shorter)])
                for each, rest in zip(own, others, strict=True)
            ]
        )
    yield groups[0].pop(0)
    if groups[-1]:
        yield groups[-1].pop(0)
    for group in groups:
        yield from group


def arrange_tiles(stimulus: BlockStimulus) -> BlockTiles:
    """Tiles of the design's array; `stimulus` is of its single MAC."""
    design, mac = stimulus.design, stimulus.design.mac
    rows, columns = design.implementation.rows, design.implementation.columns
    starts = np.cumsum(stimulus.steps) - stimulus.steps
    sides = [name for name in "ab" if getattr(mac, f"{name}_scale") is not None]
    a_beats, b_beats, tile_steps = [], [], []
    sides_of = min(rows, columns), max(rows, columns)
    for members in _tile_members(stimulus.steps, *sides_of):
        steps = int(stimulus.steps[members[0]])
        # beats of the stimulus: (steps, sums of the tile)
        beats = starts[members] + np.arange(steps)[:, np.newaxis]
        a_beats.append(beats[:, :rows])
        b_beats.append(beats[:, :columns])
        tile_steps.append(steps)
    a_of, b_of = np.concatenate(a_beats), np.concatenate(b_beats)
    # every element's beats, one after the other
    a_each = np.concatenate([np.repeat(each.T, columns, axis=0).reshape(-1) for each in a_beats])
    b_each = np.concatenate([np.tile(each.T, (rows, 1)).reshape(-1) for each in b_beats])
    ends = np.zeros(len(a_each), dtype=np.bool_)
    ends[np.cumsum(np.repeat(tile_steps, rows * columns)) - 1] = True
    scales = np.stack(
        [
            stimulus.scales[a_each if side == "a" else b_each, index]
            for index, side in enumerate(sides)
        ],
        axis=1,
    )
    steps_of_tiles = np.array(tile_steps, dtype=np.int64)
    return BlockTiles(
        sums=BlockStimulus(design, stimulus.a[a_each], stimulus.b[b_each], scales, ends, None),
        a=stimulus.a[a_of],
        b=stimulus.b[b_of],
        scales=tuple(
            stimulus.scales[a_of if side == "a" else b_of, index]
            for index, side in enumerate(sides)
        ),
        steps=steps_of_tiles,
    )


def tiles_job(tiles: BlockTiles, expected: Words) -> BenchJob:
    """The job that plays tiles; `expected` are (results, words) of `BlockTiles.sums`."""
    design = tiles.sums.design
    layout = beat_layout(design)
    implementation = design.implementation
    a, b, scales = tiles.beat_bits(slice(None))
    results = result_rows(expected, mac_widths(design.mac).output_bits)
    steps = tiles.steps
    return BenchJob(
        beats=np.concatenate([a, b, *scales, tiles.ends.astype(np.uint8)[:, np.newaxis]], axis=1),
        expected=results.reshape(len(steps) * implementation.rows, -1),
        probe_beats=int(steps[0]),
        reset_beats=int(steps[0] + max(steps[1] - 1, 1)),
        results_per_sum=implementation.rows,
        rates=RATES,
        batch_beats=layout.batch_beats,
        results_per_batch=layout.results_per_batch,
    )
