"""What a stream design is fed with: sums, single or one for each element of an array's tile.

A tile is one matrix product of a R x C array: `steps` steps, each with `lanes` codes for every row
of A and every column of B. A single MAC is a 1x1 array. Sums come in groups, one for each purpose;
tiles of all groups are shuffled together, so that every kind of sum follows every other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from macsmith.model.accumulators import ChunkedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import Format
from macsmith.model.widths import mac_widths
from macsmith.sim.directed import directed_sums
from macsmith.sim.operands import class_codes, corner_codes, random_codes
from macsmith.sim.products import product_kit
from macsmith.sim.random_words import RandomWords, chosen_words, register_words
from macsmith.sim.rotation import Rotation, rotate
from numpy.typing import NDArray

__all__ = [
    "ALL_CODES_BITS",
    "EXHAUSTIVE_BITS",
    "Codes",
    "Stimulus",
    "TileGroup",
    "chunk_steps",
    "make_stimulus",
    "sum_lengths",
]

Codes = NDArray[np.uint32]

#: All operand pairs are tried if A and B have at most this many bits together.
EXHAUSTIVE_BITS = 16

#: Formats up to this width show all their codes, whatever the other operand.
ALL_CODES_BITS = 10

#: Longest sum that is made to fill an accumulator to its limit, in steps.
MAX_LONGEST_STEPS = 140_000


@dataclass(frozen=True)
class TileGroup:
    """Tiles of one purpose and one length.

    Parameters
    ----------
    name
        The purpose.
    a, b
        Codes, shapes (tiles, steps, rows, lanes) and (tiles, steps, columns, lanes).
    focus
        (tiles, n, 2): rows and columns of the elements that the group is about; None: any.
    """

    name: str
    a: Codes
    b: Codes
    focus: NDArray[np.int64] | None = None

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return int(self.a.shape[0])

    @property
    def steps(self) -> int:
        """Beats of each tile."""
        return int(self.a.shape[1])

    def sum_operands(self, tile: int, row: int, column: int) -> tuple[list[int], list[int]]:
        """A and B codes of one sum, in the order they are added."""
        return (
            [int(code) for code in self.a[tile, :, row].reshape(-1)],
            [int(code) for code in self.b[tile, :, column].reshape(-1)],
        )


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


def _codes_by_magnitude(fmt: Format, rng: np.random.Generator, *, is_finite: bool) -> Codes:
    """All codes by magnitude, shuffled within small windows; NaN and infinity last."""
    codes = np.arange(1 << fmt.bits, dtype=np.uint32)
    values = [fmt.decode(int(code)) for code in codes]
    magnitudes = np.array(
        [np.inf if not hasattr(value, "numerator") else float(abs(value)) for value in values]  # type: ignore[arg-type]
    )
    order = np.lexsort((rng.random(len(codes)), magnitudes))
    if is_finite:
        order = order[np.isfinite(magnitudes[order])]
    window = 16
    for start in range(0, len(order) - window // 2, window // 2):
        rng.shuffle(order[start : start + window])
    return codes[order]


def _fill(codes: Codes, multiple: int) -> Codes:
    """Codes repeated from the start up to a multiple of a count."""
    missing = -len(codes) % multiple
    return np.concatenate((codes, np.resize(codes, missing)))


def _pair_tiles(
    design: Design, a_codes: Codes, b_codes: Codes, a_block: int, b_block: int
) -> tuple[Codes, Codes]:
    """Tiles in which every code of A meets every code of B.

    A tile takes `a_block` groups of row codes and `b_block` groups of column and lane codes, and
    goes through their cross product in as many steps: neighbours in the order of the codes meet in
    one sum.
    """
    implementation, lanes = design.implementation, design.mac.lanes
    rows, columns = implementation.rows, implementation.columns
    a_groups = _fill(a_codes, rows * a_block).reshape(-1, a_block, rows)
    b_groups = _fill(b_codes, columns * lanes * b_block).reshape(-1, b_block, columns, lanes)
    a_count, b_count = len(a_groups), len(b_groups)
    a_index, b_index = (grid.reshape(-1) for grid in np.indices((a_count, b_count)))
    a = np.broadcast_to(
        a_groups[a_index][:, :, np.newaxis, :, np.newaxis],
        (len(a_index), a_block, b_block, rows, lanes),
    )
    b = np.broadcast_to(
        b_groups[b_index][:, np.newaxis], (len(a_index), a_block, b_block, columns, lanes)
    )
    steps = a_block * b_block
    a = a.reshape(len(a_index), steps, rows, lanes)
    b = b.reshape(len(a_index), steps, columns, lanes)
    # every code of B comes to every lane: the lanes turn by one from group to group of A
    turn = (np.arange(lanes)[np.newaxis] + a_index[:, np.newaxis]) % lanes
    b = np.take_along_axis(b, turn[:, np.newaxis, np.newaxis, :], axis=3)
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


def _code_tiles(design: Design, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Tiles of one step in which every code of a small format occurs."""
    config, implementation = design.mac, design.implementation
    sides = (
        (config.a, implementation.rows * config.lanes),
        (config.b, implementation.columns * config.lanes),
    )
    tiles = max(-(-(1 << min(fmt.bits, ALL_CODES_BITS)) // width) for fmt, width in sides)
    operands = []
    for (fmt, width), axis in zip(
        sides, (implementation.rows, implementation.columns), strict=True
    ):
        codes = rng.permutation(1 << min(fmt.bits, 16))
        if fmt.bits > ALL_CODES_BITS:
            codes = rng.integers(0, 1 << fmt.bits, tiles * width)
        filled = np.resize(codes, tiles * width).astype(np.uint32)
        operands.append(filled.reshape(tiles, 1, axis, config.lanes))
    return operands[0], operands[1]


def _sample(rng: np.random.Generator, a: Codes, b: Codes, tiles: int) -> tuple[Codes, Codes]:
    """At most `tiles` tiles, chosen at random."""
    if len(a) <= tiles:
        return a, b
    chosen = rng.choice(len(a), tiles, replace=False)
    return a[chosen], b[chosen]


def _pair_groups(design: Design, rng: np.random.Generator, *, quick: bool) -> Iterator[TileGroup]:
    """All operand pairs, as products of their own and inside sums of neighbours."""
    config = design.mac
    if config.a.bits + config.b.bits > EXHAUSTIVE_BITS:
        return
    most = 2000 if quick else 1 << EXHAUSTIVE_BITS
    tiles = _pair_tiles(
        design,
        _codes_by_magnitude(config.a, rng, is_finite=False),
        _codes_by_magnitude(config.b, rng, is_finite=False),
        1,
        1,
    )
    yield TileGroup("every operand pair", *_sample(rng, *tiles, most))
    limit = max_steps(config)
    a_block, b_block = (2, 2) if limit is None or limit >= 4 else (1, min(limit, 2))
    tiles = _pair_tiles(
        design,
        _codes_by_magnitude(config.a, rng, is_finite=True),
        _codes_by_magnitude(config.b, rng, is_finite=True),
        a_block,
        b_block,
    )
    yield TileGroup("every finite operand pair in sums", *_sample(rng, *tiles, most // 4))


def _corner_groups(design: Design, rng: np.random.Generator, *, quick: bool) -> Iterator[TileGroup]:
    """Corner codes of A with corner codes of B, alone and in short sums."""
    config, implementation = design.mac, design.implementation
    limit = max_steps(config) or 3
    yield TileGroup("every operand code", *_code_tiles(design, rng))
    classes = [np.array(class_codes(fmt), dtype=np.uint32) for fmt in (config.a, config.b)]
    yield TileGroup("operands of every class", *_pair_tiles(design, classes[0], classes[1], 1, 1))
    corners = [np.array(corner_codes(fmt), dtype=np.uint32) for fmt in (config.a, config.b)]
    tiles = _pair_tiles(design, corners[0], corners[1], 1, 1)
    yield TileGroup("corner operands", *_sample(rng, *tiles, 500 if quick else 4000))
    finite = [
        np.array([code for code in corner_codes(fmt) if hasattr(fmt.decode(code), "numerator")])
        for fmt in (config.a, config.b)
    ]
    for steps in {min(2, limit), min(3, limit)}:
        count = (200 if quick else 2000) // steps
        operands = []
        for side, codes, axis in (
            (0, finite[0], implementation.rows),
            (1, finite[1], implementation.columns),
        ):
            shape = (count, steps, axis, config.lanes)
            chosen = codes[rng.integers(0, len(codes), shape)].astype(np.uint32)
            # few specials, or every sum would be NaN
            special = rng.random(shape) < 0.1 / (steps * config.lanes)
            any_corner = corners[side][rng.integers(0, len(corners[side]), shape)]
            operands.append(np.where(special, any_corner, chosen))
        yield TileGroup(f"corner operands in sums of {steps}", operands[0], operands[1])


def _random_groups(design: Design, rng: np.random.Generator, *, quick: bool) -> Iterator[TileGroup]:
    """Random operands with close exponents, in sums of all lengths that matter."""
    config, implementation = design.mac, design.implementation
    budget_beats = 3000 if quick else 30000
    lengths = sum_lengths(config, quick=quick)
    for steps in lengths:
        # results leave an array row by row, so short tiles cost as many cycles as it has rows
        cost = max(steps, implementation.rows)
        count = max(2, min(2000, budget_beats // len(lengths) // cost))
        operands = []
        for fmt, axis in (
            (config.a, implementation.rows),
            (config.b, implementation.columns),
        ):
            shape = (count, steps, axis, config.lanes)
            centre = rng.random((count, 1, axis, 1))
            codes = random_codes(fmt, rng, shape, centre, 1)
            wide = random_codes(fmt, rng, shape, centre, 6)
            is_wide = rng.random((count, 1, 1, 1)) < 0.25
            codes = np.where(is_wide, wide, codes)
            is_zero = rng.random(shape) < 1 / 32
            operands.append(np.where(is_zero, 0, codes).astype(np.uint32))
        yield TileGroup(f"random operands in sums of {steps}", operands[0], operands[1])


def _directed_groups(design: Design) -> Iterator[TileGroup]:
    """The directed sums: in an array, one for each element of the diagonals."""
    config, implementation = design.mac, design.implementation
    rows, columns = implementation.rows, implementation.columns
    by_steps: dict[int, list[Sequence[Sequence[tuple[int, int]]]]] = {}
    for steps in directed_sums(config):
        by_steps.setdefault(len(steps), []).append(steps)
    side = min(rows, columns)
    for length, sums in sorted(by_steps.items()):
        count = -(-len(sums) // side)
        codes = np.zeros((count * side, length, config.lanes, 2), dtype=np.uint32)
        codes[: len(sums)] = np.array(sums, dtype=np.uint32)
        codes[len(sums) :] = codes[0]  # the last tile is filled with the first sum
        codes = codes.reshape(count, side, length, config.lanes, 2)
        a = np.zeros((count, length, rows, config.lanes), dtype=np.uint32)
        b = np.zeros((count, length, columns, config.lanes), dtype=np.uint32)
        tile = np.arange(count)
        focus = np.empty((count, side, 2), dtype=np.int64)
        for index in range(side):
            # from tile to tile the diagonal moves, so that other elements get the sums
            focus[:, index, 0] = (index + tile) % rows
            focus[:, index, 1] = (index + 2 * tile) % columns
            a[tile, :, focus[:, index, 0]] = codes[:, index, :, :, 0]
            b[tile, :, focus[:, index, 1]] = codes[:, index, :, :, 1]
        yield TileGroup("directed sums", a, b, focus)


def longest_sum_steps(design: Design, *, quick: bool) -> int | None:
    """Steps of the sum that fills the accumulator to its limit; None if there is no limit or it is
    too far to be tried."""
    limit = max_steps(design.mac)
    most = 2100 if quick or design.implementation.is_array else MAX_LONGEST_STEPS
    return None if limit is None or limit > most else limit


def _longest_groups(design: Design, *, quick: bool) -> Iterator[TileGroup]:
    """Sums of as many products as the accumulator is built for, all of the largest magnitude."""
    config, implementation = design.mac, design.implementation
    limit = longest_sum_steps(design, quick=quick)
    if limit is None:
        return
    kit = product_kit(config)
    products = [kit.largest]
    if limit <= 20_000:
        products.append(kit.least)
    for a_code, b_code in products:
        a = np.full((1, limit, implementation.rows, config.lanes), a_code, dtype=np.uint32)
        b = np.full((1, limit, implementation.columns, config.lanes), b_code, dtype=np.uint32)
        yield TileGroup("longest sum of the largest products", a, b)


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
    groups = [
        *_pair_groups(design, rng, quick=quick),
        *_corner_groups(design, rng, quick=quick),
        *_directed_groups(design),
        *_random_groups(design, rng, quick=quick),
        *_longest_groups(design, quick=quick),
    ]
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
    return Stimulus(design, tuple(groups), order, reset_beats, seed)
