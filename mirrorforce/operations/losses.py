"""What a plan would take away that nobody can give back, and whether somebody has said that it may. Pure.

The engine refuses to delete or replace what is protected: data volumes, hosts that hold data, keys. This says
so before anything is touched, all of it at once, and lets go of what was confirmed by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mirrorforce.engine import Outcome
    from mirrorforce.engine_events import Step
    from mirrorforce.estate import Estate, Host

STOPS = frozenset({"instanceType"})
"""Properties of a host on EC2 that only change while it is off."""


def confirmed(env: str, outcomes: Iterable[Outcome], names: Collection[str]) -> Mapping[str, Sequence[str]]:
    """What may be deleted or replaced, as URNs by stack: all losses of these previews.

    MirrorforceError where one of them is not among `names`, those that somebody has confirmed.
    """
    losses = [loss for outcome in outcomes for loss in outcome.losses]
    unconfirmed = [loss for loss in losses if loss.name not in names]
    if unconfirmed:
        lines = "\n".join(f"  {loss.stack}: {loss.operation} {loss.kind} {loss.name}" for loss in unconfirmed)
        options = " ".join(dict.fromkeys(f"--accept-loss {loss.name}" for loss in losses))
        raise MirrorforceError(
            f"what holds data would be lost; nothing was changed:\n{lines}",
            f"mend stacks/{env}.yaml, or confirm each by its name: mirrorforce up {env} {options}",
        )
    found: dict[str, list[str]] = {}
    for loss in losses:
        found.setdefault(loss.stack, []).append(loss.urn)
    return found


def require_rolling(estate: Estate, hosts: Iterable[Host], outcomes: Iterable[Outcome]) -> None:
    """MirrorforceError where one plan would stop several members of a cell, or several voters, at once.

    Each stop alone is planned work that the cell goes through; stacks come up side by side, so two are none.
    """
    declared = {host.name: host for host in hosts}
    steps = [step for outcome in outcomes for step in (*outcome.changed, *outcome.losses)]
    stopped = dict.fromkeys(step.name for step in steps if _stops(step) and step.name in declared)
    for what, together in _side_by_side(declared[name] for name in stopped).items():
        if len(together) > 1:
            names = ", ".join(host.name for host in together)
            raise MirrorforceError(
                f"this plan stops {len(together)} {what} at the same time ({names}); nothing was changed",
                f"one after the other: renew images host by host, change instance types site by site "
                f"(sites.{together[0].site}.aws.instance_types, mirrorforce up {estate.name}, the next site)",
            )


def _stops(step: Step) -> bool:
    if step.kind != "Instance":
        return False
    return step.operation == "replace" or (step.operation == "update" and not STOPS.isdisjoint(step.diffs))


def _side_by_side(hosts: Iterable[Host]) -> dict[str, list[Host]]:
    """Hosts whose loss at the same time is more than that of each: by what they are members of."""
    found: dict[str, list[Host]] = {}
    for host in hosts:
        if host.role == "control":
            found.setdefault("voters of etcd", []).append(host)
        elif host.cell:
            found.setdefault(f"members of the cell {host.cell}", []).append(host)
    return found
