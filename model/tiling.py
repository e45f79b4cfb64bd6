"""A matrix product of any shape, cut into what an accelerator's banks hold."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from macsmith.model.accelerator import AcceleratorConfig, Packet, RunFlag
from macsmith.model.widths import mac_widths

__all__ = ["Load", "Run", "Schedule", "make_schedule"]

#: Rows of A that a pass through a weight-stationary array should have, for each row of the array.
_ROWS_PER_PASS = 4


@dataclass(frozen=True)
class Load:
    """Entries of some tiles of an operand into its next bank.

    `first_beat` and `beats` are those of the sums, whatever an entry holds of them.
    """

    packet: Packet
    first_tile: int
    tiles: int
    first_beat: int
    beats: int

    def entries(self, config: AcceleratorConfig) -> int:
        """How many."""
        is_a = self.packet is Packet.LOAD_A
        return self.tiles * (config.a_tile_entries(self.beats) if is_a else self.beats)


@dataclass(frozen=True)
class Run:
    """Tiles of results, from the oldest banks."""

    first_row_tile: int
    row_tiles: int
    first_column_tile: int
    column_tiles: int
    beats: int
    flags: RunFlag


@dataclass(frozen=True)
class Schedule:
    """Packets of one matrix product, in order.

    `beats` is K in beats, `row_tiles` and `column_tiles` are M and N in tiles; what is not whole is
    padded with code 0. A row tile of a weight-stationary array is one row.
    """

    config: AcceleratorConfig
    m: int
    k: int
    n: int
    packets: tuple[Load | Run, ...]

    @property
    def beats(self) -> int:
        """Beats of a whole sum."""
        return -(-self.k // self.config.lanes)

    @property
    def row_tiles(self) -> int:
        """Tiles along M."""
        return -(-self.m // self.config.tile_rows)

    @property
    def column_tiles(self) -> int:
        """Tiles along N."""
        return -(-self.n // self.config.columns)

    @property
    def result_words(self) -> int:
        """Words of results that come back."""
        return self.row_tiles * self.column_tiles * self.config.tile_rows * self.config.result_words


def make_schedule(config: AcceleratorConfig, m: int, k: int, n: int) -> Schedule:
    """Packets for a product of M x K by K x N.

    As many whole sums as a bank holds are loaded at once; the operand whose repetition would cost
    more words is loaded once. Sums longer than a bank are computed tile by tile, in segments. A
    weight-stationary array computes segments too where whole sums would leave only few rows in a
    bank, less than it takes to load the next pass's B behind them.

    Raises
    ------
    ValueError
        A dimension is not positive, or K is more than the accumulator's terms.
    """
    for name, size in (("M", m), ("K", k), ("N", n)):
        if size < 1:
            raise ValueError(f"{name} must be at least 1, not {size}")
    most = mac_widths(config.design.mac).max_terms
    if most is not None and k > most:
        raise ValueError(
            f"K must be at most the {most} products that the accumulator of {config.design.text} "
            f"is for, not {k}, a bias among them: state terms{k}"
        )
    schedule = Schedule(config, m, k, n, ())
    if config.is_weight_stationary:
        packets = _weight_stationary(schedule)
    else:
        fits = schedule.beats <= config.max_beats
        packets = _blocks(schedule) if fits else _segments(schedule)
    return Schedule(config, m, k, n, tuple(packets))


def _segments(schedule: Schedule) -> list[Load | Run]:
    """One tile at a time, a bank of each operand at a time."""
    config = schedule.config
    depth = config.max_beats
    packets: list[Load | Run] = []
    for row in range(schedule.row_tiles):
        for column in range(schedule.column_tiles):
            for first in range(0, schedule.beats, depth):
                beats = min(depth, schedule.beats - first)
                flags = RunFlag.RELEASE_A | RunFlag.RELEASE_B
                if first + beats == schedule.beats:
                    flags |= RunFlag.LAST
                packets += [
                    Load(Packet.LOAD_A, row, 1, first, beats),
                    Load(Packet.LOAD_B, column, 1, first, beats),
                    Run(row, 1, column, 1, beats, flags),
                ]
    return packets


def _weight_stationary(schedule: Schedule) -> list[Load | Run]:
    """Whole sums where enough rows fit, else segments of all sums of some rows and a column tile.

    A segment is of whole passes: the sums of the next one go on where they are.
    """
    config, beats = schedule.config, schedule.beats
    wanted_rows = min(schedule.m, _ROWS_PER_PASS * config.rows)
    passes = min(config.b_depth // config.rows, max(config.a_depth // wanted_rows, 1))
    if beats <= min(passes * config.rows, config.b_depth):
        return _blocks(schedule)
    longest = passes * config.rows
    packets: list[Load | Run] = []
    for row, rows in _split(schedule.row_tiles, config.a_depth // passes):
        for column in range(schedule.column_tiles):
            for first in range(0, beats, longest):
                count = min(longest, beats - first)
                flags = RunFlag.RELEASE_A | RunFlag.RELEASE_B
                if first + count == beats:
                    flags |= RunFlag.LAST
                packets += [
                    Load(Packet.LOAD_A, row, rows, first, count),
                    Load(Packet.LOAD_B, column, 1, first, count),
                    Run(row, rows, column, 1, count, flags),
                ]
    return packets


def _blocks(schedule: Schedule) -> list[Load | Run]:
    """Banks full of whole sums; one operand stays while the other passes by."""
    config, beats = schedule.config, schedule.beats
    row_blocks = _split(schedule.row_tiles, config.a_depth // config.a_tile_entries(beats))
    column_blocks = _split(schedule.column_tiles, config.b_depth // beats)
    a_words = schedule.row_tiles * config.a_tile_entries(beats) * config.a_entry_words
    b_words = schedule.column_tiles * beats * config.b_entry_words
    # A stays: B is loaded again for each block of rows, unless it stays as well
    a_stays = b_words * (len(row_blocks) - 1) <= a_words * (len(column_blocks) - 1)
    outer, inner = (row_blocks, column_blocks) if a_stays else (column_blocks, row_blocks)
    outer_packet, inner_packet = Packet.LOAD_A, Packet.LOAD_B
    outer_release, inner_release = RunFlag.RELEASE_A, RunFlag.RELEASE_B
    if not a_stays:
        outer_packet, inner_packet = inner_packet, outer_packet
        outer_release, inner_release = inner_release, outer_release
    packets: list[Load | Run] = []
    for outer_index, (outer_first, outer_tiles) in enumerate(outer):
        packets.append(Load(outer_packet, outer_first, outer_tiles, 0, beats))
        for inner_index, (inner_first, inner_tiles) in enumerate(inner):
            both_stay = len(inner) == 1
            if not both_stay or outer_index == 0:
                packets.append(Load(inner_packet, inner_first, inner_tiles, 0, beats))
            flags = RunFlag.LAST
            if inner_index == len(inner) - 1:
                flags |= outer_release
            if not both_stay or outer_index == len(outer) - 1:
                flags |= inner_release
            rows, columns = (outer_first, outer_tiles), (inner_first, inner_tiles)
            if not a_stays:
                rows, columns = columns, rows
            packets.append(Run(*rows, *columns, beats, flags))
    return packets


def _split(tiles: int, most: int) -> list[tuple[int, int]]:
    """Runs of tiles as even as can be: (first, tiles)."""
    count = -(-tiles // most)
    edges = [tiles * index // count for index in range(count + 1)]
    return [(first, last - first) for first, last in itertools.pairwise(edges)]
