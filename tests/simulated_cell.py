"""A cell in virtual time: a primary, standbys, Patroni's race, and agents that decide by the real modules.

Rows are counted: a member has the first so many. Each call of `Simulation.act` lets one party do one thing,
chosen at random; whoever may act may also wait for ever, so a cut network, a hung process and a dead one
look alike.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace

from mirrorforce.onhost.failover_agent import coordination, fencing, rules
from mirrorforce.onhost.failover_agent.keys import Cell, Transaction
from mirrorforce.onhost.failover_agent.view import Local, Pace, View, Vote
from tests.simulated_etcd import Etcd

OLD = "old"
CELL = Cell("na1")
LEADER, SYNC = CELL.patroni("leader"), CELL.patroni("sync")
TTL = 20.0
FRESH = 0.7
"""So often an agent acts on what it has just seen; else on what it saw at any time before."""
PACE = replace(Pace.of(TTL), round_limit=60.0, rest_after=1.0)
PAUSES_S = (*[0.0] * 60, *[0.05] * 36, 0.5, 0.5, 3.0, 8.0)
LATEST_S = 25.0
"""A packet that is late is later than this never: the margin of rule 9 is there for it."""


class LostRowError(AssertionError):
    """A row that a client was told is kept is not."""


@dataclass
class Standby:
    name: str
    position: int = 0
    arrived: int = 0
    linked: bool = True
    """A walreceiver talks to the old primary."""
    queued: int | None = None
    """A reply that waits in a socket whose process is gone."""
    follows: str = OLD
    primary: bool = False
    blocked: dict[str, float] = field(default_factory=dict)
    """When the timer of each block fires; infinity for those of the boot."""
    race: Race | None = None
    # Its agent.
    alive: bool = True
    lease: int | None = None
    seen: View | None = None
    seen_text: str = ""
    of_round: tuple[str, int, int] | None = None
    leader_seen: tuple[object, float] = (None, 0.0)
    round_since: float = 0.0
    gave_up: float = -1e9
    suspicious: bool = True


@dataclass
class Race:
    begun: float
    needs: int
    asks: set[str]


class Simulation:
    """One run; LostRowError where a property breaks."""

    def __init__(self, seed: int, standbys: int = 2) -> None:
        self.random = random.Random(seed)  # noqa: S311 (a schedule is no secret)
        self.now = 0.0
        self.etcd = Etcd()
        self.members = {f"s{number}": Standby(f"s{number}") for number in range(1, standbys + 1)}
        self.late: list[tuple[float, Transaction, int | None]] = []
        self.fork: int | None = None
        self.released = 0
        # The old primary.
        self.up = True
        self.written = self.acked = 0
        self.heard = dict.fromkeys(self.members, 0)
        self.names = set(self.members)
        self.knows_sync = 0
        self.sync_write: tuple[int, set[str]] | None = None
        self.renewed = 0.0
        self.etcd.put(CELL.patroni("config"), "{}")
        self._write_sync(self.names)
        self.lease = self.etcd.grant(TTL)
        self.etcd.put(LEADER, OLD, self.lease)
        for member in self.members.values():
            self._begin_session(member)
        self.now = self.random.choice((0.0, PACE.guard + 1, PACE.guard + 1))
        self.renewed = self.now
        self.etcd.leases[self.lease] = self.now + TTL
        for member in self.members.values():
            member.leader_seen = (self._view(member).leader, 0.0)
            self._renew(member)
        if self.random.random() < 0.5:
            self._any().alive = False

    # Time.

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        # A watchdog, or Patroni itself, has the old primary demote before its lease ends.
        if self.up and self.now >= self.renewed + TTL - 1:
            self.up = False
        self.etcd.expire(self.now)
        for member in self.members.values():
            member.blocked = {name: until for name, until in member.blocked.items() if until > self.now}
            if member.race and self.now > member.race.begun + TTL - 1:
                member.race = None

    # One step of somebody.

    def act(self) -> None:
        self._pass(self.random.choice(PAUSES_S))
        steps = [
            (8, self._write), (24, self._deliver), (1, self._disconnect), (2, self._connect),
            (3, self._resize), (2, self._apply_resize), (0.3, self._crash), (2, self._return),
            (6, self._renew_leader), (2, self._take_back), (14, self._race), (6, self._agent_sees),
            (40, self._agent_acts), (4, self._agent_renews), (3, self._late_arrives),
            (0.5, self._agent_dies), (0.5, self._agent_starts), (0.5, self._reboot), (3, self._follow),
            (1, self._mind_changes),
        ]  # fmt: skip
        weights, doings = zip(*steps, strict=True)
        self.random.choices(doings, weights)[0]()
        self._check()

    def _check(self) -> None:
        if self.fork is not None and self.acked > self.fork:
            raise LostRowError(f"{self.acked} rows acknowledged, the new primary has {self.fork}")
        if self.fork is not None and LEADER not in self.etcd.keys:
            raise LostRowError("the new primary's key is gone")

    def _any(self) -> Standby:
        return self.random.choice(list(self.members.values()))

    # The old primary.

    def _write(self) -> None:
        if self.up:
            self.written += 1

    def _acknowledge(self) -> None:
        while self.up and self.acked < self.written:
            if not any(self.heard[name] > self.acked for name in self.names):
                return
            self.acked += 1
            self._check()

    def _deliver(self) -> None:
        """Rows reach a host, are flushed, and are replied for: as far as it gets."""
        member = self._any()
        how_far = self.random.random()
        passes = self.up and OLD not in member.blocked
        if member.linked and passes:
            member.arrived = max(member.arrived, self.written)
        if member.linked and how_far > 0.3:
            member.position = max(member.position, member.arrived)
            member.queued = member.position
        # A reply that waits in a socket leaves when it may, also after the walreceiver.
        if member.queued is not None and passes and how_far > 0.5:
            self.heard[member.name] = max(self.heard[member.name], member.queued)
            member.queued = None
            self._acknowledge()

    def _disconnect(self) -> None:
        self._any().linked = False

    def _connect(self) -> None:
        member = self._any()
        if self.up and member.follows == OLD and not member.primary and OLD not in member.blocked:
            member.linked, member.arrived = True, member.position

    def _sync(self) -> tuple[set[str], int]:
        given = json.loads(self.etcd.keys[SYNC].value)
        return set(given["sync_standby"].split(",")) - {""}, given["quorum"]

    def _write_sync(self, voters: set[str]) -> None:
        text = {"leader": OLD, "sync_standby": ",".join(sorted(voters)), "quorum": max(0, len(voters) - 1)}
        self.etcd.put(SYNC, json.dumps(text))
        self.knows_sync = self.etcd.keys[SYNC].revision

    def _resize(self) -> None:
        """Patroni's order: `/sync` grows before the local set does, and shrinks after it."""
        if not self.up or self.sync_write or self.knows_sync != self.etcd.keys[SYNC].revision:
            # It reads `/sync` anew where a write of it failed.
            if self.up and self.etcd.keys.get(LEADER) and self.etcd.keys[LEADER].value == OLD:
                self.knows_sync = self.etcd.keys[SYNC].revision
            return
        member = self._any()
        voters, _ = self._sync()
        self.names &= voters
        if member.name in voters and not member.linked:
            rest = self.names - {member.name}
            # Else it is hole A, which is Patroni's own: those who stay have all that was acknowledged.
            if rest and all(self.heard[name] >= self.acked for name in rest):
                self.names = rest
                self.sync_write = (self.knows_sync, voters - {member.name})
        elif member.name not in voters and member.linked:
            self.sync_write = (self.knows_sync, voters | {member.name})
        elif member.name not in self.names and member.linked:
            self.names.add(member.name)

    def _apply_resize(self) -> None:
        if self.sync_write is None:
            return
        revision, voters = self.sync_write
        self.sync_write = None
        if self.etcd.keys[SYNC].revision == revision:
            self._write_sync(voters)
            if self.up:
                self.names |= {name for name in voters if self.members[name].linked}
                self._acknowledge()

    def _crash(self) -> None:
        self.up = False

    def _return(self) -> None:
        if not self.up and self.etcd.keys.get(LEADER) and self.etcd.keys[LEADER].value == OLD:
            self.up, self.renewed = True, self.now
            self.etcd.leases[self.lease] = self.now + TTL

    def _renew_leader(self) -> None:
        if self.up and self.lease in self.etcd.leases:
            self.renewed = self.now
            self.etcd.leases[self.lease] = self.now + TTL

    def _take_back(self) -> None:
        if self.up and LEADER not in self.etcd.keys:
            if self.lease not in self.etcd.leases:
                self.lease = self.etcd.grant(self.now + TTL)
            self.etcd.leases[self.lease] = self.now + TTL
            self.renewed = self.now
            self.etcd.put(LEADER, OLD, self.lease)

    # Patroni on standbys.

    def _race(self) -> None:
        member = self._any()
        vacant = LEADER not in self.etcd.keys
        if member.race is None:
            voters, quorum = self._sync()
            if vacant and member.name in voters and self.fork is None:
                member.race = Race(self.now, quorum, voters - {member.name})
            return
        if member.race.needs > 0:
            if not member.race.asks:
                member.race = None
                return
            asked = self.random.choice(sorted(member.race.asks))
            member.race.asks.discard(asked)
            if self.members[asked].position <= member.position:
                member.race.needs -= 1
            return
        begun, member.race = member.race, None
        if vacant and self.fork is None:
            del begun
            self.etcd.put(LEADER, member.name, self.etcd.grant(1e12))
            member.primary, member.linked, self.fork = True, False, member.position

    def _follow(self) -> None:
        member = self._any()
        leader = self.etcd.keys.get(LEADER)
        if leader and leader.value not in {OLD, member.name}:
            member.follows, member.linked = leader.value, False

    def _reboot(self) -> None:
        member = self._any()
        member.linked, member.queued, member.arrived = False, None, member.position
        member.race = None
        self._forget(member)
        member.blocked = dict.fromkeys(rules.boot_blocks(member.name, {OLD, *self.members}), 1e12)

    # Agents.

    def _begin_session(self, member: Standby) -> None:
        member.lease = self.etcd.grant(self.now + PACE.session)
        self.etcd.put(CELL.of_member("session", member.name), "{}", member.lease)

    def _renew(self, member: Standby) -> None:
        for name, until in member.blocked.items():
            if until < 1e11:
                member.blocked[name] = self.now + PACE.block
        if member.lease in self.etcd.leases:
            self.etcd.leases[member.lease] = self.now + PACE.session
        else:
            self._begin_session(member)

    def _agent_renews(self) -> None:
        for member in self.members.values():
            if member.alive and self.random.random() < 0.9:
                self._renew(member)

    def _forget(self, member: Standby) -> None:
        member.alive, member.seen, member.of_round = False, None, None
        member.leader_seen = (None, self.now)

    def _agent_dies(self) -> None:
        self._forget(self._any())

    def _agent_starts(self) -> None:
        member = self._any()
        if not member.alive:
            member.alive, member.lease = True, None

    def _mind_changes(self) -> None:
        member = self._any()
        member.suspicious = self.random.random() < 0.8

    def _view(self, member: Standby) -> View:
        return CELL.read(self.etcd.found(), member.name)

    def _agent_sees(self) -> None:
        self._sees(self._any())

    def _sees(self, member: Standby) -> None:
        if not member.alive:
            return
        member.seen = view = self._view(member)
        member.seen_text = self.etcd.keys[SYNC].value
        if member.leader_seen[0] != view.leader:
            member.leader_seen = (view.leader, self.now)
        if view.leader and member.lease in self.etcd.leases:
            vote = Vote(view.leader.name, view.leader.revision, member.name) if member.suspicious else None
            if view.votes.get(member.name) != vote:
                self.etcd.carry_out(CELL.vote(member.name, vote), member.lease)

    def _send(self, member: Standby, wanted: Transaction) -> bool:
        """Most arrive, some are late, some are lost; a late one looks lost."""
        luck = self.random.random()
        if luck < 0.1:
            self.late.append((self.now, wanted, member.lease))
        return luck >= 0.15 and self.etcd.carry_out(wanted, member.lease)

    def _late_arrives(self) -> None:
        if self.late:
            sent, wanted, lease = self.late.pop(self.random.randrange(len(self.late)))
            if self.now - sent < LATEST_S:
                self.etcd.carry_out(wanted, lease)

    def _local(self, member: Standby) -> Local:
        linked = {OLD} if member.linked and member.follows == OLD else set()
        return Local(
            blocked=frozenset(member.blocked),
            linked=frozenset(linked),
            of_round=member.of_round,
            follows=member.follows,
            primary=member.primary,
            position=member.position,
        )

    def _agent_acts(self) -> None:
        member = self._any()
        if self.random.random() < FRESH:
            self._sees(member)
        view, member.seen = member.seen, None
        if not member.alive or view is None:
            return
        step = fencing.next_step(member.name, view, self._local(member))
        if step is not None:
            self._fence(member, view, step)
            return
        known = coordination.Known(
            suspicious=member.suspicious,
            leader_seen_for=self.now - member.leader_seen[1],
            round_for=self.now - member.round_since,
            rests_for=self.now - member.gave_up,
        )
        doing = coordination.next_step(member.name, view, known, PACE)
        if isinstance(doing, coordination.Open):
            member.round_since = self.now
            self._send(member, CELL.open(view, doing.round))
        elif isinstance(doing, coordination.Close):
            member.gave_up = self.now
            self._send(member, CELL.close(doing.round))
        elif isinstance(doing, coordination.Release):
            wanted = CELL.release(view, doing.round, doing.counted, member.seen_text)
            self.released += self._send(member, wanted)

    def _fence(self, member: Standby, view: View, step: fencing.FenceStep) -> None:
        if isinstance(step, fencing.Block):
            member.of_round = step.of_round
            member.blocked[step.target] = self.now + PACE.block
        elif isinstance(step, fencing.EndStream):
            # What arrived is flushed when the walreceiver goes.
            member.position = max(member.position, member.arrived)
            member.linked = False
        elif isinstance(step, fencing.Give):
            self._send(member, CELL.promise(member.name, view, step.promise))
        elif self._send(member, CELL.withdraw(member.name, view, step.leader)):
            for name in step.members:
                member.blocked.pop(name, None)
            member.of_round = None

    # The end.

    def settle(self) -> None:
        """No more faults, everybody acts in turn: until nobody is fenced off, or for two minutes."""
        self.late.clear()
        for member in self.members.values():
            member.suspicious = False
            if not member.alive:
                member.alive, member.lease = True, None
        self.random = random.Random(0)  # noqa: S311
        for _round in range(1200):
            self._pass(0.1)
            self._renew_leader()
            for doing in (self._agent_renews, self._agent_sees, self._agent_acts, self._race, self._follow):
                for _member in range(4):
                    doing()
            self._check()
            if not any(member.blocked for member in self.members.values()) and not self._promises():
                return

    def _promises(self) -> dict[str, object]:
        return dict(CELL.read(self.etcd.found(), "s1").promises)

    @property
    def stuck(self) -> bool:
        """Somebody is fenced off though one leads."""
        return any(member.blocked for member in self.members.values()) or bool(self._promises())
