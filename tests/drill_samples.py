"""Made-up drills for tests of measures and reports: clients, marks and repetitions as real ones look."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mirrorforce.drills import report, stages
from mirrorforce.drills.history import Append, Event, History, Transfer
from mirrorforce.drills.measure import measure
from mirrorforce.drills.report import DrillRun, Expected, Repetition
from mirrorforce.drills.stages import Mark, What

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrorforce.drills.history import Kind, Outcome, Way
    from mirrorforce.drills.violation import Violation

FAULT_AT = 1_750_000_000.0
BOOT = FAULT_AT - 5_000.0
"""When the application host's monotonic clock was zero."""

OLD, NEW = "198.18.1.20", "198.18.2.20"


def event(  # noqa: PLR0913 (as many as an event has)
    at: float,
    *,
    took: float = 0.08,
    kind: Kind = "append",
    client: str = "append-1",
    way: Way = "multi-host",
    outcome: Outcome = "acknowledged",
    server: str | None = OLD,
    timeline: int | None = 1,
    said: str = "",
) -> Event:
    """One event whose answer came `at` seconds after the fault."""
    wall = FAULT_AT + at
    return Event(
        kind=kind, client=client, way=way, server=server, timeline=timeline,
        began=wall - took, at=wall, mono_began=wall - took - BOOT, mono_at=wall - BOOT,
        outcome=outcome, said=said,
        row=1 if kind == "append" else None,
        transfer=Transfer(1, 1, 2, 10) if kind == "transfer" else None,
        operations=(Append("0", "a 1"),) if kind == "list" else (),
    )  # fmt: skip


def history(*events: Event) -> History:
    return History(tuple(sorted(events, key=lambda one: one.mono_at)))


@dataclass(frozen=True)
class Course:
    """How a made-up drill goes: seconds after the fault. `back`: the first acknowledgement, by way."""

    back: dict[Way, float]
    start: float = -12.0
    end: float = 45.0
    seed: int = 1
    elected: float | None = None
    server_after: str = NEW


def failover(back: float, *, dns: float = 1.4, seed: int = 1, end: float = 0.0) -> Course:
    """Another member takes over; clients of the name come back `dns` seconds later."""
    return Course(
        {"multi-host": back, "dns": back + dns}, seed=seed, elected=back - 0.9, end=end or back + 22
    )


def clients(course: Course) -> Iterator[tuple[str, Kind, Way]]:
    kinds: tuple[Kind, ...] = ("append", "append", "transfer", "list")
    for way in course.back:
        for number, kind in enumerate(kinds, start=1):
            yield f"{kind}-{way}-{number}", kind, way
    yield "read-1", "read", "dns"


def lived(course: Course) -> History:
    """What all clients remember of the course."""
    chance = random.Random(course.seed)  # noqa: S311 (no secret)
    events = [one for each in clients(course) for one in _life(course, chance, *each)]
    return history(*events)


def _life(course: Course, chance: random.Random, client: str, kind: Kind, way: Way) -> Iterator[Event]:
    server, timeline = OLD, 1
    yield event(course.start, took=0.4, kind="connect", client=client, way=way, server=server)
    at = course.start
    first = client.endswith("-1") and kind == "append"
    late = 0.0 if first else chance.random() * 0.6
    back = -1.0 if kind == "read" else course.back[way] + late
    while at < course.end:
        took = max(0.05, chance.gauss(0.085, 0.008)) * (3 if 0 < at - back < 1.5 else 1)
        if at + took > 0 and at < back:
            yield from _outage(chance, client, kind, way, at, min(back, course.end))
            if back > course.end:
                return
            server, timeline = course.server_after, 2
            at = back
            yield event(
                at - took, took=0.3, kind="connect", client=client, way=way, server=server, timeline=2
            )
        else:
            at += took
        yield event(at, took=took, kind=kind, client=client, way=way, server=server, timeline=timeline)
        at += chance.uniform(0.01, 0.04)


def _outage(
    chance: random.Random, client: str, kind: Kind, way: Way, since: float, back: float
) -> Iterator[Event]:
    patience = min(chance.uniform(2.0, 5.0), (back - since) / 2)
    yield event(since + patience, took=patience, kind=kind, client=client, way=way, outcome="unknown")
    at = since + patience
    while at + 1.6 < back:
        at += chance.uniform(0.3, 1.5)
        if chance.random() < 0.3:
            yield event(at, took=0.1, kind=kind, client=client, way=way, outcome="rejected", server=NEW)
        else:
            yield event(at, took=0.3, kind="connect", client=client, way=way, outcome="rejected", server=None)


def mark(after: float, what: What, host: str | None, said: str, about: str | None = None) -> Mark:
    return Mark(FAULT_AT + after, host, what, said, about)


def marks_of(course: Course, fault: str) -> tuple[Mark, ...]:
    """The marks that hosts would leave."""
    found = [mark(0.0, What.FAULT, None, fault)]
    if course.elected is None:
        return tuple(found)
    at, gone = course.elected, "state of '198.18.1.20/primary' changed from UP/8 to DOWN/8"
    streams = 'LOG: standby "legacy-na1" is now a candidate for quorum synchronous standby'
    told = (
        (min(8.5, at / 2), What.NOTICED, "west-control", gone, None),
        (
            min(10.1, at / 1.6),
            What.NOTICED,
            "west-na1",
            "FATAL: terminating walreceiver due to timeout",
            None,
        ),
        (max(0.3, at - 2.4), What.LEASE_GONE, "legacy-control", "na1: nobody holds the leader key", None),
        (at, What.ELECTED, "west-na1", "INFO: promoted self to leader by acquiring session lock", "west-na1"),
        (at + 0.05, What.PROMOTED, "west-na1", "LOG: ready to accept connections", "west-na1"),
        (at + 0.20, What.STREAMS, "west-na1", streams, "legacy-na1"),
        (at + 0.03, What.DNS_CHANGED, "west-control", f"na1: now answered with {NEW}", NEW),
        (at + 1.1, What.RESOLVER_FOLLOWS, "dev-app", f"na1.lab.test: {NEW} instead of {OLD}", NEW),
    )
    return (*found, *(mark(*one) for one in told))


def repetition(
    course: Course,
    *,
    fault: str = "power off east",
    lost_rows: int = 0,
    violations: tuple[Violation, ...] = (),
    number: int = 0,
) -> Repetition:
    """A repetition with everything measured on it, judged by its rows alone."""
    remembered = lived(course)
    measures = measure(remembered, FAULT_AT, lost_rows=lost_rows)
    marks = list(marks_of(course, fault))
    found: dict[Way, tuple[stages.Stage, ...]] = {}
    for way, outage in measures.outages.items():
        own = stages.marks_from_history(remembered, FAULT_AT, outage)
        found[way] = stages.stages([*marks, *own], FAULT_AT, outage, way=way)
    for outage in measures.outages.values():
        own = stages.marks_from_history(remembered, FAULT_AT, outage)
        marks += [one for one in own if one.what is What.ACKNOWLEDGED]
    expected = [Expected("no acknowledged row is lost", f"{lost_rows} lost", lost_rows == 0)]
    moment = datetime.fromtimestamp(FAULT_AT, UTC) + timedelta(minutes=3 * number)
    return Repetition(
        started=moment.isoformat(timespec="seconds"), seconds=course.end - course.start, fault_at=FAULT_AT,
        measures=measures, marks=tuple(marks), stages=found, violations=violations, expected=tuple(expected),
    )  # fmt: skip


def site_lost(cell: str = "na1", *, repetitions: int = 3, name: str = "site-lost") -> DrillRun:
    chance = random.Random(cell + name)  # noqa: S311 (no secret)
    at_most: dict[Way, float] = {"multi-host": 25.0, "dns": 30.0}
    return DrillRun(
        name=name, title="Power loss of the primary's whole site",
        why="A site burns, floods, or loses its uplink with its power.", cell=cell,
        repetitions=tuple(
            repetition(
                failover(chance.uniform(19.4, 23.4), dns=chance.uniform(1.0, 1.8), seed=number),
                number=number,
            )
            for number in range(repetitions)
        ),
        outage_at_most=at_most,
    )  # fmt: skip


def document(*runs: DrillRun) -> dict[str, Any]:
    return report.build(
        environment="lab", time="2026-03-01T02:00:00+00:00", seconds=1234.5, runs=runs,
        setting={"timings": "ttl 20, loop_wait 1, retry_timeout 3 s",
                 "round trips": "east-west 70, east-legacy 66, west-legacy 16 ms"},
    )  # fmt: skip
