"""What writers were told, against what is there: rows lost (RPO), seconds without (RTO). Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Row = tuple[int, int]
"""A row's key within its run: (writer, number)."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without acknowledgements: seconds, and its ends by the writers' wall clock."""

    seconds: float
    last_before: float
    first_after: float


@dataclass(frozen=True, slots=True)
class WorkloadReport:
    """The fate of every row that the writers tried.

    lost: acknowledged rows that are not there: the RPO in rows, to be empty.
    impossible: rejected rows that are there, so that `rejected` was said too lightly: to be empty.
    unknown_present: how many rows without a certain answer turned out to be there.
    servers: addresses the writers were connected to, in order of first use.
    """

    acknowledged: int
    rejected: int
    unknown: int
    unknown_present: int
    lost: tuple[Row, ...]
    impossible: tuple[Row, ...]
    servers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "acknowledged": self.acknowledged,
            "rejected": self.rejected,
            "unknown": self.unknown,
            "unknown_present": self.unknown_present,
            "lost": [list(row) for row in self.lost],
            "impossible": [list(row) for row in self.impossible],
            "servers": list(self.servers),
        }


@dataclass(frozen=True, slots=True)
class WorkloadLog:
    """The events of a log, in the order they were written."""

    events: tuple[dict[str, Any], ...]

    def rows(self, outcome: str) -> set[Row]:
        """The rows with this outcome."""
        return {
            (event["writer"], event["row"])
            for event in self.events
            if event["event"] == "row" and event["outcome"] == outcome
        }

    @property
    def acknowledgements(self) -> Sequence[dict[str, Any]]:
        """The events of acknowledged rows, by time."""
        found = [event for event in self.events if event.get("outcome") == "acknowledged"]
        return sorted(found, key=lambda event: float(event["monotonic"]))

    @property
    def servers(self) -> tuple[str, ...]:
        """Addresses the writers were connected to, each once, in order of first use."""
        return tuple(dict.fromkeys(e["address"] for e in self.events if e["event"] == "connected"))


def parse(text: str) -> WorkloadLog:
    """The log of this text; a last line that is cut off (the writer was killed) is left out."""
    lines = text.splitlines()
    if text and not text.endswith("\n"):
        lines = lines[:-1]
    return WorkloadLog(tuple(json.loads(line) for line in lines))


def judge(log: WorkloadLog, present: Iterable[Row]) -> WorkloadReport:
    """Compare what the writers were told with the rows that are there."""
    there = set(present)
    acknowledged, rejected, unknown = (
        log.rows(outcome) for outcome in ("acknowledged", "rejected", "unknown")
    )
    # A row sent just before the writer was stopped has no line at all: nobody was told anything of it.
    untold = there - acknowledged - rejected - unknown
    return WorkloadReport(
        acknowledged=len(acknowledged),
        rejected=len(rejected),
        unknown=len(unknown) + len(untold),
        unknown_present=len(unknown & there) + len(untold),
        lost=tuple(sorted(acknowledged - there)),
        impossible=tuple(sorted(rejected & there)),
        servers=log.servers,
    )


def outage(log: WorkloadLog, since: float) -> Outage | None:
    """The longest time without an acknowledgement that ends after `since` (wall clock, seconds).

    None where no row was acknowledged after it: the outage has not ended.
    """
    gaps = [
        Outage(after["monotonic"] - before["monotonic"], before["wall"], after["wall"])
        for before, after in pairwise(log.acknowledgements)
        if after["wall"] > since
    ]
    return max(gaps, key=lambda gap: gap.seconds, default=None)
