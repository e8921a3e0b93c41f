"""A client's connection: opened by name, opened again when it ends, with every answer judged.

Standard library and psycopg2.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2  # type: ignore[import-untyped]  # from the host, not from our lock file

from mirrorforce.onhost.workload_log import Answer, Question, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.onhost.workload_patience import Patience

# The timeline that is written to: the last checkpoint's would be the old one just after a promotion.
_WHERE_AM_I = """
select host(inet_server_addr()), case when not pg_is_in_recovery()
  then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end
"""

_CONFLICTS = "40"
"""The SQLSTATE class of transactions that lost against others: the connection is as good as before."""


@dataclass(frozen=True)
class Server:
    """Who answers a connection: its address, unless it is this host's socket; its timeline as a primary."""

    address: str | None
    timeline: int | None


class Session:
    """One connection at a time to `target`, a libpq connection string without a password."""

    def __init__(self, target: str, patience: Patience) -> None:
        self._target = target
        self._patience = patience
        self._connection: Any = None
        self.server: Server | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as anybody knows before using it."""
        return self._connection is not None and not self._connection.closed

    def connect(self) -> Answer:
        """Connect anew, and ask who answers."""
        self.disconnect()
        question = Question()
        try:
            self._connection = psycopg2.connect(self._target)
            self._connection.autocommit = True
            with self._cursor() as cursor:
                cursor.execute(_WHERE_AM_I)
                self.server = Server(*cursor.fetchone())
        except psycopg2.Error as fault:
            self.disconnect()
            return question.answered("rejected", said_by(fault))
        return question.answered("acknowledged")

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
        self._connection = None
        self.server = None

    def read(self, work: Callable[[Any], None]) -> Answer:
        """Let `work` send statements that change nothing."""
        return self._judged(work, at_stake=False)

    def write(self, work: Callable[[Any], None]) -> Answer:
        """Let `work` send one statement that commits by itself."""
        return self._judged(work, at_stake=True)

    def transaction(self, work: Callable[[Any], None]) -> Answer:
        """Let `work` begin a transaction with its own first statement; then commit it.

        Until the commit is asked for nothing can have been committed, whatever happens.
        """
        return self._judged(work, at_stake=False, commit=True)

    def _judged(self, work: Callable[[Any], None], *, at_stake: bool, commit: bool = False) -> Answer:
        question = Question()
        # What was said before (at log-in, after a rollback) is not said of this.
        self._connection.notices.clear()
        try:
            with self._cursor() as cursor:
                work(cursor)
            if commit:
                at_stake = True
                with self._cursor() as cursor:
                    cursor.execute("commit")
            # The server gave up waiting for a standby: it says so by a warning, and calls it a success.
            said = " ".join(self._connection.notices).strip()
            return question.answered("unknown" if said else "acknowledged", said)
        except psycopg2.Error as fault:
            severity = fault.diag.severity_nonlocalized
            answer = question.answered(
                outcome_of(fault.pgcode, severity, commit_asked=at_stake), said_by(fault)
            )
            self._after(fault)
            return answer

    def _after(self, fault: psycopg2.Error) -> None:
        """Keep the connection after a mere conflict; in any other case look for the right server again."""
        if not (fault.pgcode or "").startswith(_CONFLICTS):
            self.disconnect()
            return
        try:
            with self._cursor() as cursor:
                cursor.execute("rollback")
        except psycopg2.Error:
            self.disconnect()

    @contextlib.contextmanager
    def _cursor(self) -> Any:  # noqa: ANN401 (psycopg2 has no types)
        with self._patience.limit(self._connection.fileno()), self._connection.cursor() as cursor:
            yield cursor


def said_by(fault: psycopg2.Error) -> str:
    """The error in one line: its SQLSTATE, if it has one, and its first words."""
    lines = str(fault).strip().splitlines() or [type(fault).__name__]
    return f"{fault.pgcode or ''} {lines[0]}".strip()
