"""The edge to etcd: the view, transactions, and the session that an agent's keys hang on."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost.etcd import EtcdError, encoded, end_of_prefix, key_values, range_request
from mirrorforce.onhost.failover_agent.keys import Compare, Delete, Hangs, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.onhost.etcd import Client
    from mirrorforce.onhost.failover_agent.keys import Cell, Put
    from mirrorforce.onhost.failover_agent.view import Pace, View

RENEWALS_OF_A_SESSION = 4
"""So often a session is renewed within its length: two may fail."""

log = logging.getLogger("failover_agent")


@dataclass(frozen=True)
class Seen:
    """A view, the text of `/sync` in it, and when its read began and ended (monotonic clock, seconds)."""

    view: View
    sync_text: str
    asked: float
    answered: float


class Store:
    """One member's way to etcd. For one thread.

    A session and, for a key that is handed over, a lease of Patroni's ttl are kept at hand: to ask for one
    takes a round trip, just when somebody waits.
    """

    def __init__(self, client: Client, cell: Cell, me: str, pace: Pace) -> None:
        self._client = client
        self._cell = cell
        self._me = me
        self._pace = pace
        self._lease: str | None = None
        self._of_ttl: str | None = None
        self._renewed = 0.0

    def see(self) -> Seen:
        """Everything at one moment, by a linearizable read; EtcdError."""
        cell = self._cell
        asked = time.monotonic()
        operations = [
            {"request_range": range_request(cell.patroni(part))}
            for part in ("leader", "sync", "config", "failover")
        ]
        below = {"request_range": range_request(cell.prefix, end_of_prefix(cell.prefix))}
        answer = self._client.txn(compare=[], success=[*operations, below])
        found = [one for each in answer["responses"] for one in key_values(each.get("response_range", {}))]
        sync = next((one.value for one in found if one.key == cell.patroni("sync")), "")
        return Seen(cell.read(found, self._me), sync, asked, time.monotonic())

    def value_at(self, key: str, revision: int) -> str | None:
        """What the key held at an earlier revision of the store; None: nothing, or that is no longer known.

        Raises EtcdError.
        """
        try:
            found = self._client.call("/v3/kv/range", range_request(key) | {"revision": str(revision)})
        except EtcdError as fault:
            if "compacted" in str(fault):
                return None
            raise
        return next((one.value for one in key_values(found)), None)

    def carry_out(self, wanted: Transaction) -> bool:
        """Whether it took place; False where a compare failed. EtcdError: it may still take place."""
        success = [self._operation(one) for one in wanted.operations]
        if any(getattr(one, "hangs", None) is Hangs.ON_THE_TTL for one in wanted.operations):
            self._of_ttl = None  # a key may hang on it from now on, so nobody renews it
        answer = self._client.txn(compare=[_compare(one) for one in wanted.compares], success=success)
        return bool(answer.get("succeeded"))

    def renew(self, *, hold: Callable[[], None]) -> None:
        """Keep the session alive; a new one where it ended. `hold` runs before each renewal is sent.

        RULE 9: the timers of blocks begin anew before the lease does, so they outlast it.
        """
        now = time.monotonic()
        if self._lease and now - self._renewed < self._pace.session / RENEWALS_OF_A_SESSION:
            return
        hold()
        if not (self._lease and self._kept_alive(self._lease)):
            self.begin()
            key = self._cell.of_member("session", self._me)
            self._client.call(
                "/v3/kv/put", {"key": encoded(key), "value": encoded("{}"), "lease": self._lease}
            )
            log.info("a session of %g s begins", self._pace.session)
        self._renewed = now
        if not (self._of_ttl and self._kept_alive(self._of_ttl)):
            self._of_ttl = self._granted(self._pace.ttl)

    def begin(self) -> None:
        """A lease of a session's length for what is put from now on; without `renew` it just runs out."""
        self._lease = self._granted(self._pace.session)

    def _granted(self, seconds: float) -> str:
        return str(self._client.call("/v3/lease/grant", {"TTL": str(round(seconds))})["ID"])

    def put_maintenance(self, *, on: bool) -> None:
        """Have agents keep still, or no longer."""
        key = self._cell.maintenance
        if on:
            self._client.put(key, json.dumps({"by": self._me}))
        else:
            self._client.call("/v3/kv/deleterange", {"key": encoded(key)})

    def _kept_alive(self, lease: str) -> bool:
        answer = self._client.call("/v3/lease/keepalive", {"ID": lease})
        return int(answer.get("result", {}).get("TTL", 0)) > 0

    def _operation(self, one: Put | Delete) -> dict[str, Any]:
        if isinstance(one, Delete):
            return {"request_delete_range": {"key": encoded(one.key)}}
        put: dict[str, Any] = {"key": encoded(one.key), "value": encoded(one.value)}
        if one.hangs is Hangs.ON_THE_SESSION:
            if self._lease is None:
                raise EtcdError("there is no session yet")
            put["lease"] = self._lease
        elif one.hangs is Hangs.ON_THE_TTL:
            put["lease"] = self._of_ttl or self._granted(self._pace.ttl)
        return {"request_put": put}


def _compare(one: Compare) -> dict[str, Any]:
    """A compare in the gateway's words; a key that is not there has the revision 0."""
    if isinstance(one.expected, int):
        what = {"target": "MOD", "mod_revision": str(one.expected)}
    else:
        what = {"target": "VALUE", "value": encoded(one.expected)}
    return {"key": encoded(one.key), "result": "EQUAL", **what}
