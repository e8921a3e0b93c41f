"""Size and cost of what an estate has on AWS, for people. Asks nobody: it can be told without credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from mirrorforce import aws_cost, aws_prices, security_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from mirrorforce.estate import Estate


def size_and_cost(estate: Estate) -> Iterator[RenderableType]:
    """Hosts, volumes and the monthly cost of each site, and what that leaves out; nothing off AWS."""
    found = aws_cost.estimate(estate, aws_prices.load())
    if not found.parts:
        return
    yield _table(found)
    yield Text(
        f"{found.currency} a month of {aws_cost.HOURS} hours, on demand, at prices of {found.date} "
        "(mirrorforce/aws_prices.json). Not in it, by use: traffic, logs, snapshots, questions to Route 53.",
        style="dim",
    )
    for what in found.unpriced:
        yield Text(f"! no price is known of: {what}", style="yellow")
    most = security_groups.most_rules(estate)
    if most > security_groups.QUOTA:
        yield Text(
            f"! {most} rules in one security group: ask AWS for more than its {security_groups.QUOTA} "
            "(quota L-0EA8095F) before mirrorforce up",
            style="yellow",
        )


def _table(found: aws_cost.Estimate) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("Site", "Region", "Size"):
        table.add_column(column)
    for column in ("Each", "Month"):
        table.add_column(column, justify="right")
    for part in found.parts:
        hosts = "1 host" if part.hosts == 1 else f"{part.hosts} hosts"
        size = f"{hosts}, {part.volumes_gib} GiB of volumes" if part.hosts else ""
        table.add_row(
            Text(part.name, "bold"), part.region, Text(size, "bold"), "", Text(_money(part.month), "bold")
        )
        for line in part.lines:
            what = Text(f"{line.count} x {line.what}", "dim")
            table.add_row("", "", what, Text(_money(line.each), "dim"), Text(_money(line.month), "dim"))
    table.add_row(Text("total", "bold"), "", "", "", Text(_money(found.month), "bold"))
    return table


def _money(amount: float | None) -> str:
    return "?" if amount is None else f"{amount:,.2f}"
