"""A mapped netlist of a unit against the golden model, with the vectors the RTL is checked with."""

from collections.abc import Mapping

import numpy as np
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths
from macsmith.sim.expected import Words
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_graph import Netlist, NetlistError
from macsmith.sim.unit_stimulus import UnitStimulus, unit_expected
from numpy.typing import NDArray

__all__ = ["NetlistMismatchError", "UnitNetlist", "check_unit_netlist", "pack_fields"]


class NetlistMismatchError(RuntimeError):
    """A netlist that differs from the golden model; the message has one vector to reproduce it."""


def pack_fields(codes: NDArray[np.generic], bits: int) -> NDArray[np.unsignedinteger]:
    """Codes side by side in one port word, the first in the least significant bits.

    Parameters
    ----------
    codes
        Non-negative integers, ``[..., fields]``.
    bits
        Width of a field, at most 64.

    Returns
    -------
    array
        ``[...]`` of the smallest unsigned type that holds all fields, or, beyond 64 bits, uint64
        ``[..., words]``, least significant word first.
    """
    if codes.shape[-1] * bits <= 64:
        # in the smallest type, which the simulator packs the quickest
        kind = np.min_scalar_type((1 << codes.shape[-1] * bits) - 1)
        packed = np.zeros(codes.shape[:-1], dtype=kind)
        for field in range(codes.shape[-1]):
            packed |= codes[..., field].astype(kind) << np.array(field * bits, dtype=kind)
        return packed
    wide = np.ascontiguousarray(codes.astype(np.uint64))
    places = np.arange(bits, dtype=np.uint64)
    planes = (wide[..., np.newaxis] >> places & np.uint64(1)).astype(np.uint8)
    flat = planes.reshape(*wide.shape[:-1], wide.shape[-1] * bits)
    words = -(-flat.shape[-1] // 64)
    padding = [(0, 0)] * (flat.ndim - 1) + [(0, 64 * words - flat.shape[-1])]
    packed = np.packbits(np.pad(flat, padding), axis=-1, bitorder="little")
    return packed.view("<u8").astype(np.uint64)


class UnitNetlist:
    """A netlist of a ``unit``, compiled once, to be compared with the fast golden model.

    Raises
    ------
    NetlistError
        The netlist is no unit (other ports), or cannot be simulated.
    """

    def __init__(self, design: Design, netlist: Netlist, models: Mapping[str, CellModel]) -> None:
        self.design = design
        self._compiled = compile_netlist(netlist, models)
        config = design.mac
        wanted = {"a", "b", "partial_sum_i"}
        wanted |= {"random"} if config.random_bits else set()
        wanted |= {"chunk_end"} if mac_widths(config).outer is not None else set()
        inputs, outputs = set(self._compiled.inputs), set(self._compiled.outputs)
        if inputs != wanted or outputs != {"partial_sum_o"}:
            raise NetlistError(
                f"{netlist.name}: ports {sorted(inputs)} -> {sorted(outputs)}; must be those of a "
                f"unit, {sorted(wanted)} -> ['partial_sum_o']"
            )

    def outputs(self, stimulus: UnitStimulus) -> NDArray[np.uint64]:
        """Next partial sums, ``[vectors, words]``."""
        config, partial_sums = self.design.mac, stimulus.partial_sums
        waves: dict[str, NDArray[np.generic]] = {
            "a": pack_fields(stimulus.a, config.a.bits)[np.newaxis],
            "b": pack_fields(stimulus.b, config.b.bits)[np.newaxis],
            "partial_sum_i": (partial_sums[:, 0] if partial_sums.shape[1] == 1 else partial_sums)[
                np.newaxis
            ],
        }
        if "chunk_end" in self._compiled.inputs:
            waves["chunk_end"] = stimulus.chunk_end[np.newaxis]
        if stimulus.random is not None:
            waves["random"] = stimulus.random[np.newaxis]
        got = self._compiled.simulate(waves).outputs["partial_sum_o"]
        return got.reshape(stimulus.count, -1)

    def check(self, stimulus: UnitStimulus, expected: Words | None = None) -> int:
        """Compare all vectors of a stimulus.

        Parameters
        ----------
        expected
            What `macsmith.sim.unit_stimulus.unit_expected` gives, if it is known.

        Returns
        -------
        int
            Number of vectors compared.

        Raises
        ------
        NetlistMismatchError
            The first vector that differs.
        """
        expected = unit_expected(stimulus) if expected is None else expected
        got = self.outputs(stimulus)
        wrong = np.flatnonzero((got != expected).any(axis=1))
        if wrong.size:
            vector = int(wrong[0])
            random = None if stimulus.random is None else hex(int(stimulus.random[vector]))
            raise NetlistMismatchError(
                f"{self.design.text}: {wrong.size} of {stimulus.count} vectors differ; the first: "
                f"a={[hex(code) for code in stimulus.a[vector].tolist()]} "
                f"b={[hex(code) for code in stimulus.b[vector].tolist()]} "
                f"partial_sum_i={_hex(stimulus.partial_sums[vector])} "
                f"chunk_end={int(stimulus.chunk_end[vector])} random={random}: "
                f"partial_sum_o={_hex(got[vector])}, must be {_hex(expected[vector])}"
            )
        return stimulus.count


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
    return UnitNetlist(stimulus.design, netlist, models).check(stimulus)


def _hex(words: NDArray[np.generic]) -> str:
    return hex(sum(word << 64 * place for place, word in enumerate(words.tolist())))
