"""The next step of a member's fence. Pure: `rules` say what may be done; standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import rules
from mirrorforce.onhost.failover_agent.view import Promise

if TYPE_CHECKING:
    from mirrorforce.onhost.failover_agent.view import Local, Round, View


@dataclass(frozen=True)
class Block:
    """Let nothing pass from or to `target`'s PostgreSQL and Patroni, for this round."""

    target: str
    of_round: tuple[str, int, int]


@dataclass(frozen=True)
class EndStream:
    """End the walreceiver, and every socket that leads to `target`."""

    target: str


@dataclass(frozen=True)
class Give:
    """Write this promise."""

    promise: Promise


@dataclass(frozen=True)
class Withdraw:
    """While `leader` leads, take the promise back; then, and only then, let `members` pass again."""

    leader: str
    members: frozenset[str]
    why: str


FenceStep = Block | EndStream | Give | Withdraw


def next_step(me: str, view: View, local: Local) -> FenceStep | None:
    """What this member does next about its fence; None: nothing for now.

    Rules 7 and 8 are one: the promise goes by a transaction that compares who leads, and the block after it.
    """
    wanted = _wanted(me, view)
    if wanted is not None and rules.may_fence(local, wanted):
        return _fence(me, view, local, wanted)
    promised = me in view.promises
    if view.leader is None or not (local.blocked or promised):
        return None
    leader = view.leader.name
    if rules.may_lift(me, view.leader, local):
        return Withdraw(leader, local.blocked, f"{leader} leads, and this member follows")
    if rules.may_withdraw(view.leader, local):
        return Withdraw(leader, frozenset({leader}), f"{leader} leads, and no round is open against it")
    if promised and not local.blocked:
        return Withdraw(leader, frozenset(), "a promise without a block")
    return None


def _wanted(me: str, view: View) -> Round | None:
    """The round that this member is to be fenced for."""
    now, leader = view.round, view.leader
    if now is None or leader is None or leader.name != now.target or now.target == me:
        return None
    if not now.released and leader.revision != now.leader_revision:
        return None
    return now if rules.unchanged(now, view.sync) else None


def _fence(me: str, view: View, local: Local, now: Round) -> FenceStep | None:
    held = view.promises.get(me)
    valid = held is not None and held.identity == now.identity
    if now.target not in local.blocked:
        # A round that released counts no more members in.
        return None if now.released else Block(now.target, now.identity)
    if now.target in local.linked:
        return EndStream(now.target)
    if valid or now.released or not rules.may_promise(local, now.target):
        return None
    return Give(Promise(*now.identity, position=local.position or 0, heir=local.heir))
