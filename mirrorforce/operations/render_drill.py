"""What `drill` prints in the end: a line for each drill and cell, and every failure in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import RenderableType

_WAYS = ("dns", "multi_host")


def report(document: Mapping[str, Any], page: Path | None) -> Iterator[RenderableType]:
    """A table, what failed, and where the page is, if there is one."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("Drill")
    table.add_column("Cell")
    for title in ("Passed", "Rows lost", "Outage by DNS, s", "by multi-host, s"):
        table.add_column(title, justify="right")
    for drill in document["drills"]:
        summary = drill["summary"]
        ran = len(drill["repetitions"])
        rows = summary["rpo_rows"]
        table.add_row(
            drill["name"],
            drill["cell"] or "",
            "skipped" if summary["skipped"] == ran else f"{summary['passed']} of {ran}",
            "" if rows is None else str(rows),
            *(_spread(summary["rto_seconds"].get(way)) for way in _WAYS),
        )
    yield table
    for way, found in (document.get("availability") or {}).items():
        if found is not None:
            yield _available(way, found)
    for failure in document["failures"]:
        yield f"[red]{escape(failure)}[/]"
    if page is not None:
        yield f"The page with plots: {page}"


def _available(way: str, found: Mapping[str, Any]) -> str:
    share = f"{100 * found['availability']:.2f} %"
    yearly = f"{100 * found['availability_at_one_fault_a_month']:.5f} %"
    fits = ", ".join(
        f"{budget['faults_that_fit'] if budget['faults_that_fit'] is not None else 'any number of'} "
        f"within {100 * budget['objective']:g} %"
        for budget in found["budgets"]
    )
    return (
        f"{way.replace('_', '-')}: {share} of {found['observed_seconds']:.0f} s, "
        f"{found['faults']} faults of {found['mean_outage_seconds']:.1f} s each. "
        f"With one such fault a month {yearly} over a year; faults that fit into 30 days: {fits}"
    )


def _spread(figures: Mapping[str, float] | None) -> str:
    """The median, and the longest where there are several."""
    if figures is None:
        return ""
    median, longest = figures["median"], figures["maximum"]
    return f"{median:.1f}" if median == longest else f"{median:.1f} (at most {longest:.1f})"
