"""A drift report as Rich renderables, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

STYLES = {"critical": "bold red", "serious": "red", "minor": "yellow"}
_MOST_LINES = 12


def drift(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Every finding, what is accepted, what could not be told, and the verdict."""
    for one in report["findings"]:
        yield from _finding(one)
    for one in report["accepted"]:
        line = f"{one['subject']} {one['item']}: {one['reason']} (until {one['until']})"
        yield Text(f"accepted: {line}", style="dim")
    for gap in report["gaps"]:
        yield Text.from_markup(f"[magenta]?[/] [bold]{escape(gap['subject'])}[/] {escape(gap['reason'])}")
        if gap["next_step"]:
            yield Text(f"    next: {gap['next_step']}", style="dim")
    for one in report["mended"]:
        style = {"done": "green", "failed": "bold red"}.get(one["outcome"], "yellow")
        reason = f": {one['reason']}" if one["reason"] else ""
        yield Text(f"{one['outcome']:<12}{one['where']} {one['what']}{reason}", style=style)
    yield verdict(report)


def verdict(report: Mapping[str, Any]) -> Text:
    """The look in one line."""
    count, gaps = len(report["findings"]), len(report["gaps"])
    seconds = f"{report['kind']} look, {report['seconds']:.1f} s"
    unknown = f"; {gaps} {'thing' if gaps == 1 else 'things'} could not be told" if gaps else ""
    if count:
        kinds = ", ".join(f"{number} {name}" for name, number in report["counts"].items() if number)
        return Text(
            f"{count} {'difference' if count == 1 else 'differences'} ({kinds}){unknown}; {seconds}",
            "bold red",
        )
    if gaps:
        return Text(f"no drift seen{unknown}; {seconds}", "magenta")
    accepted = f"; {len(report['accepted'])} accepted" if report["accepted"] else ""
    return Text(f"no drift{accepted}; {seconds}", "green")


def _finding(one: Mapping[str, Any]) -> Iterator[RenderableType]:
    style = STYLES[one["severity"]]
    seen_by = ", ".join(one["seen_by"])
    yield Text.assemble(
        (f"{one['severity']:<9}", style),
        (f"{one['subject']} ", "bold"),
        one["item"],
        (f"  [{seen_by}]", "dim"),
    )
    yield Text(f"    declared: {one['declared']}\n    found:    {one['found']}")
    yield Text(f"    where:    {one['declared_in']}", style="dim")
    asks = " (asks first)" if one["fix"]["disruptive"] else ""
    by = "by hand" if one["fix"]["by"] == "hand" else "--fix"
    yield Text(f"    {by + ':':<9} {one['fix']['what']}{asks}", style="dim")
    lines = one["diff"].splitlines()
    for line in lines[:_MOST_LINES]:
        yield Text(f"      {line}", {"+": "green", "-": "red"}.get(line[:1], "dim"))
    if len(lines) > _MOST_LINES:
        yield Text(f"      … {len(lines) - _MOST_LINES} more lines in the report", style="dim")
