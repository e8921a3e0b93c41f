"""Writers that behave as an application does, and remember what they were told: runs on application hosts.

Each writer inserts numbered rows one after another, every row a transaction of its own, by the cell's
DNS name; when its connection ends it connects again, by name. Each row's fate goes to a log, one JSON
document a line:

- `acknowledged`: the server said the commit is done. Such a row must never be lost.
- `rejected`: the server refused the row before it could be committed. Such a row must not exist.
- `unknown`: neither is certain. The connection ended before an answer came; or the server gave up
  waiting for a standby, which libpq reports as success with a warning.

Bounded in rows and in seconds. Standard library and psycopg2.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2  # type: ignore[import-untyped]  # from the host, not from our lock file

from mirrorforce.onhost.workload_log import Limits, Log, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = "mirrorforce_workload"
CREATE = f"""
create table if not exists {TABLE} (
  run text not null, writer integer not null, number bigint not null, payload text not null,
  written timestamptz not null default clock_timestamp(), primary key (run, writer, number))
"""
INSERT = f"insert into {TABLE} (run, writer, number, payload) values (%s, %s, %s, %s)"  # noqa: S608 (a constant)

_PAUSE_AFTER_FAILURE = 0.1


class Writer:
    """One connection's worth of rows."""

    def __init__(self, number: int, target: str, run: str, log: Log) -> None:
        self._number = number
        self._target = target
        self._run = run
        self._log = log
        self._connection: Any = None

    def work(self, limits: Limits) -> None:
        """Write rows until the limits are reached."""
        deadline = time.monotonic() + limits.seconds
        for row in range(1, limits.rows + 1):
            if not self._connected_before(deadline):
                break
            self._write(row)
            time.sleep(limits.pause)
        self._disconnect()

    def _connected_before(self, deadline: float) -> bool:
        while time.monotonic() < deadline:
            if self._connection is not None and not self._connection.closed:
                return True
            self._connect()
        return False

    def _connect(self) -> None:
        try:
            self._connection = psycopg2.connect(self._target)
            self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                cursor.execute("select host(inet_server_addr())")
                (address,) = cursor.fetchone()
        except psycopg2.Error as fault:
            self._disconnect()
            self._log.event("connection failed", self._number, said=_said(fault))
            time.sleep(_PAUSE_AFTER_FAILURE)
        else:
            self._log.event("connected", self._number, address=address)

    def _write(self, row: int) -> None:
        started = time.monotonic()
        said = ""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(INSERT, (self._run, self._number, row, f"{self._run} {self._number} {row}"))
            said = " ".join(self._connection.notices).strip()
            outcome = "unknown" if said else "acknowledged"
            self._connection.notices.clear()
        except psycopg2.Error as fault:
            outcome, said = outcome_of(fault.pgcode), _said(fault)
            self._disconnect()
        took = time.monotonic() - started
        self._log.event("row", self._number, row=row, outcome=outcome, said=said, seconds=took)
        if outcome != "acknowledged":
            time.sleep(_PAUSE_AFTER_FAILURE)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _said(fault: psycopg2.Error) -> str:
    lines = str(fault).strip().splitlines() or [type(fault).__name__]
    return f"{fault.pgcode or ''} {lines[0]}".strip()


def write(target: str, run: str, writers: int, log_path: Path, limits: Limits) -> None:
    """Create the table, then let the writers work side by side until all of them are done."""
    connection = psycopg2.connect(target)
    with connection, connection.cursor() as cursor:
        cursor.execute(CREATE)
    connection.close()
    with log_path.open("a", encoding="utf-8") as stream:
        log = Log(stream)
        threads = [
            threading.Thread(target=Writer(number, target, run, log).work, args=(limits,))
            for number in range(1, writers + 1)
        ]
        log.event("started", 0, run=run, writers=writers)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log.event("ended", 0, run=run)


def rows_of(target: str, run: str) -> Iterator[tuple[int, int]]:
    """Every row of the run that the table holds now: (writer, row)."""
    connection = psycopg2.connect(target)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"select writer, number from {TABLE} where run = %s order by 1, 2", (run,))  # noqa: S608
            yield from cursor.fetchall()
    finally:
        connection.close()


def main() -> None:
    """`write` rows and log their fates, or print the `rows` that are there as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", required=True, help="libpq connection string; no password in it")
    parser.add_argument("--run", required=True, help="name of the run, part of each row's key")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("rows")
    writing = verbs.add_parser("write")
    writing.add_argument("--log", type=Path, required=True)
    writing.add_argument("--writers", type=int, default=4)
    writing.add_argument("--rows", type=int, default=100_000, help="at most, per writer")
    writing.add_argument("--seconds", type=float, required=True)
    writing.add_argument("--pause", type=float, default=0.02)
    given = parser.parse_args()
    if given.verb == "rows":
        print(json.dumps(list(rows_of(given.target, given.run))))  # noqa: T201 (its output)
        return
    limits = Limits(given.rows, given.seconds, given.pause)
    write(given.target, given.run, given.writers, given.log, limits)


if __name__ == "__main__":
    main()
