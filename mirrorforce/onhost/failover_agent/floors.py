"""RULE 12, who has enough to lead: closes a hole of Patroni's. Pure; standard library only.

Patroni (4.0.7) takes a lost standby off `/sync` whether or not those that stay have what only the lost one
had confirmed; if the primary is lost next, one that lacks acknowledged rows is elected. So the primary's
agent keeps a *floor* for each `/sync`: a position not below what was acknowledged when that `/sync` came to
stand. What is acknowledged later, Patroni's quorum covers. Who is below the floor, or finds none for the
present `/sync`, does not promote (`gate`), and no leader key is released for it. models/README.md:
`patroni-floor`, and what weaker forms lose.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import rules
from mirrorforce.onhost.failover_agent.view import Floor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.onhost.failover_agent.view import Promise, Sync, View

_WHO_DECIDES = ": only who has all leads, unless maintenance is on"


def owed(me: str, view: View) -> bool:
    """Whether this member leads, and the `/sync` that it wrote has no floor yet."""
    leader, sync, floor = view.leader, view.sync, view.floor
    if leader is None or sync is None or leader.name != me or sync.leader != me:
        return False
    return floor is None or not floor.is_of(sync)


def of_sync(sync: Sync, before: Floor | None, flushed: int) -> Floor:
    """The floor of this `/sync`. flushed: what the primary has on disk (an LSN), asked since it was read.

    A `/sync` that only gained voters asks for no more than the one right before it: to ask for what the
    primary has just written and nobody confirmed keeps everybody from leading, should it die at that moment.
    """
    kept = before is not None and _only_gained(before, sync)
    position = before.position if before and kept else flushed
    return Floor(position, sync.revision, sync.version, sync.voters, sync.quorum)


def _only_gained(before: Floor, sync: Sync) -> bool:
    """Whether exactly one write lies between, which added voters, and none of them may be missing."""
    gained = len(sync.voters) - len(before.voters)
    return (
        before.sync_version > 0
        and sync.version == before.sync_version + 1
        and sync.voters > before.voters
        and sync.quorum - before.quorum == gained
    )


def of_release(sync: Sync, counted: Mapping[str, Promise]) -> Floor:
    """The floor of `/sync` as a release puts it anew: nothing acknowledged lies above the best it counted."""
    best = rules.best_position(counted.values())
    return Floor(best, 0, sync.version + 1, sync.voters, sync.quorum)


def against(me: str, view: View, position: int | None) -> str:
    """Why this member, which has `position` (an LSN), is not to lead; '' where nothing stands against it.

    Nothing does where no floor was ever kept, the last primary is this member itself, or maintenance is on.
    """
    sync, floor = view.sync, view.floor
    if view.maintenance or floor is None or sync is None or sync.leader in ("", me):
        return ""
    if why := missing(view):
        return why
    if position is None:
        return "PostgreSQL does not say what it has"
    return below(floor, position)


def missing(view: View) -> str:
    """Why it is not known what has to be had; '' where it is, or where no floor was ever kept."""
    sync, floor = view.sync, view.floor
    if sync is None or floor is None or floor.is_of(sync):
        return ""
    return f"/sync changed, and the agent of {sync.leader} has not said what it takes to lead{_WHO_DECIDES}"


def below(floor: Floor, position: int) -> str:
    """Why a member at this position may lack acknowledged rows; '' where it cannot."""
    if position >= floor.position:
        return ""
    held, wanted = f"{position:X}", f"{floor.position:X}"
    return f"it has {held}, and rows up to {wanted} may have been acknowledged{_WHO_DECIDES}"


def ordered(me: str, failover: str | None) -> bool:
    """Whether `/failover` held a person's order to this member: a failover, which names no leader."""
    try:
        given = json.loads(failover or "{}")
    except ValueError:
        return False
    return isinstance(given, dict) and given.get("member") == me and not given.get("leader")
