"""What a design does while its energy is measured: port values, cycle by cycle."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from macsmith.model.accuracy.block_stimulus import block_columns, block_sums
from macsmith.model.accuracy.stimulus import (
    SYNTHETIC,
    Operands,
    operand_stream,
    parse_operands,
    sum_products,
    weight_stationary_stream,
)
from macsmith.model.design import Design, parse_design
from macsmith.model.implementation import Dataflow
from macsmith.model.widths import mac_widths
from macsmith.sim.switch_stimulus import mixed_waveforms
from macsmith.sim.waveforms import port_waveforms, weight_stationary_waveforms
from macsmith.synth.activity import Activity
from numpy.typing import NDArray

__all__ = ["further_activities", "operand_waveforms"]

#: Least cycles of operands that an energy figure is taken over, in each of so many streams.
ENERGY_CYCLES = 256
ENERGY_STREAMS = 64
# A weight-stationary array's rows: sums of more products are finished outside.
WEIGHT_STATIONARY_ROWS = 128
# What hardly depends on the operands needs no long sample.
_ZERO_CYCLES = 96
_HELD_CYCLES = 8

Waveforms = dict[str, NDArray[np.generic]]


def operand_waveforms(
    design: Design | str,
    operands: str | Operands,
    *,
    seed: int = 0,
    dataflow: str | Dataflow = Dataflow.OUTPUT_STATIONARY,
    streams: int = ENERGY_STREAMS,
    is_a_zero: bool = False,
) -> tuple[Waveforms, int]:
    """Port values of a design as it computes a layer, a step in each cycle.

    Every stream is an independent run. *Output-stationary*: whole sums, as long as the layer's (or
    as the design is built for), both operands new in each cycle. *Weight-stationary* (units only,
    for they take the partial sum from outside): one place in a column of an array, its weights held
    while token after token comes by, each with the partial sum of the rows above; which place,
    which column and which tokens is drawn for each stream. A switchable design has as many
    streams in each of its modes.

    Parameters
    ----------
    operands
        See `macsmith.model.accuracy.stimulus.parse_operands`.
    seed
        Selects the outputs of the layer.
    is_a_zero
        All activations replaced by zero (code 0), the weights still as they come.

    Returns
    -------
    waveforms
        Array ``[cycles, streams]`` for each input port but the clock.
    first_counted_cycle
        First cycle after the reset in which the whole pipeline holds operands.

    Raises
    ------
    ValueError
        Unknown operands or layer, or a dataflow that the design's ports do not allow.
    """
    design = _design(design)
    chosen, dataflow = parse_operands(operands), _parse_dataflow(dataflow)
    if design.is_switchable:
        each = [
            operand_waveforms(
                mode, chosen, seed=seed, dataflow=dataflow, streams=streams, is_a_zero=is_a_zero
            )
            for mode in design.mode_designs
        ]
        return mixed_waveforms(design, [waves for waves, _ in each]), each[0][1]
    if design.mac.block is not None:
        return _block_waveforms(design, chosen, dataflow, seed, streams, is_a_zero)
    if dataflow is Dataflow.WEIGHT_STATIONARY:
        return _weight_stationary(design, chosen, seed, streams, is_a_zero), 1
    implementation, lanes = design.implementation, design.mac.lanes
    whole, most = sum_products(chosen), mac_widths(design.mac).max_terms
    products = min(whole, most or whole) // lanes * lanes
    sums = -(-ENERGY_CYCLES * lanes // products)

    # the next sum has begun when the last one is rounded and leaves
    tail = _first_full_cycle(design) + implementation.rows + _HELD_CYCLES
    length = sums * products + (0 if implementation.form == "unit" else tail * lanes)

    def stream(positions: int, side: int) -> NDArray[np.unsignedinteger]:
        # whole outputs of the layer, so that all rows and columns begin with the same input
        drawn = -(-length // whole) * whole
        codes = operand_stream(chosen, design, streams * positions * drawn, seed)[side]
        if is_a_zero and side == 0:
            codes = np.zeros_like(codes)
        return codes.reshape(streams, positions, drawn)[:, :, :length]

    reset_cycles = 0 if implementation.form == "unit" else 2
    waveforms = port_waveforms(
        design,
        stream(implementation.rows, 0),
        stream(implementation.columns, 1),
        sum_products=products,
        reset_cycles=reset_cycles,
    )
    return waveforms, _first_full_cycle(design)


def further_activities(
    design: Design | str,
    operands: str | Operands,
    waveforms: Mapping[str, NDArray[np.generic]],
    *,
    seed: int = 0,
    dataflow: str | Dataflow = Dataflow.OUTPUT_STATIONARY,
    macs_per_cycle: float,
) -> dict[str, Activity]:
    """What the figure for `operands` is set beside.

    ``uniform`` and ``gaussian`` operands (but for `operands` themselves); ``zero_operand``, every
    activation zero while the weights go on; ``idle``, all ports held and nothing offered, the clock
    running.

    Parameters
    ----------
    waveforms
        Those of `operands`.
    """
    design, chosen = _design(design), parse_operands(operands)
    waves_of = partial(operand_waveforms, design, seed=seed, dataflow=dataflow)
    found: dict[str, Activity] = {}
    is_signed = all(mode.a.is_signed and mode.b.is_signed for mode in design.modes)
    for name in SYNTHETIC:
        # an unsigned format holds no Gaussian numbers
        if name != chosen.source and (is_signed or name == "uniform"):
            waves, first = waves_of(name)
            found[name] = Activity(waves, first, macs_per_cycle)
    waves, first = waves_of(chosen, is_a_zero=True)
    short = {name: wave[: first + _ZERO_CYCLES] for name, wave in waves.items()}
    found["zero_operand"] = Activity(short, first, macs_per_cycle)
    # a few steps, then nothing any more
    working = first + _HELD_CYCLES
    held: Waveforms = {}
    for name, wave in waveforms.items():
        last = wave[working - 1 : working].copy()
        if name in ("i_valid", "i_last"):
            last[:] = 0
        after = np.repeat(last, first + 2 * _HELD_CYCLES, axis=0)
        held[name] = np.concatenate((wave[:working], after))
    found["idle"] = Activity(held, working + first + _HELD_CYCLES, macs_per_cycle)
    return found


def _design(design: Design | str) -> Design:
    return parse_design(design) if isinstance(design, str) else design


def _parse_dataflow(dataflow: str | Dataflow) -> Dataflow:
    try:
        return Dataflow(dataflow)
    except ValueError:
        raise ValueError(
            f"dataflow must be os (output-stationary) or ws (weight-stationary), not {dataflow!r}"
        ) from None


def _first_full_cycle(design: Design) -> int:
    implementation = design.implementation
    reset_cycles = 0 if implementation.form == "unit" else 2
    skew = implementation.rows + implementation.columns - 2
    return reset_cycles + implementation.stages + skew + 1


def _weight_stationary(
    design: Design, operands: Operands, seed: int, streams: int, is_a_zero: bool
) -> Waveforms:
    _check_partial_sum_port(design)
    lanes = design.mac.lanes
    products, most = sum_products(operands), mac_widths(design.mac).max_terms
    rows = min(WEIGHT_STATIONARY_ROWS, min(products, most or products) // lanes)
    a, b = weight_stationary_stream(operands, design, streams, ENERGY_CYCLES, rows, seed)
    places = np.random.default_rng(seed).integers(rows, size=streams)
    return weight_stationary_waveforms(design, a, b, places, is_a_zero=is_a_zero)


def _block_waveforms(
    design: Design,
    operands: Operands,
    dataflow: Dataflow,
    seed: int,
    streams: int,
    is_a_zero: bool,
) -> tuple[Waveforms, int]:
    """`operand_waveforms` of block formats: a block's scales stand at the ports as long as it."""
    if dataflow is Dataflow.WEIGHT_STATIONARY:
        return _weight_stationary_blocks(design, operands, seed, streams, is_a_zero), 1
    mac, is_unit = design.mac, design.implementation.form == "unit"
    lanes, block, most = mac.lanes, mac.block or 1, mac_widths(mac).max_terms
    whole = -(-sum_products(operands) // lanes) * lanes
    products = min(whole, (most or whole) // lanes * lanes)
    length = -(-ENERGY_CYCLES * lanes // products) * products
    rows, columns = design.implementation.rows, design.implementation.columns
    if not is_unit:
        length += (_first_full_cycle(design) + rows + _HELD_CYCLES) * lanes
    sums = -(-length // products)
    a, b = block_sums(operands, design, streams * rows * sums, products, seed)
    if columns != rows:
        b = block_sums(operands, design, streams * columns * sums, products, seed)[1]
    if is_a_zero:
        a = a.zeroed()
    # the scale of each step's block
    at = np.arange(products // lanes) * lanes // block
    steps = length // lanes
    scales = [
        side.scales[:, at].reshape(streams, count, -1)[:, :, :steps].swapaxes(1, 2)
        for side, count in ((a, rows), (b, columns))
        if side.scales is not None
    ]
    waveforms = port_waveforms(
        design,
        a.codes.reshape(streams, rows, -1)[:, :, :length],
        b.codes.reshape(streams, columns, -1)[:, :, :length],
        sum_products=products,
        reset_cycles=0 if is_unit else 2,
        scales=np.concatenate(scales, axis=-1),
    )
    return waveforms, _first_full_cycle(design)


def _weight_stationary_blocks(
    design: Design, operands: Operands, seed: int, streams: int, is_a_zero: bool
) -> Waveforms:
    _check_partial_sum_port(design)
    mac = design.mac
    lanes, block, most = mac.lanes, mac.block or 1, mac_widths(mac).max_terms
    products = -(-sum_products(operands) // block) * block
    steps_a_block = block // lanes
    rows = min(WEIGHT_STATIONARY_ROWS, min(products, most or products) // lanes)
    rows = max(rows // steps_a_block, 1) * steps_a_block
    a, b = block_columns(operands, design, streams, ENERGY_CYCLES, rows, seed)
    places = np.random.default_rng(seed).integers(rows, size=streams)
    return weight_stationary_waveforms(
        design,
        a.codes,
        b.codes,
        places,
        a_scales=a.scales,
        b_scales=b.scales,
        is_a_zero=is_a_zero,
    )


def _check_partial_sum_port(design: Design) -> None:
    if design.implementation.form != "unit":
        raise ValueError(
            f"{design.text}: weight-stationary operands need a partial sum from outside; price the "
            f"unit instead ({design.text}:unit)"
        )
