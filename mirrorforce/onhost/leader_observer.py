"""What the leader watcher sees: etcd's leader keys, and the word of those who hold them.

A watch says that a key changed; one linearizable read says to what. So no old message can overtake a newer
one, and what the watch missed is read a second later. Standard library only: this runs on hosts.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.onhost.etcd import Client, EtcdError
from mirrorforce.onhost.https_json import HttpsError, exchange
from mirrorforce.onhost.primary_record import Leader

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable, Iterator, Mapping
    from ipaddress import IPv4Address

    from mirrorforce.onhost.watcher_config import Config

WATCH_QUIET_S = 300.0
"""A watch that said nothing for so long is begun anew."""
WATCH_AGAIN_S = 1.0
ASK_AGAIN_S = 0.1
ASK_LIMIT_S = 1.0
HTTP_OK = 200

log = logging.getLogger("leader_watcher")


@dataclass(frozen=True)
class Read:
    """What a majority of etcd says: the leader of each cell."""

    leaders: Mapping[str, Leader | None]


@dataclass(frozen=True)
class Unread:
    """etcd gave no answer; why."""

    reason: str


@dataclass(frozen=True)
class Asked:
    """A leader was asked whether it is the primary."""

    cell: str
    leader: Leader
    is_primary: bool


@dataclass(frozen=True)
class Broken:
    """A thread ended, which none ever should."""

    fault: BaseException


Event = Read | Unread | Asked | Broken


def news(before: Mapping[str, Leader | None], now: Mapping[str, Leader | None]) -> Iterator[str]:
    """What changed between two reads of the leader keys, in words: drills read them for the moment. Pure."""
    for cell, leader in now.items():
        if cell in before and before[cell] == leader:
            continue
        holder = f"{leader.name} holds" if leader else "nobody holds"
        yield f"{cell}: {holder} the leader key"


class Observer:
    """The threads that see: they put events on a queue and touch nothing else."""

    def __init__(self, config: Config, events: queue.SimpleQueue[Event]) -> None:
        self._config = config
        self._events = events
        self._changed = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=2 * len(config.cells))

    def start(self) -> None:
        """Begin to watch and to read."""
        for loop in (self._watch, self._read):
            threading.Thread(target=self._guarded, args=(loop,), daemon=True).start()

    def ask(self, cell: str, leader: Leader, address: IPv4Address) -> None:
        """Ask a leader whether it is the primary; the answer comes as an event."""
        self._pool.submit(self._guarded, lambda: self._ask(cell, leader, address))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as fault:  # noqa: BLE001 - the main thread raises it
            self._events.put(Broken(fault))

    def _client(self) -> Client:
        return Client(self._config.endpoints, self._config.credentials, self._config.user)

    def _watch(self) -> None:
        client = self._client()
        while True:
            try:
                for _message in client.watch(list(self._config.leader_keys.values()), quiet=WATCH_QUIET_S):
                    self._changed.set()
            except EtcdError as fault:
                log.info("%s", fault)
            time.sleep(WATCH_AGAIN_S)

    def _read(self) -> None:
        client = self._client()
        keys = self._config.leader_keys
        last: dict[str, Leader | None] = {}
        while True:
            try:
                found = client.get_all(list(keys.values()))
            except EtcdError as fault:
                self._events.put(Unread(str(fault)))
            else:
                held = {cell: found[key] for cell, key in keys.items()}
                leaders = {
                    cell: Leader(at.value, at.mod_revision) if at else None for cell, at in held.items()
                }
                self._events.put(Read(leaders))
                for line in news(last, leaders):
                    log.info("%s", line)
                last = leaders
            self._changed.wait(self._config.read_every_s)
            self._changed.clear()

    def _ask(self, cell: str, leader: Leader, address: IPv4Address) -> None:
        url = f"https://{address}:{self._config.patroni_port}/primary"
        try:
            is_primary = exchange(url, self._config.credentials, timeout=ASK_LIMIT_S).status == HTTP_OK
        except HttpsError as fault:
            log.info("%s: %s", cell, fault)
            is_primary = False
        if not is_primary:
            time.sleep(ASK_AGAIN_S)
        self._events.put(Asked(cell, leader, is_primary))
