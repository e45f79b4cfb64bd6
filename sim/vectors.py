"""Golden vectors that ship with a design: values of whole ports with their expected results.

Waveforms for netlists are in `macsmith.sim.waveforms`; their functions can be had from here too.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from macsmith.model.design import Design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths
from macsmith.sim.bench_job import bit_rows, rows_to_ints
from macsmith.sim.block_stimulus import BlockStimulus, block_expected, make_block_stimulus
from macsmith.sim.block_tiles import arrange_tiles
from macsmith.sim.expected import Words, expected_results, words_to_int
from macsmith.sim.stimulus import make_stimulus
from macsmith.sim.switch_stimulus import Mixture, slot_rows
from macsmith.sim.unit_stimulus import make_unit_stimulus, unit_expected
from macsmith.sim.waveforms import port_waveforms, weight_stationary_waveforms

__all__ = [
    "GoldenVectors",
    "golden_vectors",
    "port_waveforms",
    "weight_stationary_waveforms",
]


@dataclass(frozen=True)
class GoldenVectors:
    """Values of whole ports, as integers, for a bench without Python.

    Parameters
    ----------
    a, b
        Port ``i_a`` and ``i_b`` (``a`` and ``b`` of a unit) of each beat.
    last
        Port ``i_last`` of each beat (``chunk_end`` of a unit, False where it has none).
    partial_sums
        Port ``partial_sum_i`` of each vector of a unit; empty for a stream.
    expected
        Port ``o_data`` of each result beat, or ``partial_sum_o`` of each vector.
    modes
        Port ``i_mode`` (``mode`` of a unit) of each beat of a switchable design.
    random
        Port ``i_random`` of each beat (``random`` of a unit); empty where there is none.
    scales
        Scale ports of each beat, that of A lowest; empty without block formats.
    """

    a: list[int]
    b: list[int]
    last: list[bool]
    partial_sums: list[int]
    expected: list[int]
    modes: list[int] = field(default_factory=list)
    random: list[int] = field(default_factory=list)
    scales: list[int] = field(default_factory=list)


def _result_ports(expected: Words, bits: int) -> list[int]:
    """One integer for each result beat: (tiles, rows, columns, words) row by row."""
    tiles, rows, columns, _ = expected.shape
    each = bit_rows(expected, 64).reshape(tiles * rows, columns, -1)[:, :, :bits]
    return rows_to_ints(each.reshape(tiles * rows, columns * bits))


def golden_vectors(design: Design, *, seed: int = 1, beats: int | None = None) -> GoldenVectors:
    """Vectors with their expected results, for the plain-Verilog bench beside a design.

    Parameters
    ----------
    seed
        Of the choice.
    beats
        About how many; whole sums are taken, mixed as in the full check. None takes 400, and
        fewer for a large array, whose bench an event-driven simulator should end in seconds.
    """
    mac = design.mac
    if beats is None:
        elements = design.implementation.rows * design.implementation.columns
        beats = max(24, min(400, 12_800 // elements))
    if design.is_switchable:
        return _mixed_vectors(design, seed, beats)
    if mac.block is not None:
        return _block_vectors(design, seed, beats)
    if design.implementation.form == "unit":
        unit = make_unit_stimulus(design, seed=seed, quick=True)
        chosen = np.random.default_rng(seed).permutation(unit.count)[:beats]
        after = unit_expected(unit)[chosen]
        return GoldenVectors(
            a=rows_to_ints(bit_rows(unit.a[chosen], mac.a.bits).reshape(len(chosen), -1)),
            b=rows_to_ints(bit_rows(unit.b[chosen], mac.b.bits).reshape(len(chosen), -1)),
            last=[bool(end) for end in unit.chunk_end[chosen]],
            partial_sums=[words_to_int(words) for words in unit.partial_sums[chosen]],
            expected=[words_to_int(words) for words in after],
            random=[] if unit.random is None else unit.random[chosen].tolist(),
        )
    stimulus = make_stimulus(design, seed=seed, quick=True)
    # sums that are long for so few beats are left out, but one that fills the rest
    kept: list[int] = []
    used = 0
    for tile, steps in enumerate(stimulus.steps.tolist()):
        if (steps <= max(beats // 8, stimulus.steps.min()) and used + steps <= beats) or not kept:
            kept.append(tile)
            used += steps
        if used >= beats:
            break
    stimulus = replace(stimulus, order=stimulus.order[kept])
    a, b, last = stimulus.beats()
    random: list[int] = []
    if stimulus.random_words is not None and design.implementation.lfsr == "port":
        random = stimulus.random_words.tolist()
    bits = mac_widths(mac).output_bits
    return GoldenVectors(
        a=rows_to_ints(bit_rows(a, mac.a.bits).reshape(len(a), -1)),
        b=rows_to_ints(bit_rows(b, mac.b.bits).reshape(len(b), -1)),
        last=[bool(flag) for flag in last],
        partial_sums=[],
        expected=_result_ports(expected_results(stimulus)[stimulus.rotation.completed], bits),
        random=random,
    )


def _block_vectors(design: Design, seed: int, beats: int) -> GoldenVectors:
    """Vectors of a design of block formats: the first sums, or vectors chosen at random."""
    mac = design.mac
    stimulus = make_block_stimulus(design, seed=seed, quick=True)
    if design.implementation.is_array:
        return _block_tile_vectors(stimulus, beats)
    expected, _ = block_expected(stimulus)
    is_unit = stimulus.partial_sums is not None
    if stimulus.partial_sums is not None:
        chosen = np.random.default_rng(seed).permutation(stimulus.count)[:beats]
        results = expected[chosen]
    else:
        # whole sums, and one at least
        sums = max(1, int((np.cumsum(stimulus.steps) <= beats).sum()))
        chosen = np.arange(int(stimulus.steps[:sums].sum()))
        results = expected[:sums]
    scales = [0] * len(chosen)
    shift = 0
    for side, fmt in enumerate(mac.scales):
        codes = stimulus.scales[chosen, side].tolist()
        scales = [word | code << shift for word, code in zip(scales, codes, strict=True)]
        shift += fmt.bits
    return GoldenVectors(
        a=rows_to_ints(bit_rows(stimulus.a[chosen], mac.a.bits).reshape(len(chosen), -1)),
        b=rows_to_ints(bit_rows(stimulus.b[chosen], mac.b.bits).reshape(len(chosen), -1)),
        last=[bool(end) and not (is_unit and mac.is_block_a_step) for end in stimulus.ends[chosen]],
        partial_sums=[]
        if stimulus.partial_sums is None
        else [words_to_int(words) for words in stimulus.partial_sums[chosen]],
        expected=[words_to_int(words) for words in results],
        scales=scales,
    )


def _block_tile_vectors(stimulus: BlockStimulus, beats: int) -> GoldenVectors:
    """Vectors of an array of block formats: the first tiles."""
    mac, implementation = stimulus.design.mac, stimulus.design.implementation
    tiles = arrange_tiles(stimulus)
    expected, _ = block_expected(tiles.sums)
    count = max(1, int((np.cumsum(tiles.steps) <= beats).sum()))
    chosen = slice(0, int(tiles.steps[:count].sum()))
    a, b, scales = tiles.beat_bits(chosen)
    rows, columns = implementation.rows, implementation.columns
    results = expected[: count * rows * columns].reshape(count, rows, columns, -1)
    return GoldenVectors(
        a=rows_to_ints(a),
        b=rows_to_ints(b),
        last=[bool(end) for end in tiles.ends[chosen]],
        partial_sums=[],
        expected=_result_ports(results, mac_widths(mac).output_bits),
        scales=rows_to_ints(np.concatenate(scales, axis=1)),
    )


def _slots(codes: list[int], design: Design, mode: int, side: str, seed: int) -> list[int]:
    """Operand ports of a switchable design for those of a mode's own."""
    widths = switch_widths(design.modes)
    config = design.modes[mode]
    fmt, slot = (config.a, widths.a_slot_bits) if side == "a" else (config.b, widths.b_slot_bits)
    implementation = design.implementation
    positions = implementation.rows if side == "a" else implementation.columns
    lanes = range(positions * config.lanes)
    split = np.array([[code >> lane * fmt.bits for lane in lanes] for code in codes], dtype=object)
    fields = (split & ((1 << fmt.bits) - 1)).astype(np.uint32)
    rng = np.random.default_rng(seed)
    return rows_to_ints(slot_rows(fields, fmt.bits, positions * widths.lanes, slot, rng))


def _mixed_vectors(design: Design, seed: int, beats: int) -> GoldenVectors:
    """Vectors of all modes of a switchable design, mixed sum by sum."""
    widths = switch_widths(design.modes)
    is_unit = design.implementation.form == "unit"
    rows = design.implementation.rows
    parts = [
        golden_vectors(each, seed=seed, beats=beats // len(design.modes))
        for each in design.mode_designs
    ]
    # the beats of each sum: a unit's are single
    ends = [
        range(1, len(part.a) + 1) if is_unit else 1 + np.flatnonzero(part.last) for part in parts
    ]
    mixture = Mixture.of([len(each) for each in ends], 0, np.random.default_rng(seed))
    sides = {
        side: [
            _slots(getattr(part, side), design, mode, side, seed) for mode, part in enumerate(parts)
        ]
        for side in ("a", "b")
    }
    mixed = GoldenVectors([], [], [], [], [])
    for mode, index in zip(mixture.mode.tolist(), mixture.index.tolist(), strict=True):
        part = parts[mode]
        beat = slice(int(ends[mode][index - 1]) if index else 0, int(ends[mode][index]))
        mixed.a.extend(sides["a"][mode][beat])
        mixed.b.extend(sides["b"][mode][beat])
        mixed.last.extend(part.last[beat])
        mixed.modes.extend([mode] * (beat.stop - beat.start))
        if is_unit:
            mixed.partial_sums.append(widths.common(mode, part.partial_sums[index]))
            mixed.expected.append(widths.common(mode, part.expected[index]))
            continue
        bits = mac_widths(design.modes[mode]).output_bits
        for wanted in part.expected[index * rows : (index + 1) * rows]:
            mixed.expected.append(
                sum(
                    (wanted >> column * bits & ((1 << bits) - 1)) << column * widths.output_bits
                    for column in range(design.implementation.columns)
                )
            )
    return mixed
