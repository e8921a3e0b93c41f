"""Anomalies are named for what they are, and nothing else is found beside them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorforce.drills import anomalies, cycles
from mirrorforce.drills.history import Append, Event, History, Read
from mirrorforce.drills.violation import ViolationKind
from mirrorforce.errors import MirrorforceError
from tests.drill_histories import Run, randoms, run_of, runs
from tests.drill_list_plants import CIRCLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from mirrorforce.drills.cycles import Graph
    from mirrorforce.drills.history import Operation, Outcome

FEW = settings(max_examples=25, deadline=None)


def event(
    client: str, *operations: Operation, began: float = 0.0, outcome: Outcome = "acknowledged"
) -> Event:
    return Event(
        kind="list", client=client, way="dns", server="198.18.1.20", timeline=1, outcome=outcome,
        began=began, at=began + 1, mono_began=began, mono_at=began + 1, operations=operations,
    )  # fmt: skip


def kinds(*events: Event, **lists: tuple[str, ...]) -> list[ViolationKind]:
    return [violation.kind for violation in anomalies.find(History(events), lists)]


@pytest.mark.parametrize(("kind", "plant"), CIRCLES, ids=[plant.__name__ for _, plant in CIRCLES])
@given(run=runs(), random=randoms())
@FEW
def test_a_circle_has_the_name_of_its_edges_and_no_other(
    kind: ViolationKind, plant: Callable[[Run, Random], Run], run: Run, random: Random
) -> None:
    planted = plant(run, random)
    found = anomalies.find(planted.history, planted.final.lists)
    assert [violation.kind for violation in found] == [kind]
    assert all("circle-" in piece for piece in found[0].evidence)


@given(runs())
@FEW
def test_transactions_one_after_the_other_show_nothing(run: Run) -> None:
    assert anomalies.find(run.history, run.final.lists) == ()


def test_no_transactions_show_nothing() -> None:
    assert anomalies.find(History(()), {}) == ()


def test_reads_of_transactions_that_were_not_acknowledged_prove_nothing() -> None:
    stale: list[Outcome] = ["rejected", "unknown"]
    for outcome in stale:
        reader = event("lists-2", Read("x", ()), began=5.0, outcome=outcome)
        assert kinds(event("lists-1", Append("x", "lists-1/1")), reader, x=("lists-1/1",)) == []


def test_a_reader_may_miss_what_is_acknowledged_only_later() -> None:
    reader = event("lists-2", Read("x", ()), began=0.5)
    assert kinds(event("lists-1", Append("x", "lists-1/1")), reader, x=("lists-1/1",)) == []


def test_an_abandoned_transaction_may_take_effect_at_any_later_time() -> None:
    abandoned = event("lists-1", Append("x", "lists-1/1"), outcome="unknown")
    before = event("lists-2", Read("x", ()), began=5.0)
    after = event("lists-2", Read("x", ("lists-1/1",)), began=7.0)
    assert kinds(abandoned, before, after, x=("lists-1/1",)) == []
    assert kinds(abandoned, before) == []


def test_but_not_before_it_was_asked_for() -> None:
    abandoned = event("lists-1", Append("x", "lists-1/1"), began=5.0, outcome="unknown")
    early = event("lists-2", Read("x", ("lists-1/1",)), began=0.0)
    assert kinds(early, abandoned, x=("lists-1/1",)) == [ViolationKind.REAL_TIME]


def test_what_nobody_saw_may_be_lost_where_nobody_was_told_of_it() -> None:
    assert kinds(event("lists-1", Append("x", "lists-1/1"), outcome="unknown"), x=()) == []


def test_what_a_killed_client_was_writing_may_be_there() -> None:
    told = event("lists-1", Append("x", "lists-1/1"))
    assert kinds(told, x=("lists-1/1", "lists-1/2")) == []
    assert kinds(told, x=("lists-1/1", "lists-9/2")) == [ViolationKind.UNWRITTEN_ELEMENT]


def test_a_reader_sees_its_own_appends_behind_the_others() -> None:
    first = event("lists-1", Append("x", "lists-1/1"))
    own = event("lists-2", Append("x", "lists-2/1"), Read("x", ("lists-1/1", "lists-2/1")), began=2.0)
    assert kinds(first, own, x=("lists-1/1", "lists-2/1")) == []


def test_a_value_appended_twice_is_the_clients_own_fault() -> None:
    with pytest.raises(MirrorforceError, match="twice"):
        kinds(event("lists-1", Append("x", "lists-1/1")), event("lists-2", Append("y", "lists-1/1")))


@given(randoms())
@FEW
def test_an_answer_too_early_is_seen_by_the_clock_alone(random: Random) -> None:
    """Moved as a whole, a run stays sound: only differences of the clock count."""
    run = run_of(random)
    moved = [
        replace(each, mono_began=each.mono_began + 1e6, mono_at=each.mono_at + 1e6)
        for each in run.history.events
    ]
    assert anomalies.find(History(tuple(moved)), run.final.lists) == ()


def graphs() -> st.SearchStrategy[Graph]:
    edges = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)

    def made(pairs: list[tuple[int, int]]) -> Graph:
        graph: Graph = {}
        for start, end in pairs:
            cycles.add(graph, start, end, "ww")
        return graph

    return edges.map(made)


def reachable(graph: Graph, start: int) -> dict[int, int]:
    """How many edges away each node is, by one edge at least."""
    found: dict[int, int] = {}
    border, steps = {start}, 0
    while border:
        steps += 1
        border = {end for node in border for end in graph[node]} - set(found)
        found.update(dict.fromkeys(border, steps))
    return found


@given(graphs())
def test_a_component_holds_the_nodes_that_reach_each_other(graph: Graph) -> None:
    reach = {node: set(reachable(graph, node)) for node in graph}
    expected = {
        frozenset(other for other in graph if other in reach[node] and node in reach[other])
        for node in graph
        if node in reach[node]
    }
    assert {frozenset(component) for component in cycles.components(graph)} == expected


@given(graphs(), st.integers(0, 7), st.integers(0, 7))
def test_the_shortest_way_is_one_and_is_the_shortest(graph: Graph, start: int, end: int) -> None:
    way = cycles.shortest(graph, start, end)
    steps = reachable(graph, start) if start in graph else {}
    assert (None if way is None else len(way) - 1) == steps.get(end)
    if way:
        assert (way[0], way[-1]) == (start, end)
        assert all(after in graph[before] for before, after in pairwise(way))
