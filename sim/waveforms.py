"""Values of a design's input ports, cycle by cycle, as it computes sums: waveforms for netlists."""

from typing import TypeVar

import numpy as np
from macsmith.model import fast
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths
from macsmith.sim.bench_job import bit_rows
from macsmith.sim.random_words import register_words
from macsmith.sim.rotation import rotate
from macsmith.sim.sum_lengths import chunk_steps
from numpy.typing import ArrayLike, NDArray

__all__ = ["port_waveforms", "weight_stationary_waveforms"]

Scalar = TypeVar("Scalar", bound=np.generic)


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
