"""A matrix product of any shape as packets of an accelerator, and its results back."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from macsmith.model import fast
from macsmith.model.accelerator import (
    WORD_BITS,
    AcceleratorConfig,
    Packet,
    RunFlag,
    load_header,
    run_words,
)
from macsmith.model.formats import Format

__all__ = ["Load", "Run", "Schedule", "make_schedule", "packet_words", "results_of_words"]


@dataclass(frozen=True)
class Load:
    """Entries of some tiles of an operand into its next bank."""

    packet: Packet
    first_tile: int
    tiles: int
    first_beat: int
    beats: int

    def entries(self, config: AcceleratorConfig) -> int:
        """How many: of A one for each sum in rotation."""
        return self.tiles * self.beats * (config.sums if self.packet is Packet.LOAD_A else 1)


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
    padded with code 0.
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
    more words is loaded once. Sums longer than a bank are computed tile by tile, in segments.

    Raises
    ------
    ValueError
        A dimension is not positive.
    """
    for name, size in (("M", m), ("K", k), ("N", n)):
        if size < 1:
            raise ValueError(f"{name} must be at least 1, not {size}")
    schedule = Schedule(config, m, k, n, ())
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


def _blocks(schedule: Schedule) -> list[Load | Run]:
    """Banks full of whole sums; one operand stays while the other passes by."""
    config, beats = schedule.config, schedule.beats
    row_blocks = _split(schedule.row_tiles, config.a_depth // (beats * config.sums))
    column_blocks = _split(schedule.column_tiles, config.b_depth // beats)
    a_words = schedule.row_tiles * config.sums * config.a_entry_words
    b_words = schedule.column_tiles * config.b_entry_words
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


def _check_codes(what: str, fmt: Format, codes: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    array = np.asarray(codes)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{what} must be a matrix with at least one code, not {array.shape}")
    if not np.issubdtype(array.dtype, np.unsignedinteger):
        raise TypeError(f"{what} must be unsigned codes of {fmt.name}, not {array.dtype}")
    if int(array.max()) >> fmt.bits:
        raise ValueError(f"{what}: {int(array.max()):#x} is no code of {fmt.name}")
    return array.astype(np.uint64)


def _entries(
    codes: npt.NDArray[np.uint64], tile_size: int, lanes: int, bits: int, sums: int
) -> npt.NDArray[np.uint32]:
    """Codes ``[vectors, K]`` as words ``[tiles, beats, words of the entries of a beat]``; those of
    sums in rotation are entries of their own."""
    vectors, length = codes.shape
    tiles, beats = -(-vectors // tile_size), -(-length // lanes)
    padded = np.zeros((tiles * tile_size, beats * lanes), dtype=np.uint64)
    padded[:vectors, :length] = codes
    ordered = padded.reshape(tiles, tile_size, beats, lanes).transpose(0, 2, 1, 3)
    entry = ordered.reshape(tiles, beats, sums, tile_size // sums * lanes, 1)
    # lowest bit first, entries padded to whole words
    as_bits = (entry >> np.arange(bits, dtype=np.uint64) & np.uint64(1)).astype(np.uint8)
    as_bits = as_bits.reshape(tiles, beats, sums, -1)
    missing = -as_bits.shape[3] % WORD_BITS
    as_bits = np.pad(as_bits, ((0, 0), (0, 0), (0, 0), (0, missing)))
    words = np.packbits(as_bits, axis=3, bitorder="little").view("<u4").astype(np.uint32)
    return words.reshape(tiles, beats, -1)


def packet_words(
    schedule: Schedule, a_codes: npt.ArrayLike, b_codes: npt.ArrayLike
) -> npt.NDArray[np.uint32]:
    """The words of all packets.

    Parameters
    ----------
    a_codes, b_codes
        ``[M, K]`` codes of A, ``[K, N]`` codes of B, unsigned.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or code; K must be padded and code 0 is not the number 0.
    """
    config = schedule.config
    mac = config.design.mac
    a = _check_codes("a", mac.a, a_codes)
    b = _check_codes("b", mac.b, b_codes)
    if a.shape != (schedule.m, schedule.k) or b.shape != (schedule.k, schedule.n):
        raise ValueError(
            f"a and b must be {schedule.m} x {schedule.k} and {schedule.k} x {schedule.n} codes, "
            f"not {a.shape} and {b.shape}"
        )
    for fmt in (mac.a, mac.b):
        if schedule.k % config.lanes and fast.decode(fmt, [0])[0] != 0:
            raise ValueError(
                f"K = {schedule.k} must be a multiple of the {config.lanes} lanes: code 0 of "
                f"{fmt.name} is not 0, so nothing can fill the last beat"
            )
    entries = {
        Packet.LOAD_A: _entries(a, config.tile_rows, config.lanes, mac.a.bits, config.sums),
        Packet.LOAD_B: _entries(b.T, config.columns, config.lanes, mac.b.bits, 1),
    }
    parts: list[Any] = []
    for packet in schedule.packets:
        if isinstance(packet, Run):
            words = run_words(packet.beats, packet.row_tiles, packet.column_tiles, packet.flags)
            parts.append(np.array(words, dtype=np.uint32))
            continue
        parts.append(
            np.array([load_header(packet.packet, packet.entries(config))], dtype=np.uint32)
        )
        tiles = slice(packet.first_tile, packet.first_tile + packet.tiles)
        beats = slice(packet.first_beat, packet.first_beat + packet.beats)
        parts.append(entries[packet.packet][tiles, beats].reshape(-1))
    return np.concatenate(parts)


def results_of_words(schedule: Schedule, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """Result codes of the words that came back.

    Returns
    -------
    uint64 array
        ``[M, N]``; ``[M, N, words]`` for results of more than 64 bits, as
        `macsmith.model.fast.matmul` gives them.

    Raises
    ------
    ValueError
        The number of words is not `Schedule.result_words`.
    """
    config = schedule.config
    if words.shape != (schedule.result_words,):
        raise ValueError(f"there must be {schedule.result_words} words, not {words.shape}")
    bits, rows, columns = config.output_bits, config.tile_rows, config.columns
    octets = words.astype("<u4").view(np.uint8).reshape(-1, 4 * config.result_words)
    as_bits = np.unpackbits(octets, axis=1, bitorder="little")[:, : columns * bits]
    as_bits = as_bits.reshape(-1, columns, bits)
    as_bits = np.pad(as_bits, ((0, 0), (0, 0), (0, -bits % 64)))
    codes = np.packbits(as_bits, axis=2, bitorder="little").view("<u8").astype(np.uint64)
    tiles = codes.reshape(-1, rows, columns, codes.shape[2])
    padded = np.zeros(
        (schedule.row_tiles * rows, schedule.column_tiles * columns, codes.shape[2]),
        dtype=np.uint64,
    )
    at = 0
    for packet in schedule.packets:
        if not isinstance(packet, Run) or RunFlag.LAST not in packet.flags:
            continue
        for row in range(packet.first_row_tile, packet.first_row_tile + packet.row_tiles):
            for column in range(
                packet.first_column_tile, packet.first_column_tile + packet.column_tiles
            ):
                padded[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns] = (
                    tiles[at]
                )
                at += 1
    results = padded[: schedule.m, : schedule.n]
    return results if bits > 64 else results[..., 0]
