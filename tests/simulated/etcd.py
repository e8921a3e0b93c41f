"""etcd in virtual time: keys with revisions and leases, transactions that may be late."""

from __future__ import annotations

from dataclasses import dataclass, field

from mirrorforce.onhost.etcd import KeyValue
from mirrorforce.onhost.failover_agent.keys import Compare, Delete, Hangs, Transaction


@dataclass
class Held:
    value: str
    revision: int
    lease: int | None
    version: int = 1


@dataclass
class Etcd:
    """One linearizable store."""

    revision: int = 1
    keys: dict[str, Held] = field(default_factory=dict)
    leases: dict[int, float] = field(default_factory=dict)
    """When each lease runs out."""
    _granted: int = 0

    def grant(self, until: float) -> int:
        self._granted += 1
        self.leases[self._granted] = until
        return self._granted

    def expire(self, now: float) -> None:
        for lease in [one for one, until in self.leases.items() if until <= now]:
            self.revoke(lease)

    def revoke(self, lease: int) -> None:
        self.leases.pop(lease, None)
        for key in [key for key, held in self.keys.items() if held.lease == lease]:
            self.delete(key)

    def put(self, key: str, value: str, lease: int | None = None) -> None:
        self.revision += 1
        self._hold(key, value, lease)

    def _hold(self, key: str, value: str, lease: int | None) -> None:
        before = self.keys.get(key)
        self.keys[key] = Held(value, self.revision, lease, before.version + 1 if before else 1)

    def delete(self, key: str) -> None:
        self.revision += 1
        self.keys.pop(key, None)

    def found(self) -> list[KeyValue]:
        return [KeyValue(key, held.value, held.revision, held.version) for key, held in self.keys.items()]

    def carry_out(self, wanted: Transaction, lease: int | None, of_ttl: int | None = None) -> bool:
        """Whether it took place; all of its operations get one revision, as in etcd.

        lease, of_ttl: of the sender's session, and of Patroni's ttl from now on.
        """
        if not all(self._holds(one) for one in wanted.compares):
            return False
        leases = {Hangs.ON_NOTHING: None, Hangs.ON_THE_SESSION: lease, Hangs.ON_THE_TTL: of_ttl}
        hangs = {one.hangs for one in wanted.operations if not isinstance(one, Delete)} - {Hangs.ON_NOTHING}
        if any(leases[one] not in self.leases for one in hangs):
            return False
        self.revision += 1
        for one in wanted.operations:
            if isinstance(one, Delete):
                self.keys.pop(one.key, None)
            else:
                self._hold(one.key, one.value, leases[one.hangs])
        return True

    def _holds(self, one: Compare) -> bool:
        held = self.keys.get(one.key)
        if isinstance(one.expected, str):
            return held is not None and held.value == one.expected
        return (held.revision if held else 0) == one.expected
