"""A mapped netlist of a unit against the golden model, with the vectors the RTL is checked with."""

from collections.abc import Mapping

import numpy as np
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_graph import Netlist, NetlistError
from macsmith.sim.unit_stimulus import UnitStimulus, unit_expected
from numpy.typing import NDArray

__all__ = ["NetlistMismatchError", "check_unit_netlist", "pack_fields"]


class NetlistMismatchError(RuntimeError):
    """A netlist that differs from the golden model; the message has one vector to reproduce it."""


def pack_fields(codes: NDArray[np.generic], bits: int) -> NDArray[np.uint64]:
    """Codes side by side in one port word, the first in the least significant bits.

    Parameters
    ----------
    codes
        Non-negative integers, ``[..., fields]``.
    bits
        Width of a field, at most 64.

    Returns
    -------
    uint64 array
        ``[...]`` if all fields fit 64 bits, else ``[..., words]``, least significant word first.
    """
    wide = np.ascontiguousarray(codes.astype(np.uint64))
    places = np.arange(bits, dtype=np.uint64)
    planes = (wide[..., np.newaxis] >> places & np.uint64(1)).astype(np.uint8)
    flat = planes.reshape(*wide.shape[:-1], wide.shape[-1] * bits)
    words = -(-flat.shape[-1] // 64)
    padding = [(0, 0)] * (flat.ndim - 1) + [(0, 64 * words - flat.shape[-1])]
    packed = np.packbits(np.pad(flat, padding), axis=-1, bitorder="little").view("<u8")
    result = packed.astype(np.uint64)
    return result[..., 0] if words == 1 else result


def check_unit_netlist(
    stimulus: UnitStimulus, netlist: Netlist, models: Mapping[str, CellModel]
) -> int:
    """Compare a netlist of a ``unit`` with the fast golden model on every vector of a stimulus.

    Returns
    -------
    int
        Number of vectors compared.

    Raises
    ------
    NetlistMismatchError
        The first vector that differs.
    NetlistError
        The netlist is no unit (other ports), or cannot be simulated.
    """
    config = stimulus.design.mac
    compiled = compile_netlist(netlist, models)
    expected = unit_expected(stimulus)
    partial_sums = stimulus.partial_sums
    waves: dict[str, NDArray[np.generic]] = {
        "a": pack_fields(stimulus.a, config.a.bits)[np.newaxis],
        "b": pack_fields(stimulus.b, config.b.bits)[np.newaxis],
        "partial_sum_i": (partial_sums[:, 0] if partial_sums.shape[1] == 1 else partial_sums)[
            np.newaxis
        ],
    }
    if "chunk_end" in compiled.inputs:
        waves["chunk_end"] = stimulus.chunk_end[np.newaxis]
    if stimulus.random is not None:
        waves["random"] = stimulus.random[np.newaxis]
    if set(waves) != set(compiled.inputs) or set(compiled.outputs) != {"partial_sum_o"}:
        raise NetlistError(
            f"{netlist.name}: ports {sorted(compiled.inputs)} -> {sorted(compiled.outputs)}; must "
            f"be those of a unit, {sorted(waves)} -> ['partial_sum_o']"
        )
    got = compiled.simulate(waves).outputs["partial_sum_o"].reshape(expected.shape)
    wrong = np.flatnonzero((got != expected).any(axis=1))
    if wrong.size:
        vector = int(wrong[0])
        raise NetlistMismatchError(
            f"{stimulus.design.text}: {wrong.size} of {stimulus.count} vectors differ; the first: "
            f"a={[hex(code) for code in stimulus.a[vector].tolist()]} "
            f"b={[hex(code) for code in stimulus.b[vector].tolist()]} "
            f"partial_sum_i={_hex(partial_sums[vector])} "
            f"chunk_end={int(stimulus.chunk_end[vector])} "
            f"random={None if stimulus.random is None else hex(int(stimulus.random[vector]))}: "
            f"partial_sum_o={_hex(got[vector])}, "
            f"must be {_hex(expected[vector])}"
        )
    return stimulus.count


def _hex(words: NDArray[np.generic]) -> str:
    return hex(sum(word << 64 * place for place, word in enumerate(words.tolist())))
