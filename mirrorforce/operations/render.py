"""Reports as Rich renderables, for people; the command line only prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from mirrorforce.operations.validate import Report

_STATE_STYLES = {"running": "green", "streaming": "green"}
_MIB = 1 << 20


def status(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The tables of a status report, then what is wrong in words."""
    yield _sites(report)
    yield _cells(report)
    yield _names(report)
    yield from _verdict(report)


def verify(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The table of a verify report (checks by kind), then every failed check with what was found."""
    table = _table("Check", "Passed", "Failed", "Skipped")
    for check in report["checks"]:
        failed = check["failed"]
        table.add_row(
            check["check"],
            str(check["passed"]),
            Text(str(failed), style="bold red" if failed else "dim"),
            str(check["skipped"] or ""),
        )
    yield table
    for result in report["results"]:
        if result["outcome"] == "failed":
            where = result["subject"] or "estate"
            yield Text.from_markup(f"[red]✗[/] [bold]{escape(where)}[/] {escape(result['check'])}")
            yield Text(_indented(result["found"]))
    passed, total = report["passed"], len(report["results"])
    style = "green" if report["as_declared"] else "bold red"
    yield Text(f"{passed} of {total} checks passed in {report['seconds']:.1f} s", style=style)


def validate(report: Report) -> Iterator[RenderableType]:
    """The headline of a sound estate file, then its sections: title, table, note."""
    yield Text(report.headline, style="green")
    for section in report.sections:
        yield Text(f"\n{section.title}", style="bold underline")
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in section.columns:
            table.add_column(column)
        for row in section.rows:
            table.add_row(*map(Text, row))
        yield table
        if section.note:
            yield Text(section.note, style="dim")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="fold")
    return table


def _sites(report: Mapping[str, Any]) -> Table:
    leader = report["etcd"]["leader"]
    etcd = {member["site"]: member for member in report["etcd"]["members"]}
    table = _table("Site", "Failure domain", "", "Hosts", "etcd")
    for site in report["sites"]:
        answering = sum(host["answers"] for host in site["hosts"])
        member = etcd.get(site["name"])
        table.add_row(
            site["name"],
            site["failure_domain"],
            Text("up", "green") if site["up"] else Text("down", "bold red"),
            f"{answering} of {len(site['hosts'])} answer",
            _etcd(member, leads=leader is not None and leader["site"] == site["name"]),
        )
    return table


def _etcd(member: Mapping[str, Any] | None, *, leads: bool) -> Text:
    if member is None:
        return Text("")
    if not member["healthy"]:
        return Text("not healthy", "red")
    return Text("leader", "green") if leads else Text("member")


def _cells(report: Mapping[str, Any]) -> Table:
    table = _table("Cell", "Member", "Role", "State", "Counts", "Behind", "Timeline")
    for cell in report["cells"]:
        for index, member in enumerate(cell["members"]):
            table.add_row(
                cell["name"] if index == 0 else "",
                member["host"],
                Text(member["role"], "bold" if member["role"] == "primary" else ""),
                Text(member["state"], _STATE_STYLES.get(member["state"], "red")),
                member["sync"] or "",
                _bytes(member["lag_bytes"]) if member["role"] == "standby" else "",
                str(member["timeline"] or ""),
            )
    return table


def _names(report: Mapping[str, Any]) -> Table:
    servers = [member["site"] for member in report["etcd"]["members"]]
    table = _table("Name", *servers, "Resolvers", "TTL")
    for cell in report["cells"]:
        for dns in (cell["dns"], cell["dns_read_only"]):
            by_site = {answer["site"]: _answer(answer) for answer in dns["servers"]}
            heard = Text(" ").join(_answer(answer) for answer in dns["resolvers"])
            ttl = "" if dns["ttl"] is None else f"{dns['ttl']} s"
            table.add_row(dns["name"], *(by_site.get(site, Text("")) for site in servers), heard, ttl)
    return table


def _answer(answer: Mapping[str, Any]) -> Text:
    if answer["error"]:
        return Text("no answer", "red")
    return Text(" ".join(answer["hosts"]))


def _verdict(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    for problem in report["problems"]:
        yield Text.from_markup(f"[red]![/] {escape(problem)}")
    style = "green" if report["as_declared"] else "bold red"
    yield Text(f"{report['summary']} ({report['seconds']:.1f} s)", style=style)


def _bytes(number: int | None) -> str:
    if number is None:
        return "?"
    return f"{number} B" if number < _MIB else f"{number / _MIB:.1f} MiB"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
