"""From repetitions of drills to the report (schemas/drill-report.schema.json), and from many nights to one.

Moments in the report are seconds after the fault, negative before it. A figure that is not there is null:
the outage did not end, or nobody came in by this way.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from mirrorforce.drills.measure import spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mirrorforce.drills.history import Way
    from mirrorforce.drills.measure import Measures, Outage, Rate, Spread, Timeline
    from mirrorforce.drills.stages import Mark, Stage
    from mirrorforce.drills.violation import Violation

VERSION = 1
WAYS: tuple[Way, ...] = ("multi-host", "dns")
Outcome = Literal["passed", "failed", "error", "skipped"]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """Something that the drill expects: what, what was found, whether that is it."""

    said: str
    found: str
    met: bool


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition of a drill in one cell.

    started: ISO 8601, UTC. seconds: from its start to the heal's end. fault_at: wall clock seconds of the
    fault, None where it never came to it. error: why it could not be carried to its end. skipped: why it was
    not carried out at all. known_hole: violations are what the drill shows, and fail nothing.
    """

    started: str
    seconds: float
    fault_at: float | None = None
    measures: Measures | None = None
    marks: tuple[Mark, ...] = ()
    stages: Mapping[Way, tuple[Stage, ...]] | None = None
    violations: tuple[Violation, ...] = ()
    expected: tuple[Expected, ...] = ()
    error: str | None = None
    skipped: str | None = None
    known_hole: bool = False

    @property
    def outcome(self) -> Outcome:
        """failed: it ran, and something is not as promised. error: it did not run to its end."""
        if self.skipped is not None:
            return "skipped"
        if self.error is not None:
            return "error"
        # A drill without an expectation found out nothing, and is no success.
        met = bool(self.expected) and all(one.met for one in self.expected)
        return "passed" if met and (self.known_hole or not self.violations) else "failed"


@dataclass(frozen=True, slots=True)
class DrillRun:
    """All repetitions of one drill in one cell.

    cell: None where the drill is not of one cell. outage_at_most: the objective in seconds, by way.
    """

    name: str
    title: str
    why: str
    cell: str | None
    repetitions: tuple[Repetition, ...]
    outage_at_most: Mapping[Way, float]


def build(
    *, environment: str, time: str, seconds: float, runs: Sequence[DrillRun], setting: Mapping[str, str]
) -> Document:
    """The report. `setting`: what the figures depend on, such as timings and round trips, in words."""
    return _finished(
        {
            "version": VERSION,
            "environment": environment,
            "time": time,
            "seconds": round(seconds, 1),
            "setting": dict(setting),
        },
        [_drill(run) for run in runs],
    )


def merge(reports: Sequence[Document]) -> Document:
    """One report of several nights: the repetitions of each drill and cell together, in order of time.

    What is said of a drill, of the environment and of its setting is the newest report's. The same
    repetition in two reports counts once.
    """
    ordered = sorted(reports, key=lambda report: str(report["time"]))
    newest = ordered[-1]
    together: dict[tuple[str, str | None], Document] = {}
    for report in ordered:
        for drill in report["drills"]:
            key = drill["name"], drill["cell"]
            known = together[key]["repetitions"] if key in together else []
            fresh = [one for one in drill["repetitions"] if one not in known]
            repetitions = sorted([*known, *fresh], key=lambda one: str(one["started"]))
            together[key] = {**drill, "repetitions": repetitions, "summary": summary(repetitions)}
    head = {key: newest[key] for key in ("version", "environment", "time", "setting")}
    seconds = round(sum(report["seconds"] for report in ordered), 1)
    return _finished({**head, "seconds": seconds}, list(together.values()))


def _finished(head: Document, drills: list[Document]) -> Document:
    outcomes = Counter(one["outcome"] for drill in drills for one in drill["repetitions"])
    failures = [sentence for drill in drills for sentence in failures_of(drill)]
    return {
        **head,
        "passed": outcomes["passed"] > 0 and not failures,
        "counts": _counts(outcomes),
        "failures": failures,
        "drills": drills,
    }


def _counts(outcomes: Mapping[str, int]) -> dict[str, int]:
    return {outcome: outcomes.get(outcome, 0) for outcome in ("passed", "failed", "error", "skipped")}


def failures_of(drill: Document) -> Iterable[str]:
    """What fell short in a drill, a sentence each: for the command line, and for the report's first lines."""
    where = drill["name"] if drill["cell"] is None else f"{drill['name']}, {drill['cell']}"
    for number, one in enumerate(drill["repetitions"], start=1):
        who = where if len(drill["repetitions"]) == 1 else f"{where}, repetition {number}"
        for fault in faults_of(one):
            yield f"{who}: {fault}"
    for objective in objectives(drill):
        if not objective.met:
            yield f"{where}: {objective.missed}"


@dataclass(frozen=True, slots=True)
class Objective:
    """How long an outage may be by one way in: `limit` for the `p95` of `repetitions`, in seconds."""

    way: str
    limit: float
    p95: float
    repetitions: int

    @property
    def met(self) -> bool:
        """Whether the 95th percentile is within the limit."""
        return self.p95 <= self.limit

    @property
    def said(self) -> str:
        """The objective in words."""
        return f"an outage of {self.limit:g} s at most by {self.way.replace('_', '-')}"

    @property
    def found(self) -> str:
        """What there is instead."""
        one = f"{self.p95:.1f} s"
        return one if self.repetitions == 1 else f"{one} as 95th percentile of {self.repetitions} repetitions"

    @property
    def missed(self) -> str:
        """A sentence for a failure."""
        return f"expected {self.said}; found {self.found}"


def objectives(drill: Document) -> list[Objective]:
    """What the drill's outages are held to, all repetitions together; none where no outage was measured."""
    found = []
    for way, limit in drill["outage_at_most"].items():
        spread_of = drill["summary"]["rto_seconds"][way]
        if spread_of is not None:
            measured = sum(one["rto_seconds"][way] is not None for one in drill["repetitions"])
            found.append(Objective(way, limit, spread_of["p95"], measured))
    return found


def faults_of(repetition: Document) -> Iterable[str]:
    """What fell short in a repetition, a sentence each."""
    if repetition["outcome"] == "error":
        yield f"could not be carried out: {repetition['reason']}"
    if repetition["outcome"] == "failed" and not repetition["expected"]:
        yield "nothing was expected, so nothing was found out"
    # Those of a passed one are what a known hole shows.
    for violation in repetition["violations"] if repetition["outcome"] != "passed" else ():
        yield f"{violation['kind']}: {violation['said']}"
    for expected in repetition["expected"]:
        if not expected["met"]:
            yield f"expected {expected['said']}; found {expected['found']}"


def _drill(run: DrillRun) -> Document:
    repetitions = [_repetition(one) for one in run.repetitions]
    return {
        "name": run.name,
        "title": run.title,
        "why": run.why,
        "cell": run.cell,
        "outage_at_most": {_key(way): seconds for way, seconds in run.outage_at_most.items()},
        "repetitions": repetitions,
        "summary": summary(repetitions),
    }


def summary(repetitions: Sequence[Document]) -> Document:
    """Counts, rows lost, and the spread of the outages that ended; null where none did."""
    outages: dict[str, list[float]] = {_key(way): [] for way in WAYS}
    for one in repetitions:
        for way, seconds in one["rto_seconds"].items():
            if seconds is not None:
                outages[way].append(seconds)
    lost = [one["rpo_rows"] for one in repetitions if one["rpo_rows"] is not None]
    return {
        **_counts(Counter(one["outcome"] for one in repetitions)),
        "rpo_rows": max(lost, default=None),
        "rto_seconds": {way: _spread(spread(figures)) for way, figures in outages.items()},
    }


def _repetition(one: Repetition) -> Document:
    measures = one.measures
    fault_at = one.fault_at or 0.0
    outages: Mapping[Way, Outage] = measures.outages if measures else {}
    return {
        "started": one.started,
        "seconds": round(one.seconds, 1),
        "outcome": one.outcome,
        "reason": one.skipped if one.skipped is not None else one.error,
        "violations": [_violation(violation) for violation in one.violations],
        "expected": [asdict(expected) for expected in one.expected],
        "rpo_rows": measures.rpo_rows if measures else None,
        "rto_seconds": {_key(way): _ended(outages.get(way)) for way in WAYS},
        "outages": {_key(way): _outage(measures, way, fault_at) for way in outages} if measures else {},
        "clients": _clients(measures) if measures else None,
        "stages": {_key(way): [_stage(stage) for stage in its] for way, its in (one.stages or {}).items()},
        "marks": [_mark(mark, fault_at) for mark in sorted(one.marks, key=lambda mark: mark.at)],
        "timeline": _timeline(measures.timeline) if measures else None,
    }


def _key(way: str) -> str:
    return way.replace("-", "_")


def _violation(violation: Violation) -> Document:
    return {
        "kind": str(violation.kind),
        "said": violation.said,
        "evidence": list(violation.evidence),
    }


def _ended(outage: Outage | None) -> float | None:
    return round(outage.seconds, 3) if outage is not None and outage.ended else None


def _outage(measures: Measures, way: Way, fault_at: float) -> Document:
    outage = measures.outages[way]
    return {
        "seconds": round(outage.seconds, 3),
        "ended": outage.ended,
        "began": round(outage.last_before - fault_at, 3),
        "slowest_client_seconds": _ended(measures.slowest_client.get(way)),
    }


def _clients(measures: Measures) -> Document:
    return {
        "acknowledged": measures.outcomes.get("acknowledged", 0),
        "rejected": measures.outcomes.get("rejected", 0),
        "unknown": measures.outcomes.get("unknown", 0),
        "conflicts": measures.outcomes.get("conflict", 0),
        "longest_wait_seconds": round(measures.longest_wait, 3),
        "outage_seconds_by_kind": {
            kind: None if seconds is None else round(seconds, 3) for kind, seconds in measures.by_kind.items()
        },
        "before": _rate(measures.before),
        "after": _rate(measures.after),
    }


def _rate(rate: Rate) -> Document:
    return {
        "commits_per_second": round(rate.commits_per_second, 1),
        "latency_ms": _spread(rate.latency_ms, digits=1),
    }


def _spread(figures: Spread | None, *, digits: int = 3) -> Document | None:
    return (
        None if figures is None else {name: round(value, digits) for name, value in asdict(figures).items()}
    )


def _stage(stage: Stage) -> Document:
    return {
        "name": str(stage.name),
        "seconds": round(stage.seconds, 3),
        "ended": round(stage.ended, 3),
        "host": stage.host,
        "said": stage.said,
    }


def _mark(mark: Mark, fault_at: float) -> Document:
    return {
        "after": round(mark.at - fault_at, 3),
        "what": str(mark.what),
        "host": mark.host,
        "about": mark.about,
        "said": mark.said,
    }


def _timeline(timeline: Timeline) -> Document:
    latency: dict[str, list[float | None]] = {
        name: [None if one is None else round(getattr(one, name), 1) for one in timeline.latency_ms]
        for name in ("median", "p95", "maximum")
    }
    return {
        "start": timeline.start,
        "bin_seconds": timeline.bin_seconds,
        "acknowledged": {_key(way): list(counts) for way, counts in timeline.acknowledged.items()},
        "rejected": list(timeline.rejected),
        "unknown": list(timeline.unknown),
        "reads": list(timeline.reads),
        "latency_ms": latency,
    }
