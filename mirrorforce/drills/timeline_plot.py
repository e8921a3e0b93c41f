"""The picture of one repetition: commits over time, where the seconds went, and how long commits took.

Takes a repetition of the report (a document), gives SVG. What is not acknowledged hangs below the line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import FuncFormatter, LogLocator

from mirrorforce.drills.svg import WIDTH, colour, drawing, inline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

Document = dict[str, Any]

WAYS = {"multi_host": "multi-host", "dns": "DNS name"}
MOST_BINS = 240
"""More are drawn together, a whole number of them at a time: below two points a bin nobody sees them."""

CLOSER_BEFORE, CLOSER_AFTER = 1.5, 2.5
"""Seconds around the outage that the closer look shows."""

CLOSER_BELOW = 0.45
"""There is a closer look where the outage takes less than this share of the whole."""

_LEFT, _RIGHT, _ABOVE, _BELOW, _BETWEEN = 0.85, 0.1, 0.5, 0.45, 0.22
"""Inches around and between the panels, for labels, flags and legends."""

_LETTERS = 105
"""How many letters of a stage's size the axis has room for."""

_FLAG_WIDTH = 0.035
"""Of the axis: flags nearer than this are drawn as one."""


@dataclass(frozen=True)
class Flag:
    """A mark that is drawn, with its number."""

    number: int
    mark: Document


def flags(repetition: Document) -> tuple[Flag, ...]:
    """The marks that are drawn: of each kind the one that ended a stage, else the first after the fault.

    Of acknowledgements each way's first is drawn.
    """
    ended = {(its["name"], its["ended"]) for stages in repetition["stages"].values() for its in stages}
    after = [mark for mark in repetition["marks"] if mark["after"] >= 0]
    decisive = [mark for mark in after if (mark["what"], mark["after"]) in ended]
    first: dict[tuple[str, str], Document] = {}
    for mark in (*decisive, *after):
        own = mark["said"] if mark["what"] == "first acknowledgement" else ""
        first.setdefault((mark["what"], own), mark)
    ordered = sorted(first.values(), key=lambda mark: float(mark["after"]))
    return tuple(Flag(number, mark) for number, mark in enumerate(ordered, start=1))


def whole(repetition: Document, name: str) -> str:
    """The repetition from its first answer to its last."""
    timeline = repetition["timeline"]
    end = timeline["start"] + timeline["bin_seconds"] * len(timeline["rejected"])
    return _draw(repetition, name, (timeline["start"], end), "Commits over time, whole repetition")


def closer(repetition: Document, name: str) -> str | None:
    """The outage from near; None where the whole is near enough, or there is no outage to look at."""
    timeline = repetition["timeline"]
    ended = [stages[-1]["ended"] for stages in repetition["stages"].values() if stages]
    span = timeline["bin_seconds"] * len(timeline["rejected"])
    if not ended or max(ended) > CLOSER_BELOW * span or max(ended) < 2 * timeline["bin_seconds"]:
        return None
    window = -CLOSER_BEFORE, max(ended) + CLOSER_AFTER
    return _draw(repetition, f"{name} closer", window, "Commits over time, the outage from near")


def _draw(repetition: Document, name: str, window: tuple[float, float], title: str) -> str:
    timeline = _Binned.of(repetition["timeline"], window)
    strips = {way: its for way in WAYS if (its := repetition["stages"].get(way))}
    heights = [2.3, 0.24 * max(len(strips), 1), 1.25]
    total = sum(heights) + _ABOVE + _BELOW + 2 * _BETWEEN
    with drawing(total, name, laid_out=True) as figure:
        axes: Sequence[Axes] = figure.subplots(3, 1, sharex=True, height_ratios=heights)
        figure.subplots_adjust(
            left=_LEFT / WIDTH, right=1 - _RIGHT / WIDTH, top=1 - _ABOVE / total, bottom=_BELOW / total,
            hspace=_BETWEEN / (sum(heights) / len(heights)),
        )  # fmt: skip
        throughput, where, latency = axes
        _throughput(throughput, timeline)
        _strips(where, strips, window)
        _latency(latency, timeline)
        _flags(axes, flags(repetition), window)
        latency.set_xlim(*window)
        latency.set_xlabel("seconds after the fault")
        return inline(figure, title)


@dataclass(frozen=True)
class _Binned:
    """The timeline with bins that are wide enough to be drawn. Rates are a second, latencies ms."""

    edges: list[float]
    rates: Mapping[str, list[float]]
    latency: Mapping[str, list[float]]
    reads: tuple[list[float], list[float]]
    """Rates of reads with edges of their own, a second wide: readers are few."""

    @classmethod
    def of(cls, timeline: Document, window: tuple[float, float]) -> _Binned:
        width = timeline["bin_seconds"]
        shown = _within(timeline, window)
        groups = _groups(shown, -(-len(shown) // MOST_BINS))
        counts = {
            **timeline["acknowledged"],
            "rejected": timeline["rejected"],
            "unknown": timeline["unknown"],
        }
        by_second = _groups(shown, max(round(1 / width), 1))
        latency = timeline["latency_ms"]
        return cls(
            edges=_edges(timeline, groups),
            rates={name: _rates(bins, groups, width) for name, bins in counts.items()},
            latency={
                name: [_largest(latency[name][index] for index in group) for group in groups]
                for name in ("median", "p95", "maximum")
            },
            reads=(_rates(timeline["reads"], by_second, width), _edges(timeline, by_second)),
        )


def _within(timeline: Document, window: tuple[float, float]) -> range:
    start, width = timeline["start"], timeline["bin_seconds"]
    first, end = (math.floor((at - start) / width) for at in window)
    return range(max(first, 0), min(end + 1, len(timeline["rejected"])))


def _groups(shown: range, together: int) -> list[range]:
    return [shown[first : first + together] for first in range(0, len(shown), max(together, 1))]


def _edges(timeline: Document, groups: Sequence[range]) -> list[float]:
    ends = [group.start for group in groups] + [groups[-1].stop if groups else 0]
    return [timeline["start"] + timeline["bin_seconds"] * end for end in ends]


def _rates(bins: Sequence[int], groups: Iterable[range], width: float) -> list[float]:
    return [sum(bins[index] for index in group) / (len(group) * width) for group in groups]


def _largest(figures: Iterable[float | None]) -> float:
    return max((figure for figure in figures if figure is not None), default=float("nan"))


def _throughput(axes: Axes, timeline: _Binned) -> None:
    below = [0.0] * (len(timeline.edges) - 1)
    for way, words in WAYS.items():
        rates = timeline.rates.get(way)
        if rates is None:
            continue
        above = [low + rate for low, rate in zip(below, rates, strict=True)]
        axes.stairs(above, timeline.edges, baseline=below, fill=True, color=colour(way), label=words, lw=0)
        below = above
    reads, edges = timeline.reads
    if any(reads):
        axes.stairs(
            reads, edges, baseline=None, color=colour("reads"), lw=1, ls=(0, (2, 1)),
            label="reads by the read-only name",
        )  # fmt: skip
    below = [0.0] * len(below)
    for name, hatch in (("rejected", "////"), ("unknown", "\\\\\\\\")):
        above = [low - rate for low, rate in zip(below, timeline.rates[name], strict=True)]
        if any(timeline.rates[name]):
            axes.stairs(
                above, timeline.edges, baseline=below, fill=True, facecolor=colour(name), hatch=hatch,
                edgecolor=colour("surface"), label=name, lw=0,
            )  # fmt: skip
        below = above
    axes.axhline(0, color=colour("muted"), lw=0.8)
    axes.grid(axis="y", color=colour("grid"), lw=0.7)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    axes.set_ylabel("commits / s")
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.09), ncols=5, fontsize=8, borderaxespad=0, borderpad=0.2,
        columnspacing=1.4, handlelength=1.2, handletextpad=0.5,
    )  # fmt: skip


def _strips(axes: Axes, strips: Mapping[str, list[Document]], window: tuple[float, float]) -> None:
    span = window[1] - window[0]
    for row, stages in enumerate(strips.values()):
        for stage in stages:
            begun = stage["ended"] - stage["seconds"]
            drawn = colour(stage["name"].replace(" ", "_"))
            axes.barh(
                row,
                stage["seconds"],
                left=begun,
                height=0.72,
                color=drawn,
                edgecolor=colour("surface"),
                lw=0.6,
            )
            fits = stage["seconds"] / span * _LETTERS
            text = f"{stage['seconds']:.1f} s"
            words = next((each for each in (f"{stage['name']} {text}", text) if len(each) < fits), "")
            axes.text(
                begun + stage["seconds"] / 2, row, words, ha="center", va="center", fontsize=7.5,
                color=colour(text_on(stage["name"])), clip_on=True,
            )  # fmt: skip
    axes.set_yticks(range(len(strips)), [WAYS[way] for way in strips])
    axes.set_ylim(len(strips) - 0.45, -0.55)
    axes.tick_params(axis="both", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)


_DARK = frozenset({"failure agreed", "lease gone", "promoted", "resolver follows"})


def text_on(stage: str) -> str:
    """The palette's colour of text that is read upon a stage's colour, by daylight and in the dark."""
    return "on_dark" if stage in _DARK else "on_light"


def _latency(axes: Axes, timeline: _Binned) -> None:
    middles = [(low + high) / 2 for low, high in zip(timeline.edges, timeline.edges[1:], strict=False)]
    median, p95, maximum = (timeline.latency[name] for name in ("median", "p95", "maximum"))
    axes.plot(middles, maximum, color=colour("muted"), lw=0.6, label="longest")
    axes.fill_between(middles, median, p95, color=colour("dns"), alpha=0.4, lw=0, label="to p95")
    axes.plot(middles, median, color=colour("multi_host"), lw=1.3, label="median")
    if any(math.isfinite(each) for each in median):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _milliseconds(value)))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.tick_params(axis="y", which="minor", length=0)
    axes.grid(axis="y", color=colour("grid"), lw=0.7)
    axes.set_ylabel("commit takes")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], labels[::-1], loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, fontsize=8,
        borderaxespad=0, borderpad=0.2, columnspacing=1.4, handlelength=1.2, handletextpad=0.5,
    )  # fmt: skip


def _milliseconds(value: float) -> str:
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"  # noqa: PLR2004 (a second)


def _flags(axes: Sequence[Axes], drawn: Sequence[Flag], window: tuple[float, float]) -> None:
    """Numbered flags above, and a line through all panels; flags that stand too near are one, `4-7`."""
    for group in _grouped([flag for flag in drawn if window[0] <= flag.mark["after"] <= window[1]], window):
        fault = group[0].mark["what"] == "fault"
        name = "fault" if fault else "ink"
        for flag in group:
            for each in axes:
                each.axvline(
                    flag.mark["after"], color=colour(name), lw=1.4 if fault else 0.6, alpha=0.7, zorder=5
                )
        numbers = [flag.number for flag in group]
        text = str(numbers[0]) if len(group) == 1 else f"{numbers[0]}-{numbers[-1]}"
        middle = (group[0].mark["after"] + group[-1].mark["after"]) / 2
        axes[0].annotate(
            text, (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, 7), textcoords="offset points",
            ha="center", va="center", fontsize=7.5, color=colour("surface"), zorder=6, annotation_clip=False,
            bbox={"boxstyle": "round,pad=0.28,rounding_size=0.8", "facecolor": colour(name), "linewidth": 0},
        )  # fmt: skip


def _grouped(drawn: Sequence[Flag], window: tuple[float, float]) -> list[list[Flag]]:
    """Flags that stand too near to be read apart, together; the fault stands alone."""
    least = _FLAG_WIDTH * (window[1] - window[0])
    groups: list[list[Flag]] = []
    for flag in drawn:
        near = groups and flag.mark["after"] - groups[-1][-1].mark["after"] < least
        if near and groups[-1][0].mark["what"] != "fault":
            groups[-1].append(flag)
        else:
            groups.append([flag])
    return groups
