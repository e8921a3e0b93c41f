"""Where the seconds of an outage went: from the fault to the first acknowledgement, mark by mark. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirrorforce.drills.history import History, Way
    from mirrorforce.drills.measure import Outage


class What(StrEnum):
    """What happened at a mark, in the words that reports show, in the order in which it is to happen.

    noticed: some host says for the first time that something is wrong (or that a switchover is wanted).
    failure agreed: failover agents of two sites see the primary fail, and begin to fence it off.
    etcd leader elected, demoted: they end no stage of a client's outage, and are shown beside.
    standby streams: a standby follows the new primary; until then strict mode holds every commit.
    """

    FAULT = "fault"
    NOTICED = "noticed"
    ETCD_ELECTED = "etcd leader elected"
    DEMOTED = "demoted"
    AGREED = "failure agreed"
    LEASE_GONE = "lease gone"
    ELECTED = "leader elected"
    PROMOTED = "promoted"
    STREAMS = "standby streams"
    DNS_CHANGED = "dns changed"
    RESOLVER_FOLLOWS = "resolver follows"
    ACKNOWLEDGED = "first acknowledgement"


DNS = (What.DNS_CHANGED, What.RESOLVER_FOLLOWS)
"""What clients of the DNS name wait for, and those that try all members do not."""

STAGES = (
    What.NOTICED,
    What.AGREED,
    What.LEASE_GONE,
    What.ELECTED,
    What.PROMOTED,
    What.STREAMS,
    *DNS,
    What.ACKNOWLEDGED,
)
"""The marks at which a stage ends."""


SHORTEST = 0.5
"""Seconds. A shorter time without an acknowledgement is a slow commit, and no outage that has stages."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment.

    at: wall clock, seconds. host: who says so; None for drill and clients. said: in whose own words.
    about: the member (for `dns changed` and `resolver follows` the address) that it is about, or None.
    """

    at: float
    host: str | None
    what: What
    said: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """The time up to a mark, from the mark before it (or the fault).

    seconds: its length. ended: seconds from the fault to its end. host, said: who marked the end, and how.
    """

    name: What
    seconds: float
    ended: float
    host: str | None
    said: str


def stages(marks: Iterable[Mark], fault_at: float, outage: Outage | None, *, way: Way) -> tuple[Stage, ...]:
    """The stages of an outage, as clients of one way had it; none where it did not end, or was none.

    They follow each other as they did in truth (a resolver may follow before the standby streams), and
    their sum is the outage, from the fault on; what of it was before the fault, the pace of the clients, is
    left out. What did not happen, or was said by nobody, is no stage: its time is part of the next one.
    """
    if outage is None or outage.first_after is None or outage.seconds < SHORTEST:
        return ()
    start, end = max(fault_at, outage.last_before), outage.first_after
    if end < start:
        return ()
    wanted = [what for what in STAGES[:-1] if way == "dns" or what not in DNS]
    ends = sorted(_decisive(marks, start, end, wanted), key=lambda mark: mark.at)
    last = Mark(end, None, What.ACKNOWLEDGED, f"a client by {way} was acknowledged")
    found: list[Stage] = []
    before = start
    for mark in (*ends, last):
        found.append(Stage(mark.what, mark.at - before, mark.at - fault_at, mark.host, mark.said))
        before = mark.at
    return tuple(found)


def _decisive(marks: Iterable[Mark], start: float, end: float, wanted: Sequence[What]) -> list[Mark]:
    """The mark of each kind that ended the waiting for it.

    The first of its kind, as several hosts tell of one thing; but a race can be won by a member that then
    fails to become primary, so the last promotion counts, the election of this same member, and the standby
    that streams from it; and of the answers of the DNS servers the first with which the resolver followed.
    """
    within = sorted((mark for mark in marks if start <= mark.at <= end), key=lambda mark: mark.at)
    by = {what: [mark for mark in within if mark.what is what] for what in wanted}
    if promoted := by[What.PROMOTED][-1:]:
        (winner,) = by[What.PROMOTED] = promoted
        by[What.ELECTED] = [mark for mark in by[What.ELECTED] if mark.about == winner.about]
        by[What.STREAMS] = [m for m in by[What.STREAMS] if m.host == winner.host and m.at >= winner.at]
    if followed := by.get(What.RESOLVER_FOLLOWS):
        changes = by[What.DNS_CHANGED]
        by[What.DNS_CHANGED] = [mark for mark in changes if mark.about == followed[0].about] or changes
    return [by[what][0] for what in wanted if by[what]]


def marks_from_history(history: History, fault_at: float, outage: Outage | None) -> tuple[Mark, ...]:
    """What the clients of the outage's way add: when their resolver followed, and when the outage ended.

    The resolver has followed once a client reached, by the DNS name, another server than before the fault;
    a client that names all members itself says nothing of it. Nothing where there was no outage.
    """
    if outage is None or outage.first_after is None or outage.seconds < SHORTEST:
        return ()
    return (*_resolver_follows(history, fault_at), _first_acknowledgement(history, outage.first_after))


def _resolver_follows(history: History, fault_at: float) -> Iterable[Mark]:
    writers = {event.client for event in history.acknowledged_writes}
    connects = [
        event
        for event in history.of("connect")
        if event.way == "dns" and event.client in writers and event.acknowledged
    ]
    before = {event.server for event in connects if event.at < fault_at}
    for event in connects:
        if event.at >= fault_at and event.server not in before:
            said = f"{event.client} reached {event.server} by the name"
            yield Mark(event.at, None, What.RESOLVER_FOLLOWS, said, event.server)
            return


def _first_acknowledgement(history: History, at: float) -> Mark:
    event = next(event for event in history.acknowledged_writes if event.at == at)
    return Mark(at, None, What.ACKNOWLEDGED, f"{event.client} by {event.way}", event.server)
