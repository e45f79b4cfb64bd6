"""Minimum cut of a directed graph with capacities.

Dinic's algorithm: shortest augmenting paths by levels (E. A. Dinic, Algorithm for solution of a
problem of maximum flow in networks with power estimation, Soviet Math. Dokl. 11, 1970).
"""

__all__ = ["INFINITE", "FlowGraph"]

#: More than any capacity that can be cut.
INFINITE = 1 << 40


class FlowGraph:
    """Arcs with capacities between numbered nodes.

    Parameters
    ----------
    count
        Number of nodes.
    """

    def __init__(self, count: int) -> None:
        # arc i and its reverse i ^ 1
        self._heads: list[int] = []
        self._room: list[int] = []
        self._arcs: list[list[int]] = [[] for _ in range(count)]

    def add_arc(self, tail: int, head: int, capacity: int) -> None:
        """Let `capacity` flow from `tail` to `head`."""
        for at, to, room in ((tail, head, capacity), (head, tail, 0)):
            self._arcs[at].append(len(self._heads))
            self._heads.append(to)
            self._room.append(room)

    def cut_latest(self, source: int, sink: int) -> list[bool]:
        """Which nodes lie on the source's side of the minimum cut that is nearest the sink."""
        while (levels := self._levels(source, sink))[sink] >= 0:
            self._saturate(source, sink, levels)
        reaches = [False] * len(self._arcs)
        reaches[sink] = True
        queue = [sink]
        for node in queue:
            for arc in self._arcs[node]:
                tail = self._heads[arc]
                if not reaches[tail] and self._room[arc ^ 1]:
                    reaches[tail] = True
                    queue.append(tail)
        return [not reached for reached in reaches]

    def _levels(self, source: int, sink: int) -> list[int]:
        levels = [-1] * len(self._arcs)
        levels[source] = 0
        queue = [source]
        for node in queue:
            if node == sink:
                break
            for arc in self._arcs[node]:
                head = self._heads[arc]
                if levels[head] < 0 and self._room[arc]:
                    levels[head] = levels[node] + 1
                    queue.append(head)
        return levels

    def _saturate(self, source: int, sink: int, levels: list[int]) -> None:
        """Push flow along paths on which levels rise, until there is none."""
        untried = [0] * len(self._arcs)
        path: list[int] = []
        node = source
        while True:
            if node == sink:
                flow = min(self._room[arc] for arc in path)
                for arc in path:
                    self._room[arc] -= flow
                    self._room[arc ^ 1] += flow
                path.clear()
                node = source
                continue
            arcs = self._arcs[node]
            while untried[node] < len(arcs):
                arc = arcs[untried[node]]
                head = self._heads[arc]
                if self._room[arc] and levels[head] == levels[node] + 1:
                    path.append(arc)
                    node = head
                    break
                untried[node] += 1
            else:
                if not path:
                    return
                arc = path.pop()
                node = self._heads[arc ^ 1]
                untried[node] += 1
