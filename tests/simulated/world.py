"""What there is in a simulated cell: hosts, etcd, a clock in virtual time; and what must hold of them.

Rows are counted: a member has the first so many. Sets that vote and acknowledge follow Patroni's invariants
and nothing else, as in models/patroni.pml.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import floors
from mirrorforce.onhost.failover_agent.keys import Cell
from mirrorforce.onhost.failover_agent.view import Pace
from tests.simulated.etcd import Etcd

if TYPE_CHECKING:
    from mirrorforce.onhost.failover_agent.keys import Transaction
    from mirrorforce.onhost.failover_agent.view import View

OLD = "old"
CELL = Cell("na1")
LEADER, SYNC, CONFIG, FAILOVER = (CELL.patroni(part) for part in ("leader", "sync", "config", "failover"))
TTL = 20.0
PACE = replace(Pace.of(TTL), round_limit=60.0, rest_after=1.0)
ROWS = 3
FOR_GOOD = 1e12
LOST_STANDBY = "lost standby"


class LostRowError(AssertionError):
    """A row that a client was told is kept is not."""


@dataclass(frozen=True)
class Layout:
    """What a run is of.

    copies: n. hole: one that is Patroni's own, open: "shrinking" (A: `/sync` goes without those who are
    fenced off, whatever they have), or "operator" (pauses and switchovers). The old primary keeps its lease
    and does not crash then, so that what loses a row is a release, and not Patroni alone. LOST_STANDBY: A as
    well, of whoever is not connected, and the primary may fail: rule 12 closes it.
    """

    standbys: int = 2
    copies: int = 1
    hole: str = ""

    @property
    def fails(self) -> bool:
        """Whether the old primary may fail while it has its key."""
        return self.hole in {"", LOST_STANDBY}


@dataclass
class Race:
    """A candidate's cycle. needs: votes that are missing; asks: voters not heard yet; holds: has the key."""

    begun: float
    needs: int
    asks: set[str]
    holds: bool = False


@dataclass
class Primary:
    """The old primary: PostgreSQL, and Patroni with what it believes."""

    names: frozenset[str]
    number: int
    lease: int
    heard: dict[str, int]
    up: bool = True
    written: int = 0
    acked: int = 0
    renewed: float = 0.0
    thinks_leader: bool = True
    thinks_paused: bool = False
    knows_sync: int = 0
    writing: tuple[int, frozenset[str], int] | None = None
    """A write of `/sync` under way: the revision that it compares, V, quorum."""
    torn: bool = False
    """It may see a new `/sync` before it sees that nobody leads any more."""


@dataclass
class Standby:
    """A standby's host: PostgreSQL, Patroni, packets, and its agent."""

    name: str
    position: int = 0
    arrived: int = 0
    """Rows in the socket, or flushed."""
    linked: bool = True
    """A walreceiver talks to the old primary."""
    queued: int | None = None
    """A reply that waits in a socket, whose process may be gone."""
    under_way: int = 0
    """A reply that has left."""
    follows: str = OLD
    primary: bool = False
    blocked: dict[str, float] = field(default_factory=dict)
    """When the timer of each block fires."""
    race: Race | None = None
    alive: bool = True
    lease: int | None = None
    seen: View | None = None
    seen_text: str = ""
    to_lift: frozenset[str] = frozenset()
    """Whom to let pass: the promise is taken back already."""
    of_round: tuple[str, int, int] | None = None
    leader_seen: tuple[object, float] = (None, 0.0)
    coordinates: tuple[str, int, int] | None = None
    round_since: float = 0.0
    gave_up: float = -1e9
    suspicious: bool = True
    heir: bool = False
    """Its Patroni answers, and its agent has seen it stream from the present leader."""


class World:
    """Everything at one moment. Starts converged, with the guard time over."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.now = PACE.guard + 1
        self.etcd = Etcd()
        self.members = {f"s{number}": Standby(f"s{number}") for number in range(1, layout.standbys + 1)}
        self.late: list[tuple[float, Transaction, int | None]] = []
        self.revocations: list[int] = []
        self.fork: int | None = None
        """Rows that the new primary kept, once there is one."""
        self.released = 0
        self.handed_over = 0
        everybody = frozenset(self.members)
        lease = self.etcd.grant(self.now + TTL)
        self.old = Primary(everybody, layout.copies, lease, dict.fromkeys(everybody, 0), renewed=self.now)
        self.etcd.put(CONFIG, "{}")
        self.write_sync(everybody, len(everybody) - layout.copies)
        self.etcd.put(LEADER, OLD, lease)
        self.read_sync()
        if layout.hole == LOST_STANDBY:
            self.keep_floor()
        for member in self.members.values():
            self.begin_session(member)
            member.leader_seen = (self.view(member).leader, 0.0)
        self._leader_since = (self.etcd.keys[LEADER].revision, 0.0)

    def passes(self, seconds: float) -> None:
        """Time goes by; leases run out, timers fire, whoever has to act in time acts."""
        self.now += seconds
        old = self.old
        if not self.layout.fails and old.up and self.leader == OLD:
            self.renew_leader()
        # A watchdog, or Patroni itself, has the old primary demote before its lease ends; not while paused.
        if old.up and self.now >= old.renewed + TTL - 1 and not old.thinks_paused:
            self.demote()
        self.etcd.expire(self.now)
        for member in self.members.values():
            member.blocked = {name: until for name, until in member.blocked.items() if until > self.now}
            if member.race and not member.race.holds and self.now > member.race.begun + TTL - 1:
                member.race = None

    def look_at_leader(self) -> None:
        """The primary's agent: it sees the leader key change when that happens, at the earliest."""
        held = self.etcd.keys.get(LEADER)
        revision = held.revision if held else 0
        if revision != self._leader_since[0]:
            self._leader_since = (revision, self.now)

    @property
    def leader_stands_for(self) -> float:
        """Seconds since the leader key last changed."""
        return self.now - self._leader_since[1]

    def check(self) -> None:
        """No acknowledged row is lost, and no two members acknowledge against each other."""
        if self.fork is None:
            return
        if self.old.acked > self.fork:
            raise LostRowError(f"{self.old.acked} rows acknowledged, the new primary has {self.fork}")
        if LEADER not in self.etcd.keys:
            raise LostRowError("the new primary's key is gone while it runs")

    @property
    def leader(self) -> str | None:
        held = self.etcd.keys.get(LEADER)
        return held.value if held else None

    @property
    def sync(self) -> tuple[frozenset[str], int]:
        """V and the quorum."""
        given = json.loads(self.etcd.keys[SYNC].value)
        return frozenset(given["sync_standby"].split(",")) - {""}, given["quorum"]

    @property
    def asleep(self) -> bool:
        """Somebody still acts on what it read in a vacancy."""
        return any(member.race for member in self.members.values())

    def view(self, member: Standby) -> View:
        return CELL.read(self.etcd.found(), member.name)

    def write_sync(self, voters: frozenset[str], quorum: int) -> None:
        text = {"leader": OLD, "sync_standby": ",".join(sorted(voters)), "quorum": quorum}
        self.etcd.put(SYNC, json.dumps(text))

    def read_sync(self) -> None:
        self.old.knows_sync = self.etcd.keys[SYNC].revision

    def keep_floor(self) -> bool:
        """RULE 12: the primary's agent says what it takes to lead; here the lowest that is sound."""
        view = CELL.read(self.etcd.found(), OLD)
        if not self.old.up or view.sync is None or not floors.owed(OLD, view):
            return False
        floor = floors.of_sync(view.sync, view.floor, self.old.acked)
        return self.etcd.carry_out(CELL.put_floor(view, floor), None)

    def begin_session(self, member: Standby) -> None:
        member.lease = self.etcd.grant(self.now + PACE.session)
        self.etcd.put(CELL.of_member("session", member.name), "{}", member.lease)

    def renew_leader(self) -> None:
        """The lease lives on; that the key is gone is seen within the ttl, or the watchdog fires (rule 9)."""
        if self.leader == OLD:
            self.old.renewed = self.now
        self.etcd.leases[self.old.lease] = self.now + TTL

    def demote(self) -> None:
        self.old.up = self.old.thinks_leader = False

    def acknowledge(self) -> None:
        """Clients are told whatever `ANY number (names)` now allows."""
        old = self.old
        while old.up and old.acked < old.written:
            if sum(old.heard[name] > old.acked for name in old.names) < old.number:
                return
            old.acked += 1
            self.check()

    @property
    def fenced(self) -> bool:
        """Somebody is fenced off, or a promise stands."""
        if any(member.blocked for member in self.members.values()):
            return True
        return bool(self.view(self.members["s1"]).promises)
