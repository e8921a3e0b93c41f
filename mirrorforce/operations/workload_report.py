"""What writers were told, against what is there: rows lost (RPO), seconds without (RTO). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorforce.drills.final import Row
    from mirrorforce.drills.history import History, Outcome


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


def rows_told(history: History, outcome: Outcome) -> set[Row]:
    """The rows whose writers were told this of them."""
    return {
        (event.client, event.row)
        for event in history.events
        if event.row is not None and event.outcome == outcome
    }


def judge(history: History, present: Iterable[Row]) -> WorkloadReport:
    """Compare what the writers were told with the rows that are there."""
    there = set(present)
    acknowledged = rows_told(history, "acknowledged")
    rejected = rows_told(history, "rejected")
    unknown = rows_told(history, "unknown")
    # A row sent just before the writer was killed has no line at all: nobody was told anything of it.
    untold = there - acknowledged - rejected - unknown
    return WorkloadReport(
        acknowledged=len(acknowledged),
        rejected=len(rejected),
        unknown=len(unknown) + len(untold),
        unknown_present=len(unknown & there) + len(untold),
        lost=tuple(sorted(acknowledged - there)),
        impossible=tuple(sorted(rejected & there)),
        servers=history.servers,
    )


def outage(history: History, since: float) -> Outage | None:
    """The longest time without an acknowledged write that ends after `since` (wall clock, seconds).

    None where nothing was acknowledged after it: the outage has not ended.
    """
    gaps = [
        Outage(after.mono_at - before.mono_at, before.at, after.at)
        for before, after in pairwise(history.acknowledged_writes)
        if after.at > since
    ]
    return max(gaps, key=lambda gap: gap.seconds, default=None)
