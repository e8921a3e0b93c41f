"""Figures as SVG that follows the page: text stays text, colours are the page's own, light and dark. Pure.

matplotlib knows no CSS variables. So each colour of the palette is drawn as a marker colour that no figure
would use otherwise, and the marker is replaced by `var(--name)` in the text of the SVG.
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Colour:
    """A colour of the page by daylight and in the dark."""

    light: str
    dark: str


PALETTE = {
    "ink": Colour("#1b2129", "#e8ebef"),
    "muted": Colour("#5a6572", "#a3adba"),
    "grid": Colour("#d9dee4", "#3a434e"),
    "surface": Colour("#ffffff", "#1a1f26"),
    "on_light": Colour("#14181d", "#14181d"),
    "on_dark": Colour("#ffffff", "#14181d"),
    # Ways and outcomes: two blues that differ in lightness, two warm colours that differ in hatching too.
    "fault": Colour("#b3261e", "#ff8a80"),
    "multi_host": Colour("#274a86", "#a9c4f2"),
    "dns": Colour("#6f98d6", "#5680c4"),
    "rejected": Colour("#c4392e", "#ff7a6b"),
    "unknown": Colour("#a87b00", "#e0b040"),
    "reads": Colour("#5a6572", "#a3adba"),
    # Stages: Okabe and Ito's colours, which colour-blind people tell apart (https://jfly.uni-koeln.de/color/),
    # some of them lighter where the page is dark; and two greys.
    "noticed": Colour("#8a95a3", "#8a95a3"),
    "failure_agreed": Colour("#4c5560", "#c3cad3"),
    "lease_gone": Colour("#0072b2", "#3d8fc9"),
    "leader_elected": Colour("#e69f00", "#e8a520"),
    "promoted": Colour("#009e73", "#1fb38a"),
    "standby_streams": Colour("#56b4e9", "#8fd0f5"),
    "dns_changed": Colour("#cc79a7", "#d98fb8"),
    "resolver_follows": Colour("#d55e00", "#f07a2e"),
    "first_acknowledgement": Colour("#e5d72e", "#f0e442"),
}

_MARKER = "#fe01{:02x}"
_NAMES = tuple(PALETTE)

WIDTH = 8.0
"""Width of a figure in inches; its text is then about as large as the page's."""

_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
}
_COLOURS = {
    "text.color": "ink",
    "axes.edgecolor": "muted",
    "axes.labelcolor": "muted",
    "xtick.color": "muted",
    "ytick.color": "muted",
    "xtick.labelcolor": "ink",
    "ytick.labelcolor": "ink",
    "grid.color": "grid",
    "axes.facecolor": "surface",
    "figure.facecolor": "surface",
}


def colour(name: str) -> str:
    """The palette's colour, as matplotlib is to draw it; ValueError for a name that it lacks."""
    return _MARKER.format(_NAMES.index(name))


@contextmanager
def drawing(height: float, name: str, *, laid_out: bool = False) -> Iterator[Figure]:
    """A figure of `height` inches in the page's style. `name`, unique on a page, keeps its ids apart.

    `laid_out`: whoever draws says where the axes stand, which saves half of the time that a figure takes.
    """
    style: Any = {**_STYLE, **{key: colour(value) for key, value in _COLOURS.items()}, "svg.hashsalt": name}
    with mpl.rc_context(style):
        yield Figure(figsize=(WIDTH, height), layout=None if laid_out else "constrained")


def inline(figure: Figure, title: str) -> str:
    """The figure as an element of a page; `title` is what a screen reader says. Within `drawing` only."""
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = held.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)
    text = re.sub(r"(\d+\.\d\d)\d+", r"\1", text)
    text = re.sub(r"#fe01([0-9a-f]{2})", lambda found: f"var(--{_NAMES[int(found[1], 16)]})", text)
    text = re.sub(r" font-family: [^;\"]*;", "", text)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"\n\s*", "\n", text)
    box = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg class="plot" role="img" aria-label={quoteattr(title)} {box[0] if box else ""} '
    body = text[text.index(">") + 1 :]
    return (
        f'{head}xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f"<title>{escape(title)}</title>{body}"
    )


def variables(mode: str) -> str:
    """The palette as CSS declarations, `light` or `dark`."""
    return " ".join(f"--{name}: {getattr(each, mode)};" for name, each in PALETTE.items())


def standalone(element: str) -> str:
    """An inline figure as a file of its own, for documents; light or dark as whoever looks at it has it."""
    style = (
        f"<style>svg {{ {variables('light')} font-family: system-ui, sans-serif; "
        f"background: var(--surface) }} "
        f"@media (prefers-color-scheme: dark) {{ svg {{ {variables('dark')} }} }}</style>"
    )
    head, _, rest = element.partition("</title>")
    return f"{head}</title>{style}{rest}\n"
