"""What an agent sees: etcd at one moment, and its own host. Plain values; standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Leader:
    """Who holds Patroni's leader key, and the revision at which it got there."""

    name: str
    revision: int


@dataclass(frozen=True)
class Sync:
    """Patroni's `/sync`: who leads by it, the voters V, and the votes that a voter needs beside its own.

    version: how often it was written, by etcd's count.
    """

    leader: str
    voters: frozenset[str]
    quorum: int
    revision: int
    version: int = 0


@dataclass(frozen=True)
class Floor:
    """What a member must have to lead by one `/sync` (`floors`): `position` (an LSN), and all before it.

    sync_revision: of the `/sync` that it is for; 0: of the one that was written along with it.
    sync_version, voters, quorum: of that `/sync`. revision: of the floor's own key.
    """

    position: int
    sync_revision: int
    sync_version: int
    voters: frozenset[str]
    quorum: int
    revision: int = 0

    def is_of(self, sync: Sync) -> bool:
        """Whether this is the floor of that very `/sync`."""
        return sync.revision == (self.sync_revision or self.revision)


@dataclass(frozen=True)
class Round:
    """One attempt: who is to be fenced off, and the revisions read before the first fence (rule 3).

    released: how often its coordinator released the leader key. planned: a switchover to the coordinator's
    member, with the primary's consent. revision: of the round's own key.
    """

    coordinator: str
    target: str
    leader_revision: int
    sync_revision: int
    released: int = 0
    planned: bool = False
    revision: int = 0

    @property
    def identity(self) -> tuple[str, int, int]:
        """What fences and promises belong to: a coordinator that takes over goes on with them."""
        return (self.target, self.leader_revision, self.sync_revision)

    def given_to(self, me: str) -> bool:
        """Whether the primary's side opened it, for this member to go on with."""
        return self.planned and self.coordinator == me


@dataclass(frozen=True)
class Promise:
    """A member's word that nothing from or to `target` passes; `position` is all that it has (an LSN).

    heir: the key may be handed over to it (`Local.heir`).
    """

    target: str
    leader_revision: int
    sync_revision: int
    position: int
    heir: bool = False
    revision: int = 0

    @property
    def identity(self) -> tuple[str, int, int]:
        """The round that it was given in."""
        return (self.target, self.leader_revision, self.sync_revision)


@dataclass(frozen=True)
class Vote:
    """A member that sees the leader of that revision fail, and its site."""

    target: str
    leader_revision: int
    site: str


@dataclass(frozen=True)
class View:
    """etcd at one moment, by a linearizable read.

    own: revision of this member's own key, 0 where there is none. alive: members whose agent's session lives.
    config_revision, failover_revision: of Patroni's `/config` and `/failover`, 0 where there is none.
    failover: `/failover` asks for something; Patroni leaves it there, empty, after a switchover.
    """

    leader: Leader | None
    sync: Sync | None
    own: int = 0
    round: Round | None = None
    promises: Mapping[str, Promise] = field(default_factory=dict)
    votes: Mapping[str, Vote] = field(default_factory=dict)
    alive: frozenset[str] = frozenset()
    config_revision: int = 0
    failover_revision: int = 0
    paused: bool = False
    failover: bool = False
    maintenance: bool = False
    floor: Floor | None = None


@dataclass(frozen=True)
class Local:
    """What a member knows of its own host.

    blocked: members that it is fenced off from. linked: members that a stream, or a socket to their
    PostgreSQL, still leads to. of_round: what the fence belongs to, None where that is not known.
    follows: the member that primary_conninfo names. primary: PostgreSQL runs as primary.
    position: all that it received or replayed (an LSN); None while PostgreSQL does not answer.
    heir: its stream was seen to come from the present leader, so it is on that one's timeline, and its
    Patroni answers.
    """

    blocked: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()
    of_round: tuple[str, int, int] | None = None
    follows: str | None = None
    primary: bool = False
    position: int | None = None
    heir: bool = False


@dataclass(frozen=True)
class Pace:
    """Times in seconds; all by monotonic clocks.

    guard: rule 11. session: the lease of everything that an agent writes. block: rule 9. round_limit: how
    long promises are waited for; planned_limit: the same, while clients wait for a switchover.
    rest_after: no new round for so long after one was given up.
    take_over_after: so long may a coordinator leave undone what can be done.
    """

    ttl: float
    guard: float
    session: float
    block: float
    round_limit: float = 6.0
    planned_limit: float = 2.0
    rest_after: float = 15.0
    take_over_after: float = 1.0

    @classmethod
    def of(cls, ttl: float) -> Pace:
        """Everything that follows from Patroni's ttl.

        A cycle of Patroni is shorter than its ttl (loop_wait + 2 * retry_timeout <= ttl), so that is the
        guard time. The margin of the block is for etcd's elections, which give each lease its time anew,
        and for a renewal that is late on its way.
        """
        session = 10.0
        return cls(ttl=ttl, guard=ttl, session=session, block=session + ttl + 40.0)
