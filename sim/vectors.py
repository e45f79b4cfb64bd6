"""Port values for others: golden vectors that ship with a design, and waveforms for netlists."""

from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from macsmith.model import fast
from macsmith.model.design import Design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths
from macsmith.sim.bench_job import bit_rows, rows_to_ints
from macsmith.sim.block_stimulus import BlockStimulus, block_expected, make_block_stimulus
from macsmith.sim.block_tiles import arrange_tiles
from macsmith.sim.expected import Words, expected_results, words_to_int
from macsmith.sim.random_words import register_words
from macsmith.sim.rotation import rotate
from macsmith.sim.stimulus import chunk_steps, make_stimulus
from macsmith.sim.switch_stimulus import Mixture, slot_rows
from macsmith.sim.unit_stimulus import make_unit_stimulus, unit_expected
from numpy.typing import ArrayLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

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


def _port_words(codes: NDArray[np.uint32], code_bits: int) -> NDArray[np.uint64]:
    """Codes of (cycles, streams, positions), position 0 lowest, as a port's waveform: (cycles,
    streams), or (cycles, streams, words) where the port has more than 64 bits."""
    cycles, streams, positions = codes.shape
    width = positions * code_bits
    words = -(-width // 64)
    bits = np.zeros((cycles, streams, 64 * words), dtype=np.uint8)
    bits[:, :, :width] = bit_rows(codes, code_bits).reshape(cycles, streams, width)
    packed = np.packbits(bits, axis=2, bitorder="little")
    values = np.ascontiguousarray(packed).view("<u8").astype(np.uint64)
    return values[:, :, 0] if words == 1 else values


def _as_codes(name: str, codes: ArrayLike, positions: int, lanes: int) -> NDArray[np.uint32]:
    """Operand streams as (steps, streams, positions * lanes)."""
    array = np.asarray(codes)
    if array.ndim == 2 and positions == 1:
        array = array[:, np.newaxis]
    if array.ndim != 3 or array.shape[1] != positions:
        raise ValueError(
            f"{name}: operands must have the shape (streams, {positions}, products)"
            f"{' or (streams, products)' if positions == 1 else ''}, not {np.shape(codes)}"
        )
    streams, _, products = array.shape
    if products == 0 or products % lanes:
        raise ValueError(
            f"{name}: products must be a positive multiple of the {lanes} lanes, not {products}"
        )
    steps = array.reshape(streams, positions, products // lanes, lanes)
    return steps.transpose(2, 0, 1, 3).reshape(products // lanes, streams, -1).astype(np.uint32)


def port_waveforms(
    design: Design,
    a_codes: ArrayLike,
    b_codes: ArrayLike,
    *,
    sum_products: int,
    reset_cycles: int = 2,
    scales: ArrayLike | None = None,
) -> dict[str, NDArray[np.generic]]:
    """Values of every input port but the clock, cycle by cycle, as a design computes sums.

    After the reset a step is offered in every cycle and every result is taken. A unit has no
    reset: its partial sum is that of the golden model, fed back from step to step.

    Parameters
    ----------
    a_codes, b_codes
        Operand codes, (streams, rows, products) and (streams, columns, products), or (streams,
        products) of a single MAC; each stream is an independent run.
    sum_products
        Products of one sum, a multiple of the lanes.
    reset_cycles
        Cycles of reset before the first step of a stream design.
    scales
        Only of block formats: codes of the scales of A and B, of those that have one, at each step,
        (streams, steps, n); of an array those of all rows, then those of all columns.

    Returns
    -------
    dict
        Array ``[cycles, streams]`` for each port, ``[cycles, streams, words]`` of uint64 where a
        port has more than 64 bits.

    Raises
    ------
    ValueError
        Shapes do not fit the design, or the sum is longer than it is built for.
    """
    mac, implementation = design.mac, design.implementation
    a = _as_codes("a", a_codes, implementation.rows, mac.lanes)
    b = _as_codes("b", b_codes, implementation.columns, mac.lanes)
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(
            f"a and b must have as many streams and products, not {np.shape(a_codes)} and "
            f"{np.shape(b_codes)}"
        )
    limit = mac_widths(mac).max_terms
    if sum_products < 1 or sum_products % mac.lanes or (limit and sum_products > limit):
        raise ValueError(
            f"a sum must have a positive multiple of the {mac.lanes} lanes"
            f"{f' up to {limit}' if limit else ''} products, not {sum_products}"
        )
    steps, streams, _ = a.shape
    at_steps = _step_scales(design, scales, streams, steps)
    is_last = (np.arange(1, steps + 1) * mac.lanes) % sum_products == 0
    if implementation.interleave > 1:
        # the sums of a stream in rotation, as many beats as before
        lengths = np.diff(np.append(0, np.append(np.flatnonzero(is_last) + 1, steps)))
        source = rotate(lengths[lengths > 0], implementation.interleave).source[:steps]
        a, b, is_last = a[source], b[source], is_last[source] & (source >= 0)
        at_steps = at_steps[source]
    ones = np.ones((steps, streams), dtype=np.uint8)
    if implementation.form == "unit":
        return _unit_waveforms(design, a, b, is_last, at_steps)
    ports = {
        "i_a": _port_words(a, mac.a.bits),
        "i_b": _port_words(b, mac.b.bits),
        "i_valid": ones,
        "i_last": ones * is_last[:, np.newaxis],
        **_scale_ports(design, at_steps, "i_"),
    }
    if mac.random_bits and implementation.lfsr == "port":
        ports["i_random"] = _random_wave(design, steps, streams)
    waveforms: dict[str, NDArray[np.generic]] = {
        name: np.concatenate((np.zeros((reset_cycles, *wave.shape[1:]), wave.dtype), wave))
        for name, wave in ports.items()
    }
    reset = np.zeros((reset_cycles + steps, streams), dtype=np.uint8)
    reset[:reset_cycles] = 1
    waveforms["rst"] = reset
    waveforms["o_ready"] = np.ones_like(reset)
    return waveforms


def _step_scales(
    design: Design, scales: ArrayLike | None, streams: int, steps: int
) -> NDArray[np.uint32]:
    """Scales of each step as (steps, streams, n)."""
    wanted = (streams, steps, sum(count for _, count in _scale_counts(design)))
    if scales is None:
        scales = np.zeros((streams, steps, 0), dtype=np.uint32)
    codes = np.asarray(scales)
    if codes.shape != wanted:
        raise ValueError(
            f"scales: must have the shape {wanted} of streams, steps and rows with a scale, "
            f"not {codes.shape}"
        )
    return np.ascontiguousarray(codes.swapaxes(0, 1), dtype=np.uint32)


def _scale_counts(design: Design) -> list[tuple[str, int]]:
    """How many scales A and B have in a beat, of those that have one."""
    mac, implementation = design.mac, design.implementation
    sides = (("a", mac.a_scale, implementation.rows), ("b", mac.b_scale, implementation.columns))
    return [(side, count) for side, fmt, count in sides if fmt is not None]


def _scale_ports(
    design: Design, scales: NDArray[np.uint32], prefix: str = ""
) -> dict[str, NDArray[np.generic]]:
    """Ports of the scales, of (cycles, streams, n) codes."""
    ports: dict[str, NDArray[np.generic]] = {}
    at = 0
    for (side, count), fmt in zip(_scale_counts(design), design.mac.scales, strict=True):
        codes = scales[:, :, at : at + count]
        at += count
        ports[f"{prefix}{side}_scale"] = (
            np.ascontiguousarray(codes[:, :, 0]) if count == 1 else _port_words(codes, fmt.bits)
        )
    return ports


def _random_wave(design: Design, steps: int, streams: int) -> NDArray[np.uint64]:
    """Words at a port: those of the shift register, one stream after the other."""
    return register_words(design, steps * streams).reshape(streams, steps).T.copy()


def _unit_waveforms(
    design: Design,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    is_last: NDArray[np.bool_],
    scales: NDArray[np.uint32],
) -> dict[str, NDArray[np.generic]]:
    """Waveforms of a unit; the partial sum restarts at zero after the last step of a sum."""
    mac = design.mac
    widths = mac_widths(mac)
    steps, streams, _ = a.shape
    words = -(-widths.partial_sum_bits // 64)
    chunk = chunk_steps(mac)
    partial_sums = np.zeros((steps, streams, words), dtype=np.uint64)
    chunk_end = np.zeros((steps, streams), dtype=np.uint8)
    state = np.zeros((streams, words), dtype=np.uint64)
    random = _random_wave(design, steps, streams) if mac.random_bits else None
    in_sum = 0
    for index in range(steps):
        in_sum += 1
        is_end = bool(is_last[index]) or (chunk is not None and in_sum % chunk == 0)
        partial_sums[index] = state
        chunk_end[index] = is_end
        before = state[:, 0] if words == 1 else state
        word = None if random is None else random[index]
        factors = scales[index] if mac.scales else None
        after = fast.step(mac, before, a[index], b[index], is_end, word, factors)
        state = after.reshape(streams, words)
        if is_last[index]:
            state = np.zeros_like(state)
            in_sum = 0
    waveforms: dict[str, NDArray[np.generic]] = {
        "a": _port_words(a, mac.a.bits),
        "b": _port_words(b, mac.b.bits),
        "partial_sum_i": partial_sums[:, :, 0] if words == 1 else partial_sums,
        **_scale_ports(design, scales),
    }
    if mac.has_chunk_end:
        waveforms["chunk_end"] = chunk_end
    if random is not None:
        waveforms["random"] = random
    return waveforms


def weight_stationary_waveforms(
    design: Design,
    a_codes: NDArray[np.unsignedinteger],
    b_codes: NDArray[np.unsignedinteger],
    places: NDArray[np.integer],
    *,
    a_scales: NDArray[np.unsignedinteger] | None = None,
    b_scales: NDArray[np.unsignedinteger] | None = None,
    is_a_zero: bool = False,
) -> dict[str, NDArray[np.generic]]:
    """Values of every input port of a unit that stands in a column of a weight-stationary array.

    In each step another token comes by, with the sum of its products in the rows above, by the
    golden model; the weights stay. A chunked accumulator's chunks end at the rows that they would
    end at, so a place either always ends one or never.

    Parameters
    ----------
    a_codes
        Activations, (streams, steps, rows * lanes).
    b_codes
        Weights, (streams, rows * lanes).
    places
        Row of the unit in each stream, 0 the first.
    a_scales, b_scales
        Only of block formats, of those operands that have one: codes of the scales of the blocks,
        (streams, steps, blocks) and (streams, blocks). A row sees that of its block.
    is_a_zero
        The unit itself gets activations of code 0, and a scale of code 0; the partial sums stay
        those of the others.

    Returns
    -------
    dict
        Array ``[steps, streams]`` for each port, ``[steps, streams, words]`` of uint64 where a
        port has more than 64 bits.
    """
    mac = design.mac
    streams, steps, products = a_codes.shape
    rows = products // mac.lanes
    a = a_codes.reshape(streams * steps, rows, mac.lanes).astype(np.uint32)
    b = np.repeat(b_codes.reshape(streams, rows, mac.lanes).astype(np.uint32), steps, axis=0)
    place = np.repeat(np.asarray(places), steps)
    every = np.arange(streams * steps)
    words = -(-mac_widths(mac).partial_sum_bits // 64)
    chunk = chunk_steps(mac)
    random = register_words(design, streams * steps * rows) if mac.random_bits else None
    sides = [] if a_scales is None else [a_scales.reshape(streams * steps, -1)]
    sides += [] if b_scales is None else [np.repeat(b_scales, steps, axis=0)]
    block_of_row = np.arange(rows) * mac.lanes // (mac.block or products)
    scales = np.stack(sides, axis=-1).astype(np.uint32)[:, block_of_row] if sides else None
    state = np.zeros((streams * steps, words), dtype=np.uint64)
    for row in range(int(place.max())):
        here = place > row
        is_end = chunk is not None and (row + 1) % chunk == 0
        before = state[here, 0] if words == 1 else state[here]
        word = None if random is None else random.reshape(rows, -1)[row, here]
        factors = None if scales is None else scales[here, row]
        after = fast.step(mac, before, a[here, row], b[here, row], is_end, word, factors)
        state[here] = after.reshape(-1, words)

    def wave(rows_of_streams: NDArray[Scalar]) -> NDArray[Scalar]:
        each = rows_of_streams.reshape(streams, steps, *rows_of_streams.shape[1:])
        return np.ascontiguousarray(each.swapaxes(0, 1))

    own = a[every, place]
    waveforms: dict[str, NDArray[np.generic]] = {
        "a": _port_words(wave(np.zeros_like(own) if is_a_zero else own), mac.a.bits),
        "b": _port_words(wave(b[every, place]), mac.b.bits),
        "partial_sum_i": wave(state[:, 0] if words == 1 else state),
    }
    if scales is not None:
        own_scales = scales[every, place]
        if is_a_zero and a_scales is not None:
            own_scales[:, 0] = 0
        waveforms |= _scale_ports(design, wave(own_scales))
    if mac.has_chunk_end:
        assert chunk is not None
        waveforms["chunk_end"] = wave(((place + 1) % chunk == 0).astype(np.uint8))
    if random is not None:
        waveforms["random"] = wave(random.reshape(rows, -1)[place, every])
    return waveforms
