"""One difference between what is declared and what is. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Layer = Literal["infrastructure", "configuration", "cluster", "seal", "accepted"]
"""Who owns what differs: a stack, a task of a role, the running cluster against the model, nobody who was
there when the host was sealed, the list of accepted drift."""

Severity = Literal["critical", "serious", "minor"]
"""critical: data or access is at stake now. serious: it will be, or the service is. minor: neither."""

By = Literal["stack", "converge", "host", "restart", "copy", "hand"]
"""Who mends: `pulumi up`, the roles, an act on the host, a restart, a copy of the primary, a person."""

SEVERITIES: tuple[Severity, ...] = ("critical", "serious", "minor")
_OWNERS: tuple[Layer, ...] = ("infrastructure", "configuration", "cluster", "seal", "accepted")


@dataclass(frozen=True, slots=True)
class Mend:
    """What `--fix` would do about a finding.

    what: in words. where: the stack, or the host. act: what the host is told (`mirrorforce.onhost.mend`).
    disruptive: whether somebody may notice, so that a person is asked first.
    """

    by: By
    what: str
    where: str = ""
    act: Mapping[str, Any] = field(default_factory=dict)
    disruptive: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference. `subject`: a host, a cell, a resource, the estate file. `item`: what of it differs.

    layers: every layer that saw it, the owner's first. diff: for people, secrets are masked.
    """

    layers: tuple[Layer, ...]
    subject: str
    item: str
    declared: str
    found: str
    declared_in: str
    severity: Severity
    mend: Mend
    diff: str = ""

    @property
    def layer(self) -> Layer:
        """The layer that owns it."""
        return self.layers[0]

    @property
    def key(self) -> tuple[str, str]:
        """What makes two findings the same one."""
        return self.subject, self.item


@dataclass(frozen=True, slots=True)
class Gap:
    """What a look could not tell: of whom, why, and what to do about it."""

    subject: str
    reason: str
    next_step: str = ""


def by_hand(what: str) -> Mend:
    """What `--fix` leaves to a person."""
    return Mend("hand", what)


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each difference once, told by its owner, with every layer that saw it; the most serious first.

    The owner is the layer that stands first among infrastructure, configuration, cluster, seal: it knows
    best what is declared. What each of them found is told; diff and mend of another layer are taken where
    the owner has none.
    """
    known: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        before = known.get(finding.key)
        known[finding.key] = finding if before is None else _joined(before, finding)
    return tuple(sorted(known.values(), key=_order))


def _joined(one: Finding, other: Finding) -> Finding:
    first, second = sorted((one, other), key=lambda each: _OWNERS.index(each.layer))
    layers = dict.fromkeys((*first.layers, *second.layers))
    mend = second.mend if first.mend.by == "hand" else first.mend
    said = dict.fromkeys(words for each in (first, second) for words in each.found.split("; "))
    return replace(
        first,
        found="; ".join(said),
        layers=tuple(sorted(layers, key=_OWNERS.index)),
        severity=min(one.severity, other.severity, key=SEVERITIES.index),
        mend=replace(mend, disruptive=one.mend.disruptive or other.mend.disruptive)
        if mend.by != "hand"
        else mend,
        diff=first.diff or second.diff,
    )


def _order(finding: Finding) -> tuple[int, int, str, str]:
    return (
        SEVERITIES.index(finding.severity),
        _OWNERS.index(finding.layer),
        finding.subject,
        finding.item,
    )
