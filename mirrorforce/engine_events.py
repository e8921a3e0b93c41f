"""What the engine says while it works: its stream of JSON events, read. Pure.

The stream is `pulumi … --json`: one event a line, as `apitype.EngineEvent` of the Pulumi SDK.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

QUIET_OPERATIONS = frozenset({"same", "read", "refresh", "discard"})
"""Operations that change nothing."""

LOSES = frozenset({"delete", "replace", "delete-replaced", "create-replacement"})
"""Operations after which what a resource held is gone."""

TELLING: Mapping[str, frozenset[str]] = {"Instance": frozenset({"instanceState"})}
"""By kind, what no program declares and a refresh is to tell of all the same: somebody stopped a host.

The engine compares what was declared, so that it calls such a resource the same."""

_REFUSALS = ("marked for protection", "because it is protected")
"""How the engine says that it does not delete or replace what is protected."""

_NOISE = "Exception calling application: "
_REPEATS = (
    "update failed",
    "preview failed",
    "resource refresh failed",
    "an unhandled error occurred: the program ended early",
    "an unhandled error occurred: Program exited with non-zero exit code",
)
"""How errors begin that say no more than the one before them."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on one resource: `kind` is the last part of its type, `Host` say.

    protected: whether the resource that is there is one that the engine neither deletes nor replaces.
    diffs: the properties that change, as the provider calls them.
    before, after: its properties as the state has them, and as they are or would be.
    """

    stack: str
    operation: str
    kind: str
    name: str
    state: Literal["started", "done", "failed"]
    urn: str = field(default="", compare=False)
    protected: bool = field(default=False, compare=False)
    diffs: tuple[str, ...] = field(default=(), compare=False)
    before: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    after: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def changes(self) -> bool:
        """Whether the operation changes anything."""
        return self.operation not in QUIET_OPERATIONS

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a policy pack says of a resource, '' for the stack. `mandatory`: it stops the stack."""

    stack: str
    rule: str
    mandatory: bool
    resource: str
    message: str


@dataclass(slots=True)
class Account:
    """What a stream of events has said so far. `looks`: it is a refresh's, which tells what is."""

    stack: str
    looks: bool = False
    steps: list[Step] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)

    def take(self, line: str) -> Step | None:
        """Take one line of the stream; the step that it speaks of. Lines that are no event are ignored."""
        try:
            event = json.loads(line)
        except ValueError:
            return None
        if not isinstance(event, dict):
            return None
        if diagnostic := event.get("diagnosticEvent"):
            self._take_diagnostic(diagnostic)
        if violation := event.get("policyEvent"):
            self._take_violation(violation)
        if summary := event.get("summaryEvent"):
            self.counts = summary.get("resourceChanges") or {}
        step = step_of(self.stack, event)
        if step and self.looks:
            step = as_found(step)
        if step:
            self.steps.append(step)
        return step

    @property
    def changed(self) -> tuple[Step, ...]:
        """Operations that change something and have ended, in their order; in a preview, that would."""
        return tuple(step for step in self.steps if step.changes and step.state == "done")

    @property
    def losses(self) -> tuple[Step, ...]:
        """Protected resources that would be deleted or replaced, each once: the engine refuses these."""
        found: dict[str, Step] = {}
        for step in self.steps:
            if step.protected and step.operation in LOSES:
                operation = "delete" if step.operation == "delete" else "replace"
                found.setdefault(step.urn, replace(step, operation=operation))
        return tuple(found.values())

    def _take_diagnostic(self, diagnostic: Mapping[str, Any]) -> None:
        if diagnostic.get("severity") != "error":
            return
        text = str(diagnostic.get("message", "")).strip().removeprefix(_NOISE)
        resource = _name(str(diagnostic.get("urn", "")))
        if any(words in text for words in _REFUSALS):
            self.refusals.append(text)
        elif text and not text.startswith(_REPEATS):
            self.errors.append(f"{resource}: {text}" if resource else text)

    def _take_violation(self, violation: Mapping[str, Any]) -> None:
        """What breaks a rule of a policy pack stops the operation; what only warns does not."""
        text = str(violation.get("message", "")).strip()
        rule = str(violation.get("policyName", ""))
        mandatory = violation.get("enforcementLevel") == "mandatory"
        resource = _name(str(violation.get("resourceUrn", "")))
        self.findings.append(Finding(self.stack, rule, mandatory, resource, text))
        if mandatory:
            self.errors.append(f"guard rail {rule}: {text}")


def step_of(stack: str, event: Mapping[str, Any]) -> Step | None:
    """The step that an event speaks of; None where it speaks of none, or of the stack as a whole."""
    states: dict[str, Literal["started", "done", "failed"]] = {
        "resourcePreEvent": "started",
        "resOutputsEvent": "done",
        "resOpFailedEvent": "failed",
    }
    for key, state in states.items():
        if key in event:
            metadata = event[key]["metadata"]
            urn = str(metadata["urn"])
            kind = str(metadata["type"]).rpartition(":")[2]
            if kind == "Stack":
                return None
            old, new = metadata.get("old") or {}, metadata.get("new") or {}
            protected = bool(old.get("protect"))
            diffs = tuple(map(str, metadata.get("diffs") or ()))
            return Step(
                stack, str(metadata["op"]), kind, _name(urn), state, urn, protected, diffs,
                before=old.get("outputs") or {}, after=new.get("outputs") or {},
            )  # fmt: skip
    return None


def as_found(step: Step) -> Step:
    """The step of a refresh, as an update of what is telling where that is another than the state has it."""
    known = TELLING.get(step.kind, frozenset()) & {*step.before, *step.after}
    differs = tuple(sorted(name for name in known if step.before.get(name) != step.after.get(name)))
    if step.changes or not differs:
        return step
    return replace(step, operation="update", diffs=differs)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
