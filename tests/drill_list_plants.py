"""Violations of transactions on lists, planted into sound runs: each a function of a run that spoils it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from hypothesis import assume

from mirrorforce.drills.history import Append, Event, Read
from mirrorforce.drills.list_reads import appends, external_reads
from mirrorforce.drills.violation import ViolationKind
from tests.drill_histories import WALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from mirrorforce.drills.history import Operation
    from tests.drill_histories import Run


T = TypeVar("T")


def _chosen(random: Random, events: list[T]) -> T:
    assume(bool(events))
    return random.choice(events)


def _acknowledged(run: Run) -> list[Event]:
    return [event for event in run.history.of("list") if event.acknowledged]


def _values(event: Event) -> set[str]:
    return {each.value for each in appends(event)}


def _without(run: Run, values: set[str]) -> Run:
    lists = {key: tuple(v for v in held if v not in values) for key, held in run.final.lists.items()}
    return run.with_final(lists=lists)


def _seen(run: Run) -> dict[str, Event]:
    """Who appended each element that an acknowledged transaction of somebody else read."""
    writers = {value: event for event in run.history.of("list") for value in _values(event)}
    return {
        value: writers[value]
        for event in _acknowledged(run)
        for values in external_reads(event).values()
        for value in values
        if value in writers and writers[value] is not event
    }


def lost_element(run: Run, random: Random) -> Run:
    event = _chosen(random, [event for event in _acknowledged(run) if _values(event)])
    return _without(run, {random.choice(sorted(_values(event)))})


def vanished_element(run: Run, random: Random) -> Run:
    """Its writer got no answer, somebody read it, and it is gone."""
    writer = _seen(run)[_chosen(random, sorted(_seen(run)))]
    return _without(run.with_event(writer, replace(writer, outcome="unknown")), _values(writer))


def unwritten_element(run: Run, random: Random) -> Run:
    key = _chosen(random, sorted(run.final.lists))
    return run.with_final(lists={**run.final.lists, key: (*run.final.lists[key], "nobody-1/1")})


def element_in_another_list(run: Run, random: Random) -> Run:
    key = _chosen(random, sorted(run.final.lists))
    others = [v for k, held in run.final.lists.items() if k != key for v in held if v in _told(run)]
    moved = _chosen(random, others)
    return run.with_final(lists={**run.final.lists, key: (*run.final.lists[key], moved)})


def _told(run: Run) -> set[str]:
    return {value for event in run.history.of("list") for value in _values(event)}


def element_twice_in_the_end(run: Run, random: Random) -> Run:
    key = _chosen(random, sorted(key for key, held in run.final.lists.items() if held))
    held = run.final.lists[key]
    return run.with_final(lists={**run.final.lists, key: (*held, random.choice(held))})


def element_twice_as_read(run: Run, random: Random) -> Run:
    event, key, values = _chosen(random, _reads(run, 1))
    return _read_as(run, event, key, (*values, values[0]))


def _reads(run: Run, least: int) -> list[tuple[Event, str, tuple[str, ...]]]:
    """Acknowledged transactions that read a list of so many elements, and did not append to it."""
    return [
        (event, key, values)
        for event in _acknowledged(run)
        for key, values in external_reads(event).items()
        if len(values) >= least and key not in {each.key for each in appends(event)}
    ]


def _read_as(run: Run, event: Event, key: str, values: tuple[str, ...]) -> Run:
    operations: list[Operation] = [
        Read(key, values) if isinstance(each, Read) and each.key == key else each for each in event.operations
    ]
    return run.with_event(event, replace(event, operations=tuple(operations)))


def swapped_elements(run: Run, random: Random) -> Run:
    event, key, values = _chosen(
        random, [(e, k, v) for e, k, v in _reads(run, 2) if set(v[:2]) <= _told(run)]
    )
    return _read_as(run, event, key, (values[1], values[0], *values[2:]))


def hole_in_a_read(run: Run, random: Random) -> Run:
    """A read that lacks an element in the midst of those that it shows."""
    reads = [(e, k, v) for e, k, v in _reads(run, 2) if set(v[:2]) <= _told(run)]
    event, key, values = _chosen(random, reads)
    return _read_as(run, event, key, values[1:])


def list_changes_under_a_reader(run: Run, random: Random) -> Run:
    event, key, values = _chosen(random, _reads(run, 1))
    operations = (*event.operations, Read(key, values[:-1]))
    return run.with_event(event, replace(event, operations=operations))


def own_append_not_seen(run: Run, random: Random) -> Run:
    event = _chosen(random, [event for event in _acknowledged(run) if appends(event)])
    key = random.choice([each.key for each in appends(event)])
    kept = [each for each in event.operations if not (isinstance(each, Read) and each.key == key)]
    return run.with_event(event, replace(event, operations=(*kept, Read(key, ()))))


def aborted_read(run: Run, random: Random) -> Run:
    writer = _seen(run)[_chosen(random, sorted(_seen(run)))]
    return run.with_event(writer, replace(writer, outcome="rejected"))


def aborted_in_the_end(run: Run, random: Random) -> Run:
    event = _chosen(random, [event for event in _acknowledged(run) if _values(event)])
    return run.with_event(event, replace(event, outcome="rejected"))


def half_transaction(run: Run, random: Random) -> Run:
    event = _chosen(random, [event for event in _acknowledged(run) if len(appends(event)) > 1])
    changed = run.with_event(event, replace(event, outcome="unknown"))
    return _without(changed, {random.choice(sorted(_values(event)))})


# The others are small circles beside a sound run, on lists of their own. All transactions of a circle are
# asked for at one time, but those that need an order in time.


def _beside(
    run: Run, random: Random, *transactions: list[Operation], later: float = 0.0, **lists: tuple[str, ...]
) -> Run:
    """The run with these transactions as well, each `later` seconds after the one before, and these lists."""
    example = _chosen(random, _acknowledged(run))
    begin = random.uniform(0, 40)
    new = [
        replace(
            example, client=f"circle-{number}", operations=tuple(operations),
            mono_began=begin + number * later, mono_at=begin + number * later + 1,
            began=WALL + begin + number * later, at=WALL + begin + number * later + 1,
            server="198.18.9.20", timeline=None,
        )
        for number, operations in enumerate(transactions, start=1)
    ]  # fmt: skip
    return run.with_events(*new).with_final(lists={**run.final.lists, **lists})


def intermediate_read(run: Run, random: Random) -> Run:
    one: list[Operation] = [Append("x", "circle-1/1"), Append("x", "circle-1/2")]
    return _beside(run, random, one, [Read("x", ("circle-1/1",))], x=("circle-1/1", "circle-1/2"))


def write_cycle(run: Run, random: Random) -> Run:
    one: list[Operation] = [Append("x", "circle-1/1"), Append("y", "circle-1/2")]
    other: list[Operation] = [Append("x", "circle-2/1"), Append("y", "circle-2/2")]
    x, y = ("circle-1/1", "circle-2/1"), ("circle-2/2", "circle-1/2")
    return _beside(run, random, one, other, x=x, y=y)


def circular_flow(run: Run, random: Random) -> Run:
    one: list[Operation] = [Append("x", "circle-1/1"), Read("y", ("circle-2/1",))]
    other: list[Operation] = [Append("y", "circle-2/1"), Read("x", ("circle-1/1",))]
    return _beside(run, random, one, other, x=("circle-1/1",), y=("circle-2/1",))


def read_skew(run: Run, random: Random) -> Run:
    one: list[Operation] = [Read("x", ()), Read("y", ("circle-2/2",))]
    other: list[Operation] = [Append("x", "circle-2/1"), Append("y", "circle-2/2")]
    return _beside(run, random, one, other, x=("circle-2/1",), y=("circle-2/2",))


def lost_update(run: Run, random: Random) -> Run:
    one: list[Operation] = [Read("x", ()), Append("x", "circle-1/1")]
    other: list[Operation] = [Read("x", ()), Append("x", "circle-2/1")]
    return _beside(run, random, one, other, x=("circle-1/1", "circle-2/1"))


def write_skew(run: Run, random: Random) -> Run:
    one: list[Operation] = [Read("x", ()), Append("y", "circle-1/1")]
    other: list[Operation] = [Read("y", ()), Append("x", "circle-2/1")]
    return _beside(run, random, one, other, x=("circle-2/1",), y=("circle-1/1",))


def long_fork(run: Run, random: Random) -> Run:
    """Two readers see two writes in two orders."""
    readers: list[list[Operation]] = [
        [Read("x", ("circle-1/1",)), Read("y", ())], [Read("y", ("circle-2/1",)), Read("x", ())],
    ]  # fmt: skip
    one: list[Operation] = [Append("x", "circle-1/1")]
    other: list[Operation] = [Append("y", "circle-2/1")]
    return _beside(run, random, one, other, *readers, x=("circle-1/1",), y=("circle-2/1",))


def stale_read(run: Run, random: Random) -> Run:
    """What had been acknowledged before is not there for somebody who asks later."""
    return _beside(run, random, [Append("x", "circle-1/1")], [Read("x", ())], later=2.0, x=("circle-1/1",))


def stale_through_others(run: Run, random: Random) -> Run:
    """No two transactions contradict the clock by themselves, three do."""
    transactions: list[list[Operation]] = [
        [Append("x", "circle-1/1")], [Append("y", "circle-2/1")], [Read("y", ("circle-2/1",)), Read("x", ())],
    ]  # fmt: skip
    return _beside(run, random, *transactions, later=2.0, x=("circle-1/1",), y=("circle-2/1",))


CIRCLES: list[tuple[ViolationKind, Callable[[Run, Random], Run]]] = [
    (ViolationKind.INTERMEDIATE_READ, intermediate_read),
    (ViolationKind.WRITE_CYCLE, write_cycle),
    (ViolationKind.CIRCULAR_FLOW, circular_flow),
    (ViolationKind.SINGLE_ANTI_DEPENDENCY, read_skew),
    (ViolationKind.SINGLE_ANTI_DEPENDENCY, lost_update),
    (ViolationKind.ANTI_DEPENDENCY_CYCLE, write_skew),
    (ViolationKind.ANTI_DEPENDENCY_CYCLE, long_fork),
    (ViolationKind.REAL_TIME, stale_read),
    (ViolationKind.REAL_TIME, stale_through_others),
]
"""Each is a violation of one kind, and of no other."""

LIST_PLANTS: list[tuple[ViolationKind, Callable[[Run, Random], Run]]] = [
    (ViolationKind.LOST_ELEMENT, lost_element),
    (ViolationKind.VANISHED_ELEMENT, vanished_element),
    (ViolationKind.UNWRITTEN_ELEMENT, unwritten_element),
    (ViolationKind.UNWRITTEN_ELEMENT, element_in_another_list),
    (ViolationKind.DUPLICATED_ELEMENT, element_twice_in_the_end),
    (ViolationKind.DUPLICATED_ELEMENT, element_twice_as_read),
    (ViolationKind.INCOMPATIBLE_ORDER, swapped_elements),
    (ViolationKind.INCOMPATIBLE_ORDER, hole_in_a_read),
    (ViolationKind.INTERNAL, list_changes_under_a_reader),
    (ViolationKind.INTERNAL, own_append_not_seen),
    (ViolationKind.ABORTED_READ, aborted_read),
    (ViolationKind.ABORTED_READ, aborted_in_the_end),
    (ViolationKind.HALF_TRANSACTION, half_transaction),
    *CIRCLES,
]
