"""What an outage cost the clients: rows lost (RPO), seconds without (RTO), and what they saw over time. Pure.

Everything is told from the clients' side, out of what they remembered. Durations come from the monotonic
clock of the application host, moments from its wall clock, by which other hosts are compared.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mirrorforce.drills.history import Event, History, Way

Key = TypeVar("Key")

BIN_SECONDS = 0.25
"""Width of the timeline's bins: a commit takes 0.08 s here, and a planned handover 1 s."""

RATE_SECONDS = 10.0
"""How long before the fault, and after the outage, commits are counted for the rate."""

_CONFLICTS = "40"
"""What said begins with: the SQLSTATE class of transactions that are to be tried again."""

SILENT_SECONDS = 2.0
"""An outage that lasts to the end of the history counts from this length on; below it, clients just ended."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The longest time without an acknowledgement.

    seconds: its length; where it has not ended, up to the last answer of any client.
    last_before, first_after: its ends by the wall clock; `first_after` is None where it has not ended.
    """

    seconds: float
    last_before: float
    first_after: float | None

    @property
    def ended(self) -> bool:
        """Whether something was acknowledged after it."""
        return self.first_after is not None


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 95th percentile and maximum of some figures."""

    median: float
    p95: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """What clients saw, in bins of equal width.

    start: of the first bin, seconds after the fault (negative: before it).
    acknowledged: commits a bin, by way; rejected (not by a conflict of two transactions), unknown: commits
    with such an end, all ways together.
    reads: answered reads of the read-only name. latency_ms: of acknowledged commits; None for empty bins.
    """

    start: float
    bin_seconds: float
    acknowledged: Mapping[Way, tuple[int, ...]]
    rejected: tuple[int, ...]
    unknown: tuple[int, ...]
    reads: tuple[int, ...]
    latency_ms: tuple[Spread | None, ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """A steady time: acknowledged commits a second, and how long they took; None where there were none."""

    commits_per_second: float
    latency_ms: Spread | None


@dataclass(frozen=True, slots=True)
class Measures:
    """All figures of one repetition.

    rpo_rows: acknowledged rows that are gone, as the checker found.
    outages: by way, over all clients of that way: from the last acknowledgement before to the first after.
    slowest_client: by way, the outage of the client that came back last.
    by_kind: outage in seconds by kind of transaction; None where it has not ended.
    outcomes: how many commits ended how: acknowledged, rejected, unknown, conflict.
    longest_wait: longest time, in seconds, that a client waited for any answer: silence is no answer.
    """

    rpo_rows: int
    outages: Mapping[Way, Outage]
    slowest_client: Mapping[Way, Outage]
    by_kind: Mapping[str, float | None]
    outcomes: Mapping[str, int]
    longest_wait: float
    before: Rate
    after: Rate
    timeline: Timeline


def measure(history: History, fault_at: float, *, lost_rows: int, until: float = math.inf) -> Measures:
    """All figures of one repetition.

    `fault_at` and `until` are wall clock seconds: an outage that begins after `until` (what a heal
    costs, say) is not this fault's. `lost_rows` is the checker's count.
    """
    answers = [event for event in history.events if event.writes or event.kind == "read"]
    writes = [answer for answer in answers if answer.writes]
    span = _Span(fault_at, until, history.events[-1].mono_at if history.events else 0.0)
    outages = _outages(writes, lambda answer: answer.way, span)
    clients = _outages(writes, lambda answer: (answer.way, answer.client), span)
    kinds = _outages(answers, lambda answer: answer.kind, span)
    recovered = max((o.first_after for o in outages.values() if o.first_after is not None), default=fault_at)
    return Measures(
        rpo_rows=lost_rows,
        outages=outages,
        slowest_client={way: max((o for (its, _), o in clients.items() if its == way), key=_worst)
                        for way in outages},
        by_kind={kind: outage.seconds if outage.ended else None for kind, outage in kinds.items()},
        outcomes=Counter(_end(answer) for answer in writes),
        longest_wait=max((answer.seconds for answer in answers), default=0.0),
        before=_rate(writes, fault_at - RATE_SECONDS, fault_at),
        after=_rate(writes, recovered, recovered + RATE_SECONDS),
        timeline=timeline(answers, fault_at),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Span:
    """Outages count that end after `fault_at` and begin before `until` (wall clock); `end`: the history's."""

    fault_at: float
    until: float
    end: float


def _outages(answers: Iterable[Event], key: Callable[[Event], Key], span: _Span) -> dict[Key, Outage]:
    acknowledged: defaultdict[Key, list[Event]] = defaultdict(list)
    for answer in answers:
        if answer.acknowledged:
            acknowledged[key(answer)].append(answer)
    found = {group: _longest(its, span) for group, its in acknowledged.items()}
    return {group: outage for group, outage in found.items() if outage is not None}


def _longest(acknowledged: Sequence[Event], span: _Span) -> Outage | None:
    gaps = [
        Outage(after.mono_at - before.mono_at, before.at, after.at)
        for before, after in pairwise(acknowledged)
        if after.at > span.fault_at and before.at <= span.until
    ]
    last = acknowledged[-1]
    if span.end - last.mono_at > SILENT_SECONDS and last.at <= span.until:
        gaps.append(Outage(span.end - last.mono_at, last.at, None))
    return max(gaps, key=_worst, default=None)


def _worst(outage: Outage) -> tuple[bool, float]:
    return not outage.ended, outage.seconds


def _rate(writes: Iterable[Event], start: float, end: float) -> Rate:
    within = [a for a in writes if start < a.at <= end and a.acknowledged]
    return Rate(len(within) / (end - start), spread(_latency_ms(answer) for answer in within))


def timeline(answers: Sequence[Event], fault_at: float, width: float = BIN_SECONDS) -> Timeline:
    """What clients saw, in bins of `width` seconds; one bin begins at the fault."""
    placed = [(math.floor((answer.at - fault_at) / width), answer) for answer in answers]
    first = min((index for index, _ in placed), default=0)
    count = max((index for index, _ in placed), default=-1) - first + 1
    writes = [(index - first, answer) for index, answer in placed if answer.writes]
    done = [(index, answer) for index, answer in writes if answer.acknowledged]
    latencies: defaultdict[int, list[float]] = defaultdict(list)
    for index, answer in done:
        latencies[index].append(_latency_ms(answer))

    def counted(indices: Iterable[int]) -> tuple[int, ...]:
        counts = Counter(indices)
        return tuple(counts[index] for index in range(count))

    return Timeline(
        start=first * width,
        bin_seconds=width,
        acknowledged={
            way: counted(index for index, answer in done if answer.way == way)
            for way in sorted({answer.way for _, answer in writes})
        },
        rejected=counted(index for index, answer in writes if _end(answer) == "rejected"),
        unknown=counted(index for index, answer in writes if _end(answer) == "unknown"),
        reads=counted(
            index - first for index, answer in placed
            if answer.kind == "read" and answer.acknowledged
        ),
        latency_ms=tuple(spread(latencies[index]) for index in range(count)),
    )  # fmt: skip


def _end(answer: Event) -> str:
    """Its outcome; `conflict` where it lost against another transaction, as happens without a fault."""
    return (
        "conflict" if answer.outcome == "rejected" and answer.said.startswith(_CONFLICTS) else answer.outcome
    )


def _latency_ms(answer: Event) -> float:
    return 1000 * answer.seconds


def spread(figures: Iterable[float]) -> Spread | None:
    """Median, p95 and maximum; None where there is no figure.

    Between two figures a percentile lies on the line that joins them (Hyndman and Fan's type 7).
    """
    ordered = sorted(figures)
    if not ordered:
        return None
    return Spread(_percentile(ordered, 0.5), _percentile(ordered, 0.95), ordered[-1])


def _percentile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
