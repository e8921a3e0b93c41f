"""The drift report as one self-contained page. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent


def page(report: Mapping[str, Any]) -> str:
    """The page, without a reference to anything outside it. Every text in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["diff"] = _diff_lines
    return environment.get_template("page.html.j2").render(report=report, headline=headline(report))


def headline(report: Mapping[str, Any]) -> str:
    """The look in a few words."""
    count = len(report["findings"])
    if count:
        return f"{count} {'difference' if count == 1 else 'differences'}"
    return "No drift" if report["complete"] else "No drift seen, but not everything could be told"


def _diff_lines(text: str) -> list[tuple[str, str]]:
    """Each line of a difference with the class it is shown in."""
    kinds = {"+": "added", "-": "removed"}
    return [(kinds.get(line[:1], ""), line) for line in text.splitlines()]
