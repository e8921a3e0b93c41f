"""The preview report (schemas/preview-report.schema.json), of outcomes, a comparison, two estimates. Pure.

The report says everything; `markdown.py` says what of it a comment can hold.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce.previews import weights
from mirrorforce.previews.configuration import Comparison
from mirrorforce.stack_names import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mirrorforce.aws_cost import Estimate
    from mirrorforce.engine import Outcome
    from mirrorforce.engine_events import Step
    from mirrorforce.estate import Host
    from mirrorforce.previews.trees import Revision
    from mirrorforce.previews.weights import Judgement

    Document = dict[str, Any]

VERSION = 1
_GROUPS = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
_HALVES = frozenset({"create-replacement", "delete-replaced"})
"""Of a replacement, which is told of as a whole."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was compared: with which revision, and what came of it, or why nothing did."""

    against: Revision | None = None
    comparison: Comparison | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """Two estimates at the same prices; no `before`, and why, where the other cannot be told."""

    after: Estimate
    before: Estimate | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """Of which environment, when (UTC, ISO 8601), and how long it took, in seconds."""

    environment: str
    time: str
    seconds: float


def build(
    header: Header,
    hosts: Iterable[Host],
    outcomes: Sequence[Outcome],
    configuration: Configuration,
    cost: Cost,
) -> Document:
    """The report."""
    known = {host.name: host for host in hosts}
    stacks = [_stack(outcome, known) for outcome in outcomes]
    compared = _configuration(configuration)
    return {
        "version": VERSION,
        **asdict(header),
        "first": first(stacks, compared),
        "stacks": stacks,
        "findings": [asdict(finding) for outcome in outcomes for finding in outcome.findings],
        "configuration": compared,
        "cost": _cost(cost),
    }


def merged(reports: Sequence[Document], stacks: Sequence[str]) -> Document:
    """One report of the stacks of several, of one environment; all else as in the first that compares.

    A stack among `stacks`, all of the environment's, that no report tells of counts as one that could not be
    previewed. ValueError where environments or revisions differ.
    """
    compared = [report for report in reports if report["configuration"]["against"]]
    head = (compared or reports)[0]
    for report in reports:
        if report["environment"] != head["environment"]:
            raise ValueError(f"one is of {head['environment']}, one of {report['environment']}")
    for report in compared:
        if report["configuration"]["against"] != head["configuration"]["against"]:
            raise ValueError("they are not against the same revision")
    told = {stack["stack"]: stack for report in reports for stack in report["stacks"]}
    found = [told.get(name) or _lacking(name) for name in (stacks if told else ())]
    return head | {
        "seconds": max(report["seconds"] for report in reports),
        "stacks": found,
        "findings": [finding for report in reports for finding in report["findings"]],
        "first": first(found, head["configuration"]),
    }


def _lacking(stack: str) -> Document:
    reason = "no preview of it came in: whatever was to make it says why"
    return {
        "stack": stack,
        "site": parse(stack).part,
        "seconds": 0.0,
        "errors": [reason],
        **{group: [] for group in _GROUPS.values()},
    }


def without(report: Any, hidden: Mapping[str, str]) -> Any:  # noqa: ANN401 - a part of a JSON document
    """The report with each text of `hidden` replaced by its name, wherever it stands: the last guard."""
    if isinstance(report, str):
        for text, name in hidden.items():
            report = report.replace(text, f"<{name}>")
        return report
    if isinstance(report, dict):
        return {key: without(value, hidden) for key, value in report.items()}
    if isinstance(report, list):
        return [without(value, hidden) for value in report]
    return report


def failed(report: Document) -> bool:
    """Whether a stack could not be previewed, or breaks a mandatory guard rail."""
    return any(stack["errors"] for stack in report["stacks"])


def changes(report: Document) -> bool:
    """Whether anything would change in a stack."""
    return any(stack[group] for stack in report["stacks"] for group in _GROUPS.values())


def first(stacks: Sequence[Document], configuration: Document) -> list[Document]:
    """What a reviewer is to read first, the heaviest first: of stacks, then of configuration."""
    found = [*_first_of_stacks(stacks), *_first_of_configuration(configuration)]
    return sorted(found, key=lambda each: weights.ORDER.index(each["weight"]))


def _first_of_stacks(stacks: Sequence[Document]) -> Iterator[Document]:
    for stack in stacks:
        for group in ("deleted", "replaced", "updated", "created"):
            for item in stack[group]:
                if item["weight"] != "none":
                    yield _entry(item, stack["site"], f"{item['kind']} {item['name']} {group}")


def _first_of_configuration(configuration: Document) -> Iterator[Document]:
    for setting in configuration["settings"]:
        if setting["weight"] != "none":
            was, will = (setting[side] or "not set" for side in ("before", "after"))
            yield _entry(setting, setting["cell"], f"{setting['name']}: {was} → {will}")
    for restart in configuration["restarts"]:
        yield _entry(restart, ", ".join(restart["hosts"]), f"{restart['unit']} restarts")


def _entry(judged: Document, where: str, what: str) -> Document:
    return {"weight": judged["weight"], "where": where, "what": what, "why": judged["why"]}


def _stack(outcome: Outcome, hosts: Mapping[str, Host]) -> Document:
    site = parse(outcome.stack).part
    groups: Document = {group: [] for group in _GROUPS.values()}
    for operation, step, refused in _steps(outcome):
        judgement = weights.of_step(operation, step, hosts)
        groups[_GROUPS[operation]].append(
            {
                "kind": step.kind,
                "name": step.name,
                "properties": list(step.diffs),
                "refused": refused,
                **_judged(judgement),
            }
        )
    return {
        "stack": outcome.stack,
        "site": site,
        "seconds": outcome.seconds,
        "errors": list(outcome.errors),
        **groups,
    }


def _steps(outcome: Outcome) -> Iterator[tuple[str, Step, bool]]:
    """Each resource once, with what becomes of it: a replacement counts as one, also where it is refused."""
    refused = {step.urn: step for step in outcome.losses}
    for step in outcome.losses:
        yield step.operation, step, True
    whole = {(step.kind, step.name) for step in outcome.changed if step.operation == "replace"}
    told = set()
    for step in outcome.changed:
        operation = "replace" if step.operation in _HALVES else step.operation
        key = (step.kind, step.name)
        if step.urn in refused or key in told or (step.operation in _HALVES and key in whole):
            continue
        told.add(key)
        yield operation if operation in _GROUPS else "update", step, False


def _configuration(configuration: Configuration) -> Document:
    found = configuration.comparison or Comparison()
    against = configuration.against
    return {
        "against": {"name": against.name, "commit": against.commit} if against else None,
        "reason": configuration.reason,
        "roles": [_plain(each) for each in found.roles],
        "code": list(found.code),
        "files": [_plain(each) for each in found.files],
        "variables": [_plain(each) for each in found.variables],
        "settings": [
            {"cell": each.cell, "name": each.name, "before": each.before, "after": each.after}
            | _judged(each.judgement)
            for each in found.settings
        ],
        "restarts": [
            {"unit": each.unit, "hosts": list(each.hosts), "because": list(each.because)}
            | _judged(each.judgement)
            for each in found.restarts
        ],
        "packages": [
            {"name": name, "change": kind, "hosts": list(hosts)} for name, kind, hosts in found.packages
        ],
        "new_hosts": list(found.new_hosts),
        "gone_hosts": list(found.gone_hosts),
        "gaps": list(found.gaps),
    }


def _plain(value: Any) -> Document:  # noqa: ANN401 - one of the comparison's dataclasses
    return {name: list(each) if isinstance(each, tuple) else each for name, each in asdict(value).items()}


def _judged(judgement: Judgement) -> Document:
    return {"weight": judgement.weight, "why": judgement.why}


def _cost(cost: Cost) -> Document:
    after, before = cost.after, cost.before
    parts = {
        (part.name, part.region): None for each in (before, after) if each is not None for part in each.parts
    }
    return {
        "currency": after.currency,
        "prices_of": after.date,
        "reason": cost.reason,
        "before": round(before.month, 2) if before and parts else None,
        "after": round(after.month, 2) if parts else None,
        "parts": [
            {"name": name, "region": region}
            | {"before": _month(before, name, region), "after": _month(after, name, region)}
            for name, region in parts
        ],
        "unpriced": list(after.unpriced),
    }


def _month(estimate: Estimate | None, name: str, region: str) -> float | None:
    """A part's cost a month: 0 where it is not there, None where nothing is known."""
    if estimate is None:
        return None
    return round(sum(part.month for part in estimate.parts if (part.name, part.region) == (name, region)), 2)
