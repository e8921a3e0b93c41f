"""The edge to this host's PostgreSQL, over its socket as its superuser."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from dataclasses import dataclass
from typing import Any

import psycopg2  # type: ignore[import-untyped]  # from the host: Patroni brings it

from mirrorforce.onhost.failover_agent.neighbours import source_in

_STATE = """
select pg_is_in_recovery(),
  case when pg_is_in_recovery()
    then (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'::pg_lsn)::bigint
    else (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint end,
  current_setting('primary_conninfo'), w.pid,
  case when w.status = 'streaming' then w.sender_host end,
  extract(epoch from clock_timestamp() - w.last_msg_receipt_time)::float8
from (select) one left join pg_stat_wal_receiver w on true
"""
_HELD_UP = """
select max((pg_current_wal_flush_lsn() - flush_lsn)::bigint) filter (where application_name = %s),
  (select count(*) from pg_stat_activity where backend_type = 'client backend' and wait_event = 'SyncRep')
from pg_stat_replication
"""
_TARGET = (
    "host=/run/postgresql user=postgres dbname=postgres connect_timeout=2 application_name=failover_agent"
)
_LIMIT = "-c statement_timeout=1000"

log = logging.getLogger("failover_agent")


@dataclass(frozen=True)
class Server:
    """What PostgreSQL says of itself.

    position: flushed, received or replayed (an LSN). source: the host in primary_conninfo. receiver: the
    walreceiver's process, None without one that has been connected: it is shown until all that it received
    is flushed. sender: from whom it streams. stream_age: seconds since it last heard anything.
    """

    primary: bool
    position: int | None
    source: str | None
    receiver: int | None
    sender: str | None
    stream_age: float | None


class Database:
    """One kept connection."""

    def __init__(self) -> None:
        self._connection: Any = None

    def look(self) -> Server | None:
        """Ask; None where it does not answer."""
        for _attempt in range(2):
            try:
                return self._ask()
            except psycopg2.Error as fault:
                log.debug("%s", fault)
                with contextlib.suppress(psycopg2.Error):
                    if self._connection:
                        self._connection.close()
                self._connection = None
        return None

    def is_primary(self) -> bool | None:
        """Whether it runs as primary; None where it does not answer."""
        server = self.look()
        return None if server is None else server.primary

    def missing(self, standby: str) -> int | None:
        """Bytes that this standby has not confirmed, one where somebody waits; None where it does not stream.

        Raises psycopg2.Error.
        """
        with self._connected().cursor() as cursor:
            cursor.execute(_HELD_UP, (standby,))
            behind, waiting = cursor.fetchone()
        return None if behind is None else max(behind, min(waiting, 1))

    def checkpoint(self, seconds: float) -> None:
        """Have everything written and a WAL segment begun; psycopg2.Error.

        Little is left to do then when it stops, and whoever follows the next primary, which streams its last
        segment from the beginning, has little to wait for.
        """
        with self._connected().cursor() as cursor:
            cursor.execute(f"set statement_timeout = '{seconds:.0f}s'")
            cursor.execute("checkpoint")
            cursor.execute("select pg_switch_wal()")
            cursor.execute("reset statement_timeout")

    def _connected(self) -> Any:  # noqa: ANN401 (the library has no types)
        if self._connection is None:
            self._connection = psycopg2.connect(_TARGET, options=_LIMIT)
            self._connection.autocommit = True
        return self._connection

    def _ask(self) -> Server:
        with self._connected().cursor() as cursor:
            cursor.execute(_STATE)
            recovery, position, conninfo, pid, sender, age = cursor.fetchone()
        return Server(not recovery, position, source_in(conninfo), pid, sender, age)


def end_stream(receiver: int | None) -> None:
    """End the walreceiver: it writes what it has and goes (`WalRcvDie` flushes)."""
    if receiver is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(receiver, signal.SIGTERM)
