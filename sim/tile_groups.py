"""Tiles for one purpose each: all operand pairs, corners, directed sums, random ones, the longest.

A tile is one matrix product of a R x C array: `steps` steps, each with `lanes` codes for every row
of A and every column of B. A single MAC is a 1x1 array.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from macsmith.model.design import Design
from macsmith.model.formats import Format
from macsmith.sim.directed import directed_sums
from macsmith.sim.operands import class_codes, corner_codes, random_codes
from macsmith.sim.products import product_kit
from macsmith.sim.sum_lengths import longest_sum_steps, max_steps, sum_lengths
from numpy.typing import NDArray

__all__ = ["ALL_CODES_BITS", "EXHAUSTIVE_BITS", "Codes", "TileGroup", "tile_groups"]

Codes = NDArray[np.uint32]

#: All operand pairs are tried if A and B have at most this many bits together.
EXHAUSTIVE_BITS = 16

#: Formats up to this width show all their codes, whatever the other operand.
ALL_CODES_BITS = 10


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


def tile_groups(design: Design, rng: np.random.Generator, *, quick: bool) -> tuple[TileGroup, ...]:
    """The groups that a stream design is checked with."""
    return (
        *_pair_groups(design, rng, quick=quick),
        *_corner_groups(design, rng, quick=quick),
        *_directed_groups(design),
        *_random_groups(design, rng, quick=quick),
        *_longest_groups(design, quick=quick),
    )
