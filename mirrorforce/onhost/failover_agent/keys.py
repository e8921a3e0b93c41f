"""etcd's words: the keys, what stands in them, and every transaction. Pure; standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost.failover_agent import floors
from mirrorforce.onhost.failover_agent.view import Floor, Leader, Promise, Round, Sync, View, Vote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mirrorforce.onhost.etcd import KeyValue

PATRONI_PREFIX = "/service"
PREFIX = "/failover_agent"
_NOTHING_ASKED = ("", "{}")
ABSENT = 0
"""The revision of a key that is not there, as etcd compares it."""


@dataclass(frozen=True)
class Compare:
    """What has to hold: a key's revision (an int; ABSENT), or its value."""

    key: str
    expected: int | str


class Hangs(Enum):
    """What ends a key by itself."""

    ON_NOTHING = "nothing"
    ON_THE_SESSION = "the session of the agent that writes it"
    ON_THE_TTL = "Patroni's ttl, from the writing on: nobody renews that lease"


@dataclass(frozen=True)
class Put:
    """Set a key."""

    key: str
    value: str
    hangs: Hangs = Hangs.ON_NOTHING


@dataclass(frozen=True)
class Delete:
    """Delete a key."""

    key: str


@dataclass(frozen=True)
class Transaction:
    """All of it or nothing."""

    compares: tuple[Compare, ...]
    operations: tuple[Put | Delete, ...]


@dataclass(frozen=True)
class Cell:
    """The keys of one cell."""

    name: str

    def patroni(self, part: str) -> str:
        """One of Patroni's keys: leader, sync, config, failover."""
        return f"{PATRONI_PREFIX}/{self.name}/{part}"

    @property
    def prefix(self) -> str:
        """Below it stands everything of the agents."""
        return f"{PREFIX}/{self.name}/"

    @property
    def round(self) -> str:
        """The lock of whoever coordinates."""
        return f"{self.prefix}round"

    @property
    def maintenance(self) -> str:
        """Stands while agents are to keep still."""
        return f"{self.prefix}maintenance"

    @property
    def floor(self) -> str:
        """What a member must have to lead."""
        return f"{self.prefix}floor"

    def of_member(self, kind: str, member: str) -> str:
        """A member's key: promise, vote, session or report."""
        return f"{self.prefix}{kind}/{member}"

    def read(self, found: Iterable[KeyValue], me: str) -> View:
        """The view that these keys make; what cannot be read counts as not there."""
        by_key = {one.key: one for one in found}
        own = by_key.get(self.of_member("promise", me))
        config = by_key.get(self.patroni("config"))
        leader = by_key.get(self.patroni("leader"))
        failover = by_key.get(self.patroni("failover"))
        promises, votes = (self._members(by_key, kind) for kind in ("promise", "vote"))
        return View(
            leader=Leader(leader.value, leader.mod_revision) if leader else None,
            sync=_sync(by_key.get(self.patroni("sync"))),
            own=own.mod_revision if own else ABSENT,
            round=_round(by_key.get(self.round)),
            promises={name: given for name, at in promises.items() if (given := _promise(at))},
            votes={name: seen for name, at in votes.items() if (seen := _vote(at))},
            alive=frozenset(self._members(by_key, "session")),
            config_revision=config.mod_revision if config else ABSENT,
            paused=bool(config and _fields(config).get("pause")),
            failover_revision=failover.mod_revision if failover else ABSENT,
            failover=failover is not None and failover.value.strip() not in _NOTHING_ASKED,
            maintenance=self.maintenance in by_key,
            floor=_floor(by_key.get(self.floor)),
        )

    def _members(self, by_key: Mapping[str, KeyValue], kind: str) -> dict[str, KeyValue]:
        prefix = self.of_member(kind, "")
        return {key.removeprefix(prefix): one for key, one in by_key.items() if key.startswith(prefix)}

    def _brakes(self, view: View) -> tuple[Compare, ...]:
        """No pause, no switchover, no maintenance that came after they were looked for."""
        return (
            Compare(self.patroni("config"), view.config_revision),
            Compare(self.patroni("failover"), view.failover_revision),
            Compare(self.maintenance, ABSENT),
        )

    def _as_seen(self, leader: str, leader_revision: int, sync_revision: int) -> tuple[Compare, ...]:
        """Who leads, and the revisions of the leader key and of `/sync`."""
        return (
            Compare(self.patroni("leader"), leader),
            Compare(self.patroni("leader"), leader_revision),
            Compare(self.patroni("sync"), sync_revision),
        )

    def open(self, view: View, opened: Round) -> Transaction:
        """Take the lock, if all is as it was seen."""
        return Transaction(
            (
                Compare(self.round, ABSENT),
                *self._as_seen(*opened.identity),
                *self._brakes(view),
            ),
            (Put(self.round, _text(opened), Hangs.ON_THE_SESSION),),
        )

    def take_over(self, me: str, view: View, now: Round) -> Transaction:
        """Take the lock from whoever has it, if nothing came of it since."""
        return Transaction(
            (Compare(self.round, now.revision), *self._brakes(view)),
            (Put(self.round, _text(replace(now, coordinator=me)), Hangs.ON_THE_SESSION),),
        )

    def close(self, now: Round) -> Transaction:
        """Give the lock back; whoever is fenced off from a primary that leads then withdraws."""
        return Transaction((Compare(self.round, now.revision),), (Delete(self.round),))

    def promise(self, me: str, view: View, given: Promise) -> Transaction:
        """RULE 2: a promise that names its target.

        The compare with the member's own key makes one that arrives late fail: whoever withdraws rewrites it.
        """
        own = self.of_member("promise", me)
        return Transaction(
            (
                Compare(own, view.own),
                *self._as_seen(*given.identity),
            ),
            (Put(own, _text(given), Hangs.ON_THE_SESSION),),
        )

    def withdraw(self, me: str, view: View, leader: str) -> Transaction:
        """RULES 7 and 8: while `leader` leads, the promise goes. The key stays, so that no late put fits."""
        own = self.of_member("promise", me)
        return Transaction(
            (Compare(own, view.own), Compare(self.patroni("leader"), leader)), (Put(own, "{}"),)
        )

    def release(
        self, view: View, now: Round, counted: Mapping[str, Promise], sync_text: str, heir: str | None = None
    ) -> Transaction:
        """RULE 5: if all that was counted still holds, `leader` goes, or is `heir`; then `/sync` is put anew.

        Patroni applies events one by one, in this order. The round is written along, which tells everybody
        that this revision of `/sync` is the round's own; so is its floor, at the best that was counted. A
        Patroni that finds its own name in `leader` puts it under its own lease and promotes; where it does
        neither within the ttl, the key goes and Patroni's race decides: a cycle of Patroni is shorter, so
        none acts on what it read before.
        """
        if view.leader is None or view.sync is None:
            raise ValueError("a release needs a leader and /sync")
        after = replace(now, released=now.released + 1)
        leader = self.patroni("leader")
        floor = floors.of_release(view.sync, counted)
        return Transaction(
            (
                *self._as_seen(now.target, view.leader.revision, view.sync.revision),
                Compare(self.round, now.revision),
                *(
                    Compare(self.of_member("promise", name), one.revision)
                    for name, one in sorted(counted.items())
                ),
                *self._brakes(view),
            ),
            (
                Put(leader, heir, Hangs.ON_THE_TTL) if heir else Delete(leader),
                Put(self.patroni("sync"), sync_text),
                Put(self.floor, _text(floor)),
                Put(self.round, _text(after), Hangs.ON_THE_SESSION),
            ),
        )

    def put_floor(self, view: View, floor: Floor) -> Transaction:
        """The primary's word for what has to be had to lead by the `/sync` in view."""
        if view.leader is None or view.sync is None:
            raise ValueError("a floor needs a leader and /sync")
        return Transaction(
            self._as_seen(view.leader.name, view.leader.revision, view.sync.revision),
            (Put(self.floor, _text(floor)),),
        )

    def vote(self, me: str, given: Vote | None) -> Transaction:
        """Say that the leader fails, or no longer."""
        key = self.of_member("vote", me)
        if given is None:
            return Transaction((), (Delete(key),))
        return Transaction((), (Put(key, _text(given), Hangs.ON_THE_SESSION),))


def _text(one: Round | Promise | Vote | Floor) -> str:
    """Its fields as JSON, without the revision, which its own key has; a set as a sorted list."""
    fields = {name: value for name, value in asdict(one).items() if name != "revision"}
    return json.dumps(fields, default=sorted)


def _fields(at: KeyValue) -> dict[str, Any]:
    try:
        found = json.loads(at.value)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _sync(at: KeyValue | None) -> Sync | None:
    if at is None:
        return None
    given = _fields(at)
    names = frozenset(name for name in str(given.get("sync_standby") or "").split(",") if name)
    leader, quorum = str(given.get("leader") or ""), int(given.get("quorum") or 0)
    return Sync(leader, names, quorum, at.mod_revision, at.version)


def _floor(at: KeyValue | None) -> Floor | None:
    given = _fields(at) if at else {}
    if not (at and given):
        return None
    return Floor(**(given | {"voters": frozenset(given["voters"])}), revision=at.mod_revision)


def _round(at: KeyValue | None) -> Round | None:
    if at is None:
        return None
    return Round(**_fields(at), revision=at.mod_revision)


def _promise(at: KeyValue) -> Promise | None:
    given = _fields(at)
    return Promise(**given, revision=at.mod_revision) if given else None


def _vote(at: KeyValue) -> Vote | None:
    given = _fields(at)
    return Vote(**given) if given else None
