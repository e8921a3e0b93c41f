"""Drift that the owner of an estate accepts, each with a reason and a last day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mirrorforce.drift.finding import Finding, by_hand

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from mirrorforce.estate import AcceptedDrift

ENTRY = "accepted_drift"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that an entry of the estate file accepts."""

    finding: Finding
    entry: AcceptedDrift


@dataclass(frozen=True, slots=True)
class Judged:
    """Findings that count, and those that are accepted."""

    findings: tuple[Finding, ...]
    accepted: tuple[Accepted, ...]


def judge(
    findings: Sequence[Finding],
    entries: Sequence[AcceptedDrift],
    today: dt.date,
    *,
    file: str,
    saw_all: bool,
) -> Judged:
    """Tell accepted drift from what counts. An entry that has expired accepts nothing, and is a finding.

    `saw_all`: whether the look could have seen anything at all. Only then an entry that nothing matches is
    known to be in vain, which is a finding as well: a list that is not true is read by nobody.
    """
    living = [entry for entry in entries if today <= entry.until]
    counted, accepted = [], []
    for finding in findings:
        entry = next((entry for entry in living if matches(entry, finding)), None)
        if entry is None:
            counted.append(finding)
        else:
            accepted.append(Accepted(finding, entry))
    counted += _complaints(findings, entries, today, file=file, saw_all=saw_all)
    return Judged(tuple(counted), tuple(accepted))


def matches(entry: AcceptedDrift, finding: Finding) -> bool:
    """Whether the entry means this finding: subject and item by shell patterns, the layer by its name."""
    return (
        fnmatchcase(finding.subject, entry.subject)
        and fnmatchcase(finding.item, entry.item)
        and (not entry.layer or entry.layer in finding.layers)
    )


def _complaints(
    findings: Sequence[Finding],
    entries: Iterable[AcceptedDrift],
    today: dt.date,
    *,
    file: str,
    saw_all: bool,
) -> Iterator[Finding]:
    for index, entry in enumerate(entries):
        place = f"{ENTRY}[{index}]"
        words = f"{entry.subject} {entry.item}: {entry.reason}"
        if today > entry.until:
            yield Finding(
                ("accepted",),
                file,
                place,
                declared=f"accepted until {entry.until}",
                found=f"expired {(today - entry.until).days} days ago ({words})",
                declared_in=f"{file}: {place}",
                severity="serious",
                mend=by_hand("mend the drift, or accept it once more with another last day"),
            )
        elif saw_all and not any(matches(entry, finding) for finding in findings):
            yield Finding(
                ("accepted",),
                file,
                place,
                declared=words,
                found="nothing matches it",
                declared_in=f"{file}: {place}",
                severity="minor",
                mend=by_hand("remove the entry"),
            )
