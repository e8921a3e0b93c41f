"""What the old primary, its Patroni and an operator may do; each step says whether it did anything.

Patroni's resolver may do whatever its invariants allow (QuorumStateResolver.check_invariants, Patroni 4.0.7).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.simulated.world import CONFIG, FAILOVER, LEADER, LOST_STANDBY, OLD, ROWS, SYNC, TTL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulated.world import World


def named(text: str) -> frozenset[str]:
    """A set of members, as a step has it: names with commas."""
    return frozenset(text.split(",")) - {""}


def overlap(voters: frozenset[str], quorum: int, names: frozenset[str], number: int) -> bool:
    """Any voters that elect share a member with any standbys that acknowledge."""
    nested = voters <= names or names <= voters
    return not voters or (nested and bool(voters & names) and len(voters | names) <= quorum + number)


class PrimarySteps:
    """Steps of the primary's site, and of etcd and the operator towards it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps: dict[str, Callable[..., bool]] = {
            "write": self.write,
            "crash": self.crash,
            "stop": self.stop,
            "return": self.comes_back,
            "renew": self.renew,
            "read": self.read,
            "read-half": self.read_half,
            "take-back": self.take_back,
            "names": self.set_names,
            "sync": self.send_sync,
            "sync-arrives": self.sync_arrives,
            "sync-lost": self.sync_lost,
            "pause": self.pause,
            "ask": self.ask,
            "ask-no-more": self.ask_no_more,
            "hand-over": self.hand_over,
        }

    def write(self) -> bool:
        old = self.world.old
        if not old.up or old.written >= ROWS:
            return False
        old.written += 1
        return True

    def crash(self) -> bool:
        world = self.world
        if not world.layout.fails or not world.old.up:
            return False
        world.demote()
        return True

    def stop(self) -> bool:
        """A clean stop deletes the key. Not while a candidate sleeps: `stop-after-take-back` in models/."""
        world = self.world
        return world.layout.fails and self._stopped()

    def _stopped(self) -> bool:
        world, old = self.world, self.world.old
        if not old.up or old.writing or world.leader != OLD or world.asleep:
            return False
        world.demote()
        world.etcd.delete(LEADER)
        return True

    def comes_back(self) -> bool:
        """It runs again as the former leader: it has every row and needs no votes. Names are `/sync`'s."""
        world, old = self.world, self.world.old
        if old.up or old.writing or world.fork is not None or world.leader not in {None, OLD}:
            return False
        self._take_key()
        old.up = old.thinks_leader = True
        world.read_sync()
        voters, quorum = world.sync
        old.names, old.number = voters or frozenset(world.members), max(1, len(voters) - quorum)
        for member in world.members.values():
            if member.follows == OLD:
                member.linked = False
        world.acknowledge()
        return True

    def _take_key(self) -> None:
        world, old = self.world, self.world.old
        if old.lease not in world.etcd.leases:
            old.lease = world.etcd.grant(world.now + TTL)
        if world.leader is None:
            world.etcd.put(LEADER, OLD, old.lease)
        world.renew_leader()

    def renew(self) -> bool:
        world, old = self.world, self.world.old
        if not old.up or old.lease not in world.etcd.leases or world.now - old.renewed < 1:
            return False
        world.renew_leader()
        return True

    def read(self) -> bool:
        """Patroni reads the cluster."""
        world, old = self.world, self.world.old
        leads = world.leader == OLD
        paused = bool(json.loads(world.etcd.keys[CONFIG].value).get("pause"))
        now = (leads, paused, world.etcd.keys[SYNC].revision if leads else old.knows_sync)
        if not old.up or old.writing or now == (old.thinks_leader, old.thinks_paused, old.knows_sync):
            return False
        old.thinks_leader, old.thinks_paused, old.knows_sync = now
        old.torn = False
        return True

    def read_half(self) -> bool:
        """It applies events one by one: the new `/sync`, and not yet that nobody leads."""
        old = self.world.old
        if not old.up or old.writing or not old.torn or not old.thinks_leader:
            return False
        self.world.read_sync()
        old.torn = False
        return True

    def take_back(self) -> bool:
        """It sees no leader, or its lease is gone and its view old (etcd3._update_leader)."""
        world, old = self.world, self.world.old
        if not old.up or old.writing or world.leader is not None or world.fork is not None:
            return False
        if old.thinks_leader and old.lease in world.etcd.leases:
            return False
        self._take_key()
        if not old.thinks_leader:
            old.thinks_leader = True
            world.read_sync()
            self._switchover_over()
        return True

    def set_names(self, names: str, number: str) -> bool:
        world, old = self.world, self.world.old
        wanted = named(names), int(number)
        if not (old.up and old.thinks_leader and not old.writing) or wanted == (old.names, old.number):
            return False
        if not wanted[0] or not overlap(*world.sync, *wanted):
            return False
        old.names, old.number = wanted
        world.acknowledge()
        return True

    def send_sync(self, names: str, quorum: str) -> bool:
        world, old = self.world, self.world.old
        voters, votes = named(names), int(quorum)
        if not (old.up and old.thinks_leader and not old.writing) or (voters, votes) == world.sync:
            return False
        if votes >= max(1, len(voters)):
            return False
        if not overlap(voters, votes, old.names, old.number) or not self._may_shrink(voters, votes):
            return False
        old.writing = (old.knows_sync, voters, votes)
        return True

    def _may_shrink(self, voters: frozenset[str], quorum: int) -> bool:
        """Hole A: it asks not whether those that stay have all that was acknowledged."""
        world, old = self.world, self.world.old
        lacking = [name for name in voters if old.heard[name] < old.acked]
        before, _ = world.sync
        gone = {
            "shrinking": {name for name, member in world.members.items() if OLD in member.blocked},
            LOST_STANDBY: {name for name, member in world.members.items() if not member.linked},
        }.get(world.layout.hole, set())
        return not voters or len(lacking) <= quorum or (voters <= before and before - voters <= gone)

    def sync_arrives(self) -> bool:
        world, old = self.world, self.world.old
        if old.writing is None:
            return False
        (revision, voters, quorum), old.writing = old.writing, None
        if world.etcd.keys[SYNC].revision == revision:
            world.write_sync(voters, quorum)
            if old.up:
                world.read_sync()
        return True

    def sync_lost(self) -> bool:
        if self.world.old.writing is None:
            return False
        self.world.old.writing = None
        return True

    # The operator. Patroni has holes of its own there: only where nothing but a release makes a vacancy.

    def pause(self, whether: str) -> bool:
        world = self.world
        wanted = json.dumps({"pause": True} if whether == "on" else {})
        if world.layout.hole != "operator" or world.etcd.keys[CONFIG].value == wanted:
            return False
        world.etcd.put(CONFIG, wanted)
        return True

    @property
    def _candidate(self) -> str | None:
        held = self.world.etcd.keys.get(FAILOVER)
        found = json.loads(held.value).get("candidate") if held else None
        return str(found) if found else None

    def ask(self, candidate: str) -> bool:
        """A switchover is asked for, while somebody leads (else: `switchover-request-late` in models/)."""
        world = self.world
        if world.layout.hole != "operator" or world.leader != OLD or self._candidate:
            return False
        world.etcd.put(FAILOVER, json.dumps({"leader": OLD, "candidate": candidate}))
        return True

    def ask_no_more(self) -> bool:
        old = self.world.old
        if not (old.up and old.thinks_leader and self.world.leader == OLD):
            return False
        return self._switchover_over()

    def _switchover_over(self) -> bool:
        if self._candidate is None:
            return False
        self.world.etcd.put(FAILOVER, "{}")
        return True

    def hand_over(self) -> bool:
        """A clean stop once the candidate has everything."""
        world, candidate = self.world, self._candidate
        if candidate is None or world.members[candidate].position != world.old.written:
            return False
        return self._stopped()
