"""What `preview` prints: what is to be read first, stacks, guard rails, the configuration of hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    Document = Mapping[str, Any]

_WORDS = {"created": "create", "updated": "update", "replaced": "replace", "deleted": "delete"}
_STYLES = {"created": "green", "updated": "yellow", "replaced": "bold red", "deleted": "bold red"}


def preview(document: Document) -> Iterator[RenderableType]:
    """The report for a terminal."""
    for each in document["first"]:
        what = f"{each['where']}: {each['what']}"
        yield Text.from_markup(
            f"[bold red]! {each['weight']}[/] [bold]{escape(what)}[/] {escape(each['why'])}"
        )
    for stack in document["stacks"]:
        yield from _stack(stack)
    for finding in document["findings"]:
        level = "[bold red]stops[/]" if finding["mandatory"] else "[yellow]warns[/]"
        yield Text.from_markup(f"{level}    {escape(finding['rule'])} {escape(finding['message'])}")
    if document["configuration"]["against"]:
        yield from _configuration(document["configuration"])


def _stack(stack: Document) -> Iterator[RenderableType]:
    if not stack["errors"] and not any(stack[group] for group in _WORDS):
        yield Text.from_markup(f"[green]=[/] {escape(stack['stack'])}: nothing would change")
    for group, word in _WORDS.items():
        for item in stack[group]:
            named = f"{escape(item['kind'])} {escape(item['name'])}"
            yield Text.from_markup(f"[{_STYLES[group]}]{word:<8}[/] {named}")
            if item["refused"]:
                yield Text.from_markup(
                    f"[bold red]refused[/]  {word} {named}: it holds data "
                    f"(mirrorforce up --accept-loss {escape(item['name'])})"
                )
    for error in stack["errors"]:
        yield Text.from_markup(f"[bold red]error[/]    {escape(stack['stack'])}: {escape(error)}")


def _configuration(found: Document) -> Iterator[RenderableType]:
    if found["reason"]:
        yield Text(f"configuration could not be compared: {found['reason']}", style="bold red")
    for role in found["roles"]:
        changed = ", ".join((*role["files"], *role["variables"]))
        yield Text(f"role {role['role']} on {', '.join(role['hosts']) or 'no host'}: {changed}")
    for change in found["files"]:
        yield Text(f"{change['change']} {change['path']} on {', '.join(change['hosts'])}", style="bold")
        for line in change["diff"].splitlines():
            style = {"+": "green", "-": "red"}.get(line[:1], "dim")
            yield Text(f"  {line}", style=style)
    for gap in found["gaps"]:
        yield Text(f"not told: {gap}", style="yellow")
