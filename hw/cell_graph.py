"""Modules of combinational cells as one graph, with hierarchy dissolved but remembered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from macsmith.hw.gate_levels import carry_levels, cell_levels, is_bitwise

__all__ = ["CellGraph", "Net", "Node"]

Net = tuple[int, int]
"""A bit of an instance: index of the instance, number of the bit in its module."""


@dataclass
class Node:
    """A cell, or a port of an instance, which takes no time.

    Attributes
    ----------
    instance
        Index of the instance it is in (`CellGraph.instances`).
    name
        Of the cell or the port.
    is_port
        Which of both.
    inputs, outputs
        Bits; None stands for a constant.
    levels
        Delay from any input on which an output depends.
    columns
        For a cell that works bit by bit: inputs of each output, as indices into `inputs`. None:
        every output depends on every input.
    carry_levels
        Further delay from the column of each output to that of the next; None without a carry.
    """

    instance: int
    name: str
    is_port: bool
    inputs: list[Net | None]
    outputs: list[Net]
    levels: float = 0.0
    columns: list[list[int]] | None = None
    carry_levels: float | None = None

    def output_times(self, input_times: list[float]) -> list[float]:
        """When outputs are there, of times when inputs are."""
        if self.columns is None:
            return [max(input_times, default=0.0) + self.levels] * len(self.outputs)
        times = [max((input_times[at] for at in column), default=0.0) for column in self.columns]
        if self.carry_levels is not None:
            for index in range(1, len(times)):
                times[index] = max(times[index], times[index - 1] + self.carry_levels)
        return [time + self.levels for time in times]

    def input_ways(self, output_ways: list[float]) -> list[float]:
        """Longest way from each input to an end, of those from the outputs."""
        if self.columns is None:
            return [max(output_ways, default=0.0) + self.levels] * len(self.inputs)
        ways = list(output_ways)
        if self.carry_levels is not None:
            for index in range(len(ways) - 2, -1, -1):
                ways[index] = max(ways[index], ways[index + 1] + self.carry_levels)
        result = [0.0] * len(self.inputs)
        for column, way in zip(self.columns, ways, strict=True):
            for at in column:
                result[at] = max(result[at], way + self.levels)
        return result


@dataclass
class Instance:
    """An instance of a module: the module's name, its own name, and the instance it is in."""

    module: str
    name: str
    parent: int | None
    children: dict[str, int] = field(default_factory=dict)


class CellGraph:
    """Cells and ports below a top module, in topological order.

    Parameters
    ----------
    modules
        What Yosys' ``write_json`` says of them; combinational.
    top
        Name of the top module.

    Attributes
    ----------
    instances
        All instances, the top first.
    nodes
        In topological order.
    driver
        Index of the node that drives a bit.
    """

    def __init__(self, modules: Mapping[str, Any], top: str) -> None:
        self.modules, self.top = modules, top
        self.instances: list[Instance] = []
        self._unsorted: list[Node] = []
        self._visit(top, top, None)
        self.nodes = self._sorted()
        self.driver: dict[Net, int] = {
            net: index for index, node in enumerate(self.nodes) for net in node.outputs
        }

    def _visit(self, module: str, name: str, parent: int | None) -> int:
        path = len(self.instances)
        self.instances.append(Instance(module, name, parent))
        data = self.modules[module]
        if parent is None:
            for port_name, port in data["ports"].items():
                nets = [_net(path, bit) for bit in port["bits"]]
                if port["direction"] == "input":
                    outputs = [net for net in nets if net is not None]
                    node = Node(path, port_name, True, [None] * len(nets), outputs)
                else:
                    node = Node(path, port_name, True, nets, [])
                self._unsorted.append(node)
        for cell_name, cell in data["cells"].items():
            kind, pins = cell["type"], cell["connections"]
            if kind not in self.modules:
                self._unsorted.append(_cell_node(path, cell_name, kind, cell))
                continue
            child = self._visit(kind, cell_name, path)
            self.instances[path].children[cell_name] = child
            for port_name, port in self.modules[kind]["ports"].items():
                inside = [_net(child, bit) for bit in port["bits"]]
                outside = [_net(path, bit) for bit in pins.get(port_name, [])]
                ends = (outside, inside) if port["direction"] == "input" else (inside, outside)
                # an output that is left open has no bits outside
                outputs = [net for net in ends[1] if net is not None]
                columns = [[index] for index in range(len(outputs))]
                node = Node(child, port_name, True, ends[0], outputs, columns=columns)
                self._unsorted.append(node)
        return path

    def _sorted(self) -> list[Node]:
        nodes = self._unsorted
        driver = {net: index for index, node in enumerate(nodes) for net in node.outputs}
        waits = [0] * len(nodes)
        readers: dict[int, list[int]] = {}
        for index, node in enumerate(nodes):
            sources = {driver[net] for net in node.inputs if net is not None and net in driver}
            waits[index] = len(sources)
            for source in sources:
                readers.setdefault(source, []).append(index)
        order = [index for index, count in enumerate(waits) if count == 0]
        for index in order:
            for reader in readers.get(index, ()):
                waits[reader] -= 1
                if waits[reader] == 0:
                    order.append(reader)
        if len(order) < len(nodes):
            raise ValueError(f"{self.top}: must be combinational, but has a loop")
        return [nodes[index] for index in order]

    def sources(self, node: Node) -> Iterator[int]:
        """Indices of the nodes that drive a node's inputs, one for each bit that is driven."""
        return (self.driver[net] for net in node.inputs if net is not None and net in self.driver)


def _net(path: int, bit: int | str) -> Net | None:
    return (path, bit) if isinstance(bit, int) else None


def _cell_node(path: int, name: str, kind: str, cell: Mapping[str, Any]) -> Node:
    pins: Mapping[str, list[int | str]] = cell["connections"]
    directions: Mapping[str, str] = cell.get("port_directions") or {}
    is_output = {pin: directions.get(pin, _primitive_direction(pin)) == "output" for pin in pins}
    widths = {pin: len(bits) for pin, bits in pins.items()}
    levels, carry = cell_levels(kind, widths), carry_levels(kind, widths)
    inputs: list[Net | None] = []
    outputs = [
        net
        for pin, bits in pins.items()
        if is_output[pin]
        for net in (_net(path, bit) for bit in bits)
        if net is not None
    ]
    has_columns = is_bitwise(kind) or carry is not None
    columns: list[list[int]] | None = [[] for _ in outputs] if has_columns else None
    for pin, bits in pins.items():
        if is_output[pin]:
            continue
        first = len(inputs)
        inputs += [_net(path, bit) for bit in bits]
        if columns is None:
            continue
        is_signed = int(str(cell["parameters"].get(f"{pin}_SIGNED", "0")), 2) == 1
        for index, column in enumerate(columns):
            if pin == "S":
                column.append(first)
            elif index < len(bits):
                column.append(first + index)
            elif is_signed:
                column.append(first + len(bits) - 1)
    return Node(path, name, False, inputs, outputs, levels, columns, carry)


def _primitive_direction(pin: str) -> str:
    # instances of primitives have no directions in the JSON; see `macsmith.hw.block`
    return "output" if pin in {"sum", "carry", "o"} else "input"
