"""Whether what clients were told is what the members hold: every acknowledged write, once and in order. Pure.

Rows of `appends` and `transfers` are judged alike: what was acknowledged is there, what was rejected is not,
nothing is there twice, and whatever was acknowledged before something else was asked for has a lower number.
Transactions on lists have a module of their own, `anomalies`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from mirrorforce.drills import anomalies
from mirrorforce.drills.history import Transfer
from mirrorforce.drills.violation import Violation, ViolationKind, described, found
from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mirrorforce.drills.final import FinalState
    from mirrorforce.drills.history import Event, History


def check(history: History, finals: Mapping[str, FinalState]) -> tuple[Violation, ...]:
    """Every violation in the history and in what each member holds after the heal, by the member's name.

    Raises MirrorforceError where there is nothing to compare with.
    """
    if not finals:
        raise MirrorforceError("no member was read after the drill: nothing can be said of its rows")
    return (
        *two_writers((history,)),
        *_totals_read(history, finals),
        *_members_differ(finals),
        *(violation for member, final in finals.items() for violation in _of_member(history, member, final)),
        *_of_lists(history, finals),
    )


def lost_rows(history: History, finals: Iterable[FinalState]) -> int:
    """How many acknowledged rows and transfers some member does not hold: the RPO, in rows."""
    told = {(event.client, event.row) for event in history.of("append") if event.acknowledged} | {
        (event.client, event.transfer) for event in history.of("transfer") if event.acknowledged
    }
    missing = [told - {*final.rows, *final.transfers} for final in finals]
    return len(set().union(*missing))


def _of_lists(history: History, finals: Mapping[str, FinalState]) -> Iterator[Violation]:
    """Anomalies, told once where members agree on the lists, as they should."""
    told = set()
    for final in finals.values():
        state = tuple(sorted(final.lists.items()))
        if state not in told:
            told.add(state)
            yield from anomalies.find(history, final.lists)


def _of_member(history: History, member: str, final: FinalState) -> Iterator[Violation]:
    clients = {event.client for event in history.events}
    rows = {(event.client, event.row): event for event in history.of("append")}
    transfers = {(event.client, event.transfer): event for event in history.of("transfer")}
    yield from _of_rows(member, _Told("row", rows, clients), final.rows)
    yield from _of_rows(member, _Told("transfer", transfers, clients), final.transfers)
    yield from _total(member, final)
    yield from _halves(member, final)


@dataclass(frozen=True, slots=True)
class _Told:
    """What clients were told of rows of one kind. A key is (client, number) or (client, Transfer)."""

    what: str
    events: Mapping[Any, Event]
    clients: set[str]

    def of(self, outcome: str) -> dict[Any, Event]:
        return {key: event for key, event in self.events.items() if event.outcome == outcome}

    def last_numbers(self) -> dict[str, int]:
        """The number of the last thing that each client was told of."""
        last = dict.fromkeys(self.clients, 0)
        for key in self.events:
            last[key[0]] = max(last[key[0]], _number(key))
        return last

    def named(self, keys: Iterable[Any]) -> list[str]:
        """Each key in words, with what was said of it."""
        return [
            described(self.events[key])
            if key in self.events
            else f"{key[0]} {self.what} {_number(key)}: nobody was told of it"
            for key in keys
        ]


def _number(key: Any) -> int:  # noqa: ANN401 (a key of either kind)
    return int(key[1].number) if isinstance(key[1], Transfer) else int(key[1])


def _of_rows(member: str, told: _Told, present: Sequence[Any]) -> Iterator[Violation]:
    there = Counter(present)
    faults = (
        (
            ViolationKind.LOST_ROW,
            "acknowledged, not on",
            [k for k in told.of("acknowledged") if k not in there],
        ),
        (ViolationKind.REJECTED_ROW, "rejected, and on", [k for k in told.of("rejected") if k in there]),
        (ViolationKind.UNWRITTEN_ROW, "asked for by nobody, and on", _unwritten(told, there)),
        (
            ViolationKind.DUPLICATED_ROW,
            "more than once on",
            [key for key, times in there.items() if times > 1],
        ),
        (ViolationKind.OUT_OF_ORDER, "after later ones on", _out_of_order(told, present)),
    )
    for kind, said, keys in faults:
        if keys:
            yield found(kind, f"{len(keys)} {told.what}s {said} {member}", told.named(keys))


def _unwritten(told: _Told, there: Iterable[Any]) -> list[Any]:
    """What is there though nobody asked for it.

    A client that is killed leaves one question without an event: the one after its last answer.
    """
    last = told.last_numbers()
    return [
        key for key in there if key not in told.events and _number(key) != last.get(key[0], _number(key)) + 1
    ]


def _out_of_order(told: _Told, present: Sequence[Any]) -> list[Any]:
    """What was acknowledged before something was asked for that stands before it.

    Nothing is said of the order of what was not acknowledged: a server may come to it at any later time.
    """
    late = []
    asked_for = -math.inf  # the latest moment at which anything that stands before was asked for
    for key in present:
        event = told.events.get(key)
        if event is None:
            continue
        if event.acknowledged and event.mono_at < asked_for:
            late.append(key)
        asked_for = max(asked_for, event.mono_began)
    return late


def _total(member: str, final: FinalState) -> Iterator[Violation]:
    total, opening = sum(final.balances.values()), sum(final.openings.values())
    if total != opening:
        said = f"all accounts on {member} hold {total}, not {opening}"
        yield found(ViolationKind.TOTAL_CHANGED, said, ())


def _halves(member: str, final: FinalState) -> Iterator[Violation]:
    """Accounts whose balance is not what the transfers that are there make of it."""
    expected = Counter(final.openings)
    for _, moved in final.transfers:
        expected[moved.debit] -= moved.amount
        expected[moved.credit] += moved.amount
    wrong = [
        f"account {account} holds {balance}, its transfers make {expected[account]}"
        for account, balance in final.balances.items()
        if balance != expected[account]
    ]
    if wrong:
        said = f"{len(wrong)} accounts on {member} do not hold what their transfers make"
        yield found(ViolationKind.HALF_TRANSFER, said, wrong)


def _totals_read(history: History, finals: Mapping[str, FinalState]) -> Iterator[Violation]:
    """Totals that a reader saw, at whatever moment, and that were not what all accounts held at first."""
    opening = sum(next(iter(finals.values())).openings.values())
    wrong = [
        f"{event.client} read {event.total} from {event.server} at {event.mono_at:.3f} s"
        for event in history.of("read")
        if event.acknowledged and event.total is not None and event.total != opening
    ]
    if wrong:
        said = f"{len(wrong)} times a reader saw a total that is not {opening}"
        yield found(ViolationKind.TOTAL_CHANGED, said, wrong)


def two_writers(histories: Sequence[History]) -> tuple[Violation, ...]:
    """Writes acknowledged by a server that had already been succeeded; two servers on one timeline.

    A write that was under way when the successor's first answer came is none of them: its own answer may have
    been sent before. One history has one monotonic clock; several (clients on several hosts) are compared by
    the wall clock, which their hosts must share. A server that is reached by its socket has no address, and
    counts by its timeline alone.
    """
    clock = _monotonic if len(histories) == 1 else _wall
    writes = [event for history in histories for event in history.acknowledged_writes if event.timeline]
    known = sorted(writes, key=lambda event: clock(event)[1])
    answered = [clock(event)[1] for event in known]
    newest = list(accumulate(known, _newer))
    late = []
    for event in known:
        before = bisect_left(answered, clock(event)[0])
        if before and (newest[before - 1].timeline or 0) > (event.timeline or 0):
            late += [described(event), f"  asked for after: {described(newest[before - 1])}"]
    said = f"{len(late) // 2} writes were acknowledged on a timeline that had already been succeeded"
    succeeded = [found(ViolationKind.TWO_WRITERS, said, late)] if late else []
    return (*succeeded, *_shared_timelines(known))


def _shared_timelines(writes: Sequence[Event]) -> Iterator[Violation]:
    servers: dict[int | None, dict[str, Event]] = {}
    for event in writes:
        if event.server:
            servers.setdefault(event.timeline, {}).setdefault(event.server, event)
    for timeline, first in servers.items():
        if len(first) > 1:
            said = f"{len(first)} servers acknowledged writes on timeline {timeline}"
            yield found(ViolationKind.TWO_WRITERS, said, map(described, first.values()))


def _monotonic(event: Event) -> tuple[float, float]:
    return event.mono_began, event.mono_at


def _wall(event: Event) -> tuple[float, float]:
    return event.began, event.at


def _newer(one: Event, other: Event) -> Event:
    return other if (other.timeline or 0) > (one.timeline or 0) else one


def _members_differ(finals: Mapping[str, FinalState]) -> Iterator[Violation]:
    (one, reference), *others = finals.items()
    for other, final in others:
        differences = [
            f"{part}: {one} and {other} differ"
            for part in ("rows", "transfers", "openings", "balances", "lists")
            if getattr(reference, part) != getattr(final, part)
        ]
        if differences:
            yield found(ViolationKind.MEMBERS_DIFFER, f"{one} and {other} do not hold the same", differences)
