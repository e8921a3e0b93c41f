"""Pictures of many repetitions: outages as box plots, seconds as stacked bars, setups side by side.

All of them give inline SVG; `svg.standalone` makes a file of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from mirrorforce.drills.svg import colour, drawing, inline
from mirrorforce.drills.timeline_plot import WAYS, text_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes

    from mirrorforce.drills.measure import Spread

Document = dict[str, Any]

FEWEST_FOR_A_BOX = 5
"""Quartiles of fewer figures say nothing that the figures themselves do not."""

_ROW = 0.2
_SERIES = ("lease_gone", "leader_elected", "promoted", "dns_changed", "resolver_follows", "standby_streams")
_MARKERS = "osD^vP"


def name_of(drill: Document) -> str:
    """A drill in its cell, as rows and headings call it."""
    return str(drill["name"]) if drill["cell"] is None else f"{drill['name']} {drill['cell']}"


def rto_boxes(drills: Sequence[Document], name: str) -> str | None:
    """Outage of each repetition, by drill and way; a box from five on; the objective as a short red line.

    None where no outage was measured.
    """
    rows = [(drill, way) for drill in drills for way in WAYS if _outages(drill, way)]
    if not rows:
        return None
    with drawing(_ROW * len(rows) + 0.95, name) as figure:
        axes = figure.subplots()
        for row, (drill, way) in enumerate(rows):
            _box(axes, row, _outages(drill, way), way)
            limit = drill["outage_at_most"].get(way)
            if limit is not None:
                axes.plot([limit, limit], [row - 0.42, row + 0.42], color=colour("fault"), lw=2, zorder=6)
        _row_names(axes, [name_of(drill) for drill, _ in rows])
        for way, words in WAYS.items():
            axes.plot([], [], "s", color=colour(way), label=words, ms=6)
        axes.plot([], [], "|", color=colour("fault"), label="objective", ms=9, mew=2)
        _above(axes)
        _seconds_axis(axes, "outage, seconds from the last acknowledgement before to the first after")
        return inline(figure, "Outages by drill and way in")


def _outages(drill: Document, way: str) -> list[float]:
    found = (one["rto_seconds"][way] for one in drill["repetitions"])
    return [seconds for seconds in found if seconds is not None]


def _box(axes: Axes, row: float, figures: Sequence[float], drawn: str) -> None:
    boxed = len(figures) >= FEWEST_FOR_A_BOX
    if boxed:
        axes.boxplot(
            [list(figures)], orientation="horizontal", positions=[row], widths=0.62, whis=(5, 95),
            showfliers=False, patch_artist=True, manage_ticks=False, zorder=3,
            boxprops={"facecolor": colour(drawn), "alpha": 0.35, "linewidth": 0},
            medianprops={"color": colour(drawn), "linewidth": 2},
            whiskerprops={"color": colour(drawn), "linewidth": 1},
            capprops={"color": colour(drawn), "linewidth": 1},
        )  # fmt: skip
    # The spread across the row is the order of the repetitions: a drift over a night is seen.
    across = [row + 0.4 * ((index + 0.5) / len(figures) - 0.5) for index in range(len(figures))]
    axes.plot(figures, across, "o", color=colour(drawn), ms=2.6 if boxed else 4.5, mew=0, zorder=4)


def _row_names(axes: Axes, names: Sequence[str]) -> None:
    """A name once for the rows that share it, and a line between drills."""
    starts = [row for row, name in enumerate(names) if row == 0 or names[row - 1] != name]
    ends = [*starts[1:], len(names)]
    middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    axes.set_yticks(middles, [names[start] for start in starts])
    for start in starts[1:]:
        axes.axhline(start - 0.5, color=colour("grid"), lw=0.7)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _above(axes: Axes, columns: int = 8) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, fontsize=8, borderpad=0.3, borderaxespad=0,
        columnspacing=1.2, handlelength=1.0, handletextpad=0.5,
    )  # fmt: skip


def _seconds_axis(axes: Axes, label: str) -> None:
    axes.set_xlim(left=0)
    axes.grid(axis="x", color=colour("grid"), lw=0.7)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(10))
    axes.set_xlabel(label)


def typical(drill: Document, way: str) -> list[Document]:
    """The stages of the repetition with the (lower) median outage: real ones, that add up."""
    have = [one["stages"][way] for one in drill["repetitions"] if one["stages"].get(way)]
    ordered: list[list[Document]] = sorted(have, key=_total)
    return ordered[(len(ordered) - 1) // 2] if ordered else []


def stage_bars(drills: Sequence[Document], name: str) -> str | None:
    """Where the seconds of each drill's median repetition went; None where there was no outage."""
    rows = [(drill, way, stages) for drill in drills for way in WAYS if (stages := typical(drill, way))]
    if not rows:
        return None
    longest = max(_total(stages) for _, _, stages in rows)
    with drawing(1.25 * _ROW * len(rows) + 1.15, name) as figure:
        axes = figure.subplots()
        for row, (_, way, stages) in enumerate(rows):
            _stack(axes, row, stages, longest)
            axes.text(
                _total(stages) + 0.008 * longest, row, f"{_total(stages):.1f} s  {WAYS[way]}", va="center",
                fontsize=7.5,
            )  # fmt: skip
        _row_names(axes, [name_of(drill) for drill, _, _ in rows])
        names = {stage["name"]: None for _, _, stages in rows for stage in stages}
        for stage in names:
            axes.plot([], [], "s", color=colour(stage.replace(" ", "_")), label=stage, ms=6)
        _above(axes, columns=4)
        axes.set_xlim(0, 1.14 * longest)
        _seconds_axis(axes, "seconds of outage, from the fault on")
        return inline(figure, "Where the seconds went, by drill and way in")


def _total(stages: Sequence[Document]) -> float:
    return sum(float(stage["seconds"]) for stage in stages)


def _stack(axes: Axes, row: float, stages: Sequence[Document], longest: float) -> None:
    begun = 0.0
    for stage in stages:
        axes.barh(
            row, stage["seconds"], left=begun, height=0.74, color=colour(stage["name"].replace(" ", "_")),
            edgecolor=colour("surface"), lw=0.6, zorder=3,
        )  # fmt: skip
        if stage["seconds"] > 0.04 * longest:
            axes.text(
                begun + stage["seconds"] / 2, row, f"{stage['seconds']:.1f}", ha="center", va="center",
                fontsize=7, color=colour(text_on(stage["name"])), zorder=4,
            )  # fmt: skip
        begun += stage["seconds"]


@dataclass(frozen=True, slots=True)
class Setup:
    """One of several setups that went through the same drills: seconds and lost rows of each repetition."""

    name: str
    rto_seconds: Mapping[str, Sequence[float]]
    rpo_rows: Mapping[str, Sequence[int]]


def side_by_side(setups: Sequence[Setup], name: str) -> str:
    """Outages and lost rows of several setups, drill by drill; six setups at most."""
    drills = list(dict.fromkeys(drill for setup in setups for drill in setup.rto_seconds))
    rows = [(drill, index) for drill in drills for index, _ in enumerate(setups)]
    with drawing(1.1 * _ROW * len(rows) + 1.0, name) as figure:
        times, lost = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
        for row, (drill, index) in enumerate(rows):
            _box(times, row, setups[index].rto_seconds.get(drill, ()), _SERIES[index])
            worst = max(setups[index].rpo_rows.get(drill, ()), default=None)
            if worst is not None:
                lost.barh(row, worst, height=0.6, color=colour(_SERIES[index]), zorder=3)
                lost.annotate(
                    f"{worst:,}", (worst, row), (3, 0), textcoords="offset points", va="center", fontsize=7.5
                )
        _row_names(times, [drill for drill, _ in rows])
        for row in range(len(setups), len(rows), len(setups)):
            lost.axhline(row - 0.5, color=colour("grid"), lw=0.7)
        for index, setup in enumerate(setups):
            times.plot([], [], "s", color=colour(_SERIES[index]), label=setup.name, ms=6)
        figure.legend(loc="outside upper left", ncols=4, fontsize=8, columnspacing=1.4, handlelength=1.0)
        _seconds_axis(times, "outage (RTO), seconds")
        _seconds_axis(lost, "rows lost (RPO), most")
        lost.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        lost.set_xlim(0, max(1.0, lost.get_xlim()[1] * 1.25))
        lost.tick_params(axis="y", length=0, labelleft=False)
        return inline(figure, "Outages and lost rows, setups side by side")


@dataclass(frozen=True, slots=True)
class Curve:
    """Commits of one setup by number of connections: how long they took, and how many a second.

    limit_ms: the round trips that a commit of this setup cannot do without, where setups differ in that.
    """

    name: str
    connections: Sequence[int]
    latency_ms: Sequence[Spread]
    commits_per_second: Sequence[float]
    limit_ms: float | None = None


def commits_by_connections(curves: Sequence[Curve], round_trip_ms: float | None, name: str) -> str:
    """Commit latency and throughput by connections, against what round trips let through; six curves at most.

    `round_trip_ms` is the limit that all curves share; None where each has its own.
    """
    counts = sorted({count for curve in curves for count in curve.connections})
    with drawing(3.3, name) as figure:
        latency, throughput = figure.subplots(1, 2)
        for index, curve in enumerate(curves):
            drawn, marker = colour(_SERIES[index]), _MARKERS[index]
            medians = [each.median for each in curve.latency_ms]
            p95s = [each.p95 for each in curve.latency_ms]
            latency.fill_between(curve.connections, medians, p95s, color=drawn, alpha=0.18, lw=0)
            latency.plot(
                curve.connections, medians, color=drawn, marker=marker, ms=4, lw=1.4, label=curve.name
            )
            throughput.plot(
                curve.connections, curve.commits_per_second, color=drawn, marker=marker, ms=4, lw=1.4
            )
        for limit_ms, drawn, label in _limits(curves, round_trip_ms):
            limit: dict[str, Any] = {"color": drawn, "lw": 1, "ls": (0, (4, 2))}
            latency.axhline(limit_ms, **limit, label=label)
            throughput.plot(counts, [1000 * count / limit_ms for count in counts], **limit)
        for axes, label in ((latency, "a commit takes, ms (band: to p95)"), (throughput, "commits / s")):
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.xaxis.set_major_locator(FixedLocator(counts))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
            axes.grid(color=colour("grid"), lw=0.7)
            axes.set_xlabel("connections")
            axes.set_ylabel(label)
        figure.legend(loc="outside upper left", ncols=4, fontsize=8, columnspacing=1.4, handlelength=1.8)
        return inline(figure, "Commit latency and throughput by number of connections")


def _limits(curves: Sequence[Curve], shared_ms: float | None) -> Iterator[tuple[float, str, str]]:
    """Milliseconds, colour and label of each limit."""
    if shared_ms is not None:
        yield shared_ms, colour("muted"), f"one round trip, {shared_ms:g} ms"
    for index, curve in enumerate(curves):
        if curve.limit_ms is not None:
            yield curve.limit_ms, colour(_SERIES[index]), f"its round trips, {curve.limit_ms:g} ms"
