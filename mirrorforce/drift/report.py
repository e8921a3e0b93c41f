"""From findings to the drift report (schemas/drift-report.schema.json), and what its exit status is. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mirrorforce.drift.finding import SEVERITIES
from mirrorforce.drift.masks import masked
from mirrorforce.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.drift.allowance import Judged
    from mirrorforce.drift.finding import Finding, Gap

VERSION = 1
Kind = Literal["full", "quick"]


@dataclass(frozen=True, slots=True)
class Look:
    """The frame of a look: of what, when (ISO 8601, UTC), how; seconds of each part and of the whole."""

    environment: str
    estate: str
    time: str
    kind: Kind
    seconds: float
    parts: Mapping[str, float] = field(default_factory=dict)


def build(
    look: Look,
    judged: Judged,
    gaps: Sequence[Gap],
    *,
    secrets: Sequence[str] = (),
    mended: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The report. No text of it holds one of `secrets`, nor what looks like one."""
    findings = [_finding(finding, secrets) for finding in judged.findings]
    accepted = [
        {
            **_finding(one.finding, secrets),
            "reason": one.entry.reason,
            "until": one.entry.until.isoformat(),
        }
        for one in judged.accepted
    ]
    counts = Counter(finding["severity"] for finding in findings)
    return {
        "version": VERSION,
        "environment": look.environment,
        "estate": look.estate,
        "time": look.time,
        "kind": look.kind,
        "seconds": round(look.seconds, 1),
        "parts": {name: round(seconds, 1) for name, seconds in look.parts.items()},
        "drift": bool(findings),
        "complete": not gaps,
        "counts": {severity: counts[severity] for severity in SEVERITIES},
        "findings": findings,
        "accepted": accepted,
        "gaps": [{**asdict(gap), "reason": masked(gap.reason, secrets)} for gap in gaps],
        "mended": list(mended),
    }


def exit_code(report: Mapping[str, Any]) -> ExitCode:
    """3 where there is any drift, also in a partial look; else 1 where it could not tell; 0 when clean."""
    if report["drift"]:
        return ExitCode.DRIFT_FOUND
    return ExitCode.AS_DECLARED if report["complete"] else ExitCode.ERROR


def _finding(finding: Finding, secrets: Sequence[str]) -> dict[str, Any]:
    mend = finding.mend
    return {
        "layer": finding.layer,
        "seen_by": list(finding.layers),
        "subject": finding.subject,
        "item": masked(finding.item, secrets),
        "severity": finding.severity,
        "declared": masked(finding.declared, secrets),
        "found": masked(finding.found, secrets),
        "declared_in": finding.declared_in,
        "fix": {"by": mend.by, "what": masked(mend.what, secrets), "disruptive": mend.disruptive},
        "diff": masked(finding.diff, secrets),
    }
