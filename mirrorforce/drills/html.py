"""The drill report as one self-contained page: what people look at after drills. Pure.

`page.html.j2` says what stands where, `page.css` how it looks, this module what is worth showing. Needs
matplotlib, which nothing else here does: import it only where a page is asked for.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from mirrorforce.drills import plots, timeline_plot
from mirrorforce.drills.report import faults_of, objectives
from mirrorforce.drills.svg import variables

Document = dict[str, Any]

_HERE = Path(__file__).parent

MOST_SHOWN = 8
"""Sentences about one drill's failures that stand at the top; the rest is at the drill."""

_MINUTE = 60

STAGE_WORDS = {
    "noticed": "some host says that something is wrong, or a switchover is asked for",
    "failure agreed": "failover agents in two sites see the primary fail, and begin to fence it off",
    "lease gone": "the old primary's lease in etcd has run out, it gave it back, or agents released it",
    "leader elected": "a standby took the leader key",
    "promoted": "PostgreSQL on the new primary takes writes",
    "standby streams": "a standby follows the new primary: until then strict mode holds every commit",
    "dns changed": "a DNS server answers the new primary's address",
    "resolver follows": "the clients' resolver answers it too: what it kept, and its patience with the dead",
    "first acknowledgement": "a client connected, wrote, and was acknowledged",
}


def page(report: Document) -> str:
    """The page, without a reference to anything outside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(seconds=seconds, duration=duration, moment=moment, after=after, way=way)
    drills = sorted((_drill(drill) for drill in report["drills"]), key=_urgency)
    return environment.get_template("page.html.j2").render(
        report=report,
        drills=drills,
        ways=timeline_plot.WAYS,
        headline=headline(report),
        tiles=tiles(report),
        boxes=plots.rto_boxes(report["drills"], "boxes"),
        bars=plots.stage_bars(report["drills"], "bars"),
        stage_words=STAGE_WORDS,
        css=(_HERE / "page.css").read_text(encoding="utf-8"),
        light=variables("light"),
        dark=variables("dark"),
        most_shown=MOST_SHOWN,
    )


def _urgency(drill: Document) -> tuple[int, bool]:
    """What fell short comes first, and of it what the checker found."""
    order = ("failed", "error", "passed", "skipped")
    return order.index(drill["verdict"]), not any(one["violations"] for one in drill["repetitions"])


def _drill(drill: Document) -> Document:
    """A drill with what the page says of it: verdict, anchor, failures, and one repetition drawn."""
    name = plots.name_of(drill)
    anchor = "drill-" + "".join(letter if letter.isalnum() else "-" for letter in name)
    shown = shown_repetition(drill)
    drawn = shown is not None and shown["timeline"] is not None and bool(shown["timeline"]["rejected"])
    return {
        **drill,
        "label": name,
        "anchor": anchor,
        "verdict": verdict(drill),
        "failures": _failures(drill),
        "shown": shown,
        "shown_why": _why_shown(drill, shown),
        "flags": timeline_plot.flags(shown) if shown else (),
        "whole": timeline_plot.whole(shown, anchor) if shown and drawn else None,
        "closer": timeline_plot.closer(shown, anchor) if shown and drawn else None,
    }


def verdict(drill: Document) -> str:
    """The worst outcome of the repetitions; skipped where all of them (or none at all) were.

    Repetitions that pass one by one fail together where their outages do not meet the drill's objective.
    """
    counts = drill["summary"]
    if not all(objective.met for objective in objectives(drill)):
        return "failed"
    return next((outcome for outcome in ("failed", "error", "passed") if counts[outcome]), "skipped")


def _failures(drill: Document) -> list[str]:
    many = len(drill["repetitions"]) > 1
    return [
        *(
            f"repetition {number}: {fault}" if many else fault
            for number, one in enumerate(drill["repetitions"], start=1)
            for fault in faults_of(one)
        ),
        *(objective.missed for objective in objectives(drill) if not objective.met),
    ]


def shown_repetition(drill: Document) -> Document | None:
    """The repetition that is drawn: one that fell short, else the longest outage, else the last that ran."""
    ran: list[Document] = [one for one in drill["repetitions"] if one["outcome"] != "skipped"]
    short = [one for one in ran if one["outcome"] in ("failed", "error")]
    if short:
        return max(
            short, key=lambda one: (one["timeline"] is not None, bool(one["violations"]), _longest(one))
        )
    return max(ran, key=_longest, default=None)


def _longest(one: Document) -> float:
    return max((outage["seconds"] for outage in one["outages"].values()), default=0.0)


def _why_shown(drill: Document, shown: Document | None) -> str:
    if shown is None or len(drill["repetitions"]) == 1:
        return ""
    number = drill["repetitions"].index(shown) + 1
    which = "the longest outage" if shown["outcome"] == "passed" else "it fell short"
    return f"repetition {number} of {len(drill['repetitions'])}, {which}"


def headline(report: Document) -> str:
    """What there is to say in four words."""
    if report["passed"]:
        return "Every drill went as promised"
    counts = report["counts"]
    return "Not as promised" if sum(counts.values()) > counts["skipped"] else "No drill was carried out"


def tiles(report: Document) -> list[Document]:
    """The figures that everybody asks for first: what, how much, and whether that is well."""
    drills = report["drills"]
    lost = [
        one["rpo_rows"] for drill in drills for one in drill["repetitions"] if one["rpo_rows"] is not None
    ]
    ran = [drill for drill in drills if verdict(drill) != "skipped"]
    passed = sum(verdict(drill) == "passed" for drill in ran)
    found = [
        {
            "name": "acknowledged rows lost",
            "value": f"{sum(lost):,}" if lost else "none measured",
            "well": not sum(lost),
        },
        {"name": "drills passed", "value": f"{passed} of {len(ran)}", "well": passed == len(ran) > 0},
    ]
    for key, words in timeline_plot.WAYS.items():
        outages = [
            (spread["maximum"], plots.name_of(drill))
            for drill in drills
            if (spread := drill["summary"]["rto_seconds"][key]) is not None
        ]
        if outages:
            longest, where = max(outages)
            found.append(
                {"name": f"longest outage by {words}, {where}", "value": f"{longest:.1f} s", "well": None}
            )
    found.append({"name": "repetitions", "value": str(sum(report["counts"].values())), "well": None})
    return found


def seconds(value: float | None) -> str:
    """A figure in seconds, as tables show it."""
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"  # noqa: PLR2004 (two digits)


def after(value: float) -> str:
    """A moment after the fault."""
    return f"{value:+.2f} s"


def duration(value: float) -> str:
    """A long time, in minutes."""
    return f"{value:.0f} s" if value < 2 * _MINUTE else f"{value / _MINUTE:.0f} min"


def moment(value: str) -> str:
    """A moment of the calendar, UTC."""
    return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M} UTC"


def way(key: str) -> str:
    """A way in, in words."""
    return timeline_plot.WAYS[key]
