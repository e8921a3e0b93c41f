"""The rules that make it safe to release a leader key, each by its number in models/README.md.

Pure; standard library only. Rules 5, 7 and the compare that a promise needs are transactions: `keys`. Rule 6,
never revoke the lease, is kept by there being nothing that revokes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mirrorforce.onhost.failover_agent.view import Leader, Local, Pace, Promise, Round, Sync, View

MOST_RELEASES = 3
"""So often a round releases when the old primary takes its key back; then Patroni is left alone."""


def enough(sync: Sync, counted: Iterable[str]) -> bool:
    """RULE 1: quorum + 1 promises out of V; none out of an empty V."""
    return bool(sync.voters) and len(sync.voters.intersection(counted)) >= sync.quorum + 1


def may_promise(local: Local, target: str) -> bool:
    """RULE 2: blocked, no walreceiver and no socket left, and only then a promise."""
    return target in local.blocked and target not in local.linked and local.position is not None


def may_fence(local: Local, now: Round) -> bool:
    """RULE 3: a fence is younger than the revisions of its round; an older one is withdrawn first."""
    return now.target not in local.blocked or local.of_round == now.identity


def may_open(view: View, leader: Leader, sync: Sync) -> bool:
    """RULE 3: no round while promises of another stand; those of one with the same revisions go on."""
    identity = (leader.name, leader.revision, sync.revision)
    return all(one.identity == identity for one in view.promises.values())


def unchanged(now: Round, sync: Sync | None) -> bool:
    """RULE 3: `/sync` as before the first fence, or as this round's own release wrote it."""
    expected = now.revision if now.released else now.sync_revision
    return sync is not None and sync.revision == expected


def best_position(promises: Iterable[Promise]) -> int:
    """The highest position (an LSN) among these promises, of which there is one at least."""
    return max(one.position for one in promises)


def ahead(promises: Mapping[str, Promise], counted: Iterable[str], others: Mapping[str, int]) -> list[str]:
    """RULE 4: members that have more than the best promised member of V; the release is refused for them."""
    best = best_position(promises[name] for name in counted)
    held = {name: one.position for name, one in promises.items()} | dict(others)
    return sorted(name for name, position in held.items() if position > best)


def heirs(promises: Mapping[str, Promise], counted: Iterable[str]) -> list[str]:
    """RULES 4 and 5: whom the key may be handed over to: of those counted, the best that can lead.

    Nobody is ahead of them once `ahead` has said so.
    """
    given = {name: promises[name] for name in counted}
    best = best_position(given.values())
    return sorted(name for name, one in given.items() if one.heir and one.position == best)


def may_withdraw(leader: Leader | None, local: Local) -> bool:
    """RULE 7: while the old primary leads (which the transaction compares once more)."""
    return leader is not None and leader.name in local.blocked


def may_lift(me: str, leader: Leader | None, local: Local) -> bool:
    """RULE 8: never in a vacancy; with another leader, once this member follows it, or is it and runs so."""
    if leader is None or leader.name in local.blocked:
        return False
    return local.primary if leader.name == me else local.follows == leader.name


def boot_blocks(me: str, members: Iterable[str]) -> frozenset[str]:
    """RULE 10: at boot nothing may be streamed from anybody, until etcd says otherwise."""
    return frozenset(members) - {me}


def guard_over(pace: Pace, leader_seen_for: float) -> bool:
    """RULE 11: since the leader key last changed, longer than a candidate's longest cycle.

    `leader_seen_for`: seconds for which this agent itself has seen the key at its present revision.
    """
    return leader_seen_for > pace.guard


def awaited(view: View, now: Round, given: Iterable[str]) -> list[str]:
    """RULE 4: members with a living agent that have not promised yet: each that can be reached is fenced.

    Such a member says by its promise alone what it has, so `ahead` is sound only once none is awaited.
    """
    return sorted(view.alive.difference(given) - {now.target})


def unlisted(view: View, leader: Leader, sync: Sync) -> list[str]:
    """Members with a living agent that `/sync` does not list: the second line of an alarm."""
    return sorted(view.alive - sync.voters - {leader.name})


def standing_brake(view: View) -> str:
    """The brake that is to be known before anything fails: it is nobody's ordinary business."""
    return "" if view.leader is None or view.failover else brake(view)


def brake(view: View) -> str:  # noqa: PLR0911 (one reason a line)
    """Why nothing may be done now; '' where nothing stands against it. The transactions compare these too."""
    if view.leader is None or view.sync is None:
        return "nobody leads"
    if view.paused:
        return "Patroni is paused"
    if view.failover:
        return "a switchover is under way"
    if view.maintenance:
        return "maintenance is on"
    if view.sync.leader != view.leader.name or not view.sync.voters:
        return "/sync has not converged: no synchronous standbys of the present primary"
    if missing := unlisted(view, view.leader, view.sync):
        return f"/sync has not converged: without {', '.join(missing)}"
    return ""
