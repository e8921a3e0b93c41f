"""What a standby's PostgreSQL, its host and its Patroni may do; each step says whether it did anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import floors, rules
from tests.simulated.world import CONFIG, FAILOVER, FOR_GOOD, LEADER, OLD, Race

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulated.world import Standby, World


class StandbySteps:
    """Steps of standbys' hosts, but for their agents."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps: dict[str, Callable[..., bool]] = {
            "arrive": self.arrive,
            "flush": self.flush,
            "reply": self.reply,
            "hear": self.hear,
            "drop": self.drop,
            "connect": self.connect,
            "follow": self.follow,
            "reboot": self.reboot,
            "race": self.race,
            "vote": self.vote,
            "vote-of-old": self.vote_of_old,
            "give-up": self.give_up,
            "take": self.take,
            "promote": self.promote,
            "die-as-leader": self.die_as_leader,
        }

    def _passes(self, member: Standby) -> bool:
        return self.world.old.up and OLD not in member.blocked

    def arrive(self, name: str) -> bool:
        """Rows reach the host."""
        member, written = self.world.members[name], self.world.old.written
        if not member.linked or not self._passes(member) or member.arrived >= written:
            return False
        member.arrived = written
        return True

    def flush(self, name: str) -> bool:
        member = self.world.members[name]
        if not member.linked or member.position >= member.arrived:
            return False
        member.position = member.queued = member.arrived
        return True

    def reply(self, name: str) -> bool:
        """A reply that waits in a socket leaves when it may, also after its process."""
        member = self.world.members[name]
        if member.queued is None or not self._passes(member):
            return False
        member.under_way, member.queued = max(member.under_way, member.queued), None
        return True

    def hear(self, name: str) -> bool:
        """A reply that left arrives at any time."""
        world, member = self.world, self.world.members[name]
        if not world.old.up or world.old.heard[name] >= member.under_way:
            return False
        world.old.heard[name] = member.under_way
        world.acknowledge()
        return True

    def drop(self, name: str) -> bool:
        member = self.world.members[name]
        if not member.linked:
            return False
        member.linked, member.arrived = False, member.position
        return True

    def connect(self, name: str) -> bool:
        member = self.world.members[name]
        holds = self.world.leader == name
        if member.linked or member.follows != OLD or member.primary or holds or not self._passes(member):
            return False
        member.linked, member.arrived, member.queued = True, member.position, member.position
        return True

    def follow(self, name: str) -> bool:
        """Its Patroni follows whoever leads now."""
        world, member = self.world, self.world.members[name]
        leader = world.leader
        if leader in {None, name, member.follows} or (leader == OLD and world.fork is not None):
            return False
        member.follows = str(leader)
        member.linked, member.arrived, member.race = False, member.position, None
        return True

    def reboot(self, name: str) -> bool:
        """RULE 10 decides what the host's packet filter has before PostgreSQL starts."""
        member = self.world.members[name]
        if member.primary or self.world.leader == name:
            return False
        return self._boots(member)

    def _boots(self, member: Standby) -> bool:
        member.linked, member.arrived, member.queued, member.race = False, member.position, None, None
        member.alive, member.seen, member.of_round, member.to_lift = False, None, None, frozenset()
        member.blocked = dict.fromkeys(rules.boot_blocks(member.name, {OLD, *self.world.members}), FOR_GOOD)
        return True

    # Patroni's race.

    def race(self, name: str) -> bool:
        """It sees no leader, and reads `/sync`. Whom `/failover` names asks nobody."""
        world, member = self.world, self.world.members[name]
        voters, quorum = world.sync
        paused = json.loads(world.etcd.keys[CONFIG].value).get("pause")
        if member.race or member.primary or world.fork is not None or world.leader is not None or paused:
            return False
        asked = world.etcd.keys.get(FAILOVER)
        named = json.loads(asked.value).get("candidate") if asked else None
        needs = quorum + 1 - (name in voters)
        if named == name and name in voters:
            needs = 0
        member.race = Race(world.now, needs, set(voters - {name}) | {OLD})
        return True

    def vote(self, name: str, voter: str) -> bool:
        world, race = self.world, self.world.members[name].race
        if race is None or race.needs == 0 or voter not in race.asks:
            return False
        race.asks.discard(voter)
        if world.members[voter].position <= world.members[name].position:
            race.needs -= 1
        return True

    def vote_of_old(self, name: str) -> bool:
        """The former leader votes too, once it runs as a standby (SyncState.members)."""
        world, member = self.world, self.world.members[name]
        if member.race is None or member.race.needs == 0 or OLD not in member.race.asks or world.old.up:
            return False
        member.race.asks.discard(OLD)
        member.race.needs -= world.old.written <= member.position
        return True

    def give_up(self, name: str) -> bool:
        member = self.world.members[name]
        if member.race is None or member.race.holds:
            return False
        member.race = None
        return True

    def take(self, name: str) -> bool:
        world, race = self.world, self.world.members[name].race
        if race is None or race.needs > 0 or race.holds or world.leader is not None or world.fork is not None:
            return False
        race.holds = True
        world.etcd.put(LEADER, name, world.etcd.grant(FOR_GOOD))
        if FAILOVER in world.etcd.keys:
            world.etcd.put(FAILOVER, "{}")
        return True

    def promote(self, name: str) -> bool:
        world, member = self.world, self.world.members[name]
        if member.primary or world.leader != name:
            return False
        if floors.against(name, world.view(member), member.position):
            # RULE 12: Patroni gives the key back.
            world.etcd.delete(LEADER)
            member.race = None
            return True
        world.etcd.put(LEADER, name, world.etcd.grant(FOR_GOOD))
        member.race, member.primary, member.linked = None, True, False
        member.follows = name
        world.fork = member.position
        return True

    def die_as_leader(self, name: str) -> bool:
        """It has the key, and its host dies before it promotes."""
        world, member = self.world, self.world.members[name]
        if member.primary or world.leader != name:
            return False
        world.etcd.delete(LEADER)
        return self._boots(member)
