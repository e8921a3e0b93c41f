"""Directed graphs: strongly connected components, shortest ways. Pure, and linear in the edges."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Graph = dict[int, dict[int, frozenset[str]]]
"""For each node its successors, each with the labels of the edges that lead there."""


def add(graph: Graph, start: int, end: int, label: str) -> None:
    """Add an edge; one from a node to itself says nothing and is left out."""
    graph.setdefault(start, {})
    graph.setdefault(end, {})
    if start != end:
        graph[start][end] = graph[start].get(end, frozenset()) | {label}


def only(graph: Graph, labels: Iterable[str], nodes: Callable[[int], bool] = lambda _: True) -> Graph:
    """The graph without any other labels and nodes."""
    kept = frozenset(labels)
    return {
        start: {end: found & kept for end, found in ends.items() if found & kept and nodes(end)}
        for start, ends in graph.items()
        if nodes(start)
    }


def components(graph: Graph) -> list[list[int]]:
    """The strongly connected components of two nodes or more (Tarjan, 1972, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    result = []
    for root in graph:
        if root in index:
            continue
        work: list[tuple[int, Iterator[int]]] = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, successors = work[-1]
            follower = next(successors, None)
            if follower is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = _popped(stack, on_stack, node)
                    if len(component) > 1:
                        result.append(component)
            elif follower not in index:
                index[follower] = low[follower] = len(index)
                stack.append(follower)
                on_stack.add(follower)
                work.append((follower, iter(graph[follower])))
            elif follower in on_stack:
                low[node] = min(low[node], index[follower])
    return result


def _popped(stack: list[int], on_stack: set[int], last: int) -> list[int]:
    component: list[int] = []
    while not component or component[-1] != last:
        component.append(stack.pop())
        on_stack.discard(component[-1])
    return component


def shortest(graph: Graph, start: int, end: int, free: frozenset[str] = frozenset()) -> list[int] | None:
    """The nodes of a shortest way of one edge or more from `start` to `end`, both included; None: no way.

    Edges that bear one of the `free` labels do not count.
    """
    came_from: dict[int, int] = {}
    queue = deque([(follower, start) for follower in graph.get(start, {})])
    queue = deque(sorted(queue, key=lambda step: not graph[start][step[0]] & free))
    while queue:
        node, before = queue.popleft()
        if node in came_from:
            continue
        came_from[node] = before
        if node == end:
            return _way(came_from, start, end)
        for follower, labels in graph[node].items():
            if labels & free:
                queue.appendleft((follower, node))
            else:
                queue.append((follower, node))
    return None


def _way(came_from: Mapping[int, int], start: int, end: int) -> list[int]:
    way = [end, came_from[end]]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
