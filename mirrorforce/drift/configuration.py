"""What converge would change: from the changes of a run in check mode to findings. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mirrorforce.drift.finding import Finding, Gap, Mend
from mirrorforce.drift.severity import severity_of
from mirrorforce.playbook import entry_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mirrorforce.playbook import Change, PlaybookResult

PKI_FOLDER = "/etc/mirrorforce/pki"
HIDDEN = "hidden by its role"
CONFIGURATION = "configuration"
"""How items of a cell's dynamic configuration begin."""

_CERTIFICATE = re.compile(r"^(?P<name>[\w-]+): (?P<why>.*)$")
_RESTARTS = re.compile(r"^(?P<host>[^:]+): (?P<what>.*waits? for a restart.*)$")
_UNITS = (".service", ".socket", ".timer", ".mount")
_DISRUPTIVE = ("restart etcd.service", "restart gdnsd.service", "restart patroni.service")

Item = tuple[str, str, str]
"""What differs, how it was found, and the difference for people."""


def findings(result: PlaybookResult, cells: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for each file, unit, package, role … that a task would change. `cells`: of each host."""
    for change in result.changes:
        for item, found, diff in items(change):
            shared = item.startswith((f"{CONFIGURATION} ", "role ", "database "))
            subject = cells.get(change.host, change.host) if shared else change.host
            yield Finding(
                ("configuration",),
                subject,
                item,
                declared="as its role says",
                found=found,
                declared_in=f"{change.place} ({change.task})" if change.place else change.task,
                severity=severity_of(item),
                mend=Mend(
                    "converge",
                    "converge puts it right",
                    change.host,
                    disruptive=any(what in found for what in _DISRUPTIVE),
                ),
                diff=diff,
            )
    for warning in result.warnings:
        if match := _RESTARTS.match(warning):
            yield restart_due(match["host"], match["what"])


def restart_due(host: str, what: str) -> Finding:
    """What a member runs is older than what it was told: only a restart brings it into force."""
    return Finding(
        ("configuration",),
        host,
        "restart",
        declared="what is configured is in force",
        found=what,
        declared_in="roles/postgres/tasks/run.yml",
        severity="serious",
        mend=Mend(
            "restart", "restart of this member; of a primary after a switchover", host, disruptive=True
        ),
    )


def gaps(result: PlaybookResult) -> Iterator[Gap]:
    """Hosts that were not reached, and tasks that could not say what they would do."""
    for failure in result.failures:
        reason = "not reached" if failure.unreachable else failure.task
        yield Gap(failure.host, f"{reason}: {failure.message}", "mirrorforce status")


def items(change: Change) -> Iterator[Item]:
    """The single things that a task would change on a host."""
    answer = change.answer
    if not answer or "censored" in answer:
        yield f"task {change.task}", f"would change ({HIDDEN})", ""
        return
    for one in answer.get("results") or [answer]:
        if one.get("changed"):
            yield from _of_answer(one, change)


def _of_answer(answer: Mapping[str, Any], change: Change) -> Iterator[Item]:
    entries = answer.get("diff")
    diffs = [entry for entry in (entries if isinstance(entries, list) else [entries]) if entry]
    if paths := answer.get("changed_files"):
        by_path = {entry.get("after_header"): entry_text(entry) for entry in diffs}
        yield from ((path, "differs", by_path.get(path, "")) for path in paths)
    elif missing := answer.get("missing"):
        yield from ((f"package {name}", "not installed", "") for name in missing)
    elif "renewed" in answer:
        yield from (_of_certificate(said) for said in answer.get("changes", ()))
    elif actions := answer.get("actions"):
        yield from _of_actions(actions, diffs)
    else:
        name = answer.get("name")
        item = f"account {name}" if name and "home" in answer else f"task {change.task}"
        yield item, "differs", change.diff


def _of_certificate(said: str) -> Item:
    match = _CERTIFICATE.match(said)
    if match is None:
        return f"{PKI_FOLDER}/ca.crt", said, ""
    kind = "key" if match["why"].endswith("its key") else "crt"
    return f"{PKI_FOLDER}/{match['name']}.{kind}", match["why"], ""


def _of_actions(actions: Iterable[str], diffs: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
    """Actions of one unit together; a dynamic configuration by its keys."""
    said: dict[str, list[str]] = {}
    for action in actions:
        if action != "dynamic configuration":
            said.setdefault(_object_of(action), []).append(action)
            continue
        for entry in diffs:
            if entry.get("after_header") == action:
                yield from _of_patch(json.loads(entry["before"]), json.loads(entry["after"]))
    for name, whole in said.items():
        yield name, f"would {', '.join(whole)}", ""


def _object_of(action: str) -> str:
    """What an action is about: 'restart etcd.service' about the unit, 'create role reader' about the role."""
    *words, last = action.split()
    if last.endswith(_UNITS):
        return last
    kind = next((word for word in reversed(words) if word in {"role", "database", "user"}), None)
    if "password" in words:
        kind = kind or "role"
    return f"{kind} {last}" if kind else action


def _of_patch(before: Mapping[str, Any], patch: Mapping[str, Any], path: str = "") -> Iterator[Item]:
    """The keys of a patch that would change what is there; null takes a key away."""
    for key, value in patch.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, dict) and isinstance(before.get(key), dict):
            yield from _of_patch(before[key], value, where)
        elif before.get(key) != value:
            found = f"is {json.dumps(before.get(key))}, declared is {json.dumps(value)}"
            yield f"{CONFIGURATION} {where}", found, ""
