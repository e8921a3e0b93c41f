"""Tables, sections and links of generated pages. Pure text, the same for all sources."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BEGIN = "<!-- Made by `make reference` from {source}: change it there. -->"
_END = "<!-- The end of what is made. -->"
_REGION = re.compile(rf"{_BEGIN.format(source='.*?')}\n.*?{_END}", re.DOTALL)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head; cells may hold Markdown, and neither bars nor line breaks of their own."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(value: object) -> str:
    """A value as one would write it: text as it is, all else as JSON."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def prose(text: str) -> str:
    """A sentence that was not written for Markdown alone; what stands in backticks is code here too."""
    pieces = text.split("`")
    pieces[::2] = [piece.replace("<", "&lt;").replace("*", r"\*") for piece in pieces[::2]]
    return "`".join(pieces)


def link(text: str, heading: str | None = None) -> str:
    """A link to the section of the same page that has this heading, the text itself if none is named."""
    anchor = re.sub(r"[^\w\- ]", "", (heading or text).lower()).replace(" ", "-")
    return f"[{text}](#{anchor})"


def page(title: str, source: str, *parts: str) -> str:
    """A page that is made as a whole."""
    head = f"# {title}\n\nMade by `make reference` from {source}: change it there."
    return "\n\n".join((head, *parts)) + "\n"


def within(text: str, source: str, *parts: str) -> str:
    """A page that people write, with its one region made anew. ValueError where it has none, or several."""
    if len(_REGION.findall(text)) != 1:
        raise ValueError(f"a page needs one region between {_BEGIN.format(source='…')!r} and {_END!r}")
    region = "\n\n".join((_BEGIN.format(source=source), *parts, _END))
    return _REGION.sub(lambda _: region, text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
