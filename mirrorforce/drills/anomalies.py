"""Anomalies in list-append transactions, found by Elle's method. Pure.

Kingsbury & Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations", PVLDB 14(3), 2020,
268-280. Each element is appended once and lists only grow, so a read of a list shows the order of all that
wrote to it. From that follow, among transactions that took effect,

- ww: one appended to a list right behind the other,
- wr: one read what the other had appended,
- rw: one read a list that the other then appended to,

and with the clients' clock

- rt: one had been acknowledged before the other was asked for.

A serializable database has an order of all transactions, so no circle of the first three; one that also never
shows anybody the past has none of all four. Which circle there is gives the anomaly its name.

The lists as they are in the end are read on a member, and give the whole order: no read is needed for it.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

from mirrorforce.drills import cycles, list_reads
from mirrorforce.drills.violation import Violation, ViolationKind, described, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.drills.cycles import Graph
    from mirrorforce.drills.history import Event, History
    from mirrorforce.drills.list_reads import List, Written

_WRITES = ("ww",)
_FLOWS = ("ww", "wr")
_DEPENDENCIES = ("ww", "wr", "rw")
_CLOCK = frozenset({"rt"})


def find(history: History, finals: Mapping[str, List]) -> tuple[Violation, ...]:
    """Every anomaly in the transactions on lists; `finals` is what the lists hold in the end.

    Of circles, the shortest of each kind in each set of transactions that are all connected by circles;
    G2-item only where there is no G-single. Raises MirrorforceError where the clients appended a value twice.
    """
    all_written = list_reads.written(history, finals)
    return (*list_reads.faults(all_written), *_circles(all_written))


def _circles(all_written: Written) -> Iterator[Violation]:
    events = _took_effect(all_written)
    graph = _dependencies(all_written, events)
    for component in cycles.components(graph):
        inside = set(component)
        yield from _of_component(cycles.only(graph, _DEPENDENCIES, inside.__contains__), events)
    yield from _against_time(graph, events)


def _took_effect(all_written: Written) -> list[Event]:
    """Transactions that were acknowledged, and those of unknown outcome that left anything behind."""
    left = {id(writer) for element, writer in all_written.writers.items() if element in all_written.present}
    return [
        event
        for event in all_written.transactions
        if event.acknowledged or (event.outcome == "unknown" and id(event) in left)
    ]


def _dependencies(all_written: Written, events: Sequence[Event]) -> Graph:
    """The graph of ww, wr and rw; nodes are places in `events`."""
    node_of = {id(event): number for number, event in enumerate(events)}
    graph: Graph = {number: {} for number in node_of.values()}
    orders = {key: list_reads.trusted(all_written, key, values) for key, values in all_written.finals.items()}

    def writer(key: str, value: str) -> int:
        return node_of[id(all_written.writers[key, value])]

    for key, order in orders.items():
        for before, after in pairwise(order):
            cycles.add(graph, writer(key, before), writer(key, after), "ww")
    for event in events:
        if not event.acknowledged:
            continue  # what it read, nobody vouches for
        for key, values in list_reads.external_reads(event).items():
            seen, order = list_reads.trusted(all_written, key, values), orders.get(key, ())
            if seen:
                cycles.add(graph, writer(key, seen[-1]), node_of[id(event)], "wr")
            if seen == order[: len(seen)] and len(order) > len(seen):
                follower = writer(key, order[len(seen)])
                # The same writer before and after: an intermediate read, which has been told of.
                if not seen or follower != writer(key, seen[-1]):
                    cycles.add(graph, node_of[id(event)], follower, "rw")
    return graph


def _of_component(graph: Graph, events: Sequence[Event]) -> Iterator[Violation]:
    """The circles among transactions that are all connected by circles, the shortest of each kind."""
    writes, flows = cycles.only(graph, _WRITES), cycles.only(graph, _FLOWS)
    searches = (
        (ViolationKind.WRITE_CYCLE, "ww", writes),
        (ViolationKind.CIRCULAR_FLOW, "wr", flows),
        (ViolationKind.SINGLE_ANTI_DEPENDENCY, "rw", flows),
    )
    any_anti_dependency = False
    for kind, label, way_back in searches:
        circle = _shortest_through(graph, label, way_back)
        if circle:
            any_anti_dependency |= label == "rw"
            yield _violation(kind, circle, events, "->".join(_labels(graph, circle)))
    circle = None if any_anti_dependency else _shortest_through(graph, "rw", graph)
    if circle:
        kind = ViolationKind.ANTI_DEPENDENCY_CYCLE
        yield _violation(kind, circle, events, "->".join(_labels(graph, circle)))


def _shortest_through(graph: Graph, label: str, way_back: Graph) -> list[int] | None:
    """The shortest circle of one edge with this label and edges of `way_back`; no node stands twice."""
    ways = (
        cycles.shortest(way_back, end, start)
        for start, ends in graph.items()
        for end, labels in ends.items()
        if label in labels
    )
    return min((way for way in ways if way), key=len, default=None)


def _labels(graph: Graph, circle: Sequence[int]) -> list[str]:
    return [
        "/".join(sorted(graph[start][end]))
        for start, end in zip(circle, [*circle[1:], circle[0]], strict=True)
    ]


def _against_time(graph: Graph, events: Sequence[Event]) -> Iterator[Violation]:
    """Circles that only the clients' clock closes: somebody was shown the past.

    Instead of an edge for each pair, one node for each acknowledgement, in their order: whoever is asked for
    comes behind the newest of them. So the graph stays linear in the transactions.
    """
    circular = {node for component in cycles.components(graph) for node in component}
    timed: Graph = cycles.only(graph, _DEPENDENCIES, lambda node: node not in circular)
    answered = sorted((events[node].mono_at, node) for node in timed if events[node].acknowledged)
    moments = [moment for moment, _ in answered]
    first = len(events)
    for place, (_, node) in enumerate(answered):
        cycles.add(timed, node, first + place, "rt")
        if place:
            cycles.add(timed, first + place - 1, first + place, "rt")
    for node in [node for node in timed if node < first]:
        before = bisect_left(moments, events[node].mono_began)
        if before:
            cycles.add(timed, first + before - 1, node, "rt")
    for component in cycles.components(timed):
        inside = cycles.only(timed, (*_DEPENDENCIES, "rt"), set(component).__contains__)
        yield _violation(ViolationKind.REAL_TIME, _fewest(inside, first), events, "with rt")


def _fewest(graph: Graph, first: int) -> list[int]:
    """The transactions of a circle through a moment (nodes from `first` on) with the fewest dependencies."""
    best: list[int] = []
    for moment in (node for node in graph if node >= first):
        circle = cycles.shortest(graph, moment, moment, _CLOCK) or []
        # Who only comes after one and before another adds nothing: these two are in that order anyway.
        depends = [
            node
            for before, node, after in zip(circle, circle[1:], circle[2:], strict=False)
            if node < first and (before < first or after < first)
        ]
        if depends and (not best or len(depends) < len(best)):
            best = depends
        if len(best) == 2:  # noqa: PLR2004 (one dependency: there is no shorter circle)
            break
    return best


def _violation(kind: ViolationKind, circle: Sequence[int], events: Sequence[Event], how: str) -> Violation:
    said = f"{len(circle)} transactions have no order in which they could have happened ({how})"
    return found(kind, said, [described(events[node]) for node in circle])
