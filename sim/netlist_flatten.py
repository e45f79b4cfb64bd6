"""A hierarchy of modules, as Yosys writes it, made into one flat module.

Works on the JSON of ``write_json`` alone: every cell whose type is a module with contents is
replaced by those contents, its names put in front (``a.b.c``), and nets that ports join become one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["HierarchyError", "flatten_module", "top_module"]


class HierarchyError(ValueError):
    """Modules that cannot be made flat; the message names them."""


def _is_black_box(module: Mapping[str, Any]) -> bool:
    attributes = module.get("attributes", {})
    return any(int(str(attributes.get(name, "0")), 2) for name in ("blackbox", "whitebox"))


def top_module(modules: Mapping[str, Any]) -> str:
    """The module that is meant when none is named: the one marked ``top``, else the only one with
    contents that no other one holds.

    Raises
    ------
    HierarchyError
        There is none, or several.
    """
    full = {name: module for name, module in modules.items() if not _is_black_box(module)}
    marked = [
        name
        for name, module in full.items()
        if int(str(module.get("attributes", {}).get("top", "0")), 2)
    ]
    held = {cell["type"] for module in full.values() for cell in module.get("cells", {}).values()}
    candidates = marked or [name for name in full if name not in held]
    if len(candidates) != 1:
        raise HierarchyError(
            f"netlist: {len(candidates)} top modules ({', '.join(candidates)}); must be one, name "
            "the top module"
        )
    return candidates[0]


class _Joined:
    """Bits that are one net, by union; constants stand for themselves."""

    def __init__(self) -> None:
        self._above: dict[Any, Any] = {}

    def find(self, bit: Any) -> Any:
        root = bit
        while root in self._above:
            root = self._above[root]
        while bit != root:
            self._above[bit], bit = root, self._above[bit]
        return root

    def join(self, inner: Any, outer: Any, where: str) -> None:
        inner, outer = self.find(inner), self.find(outer)
        if inner == outer:
            return
        if isinstance(inner, str) and isinstance(outer, str):
            raise HierarchyError(f"{where} joins the constants {inner} and {outer}")
        if isinstance(inner, str):
            inner, outer = outer, inner
        self._above[inner] = outer


def flatten_module(modules: Mapping[str, Any], top: str) -> dict[str, Any]:
    """The contents of `top` with all modules below it dissolved.

    Returns
    -------
    dict
        ``ports``, ``cells`` and ``netnames`` as in the JSON of one module. Bits are any hashable
        objects, constants stay the strings they are. Every cell has ``scope``: the names of the
        instances it lay in, outermost first.

    Raises
    ------
    HierarchyError
        A module that holds itself, an instance with a port or a number of bits that its module
        has not, or a module that joins two constants.
    """
    joined = _Joined()
    cells: dict[str, Any] = {}
    names: list[tuple[str, list[Any]]] = []

    def local(scope: tuple[str, ...], bit: Any) -> Any:
        return bit if isinstance(bit, str) or not scope else (scope, bit)

    def walk(name: str, scope: tuple[str, ...], above: tuple[str, ...]) -> None:
        module = modules[name]
        prefix = "".join(f"{part}." for part in scope)
        for net_name, entry in module.get("netnames", {}).items():
            names.append((prefix + net_name, [local(scope, bit) for bit in entry["bits"]]))
        for cell_name, cell in module.get("cells", {}).items():
            kind = cell["type"]
            pins = {p: [local(scope, b) for b in bits] for p, bits in cell["connections"].items()}
            inner = modules.get(kind)
            if inner is None or _is_black_box(inner):
                within = scope or tuple(_written_scope(cell))
                cells[prefix + cell_name] = {**cell, "connections": pins, "scope": within}
                continue
            if kind in above:
                raise HierarchyError(f"netlist: module {kind} holds itself, as {prefix}{cell_name}")
            inside = (*scope, cell_name)
            for pin, bits in pins.items():
                port = inner["ports"].get(pin)
                if port is None or len(port["bits"]) != len(bits):
                    has = "no such port" if port is None else f"{len(port['bits'])} bits there"
                    raise HierarchyError(
                        f"netlist: instance {prefix}{cell_name} has {len(bits)} bits on {pin}; "
                        f"module {kind} has {has}"
                    )
                for inner_bit, bit in zip(port["bits"], bits, strict=True):
                    joined.join(local(inside, inner_bit), bit, f"netlist: module {kind}")
            walk(kind, inside, (*above, kind))

    walk(top, (), (top,))
    ports = {
        name: {**port, "bits": [joined.find(bit) for bit in port["bits"]]}
        for name, port in modules[top]["ports"].items()
    }
    for cell in cells.values():
        cell["connections"] = {
            pin: [joined.find(bit) for bit in bits] for pin, bits in cell["connections"].items()
        }
    netnames = {name: {"bits": [joined.find(bit) for bit in bits]} for name, bits in names}
    return {"ports": ports, "cells": cells, "netnames": netnames}


def _written_scope(cell: Mapping[str, Any]) -> Iterator[str]:
    """Instances a cell lay in before Yosys' own ``flatten``, from the notes that it leaves."""
    attributes = cell.get("attributes", {})
    if "hdlname" in attributes:
        yield from str(attributes["hdlname"]).split(" ")[:-1]
    elif "scopename" in attributes:
        yield from str(attributes["scopename"]).split(" ")
