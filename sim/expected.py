"""Expected results of a stimulus, from the fast golden model, and spot checks by the definition."""

import numpy as np
from macsmith.model import fast, golden
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths
from macsmith.sim.random_words import RandomWords
from macsmith.sim.stimulus import Stimulus
from macsmith.sim.sum_lengths import chunk_steps
from macsmith.sim.tile_groups import TileGroup
from numpy.typing import NDArray

__all__ = ["Words", "expected_results", "spot_check", "words_to_int"]

#: Wide numbers: 64-bit words on the last axis, least significant first.
Words = NDArray[np.uint64]


def _as_words(numbers: NDArray[np.uint64], bits: int) -> Words:
    """Numbers with their words on the last axis, also where there is only one."""
    return numbers if bits > 64 else numbers[..., np.newaxis]


def words_to_int(words: Words) -> int:
    """The integer that words on one axis stand for."""
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


def _of_elements(random: RandomWords, rows: int, columns: int) -> RandomWords:
    """Words (count, rows, columns) of all elements of an array: given so, or one for all."""
    if random.ndim == 1:
        random = random[:, np.newaxis, np.newaxis]
    return np.broadcast_to(random, (len(random), rows, columns))


def _by_steps(config: MacConfig, group: TileGroup, random: RandomWords | None) -> Words:
    """All sums of a group side by side, step after step."""
    widths = mac_widths(config)
    tiles, steps, rows, lanes = group.a.shape
    columns = group.b.shape[2]
    shape = (tiles, steps, rows, columns, lanes)
    a = np.broadcast_to(group.a[:, :, :, np.newaxis], shape)
    b = np.broadcast_to(group.b[:, :, np.newaxis], shape)
    sums = tiles * rows * columns
    words = -(-widths.partial_sum_bits // 64)
    state_shape = (sums,) if words == 1 else (sums, words)
    partial_sums = np.zeros(state_shape, dtype=np.uint64)
    chunk = chunk_steps(config)
    for index in range(steps):
        is_end = index + 1 == steps or (chunk is not None and (index + 1) % chunk == 0)
        partial_sums = fast.step(
            config,
            partial_sums,
            a[:, index].reshape(sums, lanes),
            b[:, index].reshape(sums, lanes),
            is_end,
            None if random is None else _of_elements(random[:, index], rows, columns).reshape(-1),
        )
    results = _as_words(fast.result(config, partial_sums), widths.output_bits)
    return results.reshape(tiles, rows, columns, -1)


def _by_tiles(config: MacConfig, group: TileGroup, random: RandomWords | None) -> Words:
    """One matrix product for each tile."""
    tiles, steps, rows, lanes = group.a.shape
    columns = group.b.shape[2]
    bits = mac_widths(config).output_bits
    results = np.empty((tiles, rows, columns, -(-bits // 64)), dtype=np.uint64)
    for tile in range(tiles):
        a = group.a[tile].transpose(1, 0, 2).reshape(rows, steps * lanes)
        b = group.b[tile].transpose(0, 2, 1).reshape(steps * lanes, columns)
        words = None
        if random is not None:
            words = _of_elements(random[tile], rows, columns).transpose(1, 2, 0)
        results[tile] = _as_words(fast.matmul(config, a, b, words), bits)
    return results


def expected_results(stimulus: Stimulus) -> Words:
    """Result codes of every tile in playing order: (tiles, rows, columns, words)."""
    config = stimulus.design.mac
    parts = []
    for index, group in enumerate(stimulus.groups):
        compute = _by_steps if group.steps <= group.tiles else _by_tiles
        parts.append(compute(config, group, stimulus.group_words(index)))
    return np.concatenate(parts)[stimulus.order]


def spot_check(stimulus: Stimulus, expected: Words, *, seed: int, products: int) -> int:
    """Recompute some sums with the definitional golden model.

    Parameters
    ----------
    expected
        What `expected_results` gave.
    products
        How many products to spend on it, roughly.

    Returns
    -------
    int
        Sums recomputed.

    Raises
    ------
    RuntimeError
        The two golden models differ: a bug in macsmith, not in the design.
    """
    config = stimulus.design.mac
    rng = np.random.default_rng(seed)
    _, rows, columns, _ = expected.shape
    checked = 0
    spent = 0
    for position in rng.permutation(len(stimulus.order)):
        if spent >= products:
            break
        group, tile = stimulus.locate(int(position))
        if group.steps * config.lanes > products // 4:
            continue
        row, column = int(rng.integers(rows)), int(rng.integers(columns))
        a, b = group.sum_operands(tile, row, column)
        random = stimulus.tile_words(int(position), row, column)
        wanted = golden.dot(config, a, b, None if random is None else random.tolist())
        got = words_to_int(expected[position, row, column])
        if wanted != got:
            raise RuntimeError(
                f"{stimulus.design.text}: the golden models differ, definition {wanted:#x}, "
                f"fast {got:#x}, for a={[hex(x) for x in a]} b={[hex(x) for x in b]}"
            )
        checked += 1
        spent += len(a)
    return checked
