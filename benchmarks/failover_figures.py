"""From repetitions to the comparison's rows, its tables and its plots. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mirrorforce.drills import plots
from mirrorforce.drills.acts import Condition
from mirrorforce.drills.drill import WAYS, WaitUntilStep
from mirrorforce.drills.measure import Spread, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.setups import Setup
    from mirrorforce.drills.drill import Drill, Step
    from mirrorforce.drills.report import Repetition

PATIENCE = 150.0
"""Seconds that a takeover may take: PostgreSQL's own recovery included, for setups that wait for it."""

FEW = 5
"""So many figures are shown each."""

Document = dict[str, Any]


def patient(drill: Drill) -> Drill:
    """The same drill that goes on when writes do, by whichever member, and waits longer for them.

    A setup may start its PostgreSQL again rather than hand over, which is no fault of it here.
    """
    return replace(drill, steps=tuple(_patient(step) for step in drill.steps))


def _patient(step: Step) -> Step:
    if isinstance(step, WaitUntilStep) and step.condition is Condition.ANOTHER_LEADS:
        return WaitUntilStep(Condition.WRITES_ACKNOWLEDGED, PATIENCE)
    return step


def row(setup: Setup, drill: str, repetition: Repetition, load: Sequence[float]) -> Document:
    """What one repetition cost under a setup. `load` is the machine's, averaged over a minute."""
    found: Document = {
        "setup": setup.key, "drill": drill, "started": repetition.started, "seconds": repetition.seconds,
        "load": [round(each, 1) for each in load], "error": repetition.error or repetition.skipped,
        "outage_seconds": dict.fromkeys(WAYS), "rpo_rows": None, "acknowledged": None, "violations": {},
        "found": {one.said: one.found for one in repetition.expected},
    }  # fmt: skip
    if repetition.measures is None:
        return found
    outages = {
        way: round(outage.seconds, 2)
        for way, outage in repetition.measures.outages.items()
        if outage.ended
    }  # fmt: skip
    return {
        **found,
        "outage_seconds": {**found["outage_seconds"], **outages},
        "rpo_rows": repetition.measures.rpo_rows,
        "acknowledged": repetition.measures.outcomes.get("acknowledged", 0),
        "violations": dict(Counter(each.kind.value for each in repetition.violations)),
    }


def measured(document: Document, setup: str, drill: str) -> list[Document]:
    """The repetitions of a setup in a drill that came to their end."""
    return [
        one
        for one in document["repetitions"]
        if (one["setup"], one["drill"]) == (setup, drill) and one["rpo_rows"] is not None
    ]


def drills_of(document: Document) -> list[str]:
    """The drills, in the order in which they were run."""
    return list(dict.fromkeys(one["drill"] for one in document["repetitions"]))


def outages(rows: Sequence[Document], way: str) -> list[float]:
    """Seconds of each outage that ended."""
    return [one["outage_seconds"][way] for one in rows if one["outage_seconds"][way] is not None]


def table(document: Document) -> list[list[str]]:
    """RPO and RTO, drill by drill and setup by setup: every figure where they are few, as text."""
    heading = ["drill", "setup", "runs", "rows lost", "outage by DNS, s", "outage by multi-host, s"]
    return [heading, *(_cells(document, drill, setup) for drill, setup in _pairs(document))]


def _pairs(document: Document) -> Iterator[tuple[str, Document]]:
    """Each drill and setup that was measured."""
    for drill in drills_of(document):
        for setup in document["setups"]:
            if measured(document, setup["key"], drill):
                yield drill, setup


def _cells(document: Document, drill: str, setup: Document) -> list[str]:
    rows = measured(document, setup["key"], drill)
    lost = _rows_lost([one["rpo_rows"] for one in rows])
    by_way = [_seconds(outages(rows, way)) for way in ("dns", "multi-host")]
    return [drill, setup["name"], str(len(rows)), lost, *by_way]


def _rows_lost(figures: Sequence[int]) -> str:
    """Each; of more than FEW the sum."""
    if len(figures) > FEW:
        return f"{sum(figures):,} in all"
    return ", ".join(f"{figure:,}" for figure in figures)


def _seconds(figures: Sequence[float]) -> str:
    """The median, and all of them behind it; of more than FEW the 95th percentile and the longest."""
    found = spread(figures)
    if found is None:
        return "-"
    if len(figures) > FEW:
        return f"{found.median:.1f}, {found.p95:.1f}, {found.maximum:.1f}"
    each = ", ".join(f"{figure:.1f}" for figure in figures)
    return f"{statistics.median(figures):.1f} ({each})" if len(figures) > 1 else each


def commit_table(document: Document) -> list[list[str]]:
    """Latency and throughput by connections, setup by setup, each against its limit, as text."""
    heading = [
        "setup", "connections", "limit, ms", "median, ms", "p95, ms", "commits / s", "of the limit's", "load",
    ]  # fmt: skip
    rows = [
        [
            series["name"], str(point["connections"]), f"{series['limit_ms']:g}",
            f"{point['latency_ms']['median']:.0f}", f"{point['latency_ms']['p95']:.0f}",
            f"{point['commits_per_second']:,.0f}",
            f"{share_of_limit(series, point):.0%}", f"{max(point['load']):.0f}",
        ]
        for series in document["commits"]
        for point in series["points"]
    ]  # fmt: skip
    return [heading, *rows]


def share_of_limit(series: Document, point: Document) -> float:
    """Commits a second as a share of what round trips alone would let through."""
    limit = 1000 * float(point["connections"]) / float(series["limit_ms"])
    return float(point["commits_per_second"]) / limit


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table for a document, its heading first; figures on the right."""
    heading, *body = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([heading, f"|{' --- |' * len(rows[0])}", *body])


def failover_plot(document: Document, way: str = "dns") -> str:
    """Outages by this way, and lost rows, drill by drill, of the setups that were measured."""
    drills = drills_of(document)
    setups = []
    for setup in document["setups"]:
        rows = {drill: measured(document, setup["key"], drill) for drill in drills}
        if not any(rows.values()):
            continue
        setups.append(
            plots.Setup(
                setup["name"].partition(" (")[0],
                {drill: outages(found, way) for drill, found in rows.items()},
                {drill: [one["rpo_rows"] for one in found] for drill, found in rows.items()},
            )
        )
    return plots.side_by_side(setups, "failover-comparison")


def commits_plot(document: Document) -> str:
    """Latency and throughput by connections, with the limit of each setup."""
    curves = [
        plots.Curve(
            series["name"],
            [point["connections"] for point in series["points"]],
            [Spread(**point["latency_ms"]) for point in series["points"]],
            [point["commits_per_second"] for point in series["points"]],
            series["limit_ms"],
        )
        for series in document["commits"]
    ]
    return plots.commits_by_connections(curves, None, "commits")
