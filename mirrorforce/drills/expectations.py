"""Whether what a drill expects came true: each expectation with what was found. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from mirrorforce.drills.report import Expected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.drills.drill import Expectation, Takeover, Way
    from mirrorforce.drills.history import Event
    from mirrorforce.drills.measure import Measures

PAUSE_SECONDS = 5.0
"""Longest pause of writes that "go on", where the drill names no outage: they did not wait for a lease."""


TAKEOVERS: Mapping[Takeover, str] = {
    "by another member": "a takeover by another member",
    "by the same member": "a takeover by the same member",
    "there and back": "a takeover by another member, and back",
    "none": "no takeover",
    "any": "a primary in the end, whoever it is",
}
"""What each expectation of a takeover is called in a report."""

_THERE_AND_BACK = 2
"""Promotions, each of which begins a new timeline."""


@dataclass(frozen=True, slots=True)
class Leadership:
    """Who led the cell, and on which timeline: a promotion begins a new one. None: nobody."""

    host: str | None
    timeline: int | None


@dataclass(slots=True)
class Found:
    """What a repetition found, for its expectations.

    before, after: who led when it began, and when all was whole again (before anybody brought it home).
    refused: spans of wall clock seconds in which writes were refused, until the next step that mends.
    fullest: per cent of the WAL volume of whoever was primary, at most; None where nobody looked.
    missed: what was waited for in vain.
    """

    before: Leadership
    after: Leadership
    refused: list[tuple[float, float]] = field(default_factory=list)
    fullest: float | None = None
    missed: list[Expected] = field(default_factory=list)


def judge(
    expect: Expectation, found: Found, measures: Measures, writes: Sequence[Event], fault_at: float
) -> tuple[Expected, ...]:
    """Every expectation of the drill. `writes` are the acknowledged ones, in the order of their answers."""
    return (
        *found.missed,
        _takeover(expect, found),
        *_lost(expect, measures),
        *(_served_again(way, measures) for way in expect.outage),
        *_writes(expect, found, writes, fault_at),
        *_volume(expect, found),
    )


def _takeover(expect: Expectation, found: Found) -> Expected:
    before, after = found.before, found.after
    same = after.host == before.host
    promotions = (after.timeline or 0) - (before.timeline or after.timeline or 0)
    met = {
        "by another member": after.host is not None and not same,
        "by the same member": same and after.host is not None,
        "any": after.host is not None,
        "there and back": same and promotions >= _THERE_AND_BACK,
        "none": same and promotions == 0,
    }[expect.takeover]
    said = TAKEOVERS[expect.takeover]
    return Expected(said, f"{_led(before)} before, {_led(after)} after", met)


def _led(one: Leadership) -> str:
    return "nobody" if one.host is None else f"{one.host} on timeline {one.timeline}"


def _lost(expect: Expectation, measures: Measures) -> Iterator[Expected]:
    if expect.lost_rows is not None:
        lost = measures.rpo_rows
        yield Expected(f"{expect.lost_rows} acknowledged rows lost", f"{lost} lost", lost <= expect.lost_rows)


def _served_again(way: Way, measures: Measures) -> Expected:
    """How long it may take is an objective of all repetitions together: `report.objectives`."""
    said = f"clients served again by {way}"
    outage = measures.outages.get(way)
    if outage is None:
        return Expected(said, "no write was acknowledged before and after the fault", met=False)
    ended = f"after {outage.seconds:.1f} s" if outage.ended else f"not within {outage.seconds:.1f} s"
    return Expected(said, ended, outage.ended)


def _writes(
    expect: Expectation, found: Found, writes: Sequence[Event], fault_at: float
) -> Iterator[Expected]:
    if expect.writes == "go on":
        limit = min(expect.outage.values(), default=PAUSE_SECONDS)
        pause = longest_pause(writes, fault_at)
        said = f"writes go on: no pause longer than {limit:g} s"
        met = pause is not None and pause <= limit
        yield Expected(said, "they ended" if pause is None else f"the longest was {pause:.1f} s", met)
    if expect.writes == "stop":
        through = [
            event
            for event in writes
            for start, end in found.refused
            if start < event.began and event.at < end
        ]
        said = "writes stop: none is acknowledged until the fault is mended"
        seen = f"{len(through)} were acknowledged" if found.refused else "they were never refused"
        yield Expected(said, seen, bool(found.refused) and not through)


def longest_pause(writes: Sequence[Event], since: float) -> float | None:
    """Seconds between two acknowledgements, the longest that ends after `since`; None if there is none."""
    gaps = [after.mono_at - before.mono_at for before, after in pairwise(writes) if after.at > since]
    return max(gaps, default=None)


def _volume(expect: Expectation, found: Found) -> Iterator[Expected]:
    if expect.wal_volume is not None:
        said = f"the primary's WAL volume never more than {expect.wal_volume:g} % full"
        seen = "nobody looked" if found.fullest is None else f"{found.fullest:g} % at most"
        yield Expected(said, seen, found.fullest is not None and found.fullest <= expect.wal_volume)


def not_in_time(what: str, within: float, said: str) -> Expected:
    """An expectation that was waited for in vain."""
    return Expected(f"{what} within {within:g} s", said, met=False)
