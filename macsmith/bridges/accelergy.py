"""Components as tables of Accelergy, which prices architectures for Timeloop.

A file for each component, as the Library plug-in reads them from the folders named in
``ACCELERGY_COMPONENT_LIBRARIES``, with energy in pJ and area in um^2, and the actions that it
requires of everything: read, write, update and leak (schema: README of accelergy-library-plug-in).
``architecture.yaml`` has one of each, as an example that ``accelergy architecture.yaml`` prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from macsmith.bridges.components import Component, number_text

__all__ = ["write_accelergy"]

#: What a component does when it is used, by kind; ``read`` and ``compute`` are the same.
ACTIONS = {
    "mac": ("mac", "mac_random"),
    "multiplier": ("multiply", "multiply_random"),
    "accumulator": ("add", "add_random"),
    "quantiser": ("quantise",),
}
_COLUMNS = ("technology", "global_cycle_seconds", "energy", "area", "action")
_FOLDER = "macsmith_components"


def _rows(component: Component) -> list[tuple[str, ...]]:
    cycle_s = component.delay_ps * 1e-12
    # nW times s are nJ
    leak_pj = (component.leakage_nw or 0.0) * cycle_s * 1e3
    energies = dict.fromkeys((*ACTIONS[component.kind], "compute", "read"), component.energy_pj)
    # nothing is written: what is left in such a cycle leaks
    energies |= dict.fromkeys(("write", "update"), 0.0) | {"leak": leak_pj}
    return [
        (
            f"{component.feature_nm:g}",
            number_text(cycle_s),
            number_text(energy),
            number_text(component.area_um2),
            action,
        )
        for action, energy in energies.items()
    ]


def _architecture(components: Sequence[Component]) -> str:
    """One of each component, with the actions to be priced; version 0.4."""
    first = components[0]
    lines = [
        "architecture:",
        "  version: 0.4",
        "  subtree:",
        "  - name: system",
        "    attributes:",
        f"      technology: {first.feature_nm:g}",
        f"      global_cycle_seconds: {number_text(first.delay_ps * 1e-12)}",
        "    local:",
    ]
    for component in components:
        actions = ", ".join((*ACTIONS[component.kind], "compute", "leak"))
        lines += [
            f"    - name: {component.name}",
            f"      class: {component.name}",
            f"      required_actions: [{actions}]",
            "      attributes:",
            f"        technology: {component.feature_nm:g}",
            f"        global_cycle_seconds: {number_text(component.delay_ps * 1e-12)}",
        ]
    return "\n".join(lines) + "\n"


def write_accelergy(components: Sequence[Component], folder: Path) -> list[Path]:
    """Write the tables and an architecture with one of each.

    Returns
    -------
    list of Path
        ``macsmith_components/<name>.csv``, ``architecture.yaml`` and ``README.txt``.
    """
    tables = folder / _FOLDER
    tables.mkdir(parents=True, exist_ok=True)
    texts: dict[Path, str] = {}
    for component in components:
        lines = [",".join(_COLUMNS), *(",".join(row) for row in _rows(component))]
        texts[tables / f"{component.name}.csv"] = "\n".join(lines) + "\n"
    texts[folder / "architecture.yaml"] = _architecture(components)
    sources = [f"{component.name}: {component.source}" for component in components]
    texts[folder / "README.txt"] = (
        "Components priced by macsmith, for Accelergy and Timeloop: energy in pJ an action, area "
        "in um^2.\n\n"
        f"    export ACCELERGY_COMPONENT_LIBRARIES=$PWD/{_FOLDER}\n"
        "    accelergy architecture.yaml -o prices\n\n" + "\n".join(sources) + "\n"
    )
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)
