"""A price's record as text for people: figures, worst path, and what was built."""

from __future__ import annotations

from typing import Any

from macsmith.console import columns, fields
from macsmith.energy_text import energy_text

__all__ = ["explanation_text", "price_text", "timing_text"]


def timing_text(result: dict[str, Any]) -> str:
    """The worst path of a price's record, and when each output port settles."""
    if "worst_path" not in result:
        return f"{result['technology']}: an FPGA family; nothing is placed, there is no timing"
    rows = [
        (
            step["arrival_ps"],
            step["delay_ps"],
            "rise" if step["rises"] else "fall",
            step["slew_ps"],
            step["load_ff"],
            step["cell"] or "(port)",
            step["pin"],
            step["instance"],
            step["net"],
        )
        for step in result["worst_path"]
    ]
    heads = ("ps", "step ps", "edge", "slew ps", "load fF", "cell", "by pin", "instance", "net")
    ends = f"ends at {result['endpoint']}: {result['delay_ps']:.6g} ps"
    arrivals = columns(("output", "ps"), list(result["arrival_ps"].items()))
    return f"worst path of {result['recipe']}\n{columns(heads, rows)}\n{ends}\n\n{arrivals}"


def explanation_text(result: dict[str, Any]) -> str:
    """Architecture and area by module of a price's record."""
    rows = [
        (key, row["value"], "asked" if row["asked"] else "default", "/".join(row["choices"]))
        for key, row in result["architecture"].items()
    ]
    text = "architecture (KEY=VALUE in the design text chooses another)\n" + columns(
        ("choice", "built", "by", "there are"), rows
    )
    modules = result.get("module_area_um2")
    if not modules:
        return text
    top = str(result["top"])
    areas = [
        (name.removeprefix(f"{top}_"), row["instances"], row["area_um2"])
        for name, row in modules.items()
    ]
    heads = ("module", "instances", "um2 each")
    return f"{text}\n\nevery module mapped for itself, full adders as gates\n" + columns(
        heads, areas
    )


def price_text(result: dict[str, Any]) -> str:
    """A price for people: the chosen netlist's figures, then the front of all recipes."""
    shown = {
        name: value
        for name, value in result.items()
        if name not in ("front", "worst_path")
        and not isinstance(value, dict)
        # those of the tables
        and (name == "energy_pj_per_mac" or not name.endswith("_energy_pj_per_mac"))
    }
    text = fields(shown)
    if "energy_pj_per_mac" in result:
        text += f"\n\n{energy_text(result)}"
    front = result.get("front")
    if not front:
        return text
    known = ("recipe", "area_um2", "delay_ps", "energy_pj_per_mac", "flip_flops", "cells")
    heads = [head for head in known if head in front[0]]
    rows = [[entry.get(head) for head in heads] for entry in front]
    return f"{text}\n\nfront of area and delay over all recipes\n{columns(heads, rows)}"
