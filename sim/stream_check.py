"""A netlist of a single MAC against the golden model: sums through its registers, in all streams.

Only what a sequential netlist adds to its arithmetic is new here: sums that follow each other
without a pause, of one step and of many. The arithmetic itself is `macsmith.sim.netlist_check`'s.
"""

from collections.abc import Mapping

import numpy as np
from macsmith.model import fast
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_check import NetlistMismatchError
from macsmith.sim.netlist_graph import Netlist
from macsmith.sim.sum_lengths import chunk_steps
from macsmith.sim.tile_groups import EXHAUSTIVE_BITS
from macsmith.sim.waveforms import port_waveforms
from numpy.typing import NDArray

__all__ = ["check_mac_netlist", "is_checkable_mac"]

RESET_CYCLES = 2
SUM_STEPS = (1, 2, 5, 16)
STREAMS = 4096
BEATS = 64
"""Steps of each run, at the least; further cycles flush the pipeline."""


def is_checkable_mac(design: Design) -> bool:
    """Whether `check_mac_netlist` knows how to play a design: a single MAC of one mode, whose
    sums come one after the other and whose random bits, if any, are none."""
    implementation = design.implementation
    return (
        implementation.form != "unit"
        and not implementation.is_array
        and not design.is_switchable
        and implementation.interleave == 1
        and not design.mac.random_bits
    )


def check_mac_netlist(
    design: Design, netlist: Netlist, models: Mapping[str, CellModel], *, seed: int = 1
) -> int:
    """Play sums of 1, 2, 5 and 16 steps and compare every result with the golden model's.

    Where A and B have up to 16 bits together, every pair of codes is among the sums of one step.

    Returns
    -------
    int
        Number of results compared.

    Raises
    ------
    NetlistMismatchError
        The first result that differs, or results that are missing.
    """
    compiled = compile_netlist(netlist, models)
    config, rng = design.mac, np.random.default_rng(seed)
    limit = mac_widths(config).max_terms
    compared = 0
    for steps in SUM_STEPS:
        if limit and steps * config.lanes > limit:
            continue
        sums = max(BEATS // steps, 1)
        a, b = _operands(design, rng, sums * steps)
        # one more sum flushes the last ones out
        flush = -(-(design.implementation.stages + 4) // steps) * steps
        padded = [
            np.pad(x.reshape(STREAMS, -1), ((0, 0), (0, flush * config.lanes))) for x in (a, b)
        ]
        waves = port_waveforms(
            design, *padded, sum_products=steps * config.lanes, reset_cycles=RESET_CYCLES
        )
        outputs = compiled.simulate(waves).outputs
        # before the reset has acted, registers and so all outputs may be anything
        is_any = (outputs["o_valid"] == 1).any(axis=1)
        is_any[:RESET_CYCLES] = False
        cycles = np.flatnonzero(is_any)[:sums]
        is_valid = outputs["o_valid"][cycles] == 1
        if len(cycles) < sums or not is_valid.all():
            raise NetlistMismatchError(
                f"{design.text}: results of {steps} steps are missing in some streams: "
                f"{int(is_valid.sum())} of {sums * STREAMS} came"
            )
        got = outputs["o_data"][cycles].reshape(sums, STREAMS, -1)
        expected = _expected(design, a, b, sums, steps).reshape(sums, STREAMS, -1)
        wrong = np.argwhere((got != expected).any(axis=2))
        if wrong.size:
            index, stream = wrong[0].tolist()
            places = slice(index * steps, (index + 1) * steps)
            raise NetlistMismatchError(
                f"{design.text}: {len(wrong)} of {sums * STREAMS} sums of {steps} steps differ; "
                f"the first: a={a[stream, places].tolist()} b={b[stream, places].tolist()}: "
                f"{_hex(got[index, stream])}, must be {_hex(expected[index, stream])}"
            )
        compared += sums * STREAMS
    return compared


def _operands(
    design: Design, rng: np.random.Generator, steps: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Codes of both sides, ``[streams, steps, lanes]``."""
    config = design.mac
    shape = (STREAMS, steps, config.lanes)
    bits = config.a.bits + config.b.bits
    if bits <= EXHAUSTIVE_BITS and np.prod(shape) >= 1 << bits:
        pairs = np.resize(rng.permutation(1 << bits).astype(np.uint32), shape)
    else:
        pairs = rng.integers(0, 1 << bits, shape, dtype=np.uint64)
    low = pairs & pairs.dtype.type((1 << config.b.bits) - 1)
    return (pairs >> pairs.dtype.type(config.b.bits)).astype(np.uint32), low.astype(np.uint32)


def _expected(
    design: Design, a: NDArray[np.uint32], b: NDArray[np.uint32], sums: int, steps: int
) -> NDArray[np.uint64]:
    """Results ``[sums, streams(, words)]``, step after step."""
    config = design.mac
    chunk = chunk_steps(config)
    words = -(-mac_widths(config).partial_sum_bits // 64)
    count = sums * STREAMS
    state = np.zeros((count,) if words == 1 else (count, words), dtype=np.uint64)
    split = [
        x.reshape(STREAMS, sums, steps, config.lanes)
        .transpose(2, 1, 0, 3)
        .reshape(steps, count, -1)
        for x in (a, b)
    ]
    for step in range(steps):
        is_end = step + 1 == steps or (chunk is not None and (step + 1) % chunk == 0)
        state = fast.step(config, state, split[0][step], split[1][step], is_end)
    return fast.result(config, state)


def _hex(words: NDArray[np.uint64]) -> str:
    return hex(sum(word << 64 * place for place, word in enumerate(words.tolist())))
