"""From results of checks to the verify report (schemas/verify.schema.json). Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

VERSION = 1
Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of one subject: a host, a cell, or (None) the whole estate."""

    check: str
    subject: str | None
    outcome: Outcome
    found: str


def build(
    *, environment: str, estate: str, time: str, seconds: float, results: Sequence[CheckResult]
) -> dict[str, Any]:
    """The report. A run without a single check is not as declared: it found out nothing."""
    outcomes = Counter(result.outcome for result in results)
    return {
        "version": VERSION,
        "environment": environment,
        "estate": estate,
        "time": time,
        "seconds": round(seconds, 1),
        "as_declared": outcomes["passed"] > 0 and outcomes["failed"] == 0,
        "passed": outcomes["passed"],
        "failed": outcomes["failed"],
        "skipped": outcomes["skipped"],
        "checks": _by_check(results),
        "results": [asdict(result) for result in results],
    }


def _by_check(results: Sequence[CheckResult]) -> list[dict[str, Any]]:
    counted: dict[str, Counter[str]] = {}
    for result in results:
        counted.setdefault(result.check, Counter())[result.outcome] += 1
    return [
        {"check": check, **{outcome: counts[outcome] for outcome in ("passed", "failed", "skipped")}}
        for check, counts in counted.items()
    ]


def of_subjects(report: Mapping[str, Any], subjects: Collection[str]) -> dict[str, Any]:
    """The report of these subjects alone: as if nothing else had been checked."""
    results = [CheckResult(**each) for each in report["results"] if each["subject"] in subjects]
    return build(
        environment=report["environment"],
        estate=report["estate"],
        time=report["time"],
        seconds=report["seconds"],
        results=results,
    )


def in_words(test_name: str) -> tuple[str, str | None]:
    """A pytest name as (check, subject): `test_services_run[east-na1]` is `services run` of east-na1."""
    name, _, rest = test_name.partition("[")
    return name.removeprefix("test_").replace("_", " "), rest.removesuffix("]") or None
