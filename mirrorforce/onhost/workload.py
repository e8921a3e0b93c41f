"""Clients that behave as an application does, and remember what they were told: runs on application hosts.

Each client asks for one thing after another (`workload_clients` has the kinds); when its connection ends it
connects again, by the same name or names. Every answer goes to a log (`workload_log`) before the next
question:

- `acknowledged`: the server said the commit is done. It must never be lost.
- `rejected`: the server refused before anything could be committed. It must not be there.
- `unknown`: neither is certain. The connection ended before an answer came; or the server gave up
  waiting for a standby, which libpq reports as success with a warning.

Bounded in seconds; ends in good order, each client with its last answer, at SIGTERM. Standard library and
psycopg2.
"""

from __future__ import annotations

import argparse
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2  # type: ignore[import-untyped]  # from the host, not from our lock file

from mirrorforce.onhost import workload_tables
from mirrorforce.onhost.workload_clients import makers
from mirrorforce.onhost.workload_log import Log
from mirrorforce.onhost.workload_patience import Patience
from mirrorforce.onhost.workload_session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.onhost.workload_clients import Client

_PAUSE_AFTER_FAILURE = 0.1


@dataclass(frozen=True)
class Group:
    """`count` clients of one kind that find their server in one way."""

    kind: str
    count: int
    way: str
    target: str

    @classmethod
    def read(cls, text: str) -> Group:
        """`KIND:COUNT:WAY:TARGET`; TARGET is a libpq connection string without a password."""
        kind, count, way, target = text.split(":", 3)
        if kind not in makers(""):
            raise argparse.ArgumentTypeError(f"{kind} is none of {', '.join(makers(''))}")
        return cls(kind, int(count), way, target)


@dataclass(frozen=True)
class Worker:
    """One client with its connection and the record that it keeps."""

    name: str
    way: str
    client: Client
    session: Session
    log: Log

    def work(self, over: threading.Event, seconds: float) -> None:
        """Ask until it is over, for at most so many seconds."""
        deadline = time.monotonic() + seconds
        while not over.is_set() and time.monotonic() < deadline:
            succeeded = self._ask() if self.session.connected else self._connect()
            over.wait(self.client.pause if succeeded else _PAUSE_AFTER_FAILURE)
        self.session.disconnect()

    def _connect(self) -> bool:
        answer = self.session.connect()
        server = self.session.server
        address, timeline = (server.address, server.timeline) if server else (None, None)
        self.log.event("connect", self.name, self.way, address, timeline, answer)
        return answer.outcome == "acknowledged"

    def _ask(self) -> bool:
        server = self.session.server
        address, timeline = (server.address, server.timeline) if server else (None, None)
        answer, asked = self.client.ask(self.session)
        self.log.event(self.client.kind, self.name, self.way, address, timeline, answer, **asked)
        return answer.outcome == "acknowledged"


@dataclass(frozen=True)
class Pace:
    """Seconds: how long clients work at most, pause after an answer, and wait for an answer at most."""

    seconds: float
    pause: float
    patience: float


def work(groups: Sequence[Group], run: str, log: Log, pace: Pace) -> None:
    """Let all clients work side by side until their time is over or SIGTERM comes."""
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with Patience(pace.patience) as patience:
        workers = _workers(groups, run, log, pace.pause, patience)
        threads = [threading.Thread(target=worker.work, args=(over, pace.seconds)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _workers(groups: Sequence[Group], run: str, log: Log, pause: float, patience: Patience) -> list[Worker]:
    make = makers(run)
    numbers = dict.fromkeys(make, 0)
    workers = []
    for group in groups:
        for _ in range(group.count):
            numbers[group.kind] += 1
            name = f"{group.kind}-{numbers[group.kind]}"
            session = Session(group.target, patience)
            workers.append(Worker(name, group.way, make[group.kind](name, pause), session, log))
    return workers


def _with_connection(target: str, run: str, verb: str) -> None:
    connection = psycopg2.connect(target)
    connection.autocommit = True
    try:
        {"prepare": workload_tables.prepare, "forget": workload_tables.forget}[verb](connection, run)
    finally:
        connection.close()


def main() -> None:
    """`prepare` a run's tables, let clients `work`, `forget` the run's rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="name of the run, part of each row's key")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("prepare", "forget"):
        verbs.add_parser(verb).add_argument("target", help="libpq connection string; no password in it")
    working = verbs.add_parser("work")
    working.add_argument("--log", type=Path, required=True)
    working.add_argument("--seconds", type=float, required=True, help="at most")
    working.add_argument("--pause", type=float, default=0.02, help="seconds between answer and question")
    working.add_argument("--patience", type=float, default=5.0, help="seconds that a statement may take")
    working.add_argument("groups", type=Group.read, nargs="+", metavar="KIND:COUNT:WAY:TARGET")
    given = parser.parse_args()
    if given.verb != "work":
        _with_connection(given.target, given.run, given.verb)
        return
    with given.log.open("a", encoding="utf-8") as stream:
        pace = Pace(given.seconds, given.pause, given.patience)
        work(given.groups, given.run, Log(stream), pace)


if __name__ == "__main__":
    main()
