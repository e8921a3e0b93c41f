"""What agents may do: they decide by the real modules and send the real transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import coordination, fencing, rules
from mirrorforce.onhost.failover_agent.view import Local, Vote
from tests.simulated import world as simulated
from tests.simulated.world import CELL, FOR_GOOD, LOST_STANDBY, OLD, SYNC

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.onhost.failover_agent.keys import Transaction
    from mirrorforce.onhost.failover_agent.view import View
    from tests.simulated.world import Standby, World

LATEST_S = 25.0
"""A packet that is late is later than this never: the margin of rule 9 is there for it."""


class AgentSteps:
    """Steps of agents, and of what they sent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps: dict[str, Callable[..., bool]] = {
            "sees": self.sees,
            "acts": self.acts,
            "keeps-session": self.keeps_session,
            "dies": self.dies,
            "starts": self.starts,
            "doubts": self.doubts,
            "may-lead": self.may_lead,
            "plan": self.plan,
            "floor": self.keeps_floor,
            "late": self.late_arrives,
            "revocation": self.revocation_arrives,
        }

    def sees(self, name: str) -> bool:
        """It reads etcd, and lets it know what it makes of the primary."""
        world, member = self.world, self.world.members[name]
        if not member.alive:
            return False
        member.seen = view = world.view(member)
        member.seen_text = world.etcd.keys[SYNC].value
        if member.leader_seen[0] != view.leader:
            member.leader_seen = (view.leader, world.now)
        now = view.round
        if now and now.given_to(name) and member.coordinates != now.identity:
            member.coordinates, member.round_since = now.identity, world.now
        if view.leader and member.lease in world.etcd.leases:
            vote = Vote(view.leader.name, view.leader.revision, name) if member.suspicious else None
            if view.votes.get(name) != vote:
                world.etcd.carry_out(CELL.vote(name, vote), member.lease)
        return True

    def acts(self, name: str, fate: str) -> bool:
        """It does what it decides on what it saw last; `fate`: what becomes of its transaction."""
        member = self.world.members[name]
        view, member.seen = member.seen, None
        if not member.alive:
            return False
        if member.to_lift:
            return self._lift(member)
        if view is None:
            return False
        step = fencing.next_step(name, view, self._local(member))
        if step is not None:
            return self._fence(member, view, step, fate)
        return self._coordinate(member, view, fate)

    def _local(self, member: Standby) -> Local:
        return Local(
            blocked=frozenset(member.blocked),
            linked=frozenset({OLD} if member.linked else ()),
            of_round=member.of_round,
            follows=member.follows,
            primary=member.primary,
            position=member.position,
            heir=member.heir,
        )

    def _fence(self, member: Standby, view: View, step: fencing.FenceStep, fate: str) -> bool:
        if isinstance(step, fencing.Block):
            member.of_round = step.of_round
            member.blocked[step.target] = self.world.now + simulated.PACE.block
        elif isinstance(step, fencing.EndStream):
            self.end_stream(member)
        elif isinstance(step, fencing.Give):
            self._send(member, CELL.promise(member.name, view, step.promise), fate)
        else:
            self.withdraw(member, view, step, fate)
        return True

    def end_stream(self, member: Standby) -> None:
        """What arrived is flushed when the walreceiver goes."""
        if member.position < member.arrived:
            member.position = member.queued = member.arrived
        member.linked = False

    def withdraw(self, member: Standby, view: View, step: fencing.Withdraw, fate: str) -> None:
        """RULE 7: the promise first; the block comes off at any time after."""
        if self._send(member, CELL.withdraw(member.name, view, step.leader), fate):
            member.to_lift = step.members
            member.of_round = None

    def _lift(self, member: Standby) -> bool:
        for one in member.to_lift:
            member.blocked.pop(one, None)
        member.to_lift = frozenset()
        return True

    def _coordinate(self, member: Standby, view: View, fate: str) -> bool:
        world = self.world
        known = coordination.Known(
            suspicious=member.suspicious,
            leader_seen_for=world.now - member.leader_seen[1],
            mine=view.round is not None and view.round.identity == member.coordinates,
            round_for=world.now - member.round_since,
            idle_for=world.now,  # patience is not what rows depend on
            rests_for=world.now - member.gave_up,
            positions={
                one.name: one.position for one in world.members.values() if one.name not in view.alive
            },
        )
        doing = coordination.next_step(member.name, view, known, simulated.PACE)
        if isinstance(doing, coordination.Open):
            member.coordinates, member.round_since = doing.round.identity, world.now
            return self._send(member, CELL.open(view, doing.round), fate) or fate != "sent"
        if isinstance(doing, coordination.TakeOver):
            member.coordinates, member.round_since = doing.round.identity, world.now
            return self._send(member, CELL.take_over(member.name, view, doing.round), fate) or fate != "sent"
        if isinstance(doing, coordination.Close):
            member.gave_up = world.now
            return self._send(member, CELL.close(doing.round), fate) or fate != "sent"
        if isinstance(doing, coordination.Release):
            wanted = CELL.release(view, doing.round, doing.counted, member.seen_text, doing.heir)
            return self._send(member, wanted, fate) or fate != "sent"
        return False

    def _send(self, member: Standby, wanted: Transaction, fate: str) -> bool:
        """sent, twice (once more, later), late (looks lost), lost."""
        if fate in {"late", "twice"}:
            self.world.late.append((self.world.now, wanted, member.lease))
        return fate in {"sent", "twice"} and self.carry_out(wanted, member.lease)

    def carry_out(self, wanted: Transaction, lease: int | None) -> bool:
        """Send it to etcd."""
        world = self.world
        leader = world.leader
        done = world.etcd.carry_out(wanted, lease, world.etcd.grant(world.now + simulated.TTL))
        if done and leader != world.leader:
            world.released += 1
            world.handed_over += world.leader is not None
            world.old.torn = put_before_delete(wanted)
        return done

    def late_arrives(self, number: str) -> bool:
        world = self.world
        if int(number) >= len(world.late):
            return False
        sent, wanted, lease = world.late.pop(int(number))
        return world.now - sent < LATEST_S and self.carry_out(wanted, lease)

    def revocation_arrives(self) -> bool:
        """Nothing revokes a lease, but where rule 6 is broken on purpose."""
        world = self.world
        if not world.revocations:
            return False
        world.etcd.revoke(world.revocations.pop(0))
        return True

    def keeps_session(self, name: str) -> bool:
        """RULE 9: the timers of blocks begin anew before the session does."""
        world, member = self.world, self.world.members[name]
        if not member.alive:
            return False
        for one, until in member.blocked.items():
            if until < FOR_GOOD:
                member.blocked[one] = world.now + simulated.PACE.block
        if member.lease in world.etcd.leases:
            world.etcd.leases[member.lease] = world.now + simulated.PACE.session
        else:
            world.begin_session(member)
        return True

    def dies(self, name: str) -> bool:
        member = self.world.members[name]
        if not member.alive:
            return False
        member.alive, member.seen, member.of_round, member.to_lift = False, None, None, frozenset()
        member.coordinates = None
        return True

    def starts(self, name: str) -> bool:
        member = self.world.members[name]
        if member.alive:
            return False
        member.alive, member.lease, member.leader_seen = True, None, (None, self.world.now)
        return True

    def doubts(self, name: str, whether: str) -> bool:
        """Whether it sees the primary fail: rightly or not."""
        return self._turn(name, "suspicious", whether)

    def may_lead(self, name: str, whether: str) -> bool:
        """Whether the key may be handed over to it."""
        return self._turn(name, "heir", whether)

    def _turn(self, name: str, what: str, whether: str) -> bool:
        member = self.world.members[name]
        if getattr(member, what) == (whether == "on"):
            return False
        setattr(member, what, whether == "on")
        return True

    def keeps_floor(self) -> bool:
        """Of the primary's own agent; in the other layouts it does not run, and nobody asks."""
        return self.world.layout.hole == LOST_STANDBY and self.world.keep_floor()

    def plan(self, name: str) -> bool:
        """The primary's side opens a round for a switchover to this member, after the guard time."""
        world = self.world
        if not rules.guard_over(simulated.PACE, world.leader_stands_for):
            return False
        view = CELL.read(world.etcd.found(), OLD)
        opening = coordination.planned(OLD, name, view)
        if not world.old.up or isinstance(opening, coordination.Refuse):
            return False
        session = world.etcd.grant(world.now + simulated.PACE.session)
        return world.etcd.carry_out(CELL.open(view, opening.round), session)


def put_before_delete(wanted: Transaction) -> bool:
    """Whether who applies its events one by one sees a new `/sync` first."""
    keys = [one.key for one in wanted.operations]
    sync, leader = (keys.index(key) if key in keys else -1 for key in (SYNC, simulated.LEADER))
    return 0 <= sync < leader
