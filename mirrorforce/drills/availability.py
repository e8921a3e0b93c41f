"""How available a cell was over many drills: a service level, and what its error budget bears. Pure.

A second counts as unavailable when clients asked and none of their writes was acknowledged in it. Drills
break far more often than the world does; so beside what was seen stands what it means at a rate of faults
that an owner can judge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mirrorforce.drills.drill import WAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Document: TypeAlias = "Mapping[str, Any]"

OBJECTIVES = (0.999, 0.9995, 0.9999)
"""Service levels that people sign: availability within a month."""

MONTH_SECONDS = 30 * 24 * 3600.0
YEAR_SECONDS = 365 * 24 * 3600.0
_WHOLE = 1.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What a service level allows in 30 days, in seconds, and how many of the faults seen fit into it."""

    objective: float
    allowed_seconds: float
    faults_that_fit: int | None


@dataclass(frozen=True, slots=True)
class Availability:
    """What was seen by one way in, and what it means.

    observed, unavailable: seconds. faults: repetitions that were carried out.
    """

    observed: float
    unavailable: float
    faults: int
    budgets: tuple[Budget, ...]

    @property
    def availability(self) -> float | None:
        """The share of observed time in which writes were acknowledged."""
        return None if not self.observed else 1 - self.unavailable / self.observed

    @property
    def mean_outage(self) -> float | None:
        """Unavailable seconds a fault."""
        return None if not self.faults else self.unavailable / self.faults

    @property
    def at_one_a_month(self) -> float | None:
        """Availability over a year with one such fault a month."""
        return None if self.mean_outage is None else max(0.0, 1 - 12 * self.mean_outage / YEAR_SECONDS)


def document(drills: Sequence[Document]) -> dict[str, Any]:
    """What a drill report says of it, by way in; null where nothing was observed."""
    return {way.replace("-", "_"): _of_way(of_drills(drills, way.replace("-", "_"))) for way in WAYS}


def _of_way(found: Availability) -> dict[str, Any] | None:
    if found.availability is None or found.mean_outage is None or found.at_one_a_month is None:
        return None
    return {
        "observed_seconds": round(found.observed, 1),
        "unavailable_seconds": round(found.unavailable, 1),
        "faults": found.faults,
        "availability": round(found.availability, 6),
        "mean_outage_seconds": round(found.mean_outage, 2),
        "availability_at_one_fault_a_month": round(found.at_one_a_month, 8),
        "budgets": [
            {
                "objective": budget.objective,
                "allowed_seconds_in_30_days": round(budget.allowed_seconds, 1),
                "faults_that_fit": budget.faults_that_fit,
            }
            for budget in found.budgets
        ],
    }


def of_drills(drills: Iterable[Document], way: str) -> Availability:
    """Over all repetitions that were carried out of a report's drills, for the clients of one way in."""
    timelines = [
        one["timeline"] for drill in drills for one in drill["repetitions"] if one["timeline"] is not None
    ]
    spans = [_seconds(timeline, way) for timeline in timelines]
    observed, unavailable = sum(all_ for all_, _ in spans), sum(down for _, down in spans)
    mean = unavailable / len(spans) if spans else None
    return Availability(
        observed, unavailable, len(spans), tuple(_budget(objective, mean) for objective in OBJECTIVES)
    )


def _budget(objective: float, mean_outage: float | None) -> Budget:
    allowed = (1 - objective) * MONTH_SECONDS
    return Budget(
        objective, allowed, None if not mean_outage else math.floor(round(allowed / mean_outage, 6))
    )


def _seconds(timeline: Document, way: str) -> tuple[float, float]:
    """Seconds of the timeline, and those of them without an acknowledged write, by whole seconds."""
    width = timeline["bin_seconds"]
    acknowledged: Sequence[int] = timeline["acknowledged"].get(way, ())
    bins = max(1, round(_WHOLE / width))
    groups = [acknowledged[start : start + bins] for start in range(0, len(acknowledged), bins)]
    return len(acknowledged) * width, sum(len(group) * width for group in groups if not any(group))
