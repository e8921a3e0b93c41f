"""What the smaller verbs print: hosts converged, a switchover, the demo, the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from mirrorforce.operations.recover import Recovery
    from mirrorforce.operations.switchover import Switchover
    from mirrorforce.playbook import PlaybookResult


def converge(result: PlaybookResult) -> Iterator[RenderableType]:
    """What converging did on each host, then what failed."""
    columns = ("Host", "As declared", "Changed", "Failed", "Unreachable")
    rows = [
        (
            name,
            *(
                str(count)
                for count in (counts.ok - counts.changed, counts.changed, counts.failed, counts.unreachable)
            ),
        )
        for name, counts in sorted(result.hosts.items())
    ]
    yield _rows(columns, rows)


def switchover(done: Switchover) -> RenderableType:
    """Where the primary went, and how long each stage took."""
    if not done.changed:
        return Text(f"{done.cell} has its primary there already: {done.old}", style="green")
    refused = f" (failover agents did not: {done.refused})" if done.refused else ""
    held = f"its clients were held for {done.held:.1f} s, " if done.held else ""
    return Text(
        f"{done.cell}: {done.old} → {done.new} by {done.by}{refused}; {held}"
        f"writable after {done.writable:.1f} s, "
        f"every DNS server answers it after {done.followed:.1f} s, "
        f"the old primary streams from it after {done.whole:.1f} s",
        style="green",
    )


def recovery(done: Recovery, env: str) -> Iterator[RenderableType]:
    """What was at stake, who leads now, and what is left to do."""
    if not done.changed:
        yield Text(f"{done.cell} runs already: {done.primary} leads and commits come back", style="green")
        return
    for line in done.statement:
        yield Text(f"- {line}")
    yield Text(f"{done.cell}: {done.primary} leads and acknowledges writes", style="green")
    for site in done.lost:
        yield Text(
            f"when {site} can come back, cut off from all others: mirrorforce take-back {site} -e {env}"
        )


def demo(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The figures that people ask for, then every shortfall."""
    rows = [
        (
            what,
            str(figures["rpo_rows"]),
            "?" if figures["rto_seconds"] is None else f"{figures['rto_seconds']:.1f}",
            str(figures["acknowledged"]),
            str(figures["rejected"]),
            str(figures["unknown"]),
        )
        for what, figures in (
            (f"{report['site']} lost", report["figures"]["failover"]),
            ("switchover home", report["figures"]["switchover"]),
        )
    ]
    yield _rows(("", "Rows lost (RPO)", "Outage, s (RTO)", "Acknowledged", "Rejected", "Unknown"), rows)
    for shortfall in report["shortfalls"]:
        yield Text.from_markup(f"[bold red]✗[/] {escape(shortfall)}")
    if not report["shortfalls"]:
        yield Text("Every acknowledged row is there, on every member.", style="bold green")


def inventory(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The hosts that exist."""
    rows = [
        (host["name"], host["site"], host["role"], host["cell"] or "", host["address"])
        for host in document["hosts"]
    ]
    yield _rows(("Host", "Site", "Role", "Cell", "Address"), rows)


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
