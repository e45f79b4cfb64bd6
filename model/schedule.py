"""The words of a matrix product's packets, and its results back.

`macsmith.model.tiling` cuts the product.
"""

from __future__ import annotations

import itertools
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
from macsmith.model.tiling import Load, Run, Schedule, make_schedule

__all__ = ["Load", "Run", "Schedule", "make_schedule", "packet_words", "results_of_words"]

#: Codes of scales ``[vectors, blocks]``, their bits, and the beats of a block.
_Scales = tuple[npt.NDArray[np.uint64], int, int] | None


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
    codes: npt.NDArray[np.uint64],
    tile_size: int,
    lanes: int,
    bits: int,
    sums: int = 1,
    scales: _Scales = None,
) -> npt.NDArray[np.uint32]:
    """Codes ``[vectors, K]`` as words ``[tiles, beats, words of the entries of a beat]``; those of
    sums in rotation are entries of their own. `scales`: codes ``[vectors, blocks]``, their bits,
    and the beats of a block."""
    vectors, length = codes.shape
    tiles, beats = -(-vectors // tile_size), -(-length // lanes)
    padded = np.zeros((tiles * tile_size, beats * lanes), dtype=np.uint64)
    padded[:vectors, :length] = codes
    parts = [_bits_of(padded.reshape(tiles, tile_size, beats, lanes), bits)]
    if scales is not None:
        scale_codes, scale_bits, block_beats = scales
        spread = np.zeros((tiles * tile_size, beats), dtype=np.uint64)
        spread[:vectors] = np.repeat(scale_codes, block_beats, axis=1)[:, :beats]
        parts.append(_bits_of(spread.reshape(tiles, tile_size, beats, 1), scale_bits))
    as_bits = np.concatenate(parts, axis=3).transpose(0, 2, 1, 3)
    as_bits = as_bits.reshape(tiles, beats, sums, -1)
    # entries padded to whole words
    missing = -as_bits.shape[3] % WORD_BITS
    as_bits = np.pad(as_bits, ((0, 0), (0, 0), (0, 0), (0, missing)))
    words = np.packbits(as_bits, axis=3, bitorder="little").view("<u4").astype(np.uint32)
    return words.reshape(tiles, beats, -1)


def _bits_of(codes: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.uint8]:
    """Codes ``[..., n]`` as bits ``[..., n * bits]``, lowest first."""
    found = codes[..., np.newaxis] >> np.arange(bits, dtype=np.uint64) & np.uint64(1)
    return found.astype(np.uint8).reshape(*codes.shape[:-1], -1)


def _entries_of_a(
    config: AcceleratorConfig, codes: npt.NDArray[np.uint64], scales: _Scales
) -> npt.NDArray[np.uint32]:
    """Words ``[row tiles, beats, ...]``; ``[rows, passes, ...]`` if weight-stationary."""
    bits = config.design.mac.a.bits
    if config.is_weight_stationary:
        return _entries(codes, 1, config.rows * config.lanes, bits)
    return _entries(codes, config.tile_rows, config.lanes, bits, config.sums, scales)


def _scales(schedule: Schedule, side: str, codes: npt.ArrayLike | None) -> _Scales:
    """Scales of an operand, checked; None where it has none."""
    mac = schedule.config.design.mac
    fmt = mac.a_scale if side == "a" else mac.b_scale
    if fmt is None or mac.block is None:
        if codes is not None:
            raise ValueError(f"{side}_scales: must be None, as that operand has no blocks")
        return None
    blocks = -(-schedule.k // mac.block)
    shape = (schedule.m, blocks) if side == "a" else (blocks, schedule.n)
    if codes is None or np.shape(codes) != shape:
        got = None if codes is None else np.shape(codes)
        raise ValueError(f"{side}_scales: must have the shape {shape}, not {got}")
    checked = _check_codes(f"{side}_scales", fmt, codes)
    return checked if side == "a" else checked.T, fmt.bits, mac.block // mac.lanes


def packet_words(
    schedule: Schedule,
    a_codes: npt.ArrayLike,
    b_codes: npt.ArrayLike,
    a_scales: npt.ArrayLike | None = None,
    b_scales: npt.ArrayLike | None = None,
) -> npt.NDArray[np.uint32]:
    """The words of all packets.

    Parameters
    ----------
    a_codes, b_codes
        ``[M, K]`` codes of A, ``[K, N]`` codes of B, unsigned.
    a_scales, b_scales
        Only of block formats, of those operands that have one: ``[M, blocks]`` and ``[blocks, N]``
        codes of scales.

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
        Packet.LOAD_A: _entries_of_a(config, a, _scales(schedule, "a", a_scales)),
        Packet.LOAD_B: _entries(
            b.T, config.columns, config.lanes, mac.b.bits, scales=_scales(schedule, "b", b_scales)
        ),
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
        first, last = packet.first_beat, packet.first_beat + packet.beats
        if config.is_weight_stationary and packet.packet is Packet.LOAD_A:
            # an entry is what a row of A gives a pass; those of a pass come one after the other
            passes = slice(first // config.rows, -(-last // config.rows))
            parts.append(entries[packet.packet][tiles, passes].swapaxes(0, 1).reshape(-1))
            continue
        parts.append(entries[packet.packet][tiles, first:last].reshape(-1))
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
        row_tiles = range(packet.first_row_tile, packet.first_row_tile + packet.row_tiles)
        column_tiles = range(
            packet.first_column_tile, packet.first_column_tile + packet.column_tiles
        )
        order = list(itertools.product(row_tiles, column_tiles))
        if config.is_weight_stationary:
            order = [(row, column) for column in column_tiles for row in row_tiles]
        for row, column in order:
            padded[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns] = (
                tiles[at]
            )
            at += 1
    results = padded[: schedule.m, : schedule.n]
    return results if bits > 64 else results[..., 0]
