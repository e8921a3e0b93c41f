"""What is not as its stack knows it: from the steps of a refresh, and from the stacks' outputs. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirrorforce.drift.finding import Finding, Mend
from mirrorforce.drift.severity import severity_of
from mirrorforce.engine_events import TELLING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.drift.finding import By
    from mirrorforce.engine import Outcome
    from mirrorforce.engine_events import Step
    from mirrorforce.estate import Host
    from mirrorforce.inventory import Inventory

_LONGEST = 120
_GONE = ("delete", "discard-replaced")
_INNER = ("__provider",)


def of_refresh(outcome: Outcome) -> Iterator[Finding]:
    """A finding for each resource that is gone, and for each property that is another."""
    for step in outcome.changed:
        if step.operation in _GONE:
            yield _finding(step, f"{step.kind}.exists", "there", "gone", f"pulumi up makes {step.name} anew")
            continue
        for name in changed_properties(step):
            by_hand = name in TELLING.get(step.kind, ())
            yield _finding(
                step,
                f"{step.kind}.{name}",
                _shown(step.before.get(name)),
                _shown(step.after.get(name)),
                f"somebody brings {step.name} back: pulumi up does not declare it"
                if by_hand
                else f"pulumi up brings {step.name} back",
                by="hand" if by_hand else "stack",
            )


def changed_properties(step: Step) -> tuple[str, ...]:
    """The properties of a resource that are not as the stack knows them."""
    if step.diffs and TELLING.get(step.kind, frozenset()).issuperset(step.diffs):
        return step.diffs
    names = {*step.before, *step.after} - set(_INNER)
    changed = tuple(sorted(name for name in names if step.before.get(name) != step.after.get(name)))
    return changed or step.diffs or ("state",)


def of_inventory(hosts: Sequence[Host], inventory: Inventory, stacks: Mapping[str, str]) -> Iterator[Finding]:
    """Hosts that the estate file declares and no stack has, or has elsewhere; and the other way round.

    `stacks`: the name of each site's stack.
    """
    present = {host.name: host for host in inventory.hosts}
    for host in hosts:
        known = present.pop(host.name, None)
        where = stacks[host.site]
        if known is None:
            yield _of_host(host.name, "Host.exists", "a host of the estate", "in no stack", where)
        elif known.address != host.address:
            yield _of_host(host.name, "Host.address", str(host.address), str(known.address), where)
    for name, extra in present.items():
        where = stacks.get(extra.site, extra.site)
        yield _of_host(name, "Host.declared", "no such host", f"a host of stack {where}", where)


def _of_host(name: str, item: str, declared: str, found: str, stack: str) -> Finding:
    mend = Mend("stack", f"pulumi up of {stack} makes it so", stack, disruptive=item == "Host.declared")
    place = f"stack {stack}"
    return Finding(("infrastructure",), name, item, declared, found, place, severity_of(item), mend)


def _finding(step: Step, item: str, declared: str, found: str, what: str, by: By = "stack") -> Finding:
    return Finding(
        ("infrastructure",),
        step.name,
        item,
        declared,
        found,
        f"stack {step.stack}, {step.kind} {step.name}",
        severity_of(item),
        Mend(by, what, step.stack),
    )


def _shown(value: Any) -> str:  # noqa: ANN401 (a property holds any JSON)
    if isinstance(value, bool) or value is None or isinstance(value, int | float | dict | list):
        text = json.dumps(value, sort_keys=True)
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
