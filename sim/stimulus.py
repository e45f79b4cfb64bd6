"""What a stream design is fed with: sums, single or one for each element of an array's tile.

Sums come in groups, one for each purpose (`macsmith.sim.tile_groups`); tiles of all groups are
shuffled together, so that every kind of sum follows every other.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from macsmith.model.design import Design
from macsmith.sim.random_words import RandomWords, chosen_words, register_words
from macsmith.sim.rotation import Rotation, rotate
from macsmith.sim.sum_lengths import chunk_steps
from macsmith.sim.tile_groups import Codes, TileGroup, tile_groups
from numpy.typing import NDArray

__all__ = ["Stimulus", "make_stimulus"]


@dataclass(frozen=True)
class Stimulus:
    """All tiles of a check and the order in which they are played.

    `order` holds indices into the tiles of all groups, one group after the other; its first entry
    is a tile that serves to measure latency, and a reset after `reset_beats` beats hits the second
    one in its middle. `seed` is that of random words at a port.
    """

    design: Design
    groups: tuple[TileGroup, ...]
    order: NDArray[np.int64]
    reset_beats: int
    seed: int = 1

    @cached_property
    def _group_of(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.groups)), [group.tiles for group in self.groups])

    @cached_property
    def _first_tile(self) -> NDArray[np.int64]:
        tiles = [group.tiles for group in self.groups]
        return np.concatenate(([0], np.cumsum(tiles)[:-1])).astype(np.int64)

    def locate(self, position: int) -> tuple[TileGroup, int]:
        """Group, and tile in it, that is played as number `position`."""
        tile = int(self.order[position])
        index = int(self._group_of[tile])
        return self.groups[index], tile - int(self._first_tile[index])

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """Beats of each tile, in playing order."""
        lengths = np.array([group.steps for group in self.groups], dtype=np.int64)
        return lengths[self._group_of[self.order]]

    @property
    def beat_count(self) -> int:
        """All beats."""
        return int(self.steps.sum())

    @cached_property
    def random_words(self) -> RandomWords | None:
        """The random word of each beat, counted from the last reset; None if nothing is random.

        Where each element of an array has its own: (beats, rows, columns).
        """
        if not self.design.mac.random_bits:
            return None
        if self.design.implementation.lfsr == "port":
            return chosen_words(self.design, self.beat_count, self.seed)
        return register_words(self.design, self.beat_count)

    def tile_words(self, position: int, row: int = 0, column: int = 0) -> RandomWords | None:
        """The random words of the tile that is played as number `position`, in one element."""
        if self.random_words is None:
            return None
        end = int(self._ends[position])
        words = self.random_words[end - int(self.steps[position]) : end]
        return words if words.ndim == 1 else words[:, row, column]

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.steps)

    def group_words(self, index: int) -> RandomWords | None:
        """The random words (tiles, steps), or of each element (tiles, steps, rows, columns), of a
        group; 0 for tiles that are not played."""
        if self.random_words is None:
            return None
        group = self.groups[index]
        shape = (group.tiles, group.steps, *self.random_words.shape[1:])
        words = np.zeros(shape, dtype=np.uint64)
        positions = np.flatnonzero(self._group_of[self.order] == index)
        starts = (self._ends - self.steps)[positions]
        tiles = self.order[positions] - self._first_tile[index]
        words[tiles] = self.random_words[starts[:, np.newaxis] + np.arange(group.steps)]
        return words

    @property
    def product_count(self) -> int:
        """All products that the design computes."""
        implementation = self.design.implementation
        elements = implementation.rows * implementation.columns
        return self.beat_count * elements * self.design.mac.lanes

    @cached_property
    def rotation(self) -> Rotation:
        """When beats are played, and results come, where sums are computed in rotation."""
        return rotate(self.steps, self.design.implementation.interleave)

    def beats(self) -> tuple[Codes, Codes, NDArray[np.bool_]]:
        """A codes (beats, rows, lanes), B codes (beats, columns, lanes) and last flags.

        In the order in which they are played: sum after sum, or in rotation.
        """
        implementation, lanes = self.design.implementation, self.design.mac.lanes
        a = np.empty((self.beat_count, implementation.rows, lanes), dtype=np.uint32)
        b = np.empty((self.beat_count, implementation.columns, lanes), dtype=np.uint32)
        ends = np.cumsum(self.steps)
        starts = ends - self.steps
        played_group = self._group_of[self.order]
        for index, group in enumerate(self.groups):
            positions = np.flatnonzero(played_group == index)
            tiles = self.order[positions] - self._first_tile[index]
            at = (starts[positions][:, np.newaxis] + np.arange(group.steps)).reshape(-1)
            a[at] = group.a[tiles].reshape(len(at), *a.shape[1:])
            b[at] = group.b[tiles].reshape(len(at), *b.shape[1:])
        last = np.zeros(self.beat_count, dtype=np.bool_)
        last[ends - 1] = True
        if self.design.implementation.interleave > 1:
            source = self.rotation.source
            a, b, last = a[source], b[source], last[source]
            for empty in (a, b, last):
                empty[source < 0] = 0
        return a, b, last


def make_stimulus(design: Design, *, seed: int = 1, quick: bool = False) -> Stimulus:
    """Everything a stream design is checked with.

    Parameters
    ----------
    design
        A design of form ``stream``.
    seed
        Of all random choices: the same seed gives the same stimulus.
    quick
        Some thousand beats rather than some hundred thousand: operand pairs are sampled, sums are
        shorter.

    Raises
    ------
    ValueError
        The design is a unit.
    """
    if design.implementation.form != "stream":
        raise ValueError(f"{design.text}: a stream stimulus is for the form stream, not unit")
    rng = np.random.default_rng(seed)
    groups = tile_groups(design, rng, quick=quick)
    tiles = sum(group.tiles for group in groups)
    order = rng.permutation(tiles).astype(np.int64)
    # the first tile: one step, to measure latency; the second: a reset comes in its last beat
    lengths = np.repeat([group.steps for group in groups], [group.tiles for group in groups])
    chunk = chunk_steps(design.mac) or 2
    played = lengths[order]
    single = int(np.flatnonzero(played == played.min())[0])
    order[[0, single]] = order[[single, 0]]
    played = lengths[order]
    candidates = np.flatnonzero((played[1:] > chunk) & (played[1:] <= chunk + 4096)) + 1
    if not len(candidates):
        candidates = np.array([1 + int(np.argmax(played[1:]))])
    second = int(candidates[0])
    order[[1, second]] = order[[second, 1]]
    played = lengths[order]
    reset_beats = int(played[0] + max(played[1] - 1, 1))
    return Stimulus(design, groups, order, reset_beats, seed)
