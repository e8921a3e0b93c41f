"""The next step of whoever coordinates a round. Pure: `rules` say what may be done; standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import floors, rules
from mirrorforce.onhost.failover_agent.view import Round

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.onhost.failover_agent.view import Leader, Pace, Promise, Sync, View

FEWEST_SITES = 2


@dataclass(frozen=True)
class Known:
    """What an agent knows beside etcd; seconds by its monotonic clock.

    leader_seen_for: since it first saw the leader key at its present revision, without a break.
    mine: this process opened, or took over, the round that stands. round_for: since it did so.
    idle_for: since it last saw the round, or a promise, change.
    rests_for: since it gave one up (huge where it never did).
    failsafe: its Patroni hears from the primary that etcd is lost (failsafe_mode).
    positions: what members without a living agent answer to Patroni's REST (an LSN).
    order: members in the estate's order: of two that could lead as well, the first one does.
    """

    suspicious: bool
    leader_seen_for: float
    mine: bool = True
    round_for: float = 0.0
    idle_for: float = 0.0
    rests_for: float = 1e9
    failsafe: bool = False
    positions: Mapping[str, int] = field(default_factory=dict)
    order: Sequence[str] = ()


@dataclass(frozen=True)
class Open:
    """Open this round."""

    round: Round


@dataclass(frozen=True)
class TakeOver:
    """Coordinate this round from here on."""

    round: Round


@dataclass(frozen=True)
class Release:
    """Release the leader key on these promises, to `heir`; None: to whoever wins Patroni's race."""

    round: Round
    counted: Mapping[str, Promise]
    heir: str | None = None


@dataclass(frozen=True)
class Close:
    """End this round; why."""

    round: Round
    why: str


@dataclass(frozen=True)
class Refuse:
    """Nothing is done though this member sees the primary fail; why."""

    why: str


CoordinationStep = Open | TakeOver | Release | Close | Refuse


def next_step(me: str, view: View, known: Known, pace: Pace) -> CoordinationStep | None:
    """What this member does next about a round; None: nothing for now."""
    if view.round is not None:
        if view.round.coordinator == me and known.mine:
            return _go_on(view, view.round, known, pace)
        return _take_over(view, view.round, known, pace)
    if view.leader is None or view.sync is None or view.leader.name == me or not known.suspicious:
        return None
    if why := _against(me, view, view.leader, view.sync, known, pace):
        return Refuse(why)
    return Open(Round(me, view.leader.name, view.leader.revision, view.sync.revision))


def planned(me: str, to: str, view: View) -> Open | Refuse:
    """The round by which this member, the primary, has `to` lead; or why there is none."""
    leader, sync = view.leader, view.sync
    if leader is None or leader.name != me:
        return Refuse(f"{leader.name if leader else 'nobody'} leads")
    if view.round is not None:
        return Refuse(f"a round against {view.round.target} is open")
    if why := rules.brake(view):
        return Refuse(why)
    if sync is None or to not in sync.voters & view.alive:
        return Refuse(f"{to} is no synchronous standby with an agent")
    if why := _unready(view, leader, sync):
        return Refuse(why)
    return Open(Round(to, me, leader.revision, sync.revision, planned=True))


def _unready(view: View, leader: Leader, sync: Sync) -> str:
    """Why no round can come to its end."""
    if not rules.enough(sync, view.alive):
        return f"too few agents: {sync.quorum + 1} of {', '.join(sorted(sync.voters))} would have to promise"
    if not rules.may_open(view, leader, sync):
        return "promises of an earlier round stand"
    return ""


def _too_soon(pace: Pace) -> str:
    return f"the leader key changed less than {pace.guard:g} s ago"


def _against(me: str, view: View, leader: Leader, sync: Sync, known: Known, pace: Pace) -> str:  # noqa: PLR0911 (one reason a line)
    if why := rules.brake(view):
        return why
    if known.failsafe:
        return "failsafe mode is active: the primary lives without etcd"
    if why := floors.missing(view):
        return why
    if not rules.guard_over(pace, known.leader_seen_for):
        return _too_soon(pace)
    if known.rests_for < pace.rest_after:
        return "a round was just given up"
    if why := _unready(replace(view, alive=view.alive | {me}), leader, sync):
        return why
    sites = _sites(view, leader)
    if len(sites) < FEWEST_SITES:
        return f"seen from {', '.join(sorted(sites)) or 'nowhere'} alone: Patroni's own way applies"
    return ""


def _sites(view: View, leader: Leader) -> set[str]:
    """Sites that see this leader fail, by what stands in etcd."""
    return {
        vote.site
        for name, vote in view.votes.items()
        if (vote.target, vote.leader_revision) == (leader.name, leader.revision) and name != leader.name
    }


def _go_on(view: View, now: Round, known: Known, pace: Pace) -> CoordinationStep | None:
    leader, sync = view.leader, view.sync
    if leader is None or sync is None:
        # RULE 8: a vacancy is Patroni's; fences stand.
        return None
    if leader.name != now.target:
        return Close(now, f"{leader.name} leads now")
    if why := _broken(view, now, leader, known):
        return Close(now, why)
    if not _guarded(now, known, pace):
        return Close(now, _too_soon(pace)) if now.planned else None
    return _count(view, now, sync, known, pace)


def _guarded(now: Round, known: Known, pace: Pace) -> bool:
    """RULE 11. Who opened a planned round waited by its own clock, and compared the leader key of that wait.

    So an agent that was started a moment ago need not wait anew, until the key is released the first time.
    """
    return (now.planned and not now.released) or rules.guard_over(pace, known.leader_seen_for)


def _take_over(view: View, now: Round, known: Known, pace: Pace) -> TakeOver | None:
    """Where all is there to release, and whoever coordinates does not: its agent has died, or hangs.

    No rule rests on there being one coordinator: promises belong to the round, and a release compares all
    that it counted. So patience is all that this asks for. Once released, `/sync` is known by the round's own
    revision, which a take-over would change: then the round ends with its coordinator's session. A planned
    round is its heir's alone.
    """
    if now.planned or now.released or known.idle_for < pace.take_over_after:
        return None
    return TakeOver(now) if isinstance(_go_on(view, now, known, pace), Release) else None


def _broken(view: View, now: Round, leader: Leader, known: Known) -> str:  # noqa: PLR0911 (one reason a line)
    """Why the round cannot go on."""
    if why := rules.brake(view):
        return why
    if known.failsafe:
        return "failsafe mode is active: the primary lives without etcd"
    if not rules.unchanged(now, view.sync):
        return "/sync changed"
    if not now.released and leader.revision != now.leader_revision:
        return f"{now.target} got its key anew"
    if now.released >= rules.MOST_RELEASES:
        return f"{now.target} took its key back {now.released} times: left to Patroni"
    if not known.suspicious and not now.planned:
        return f"{now.target} answers again"
    return ""


def _count(view: View, now: Round, sync: Sync, known: Known, pace: Pace) -> CoordinationStep | None:
    given = {name: one for name, one in view.promises.items() if one.identity == now.identity}
    counted = {name: one for name, one in given.items() if name in sync.voters}
    late = rules.awaited(view, now, given)
    if late or not rules.enough(sync, counted):
        limit = pace.planned_limit if now.planned else pace.round_limit
        if known.round_for < limit + (pace.guard + limit) * now.released:
            return None
        missing = ", ".join(late or sorted(sync.voters - counted.keys()))
        return Close(now, f"no promise of {missing} within {limit:g} s")
    others = {name: at for name, at in known.positions.items() if name not in given and name != now.target}
    if further := rules.ahead(given, counted, others):
        return Close(now, f"{', '.join(further)} is ahead of all that promised")
    # RULE 12
    if why := floors.against(now.coordinator, view, rules.best_position(counted.values())):
        return Close(now, f"of those that promised none may lead: {why}")
    able = rules.heirs(given, counted)
    if now.planned:
        able = [name for name in able if name == now.coordinator]
        if not able:
            return Close(now, f"{now.coordinator} is behind, or its Patroni does not answer")
    rank = {name: number for number, name in enumerate(known.order)}
    return Release(now, counted, min(able, key=lambda name: rank.get(name, len(rank)), default=None))
