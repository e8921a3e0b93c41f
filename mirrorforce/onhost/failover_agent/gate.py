"""RULE 12: answers Patroni's question before it promotes: whether this member has enough to lead (`floors`).

Patroni runs `may_promote` once it holds the leader key, and gives the key back where the answer is no; it
tries again a ttl later. While the key is this member's nobody else writes `/sync`, so what is seen stands.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.onhost.etcd import Client, EtcdError
from mirrorforce.onhost.failover_agent import floors
from mirrorforce.onhost.failover_agent.database import Database
from mirrorforce.onhost.failover_agent.may_promote import NO, SOCKET, YES
from mirrorforce.onhost.failover_agent.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.onhost.failover_agent.settings import Settings
    from mirrorforce.onhost.failover_agent.store import Seen
    from mirrorforce.onhost.failover_agent.view import View

FRESH_S = 1.0
"""What was seen so lately is no earlier term of this member's: its lease is longer."""
SEEN_WITHIN_S = 1.0
"""This thread has no session with etcd until it needs one: to log in takes longer than to wait a moment."""

log = logging.getLogger("failover_agent")


class Gate:
    """Listens. seen: what the agent's main thread last saw of etcd. say: for the journal and `status`."""

    def __init__(
        self, settings: Settings, seen: Callable[[], Seen | None], say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._seen = seen
        self._say = say
        client = Client(settings.endpoints, settings.credentials, settings.user)
        self._store = Store(client, settings.cell, settings.me, settings.pace)
        self._database = Database()

    def start(self) -> None:
        """Begin to listen."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        Path(SOCKET).unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            listener.bind(SOCKET)
        finally:
            os.umask(before)
        listener.listen()
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            asks, _ = listener.accept()
            with asks:
                try:
                    asks.sendall(self._answer())
                except OSError as fault:
                    log.info("whoever asked to promote is gone: %s", fault)

    def _answer(self) -> bytes:
        try:
            why = self._against()
        except EtcdError as fault:
            # Patroni has just written there, so it is this host that is out of breath: its own rules apply.
            self._say(f"leads unasked: {fault}")
            return YES
        if why:
            self._say(f"refused to lead: {why}")
        return NO if why else YES

    def _against(self) -> str:
        me, view = self._settings.me, self._with_the_key()
        server = self._database.look()
        why = floors.against(me, view, server.position if server else None)
        return why if why and not self._excused(view) else ""

    def _with_the_key(self) -> View:
        """What etcd holds since this member has the key; the main thread, woken by a watch, sees it first."""
        until = time.monotonic() + SEEN_WITHIN_S
        while time.monotonic() < until:
            seen = self._seen()
            if seen and time.monotonic() - seen.answered < FRESH_S:
                leader = seen.view.leader
                if leader and leader.name == self._settings.me:
                    return seen.view
            time.sleep(0.01)
        return self._store.see().view

    def _excused(self, view: View) -> bool:
        """Where a person ordered it; or nobody owed a floor, since the primary's agent did not run.

        Both by what etcd held at that moment: Patroni clears `/failover` as soon as it has the key.
        """
        cell, me, leader, sync = self._settings.cell, self._settings.me, view.leader, view.sync
        if leader and floors.ordered(me, self._store.value_at(cell.patroni("failover"), leader.revision)):
            self._say("leads by a person's order, whatever it may lack")
            return True
        if sync is None or (view.floor and view.floor.is_of(sync)):
            return False
        ran = self._store.value_at(cell.of_member("session", sync.leader), sync.revision)
        if ran is None:
            self._say(f"leads without a floor: {sync.leader}'s agent did not run when /sync changed")
        return ran is None
