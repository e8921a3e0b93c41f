"""Text that says itself more shortly until it fits, and Markdown that takes nothing for markup. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST = 200
_RUNS = re.compile("`+")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page: the ways to say it, from the fullest to the shortest.

    What is `kept` is said more shortly only when nothing else can be.
    """

    ways: tuple[str, ...]
    kept: bool = False


def fitted(parts: Sequence[Part], limit: int) -> str:
    """The parts in order, each as fully as the limit (in characters) lets it be."""
    chosen = [0] * len(parts)

    def text() -> str:
        said = (part.ways[way] for part, way in zip(parts, chosen, strict=True))
        return "\n\n".join(each for each in said if each) + "\n"

    while len(found := text()) > limit:
        gains = [
            (not part.kept, len(part.ways[way]) - len(part.ways[way + 1]), -index)
            for index, (part, way) in enumerate(zip(parts, chosen, strict=True))
            if way + 1 < len(part.ways)
        ]
        if not gains:
            return found
        chosen[-max(gains)[-1]] += 1
    return found


def code(text: object) -> str:
    """Text as it is, in a line: nothing of it is read as Markdown or as a mention."""
    plain = " ".join(str(text).split()).replace("`", "'")
    return f"`{plain}`" if plain else ""


def cell(text: object) -> str:
    """The same in a table, where a bar would be read as a column's end."""
    return code(text).replace("|", "\\|")


def fenced(text: str, language: str = "") -> str:
    """Text as it is, in lines, whatever fences it holds itself."""
    fence = "`" * max(3, 1 + max(map(len, _RUNS.findall(text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def folded(summary: str, body: str) -> str:
    """Text that is shown when its summary is clicked on."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def brief(text: str) -> str:
    """The beginning of a text that the report has whole, in a line."""
    line = " ".join(str(text).split())
    return code(line if len(line) <= _MOST else f"{line[:_MOST]}…")


def words(text: str) -> str:
    """The same as `html`, in a line."""
    return html(" ".join(str(text).split()))


def html(text: str) -> str:
    """Our own words, of which nothing is to be read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def indented(text: str) -> str:
    """Lines that belong to the entry of a list above them."""
    return "\n".join(f"  {line}" for line in text.splitlines())
