"""Energy figures of a price, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from macsmith.console import columns

__all__ = ["energy_text"]

_SPLIT = (
    ("decode", "operands decoded"),
    ("multiply", "multiplied"),
    ("scale", "sums of blocks times their scales"),
    ("align", "products put in place"),
    ("accumulate", "summed"),
    ("round", "normalised, rounded, converted to the result"),
    ("control", "handshake and all other gates"),
    ("ports", "what drives the input ports"),
    ("register", "flip-flops, as data goes through"),
    ("clock", "clock pins and flip-flops' own, no clock tree"),
    ("leakage", "over the clock period"),
)
_BESIDE = (
    ("gaussian", "normally distributed numbers, scaled as a network's"),
    ("uniform", "every code equally often: knows no values"),
    ("vectorless", "every net toggles every other cycle: no simulation"),
    ("zero_operand", "A is zero, B goes on"),
    ("idle", "nothing offered, operands held, clock running"),
    ("clock_gated", "clock stopped"),
)


def energy_text(result: Mapping[str, Any]) -> str:
    """Split and operands of the energy of a price's record; parts that it lacks are left out.

    So is that of scales where it is 0: there are no blocks then.
    """

    def figure(name: str) -> float | None:
        return result.get(f"{name}_energy_pj_per_mac")

    whole = float(result["energy_pj_per_mac"])
    split = [
        (name, value, f"{100 * value / whole:.1f} %", note)
        for name, note in _SPLIT
        if (value := figure(name)) is not None and (value or name != "scale")
    ]
    wires = figure("wire")
    if wires is not None:
        share = f"{100 * wires / whole:.1f} %"
        split.append(("(wires)", wires, share, "estimated, contained in the parts above"))
    operands = str(result.get("energy_operands", "")).split(",")[0] or "operands"
    kinds = [(operands, whole, figure("settled"), "the figure above")]
    kinds += [
        (name.replace("_", " "), value, figure(f"{name}_settled"), note)
        for name, note in _BESIDE
        if (value := figure(name)) is not None
    ]
    text = "where the energy goes\n" + columns(("part", "pJ/MAC", "share", ""), split)
    heads = ("operands", "pJ/MAC", "no glitches", "")
    return f"{text}\n\nthe same netlist with other operands\n{columns(heads, kinds)}"
