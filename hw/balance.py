"""Stages of a combinational graph: as equal in delay as its cells allow, with few registers.

Every cell gets a stage from 0 to N; a bit passes a register for each stage between the cell that
drives it and one that reads it. The longest stage is made as short as possible, by estimated levels
of gates; then, from the last boundary to the first, registers are put where the fewest bits
cross (a minimum cut between the cells that are needed before and those that cannot be).

A late input, such as the partial sum, comes some stages after the others, mostly in the last one:
then all cells that depend on it belong there, the loop through the accumulator is not cut, and
bounds what stages can do.
"""

from collections.abc import Collection
from dataclasses import dataclass

from macsmith.hw.cell_graph import CellGraph, Net, Node
from macsmith.hw.min_cut import INFINITE, FlowGraph

__all__ = ["Balance", "balance"]

_EPSILON = 1e-6
_PRECISION_LEVELS = 0.1


@dataclass(frozen=True)
class Balance:
    """Stages of a graph's nodes.

    Attributes
    ----------
    levels
        Estimated delay of the longest stage, in levels of gates.
    instance_class
        For each instance of the graph, a number; instances of one number are built alike.
    stage
        For each node of the graph.
    """

    levels: float
    instance_class: list[int]
    stage: list[int]


class _Staging:
    """Earliest stages for a given longest stage."""

    def __init__(
        self, graph: CellGraph, stages: int, late_inputs: Collection[str], late_stage: int
    ) -> None:
        self.graph, self.stages, self.late_stage = graph, stages, late_stage
        self.is_late: list[bool] = []
        late_nets: set[Net] = set()
        for node in graph.nodes:
            is_late = (
                node.name in late_inputs
                if _is_top_input(node)
                else any(net in late_nets for net in node.inputs)
            )
            self.is_late.append(is_late)
            if is_late:
                late_nets.update(node.outputs)

    def earliest(self, limit: float) -> tuple[list[int], dict[Net, tuple[int, float]]] | None:
        """Stage of each node, and stage and time of each bit; None if `limit` is too short."""
        arrivals: dict[Net, tuple[int, float]] = {}
        result: list[int] = []
        for node, is_late in zip(self.graph.nodes, self.is_late, strict=True):
            inputs = [
                arrivals.get(net, (0, 0.0)) if net is not None else (0, 0.0) for net in node.inputs
            ]
            stage = max((at[0] for at in inputs), default=0)
            if is_late:
                stage = max(stage, self.late_stage)
            times = [time if at == stage else 0.0 for at, time in inputs]
            outputs = node.output_times(times)
            if max(outputs, default=0.0) > limit + _EPSILON:
                stage += 1
                outputs = node.output_times([0.0] * len(times))
                if max(outputs) > limit + _EPSILON:
                    return None
            if stage > self.stages:
                return None
            result.append(stage)
            for net, time in zip(node.outputs, outputs, strict=True):
                arrivals[net] = (stage, time)
        return result, arrivals


def _is_top_input(node: Node) -> bool:
    return node.is_port and node.instance == 0 and not any(node.inputs)


def balance(
    graph: CellGraph,
    stages: int,
    late_inputs: Collection[str] = (),
    late_stage: int | None = None,
) -> Balance:
    """Divide a graph into ``stages + 1`` stages.

    Parameters
    ----------
    graph
        Combinational.
    stages
        Registers that every path from an input that is not late to an output passes.
    late_inputs
        Ports of the top that come after the others.
    late_stage
        Stage that they come in; None: the last.
    """
    staging = _Staging(graph, stages, late_inputs, stages if late_stage is None else late_stage)
    low, high = 0.0, _total_levels(graph)
    while high - low > _PRECISION_LEVELS:
        middle = (low + high) / 2
        if staging.earliest(middle) is None:
            low = middle
        else:
            high = middle
    found = staging.earliest(high)
    assert found is not None
    earliest, arrivals = found
    classes = _classes(graph, staging, arrivals)
    cutter = _Cutter(graph, staging, earliest, classes, high)
    for boundary in range(stages, 0, -1):
        cutter.cut(boundary)
    return Balance(high, classes, cutter.stages())


def _total_levels(graph: CellGraph) -> float:
    """Levels of the longest path, all in one stage."""
    times: dict[Net, float] = {}
    for node in graph.nodes:
        arrived = [times.get(net, 0.0) if net is not None else 0.0 for net in node.inputs]
        times.update(zip(node.outputs, node.output_times(arrived), strict=True))
    return max(times.values(), default=0.0) + _PRECISION_LEVELS


def _classes(
    graph: CellGraph, staging: _Staging, arrivals: dict[Net, tuple[int, float]]
) -> list[int]:
    """Instances of a module whose inputs arrive alike are built alike."""
    signatures: list[list[object]] = [[instance.module] for instance in graph.instances]
    for node, is_late in zip(graph.nodes, staging.is_late, strict=True):
        if node.is_port and node.outputs and node.outputs[0][0] == node.instance:
            times = tuple((arrivals[net][0], round(arrivals[net][1], 3)) for net in node.outputs)
            signatures[node.instance].append((node.name, is_late, times))
    numbers: dict[object, int] = {}
    # ports come in topological order, which is not the same for all instances
    keys = [(items[0], tuple(sorted(items[1:], key=str))) for items in signatures]
    return [numbers.setdefault(key, len(numbers)) for key in keys]


class _Cutter:
    """Boundaries between stages, from the last to the first, in the graph of merged instances."""

    def __init__(
        self,
        graph: CellGraph,
        staging: _Staging,
        earliest: list[int],
        classes: list[int],
        limit: float,
    ) -> None:
        self.graph, self.limit = graph, limit
        numbers: dict[tuple[int, bool, str], int] = {}
        self.merged = [
            numbers.setdefault((classes[node.instance], node.is_port, node.name), len(numbers))
            for node in graph.nodes
        ]
        count = len(numbers)
        self.stage = [0] * count
        self.is_inside = [True] * count  # before the boundary that was found last
        self.earliest = [0] * count
        self.pinned: list[int | None] = [None] * count  # stage that an input comes in
        self.is_last = [False] * count
        for index, node in enumerate(graph.nodes):
            merged = self.merged[index]
            self.earliest[merged] = earliest[index]
            is_port = node.is_port and node.instance == 0
            if is_port and _is_top_input(node):
                self.pinned[merged] = staging.late_stage if staging.is_late[index] else 0
            self.is_last[merged] = is_port and not node.outputs
        self.sources = self._merged_sources()
        self.groups = self._groups(classes)

    def stages(self) -> list[int]:
        return [self.stage[merged] for merged in self.merged]

    def _merged_sources(self) -> list[set[int]]:
        sources: list[set[int]] = [set() for _ in self.stage]
        for index, node in enumerate(self.graph.nodes):
            sources[self.merged[index]].update(
                self.merged[source] for source in self.graph.sources(node)
            )
        return sources

    def _groups(self, classes: list[int]) -> list[tuple[int, list[int], int]]:
        """Bits by who drives and reads them: driver, readers, registers that one stage costs."""
        graph = self.graph
        readers: dict[Net, set[int]] = {}
        for index, node in enumerate(graph.nodes):
            for net in node.inputs:
                if net is not None and net in graph.driver:
                    readers.setdefault(net, set()).add(self.merged[index])
        copies: dict[int, int] = {}
        for number in classes:
            copies[number] = copies.get(number, 0) + 1
        # a bit is the same in all instances that are built alike
        bits: dict[tuple[int, int, str, int], set[int]] = {}
        for index, node in enumerate(graph.nodes):
            for position, net in enumerate(node.outputs):
                owner = net[0]
                label = graph.instances[node.instance].name if owner != node.instance else ""
                key = (self.merged[index], classes[owner], label, position)
                bits.setdefault(key, set()).update(readers.get(net, ()))
        weights: dict[tuple[int, tuple[int, ...]], int] = {}
        for (driver, owner_class, _, _), found in bits.items():
            if found:
                key_of_group = (driver, tuple(sorted(found)))
                weights[key_of_group] = weights.get(key_of_group, 0) + copies[owner_class]
        return [(driver, list(found), weight) for (driver, found), weight in weights.items()]

    def cut(self, boundary: int) -> None:
        """Put all that is inside and not before the boundary into that stage."""
        count = len(self.stage)
        source, sink = count, count + 1
        groups = [group for group in self.groups if self.is_inside[group[0]]]
        flow = FlowGraph(count + 2 + len(groups))
        tails = self._tails()
        for merged in range(count):
            if not self.is_inside[merged]:
                continue
            pinned = self.pinned[merged]
            is_before = pinned is not None and pinned < boundary
            if is_before or tails[merged] > self.limit + _EPSILON:
                flow.add_arc(source, merged, INFINITE)
            if self.is_last[merged] or self.earliest[merged] >= boundary:
                flow.add_arc(merged, sink, INFINITE)
            for driver in sorted(self.sources[merged]):
                flow.add_arc(merged, driver, INFINITE)
        for index, (driver, readers, weight) in enumerate(groups):
            group = count + 2 + index
            flow.add_arc(driver, group, weight)
            for reader in readers:
                # a reader behind a boundary found before needs the bit at its register anyway
                flow.add_arc(group, reader if self.is_inside[reader] else sink, INFINITE)
        before = flow.cut_latest(source, sink)
        for merged in range(count):
            if self.is_inside[merged] and not before[merged]:
                self.stage[merged] = boundary
                self.is_inside[merged] = False

    def _tails(self) -> list[float]:
        """Longest way from a node's inputs to the end of what is inside."""
        graph = self.graph
        after: dict[Net, float] = {}
        tails = [0.0] * len(self.stage)
        for index in range(len(graph.nodes) - 1, -1, -1):
            node, merged = graph.nodes[index], self.merged[index]
            if not self.is_inside[merged]:
                continue
            outputs = [after.get(net, 0.0) for net in node.outputs]
            ways = node.input_ways(outputs)
            for net, way in zip(node.inputs, ways, strict=True):
                if net is not None:
                    after[net] = max(after.get(net, 0.0), way)
            tails[merged] = max(tails[merged], *ways) if ways else tails[merged]
        return tails
