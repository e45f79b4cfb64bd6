"""Modules with the registers of a `macsmith.hw.balance.Balance` put in."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from macsmith.hw.balance import Balance
from macsmith.hw.cell_graph import CellGraph

__all__ = ["CLOCK", "ENABLE", "RESET", "insert_registers"]

#: Ports that a module with registers gets; the top one also a reset, which no register needs.
CLOCK, ENABLE, RESET = "clk", "enable", "rst"

_ONE = "00000000000000000000000000000001"


@dataclass
class _Word:
    """Bits that one pin drives, and the greatest number of registers behind each."""

    bits: list[int]
    stage: int
    depth: dict[int, int]


def insert_registers(
    graph: CellGraph, balance: Balance, names: Mapping[int, str]
) -> dict[str, Any]:
    """JSON of the modules, for Yosys' ``read_json``; parents before what they place.

    Parameters
    ----------
    graph, balance
        What is built, and in which stages.
    names
        Module name of each class of instances.
    """
    stages: dict[tuple[int, bool, str], int] = {}
    example: dict[int, int] = {}
    for index, instance_class in enumerate(balance.instance_class):
        example.setdefault(instance_class, index)
    for node, stage in zip(graph.nodes, balance.stage, strict=True):
        stages[balance.instance_class[node.instance], node.is_port, node.name] = stage
    modules: dict[str, Any] = {}
    clocked: dict[int, bool] = {}

    def build(instance_class: int) -> bool:
        if instance_class in clocked:
            return clocked[instance_class]
        instance = graph.instances[example[instance_class]]
        modules[names[instance_class]] = {}  # keeps the place
        children = {
            name: balance.instance_class[child] for name, child in instance.children.items()
        }
        module = _Module(copy.deepcopy(graph.modules[instance.module]), instance_class, stages)
        for name, child in children.items():
            module.rename_child(name, names[child], child, is_clocked=build(child))
        modules[names[instance_class]] = module.finish()
        clocked[instance_class] = module.is_clocked
        return module.is_clocked

    build(balance.instance_class[0])
    top = modules[names[balance.instance_class[0]]]
    _add_input(top, RESET, [1 + max(map(_last_bit, top["netnames"].values()))])
    return {"modules": modules}


class _Module:
    """One module while it gets its registers."""

    def __init__(
        self, data: dict[str, Any], own_class: int, stages: Mapping[tuple[int, bool, str], int]
    ) -> None:
        self.data, self.own_class, self.stages = data, own_class, stages
        self.is_clocked = False
        self.children: dict[str, int] = {}
        self._clocked_children: list[str] = []
        self._next_bit = 1 + max(map(_last_bit, data["netnames"].values()), default=1)
        self.words: list[_Word] = []
        self._word_of: dict[int, _Word] = {}

    def rename_child(self, name: str, module: str, child: int, *, is_clocked: bool) -> None:
        """Let a child be an instance of its class's module."""
        self.data["cells"][name]["type"] = module
        self.children[name] = child
        if is_clocked:
            self._clocked_children.append(name)

    def finish(self) -> dict[str, Any]:
        """The module as it is emitted."""
        self._find_words()
        for bits, stage in self._readers():
            for bit in bits:
                word = self._word_of.get(bit) if isinstance(bit, int) else None
                if word is not None and isinstance(bit, int) and stage > word.stage:
                    word.depth[bit] = max(word.depth.get(bit, 0), stage - word.stage)
        delayed: dict[tuple[int, int], int] = {}
        clock, enable = self._new_bits(1), self._new_bits(1)
        registers: dict[str, Any] = {}
        for word in self.words:
            if word.depth:
                registers |= self._chain(word, delayed, clock, enable)
        self._read_delayed(delayed)
        self.is_clocked = bool(registers) or bool(self._clocked_children)
        self.data["cells"] |= registers
        if self.is_clocked:
            for name, line in ((CLOCK, clock), (ENABLE, enable)):
                _add_input(self.data, name, line)
                for child in self._clocked_children:
                    self.data["cells"][child]["connections"][name] = line
                    self.data["cells"][child]["port_directions"][name] = "input"
        self.data["attributes"] = {}
        return self.data

    def _new_bits(self, count: int) -> list[int]:
        first = self._next_bit
        self._next_bit += count
        return list(range(first, first + count))

    def _add_word(self, bits: Iterable[int | str], stage: int) -> None:
        # a constant is the same at all times
        word = _Word([bit for bit in bits if isinstance(bit, int)], stage, {})
        self.words.append(word)
        for bit in word.bits:
            self._word_of[bit] = word

    def _find_words(self) -> None:
        for name, port in self.data["ports"].items():
            if port["direction"] == "input":
                self._add_word(port["bits"], self.stages[self.own_class, True, name])
        for name, cell in self.data["cells"].items():
            child = self.children.get(name)
            for pin, bits in cell["connections"].items():
                if _is_output(cell, pin):
                    key = (self.own_class, False, name) if child is None else (child, True, pin)
                    self._add_word(bits, self.stages[key])

    def _readers(self) -> Iterable[tuple[list[int | str], int]]:
        for name, port in self.data["ports"].items():
            if port["direction"] == "output":
                yield port["bits"], self.stages[self.own_class, True, name]
        for name, cell in self.data["cells"].items():
            child = self.children.get(name)
            for pin, bits in cell["connections"].items():
                if not _is_output(cell, pin):
                    key = (self.own_class, False, name) if child is None else (child, True, pin)
                    yield bits, self.stages[key]

    def _read_delayed(self, delayed: Mapping[tuple[int, int], int]) -> None:
        for bits, stage in self._readers():
            for index, bit in enumerate(bits):
                word = self._word_of.get(bit) if isinstance(bit, int) else None
                if word is not None and isinstance(bit, int) and stage > word.stage:
                    bits[index] = delayed[bit, stage]
        # the names of ports follow the ports
        for name, port in self.data["ports"].items():
            self.data["netnames"][name]["bits"] = list(port["bits"])

    def _chain(
        self, word: _Word, delayed: dict[tuple[int, int], int], clock: list[int], enable: list[int]
    ) -> dict[str, Any]:
        """Registers behind a word, as long a chain as each bit needs."""
        cells: dict[str, Any] = {}
        base = self._name_of([bit for bit in word.bits if bit in word.depth])
        for behind in range(1, max(word.depth.values()) + 1):
            kept = [bit for bit in word.bits if word.depth.get(bit, 0) >= behind]
            stage = word.stage + behind
            outputs = self._new_bits(len(kept))
            inputs = [delayed.get((bit, stage - 1), bit) for bit in kept]
            delayed |= {(bit, stage): output for bit, output in zip(kept, outputs, strict=True)}
            name = self._free_name(f"{base}_stage{stage}")
            self.data["netnames"][name] = {"hide_name": 0, "bits": outputs, "attributes": {}}
            cells[f"$register${name}"] = {
                "hide_name": 1,
                "type": "$dffe",
                "parameters": {
                    "CLK_POLARITY": _ONE,
                    "EN_POLARITY": _ONE,
                    "WIDTH": f"{len(kept):032b}",
                },
                "attributes": {},
                "port_directions": {"CLK": "input", "EN": "input", "D": "input", "Q": "output"},
                "connections": {"CLK": clock, "EN": enable, "D": inputs, "Q": outputs},
            }
        return cells

    def _name_of(self, bits: list[int]) -> str:
        """A name that the design gives these bits, the closest one; else that of the first."""
        wanted = set(bits)
        best: tuple[int, int, str] | None = None
        for name, net in self.data["netnames"].items():
            common = len(wanted.intersection(net["bits"]))
            if common and not net["hide_name"]:
                rank = (-common, len(net["bits"]), name)
                best = rank if best is None else min(best, rank)
        return "value" if best is None else best[2].replace(".", "_")

    def _free_name(self, name: str) -> str:
        taken, count, free = self.data["netnames"], 1, name
        while free in taken:
            count += 1
            free = f"{name}_{count}"
        return free


def _last_bit(net: Mapping[str, Any]) -> int:
    return max((bit for bit in net["bits"] if isinstance(bit, int)), default=1)


def _add_input(module: dict[str, Any], name: str, bits: list[int]) -> None:
    if name in module["ports"]:
        raise ValueError(f"a pipelined module must have no port {name!r} of its own")
    module["ports"][name] = {"direction": "input", "bits": bits}
    module["netnames"][name] = {"hide_name": 0, "bits": bits, "attributes": {}}


def _is_output(cell: Mapping[str, Any], pin: str) -> bool:
    directions = cell.get("port_directions") or {}
    return bool(directions.get(pin, "output" if pin in {"sum", "carry"} else "input") == "output")
