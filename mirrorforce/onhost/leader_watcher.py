"""The leader watcher of a DNS host: `<cell>.<domain>` follows the leader key in etcd.

One process for all cells. What it sees comes from `leader_observer`, what is answered is decided in
`primary_record`; here it is done. Standard library only: this runs on hosts.

    run           watch, until stopped
    fill          before gdnsd starts: a dynamic record for each cell that has no record
    put-back      after the watcher stopped: dynamic records for all cells
    check-config FILE
    check-zone FILE NAME
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import queue
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.onhost import record_files
from mirrorforce.onhost.commands import CommandError
from mirrorforce.onhost.leader_observer import Asked, Broken, Observer, Read, Unread
from mirrorforce.onhost.primary_record import Seen, decide, unconfirmed
from mirrorforce.onhost.record_files import RecordFiles
from mirrorforce.onhost.sd_notify import notify
from mirrorforce.onhost.watcher_config import Config, load

if TYPE_CHECKING:
    from mirrorforce.onhost.leader_observer import Event
    from mirrorforce.onhost.primary_record import Leader, Record

CONFIG = Path("/etc/mirrorforce/leader_watcher.json")
TICK_S = 1.0

log = logging.getLogger("leader_watcher")


def seen_after(seen: Seen, cell: str, event: Event) -> Seen:
    """What is known of a cell after an event. Pure."""
    if isinstance(event, Read):
        return replace(seen, leader=event.leaders.get(cell), etcd_lost=False)
    if isinstance(event, Asked) and event.cell == cell and event.is_primary:
        return replace(seen, confirmed=event.leader)
    return seen


def lost(seen: Seen) -> Seen:
    """What is known of a cell when etcd has been silent for too long: whoever leads is to be asked anew."""
    return replace(seen, confirmed=None, etcd_lost=True)


class Watcher:
    """Takes what the observer sees, and keeps the records to what is decided of it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._files = RecordFiles(config.records)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._observer = Observer(config, self._events)
        self._seen = dict.fromkeys(config.cells, Seen())
        self._asking: set[tuple[str, Leader]] = set()
        self._last_read = time.monotonic()
        self._unanswered: dict[str, Record] = {}

    def run(self) -> None:
        """Watch until the process ends; raises what ended a thread."""
        self._files.fill(self._config.cells)
        self._observer.start()
        notify("READY=1")
        while True:
            with contextlib.suppress(queue.Empty):
                self._take(self._events.get(timeout=TICK_S))
            self._forget_if_silent()
            self._ask_leaders()
            self._write_records()
            notify("WATCHDOG=1")

    def _take(self, event: Event) -> None:
        if isinstance(event, Broken):
            raise event.fault
        if isinstance(event, Read):
            self._last_read = time.monotonic()
        elif isinstance(event, Unread):
            log.info("etcd: %s", event.reason)
        else:
            self._asking.discard((event.cell, event.leader))
        self._seen = {cell: seen_after(seen, cell, event) for cell, seen in self._seen.items()}

    def _forget_if_silent(self) -> None:
        if time.monotonic() - self._last_read > self._config.etcd_lost_after_s:
            self._seen = {cell: lost(seen) for cell, seen in self._seen.items()}

    def _ask_leaders(self) -> None:
        for cell, seen in self._seen.items():
            leader = unconfirmed(seen)
            address = self._config.cells[cell].get(leader.name) if leader else None
            if leader and address and not seen.etcd_lost and (cell, leader) not in self._asking:
                self._asking.add((cell, leader))
                self._observer.ask(cell, leader, address)

    def _write_records(self) -> None:
        for cell, seen in self._seen.items():
            last = self._files.read(cell)
            record = decide(self._config.cells[cell], last, seen)
            if record != last:
                log.warning("%s: %s instead of %s", cell, record or "dynamic", last or "dynamic")
                self._files.write(cell, record)
                self._unanswered[cell] = record
        if self._unanswered and reloaded():
            for cell, record in self._unanswered.items():
                log.info("%s: now answered with %s", cell, record or "the dynamic record")
            self._unanswered = {}


def reloaded() -> bool:
    """Make gdnsd read the records; False where it does not run, and will read them when it starts."""
    try:
        record_files.reload_zones()
    except CommandError as fault:
        log.warning("%s", fault)
        return False
    return True


def put_back(config: Config) -> None:
    """Hand all names to gdnsd's own checks: nobody watches any more."""
    files = RecordFiles(config.records)
    for cell in config.cells:
        files.write(cell, None)
    reloaded()


def main() -> None:
    """Do one of the module's verbs; what a tool refuses ends it with that tool's words."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        carry_out(arguments())
    except CommandError as fault:
        raise SystemExit(str(fault)) from None


def arguments() -> argparse.Namespace:
    """The verb and what it wants."""
    parser = argparse.ArgumentParser(prog="leader_watcher")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("run", "fill", "put-back"):
        verbs.add_parser(verb)
    verbs.add_parser("check-config").add_argument("file", type=Path)
    check_zone = verbs.add_parser("check-zone")
    check_zone.add_argument("file", type=Path)
    check_zone.add_argument("name")
    return parser.parse_args()


def carry_out(given: argparse.Namespace) -> None:
    """Do the verb."""
    if given.verb == "check-config":
        record_files.check_config(given.file)
        return
    config = load(CONFIG)
    if given.verb == "check-zone":
        record_files.check_zone(given.file, given.name, config.records, config.cells)
    elif given.verb == "fill":
        RecordFiles(config.records).fill(config.cells)
    elif given.verb == "put-back":
        put_back(config)
    else:
        Watcher(config).run()


if __name__ == "__main__":
    main()
