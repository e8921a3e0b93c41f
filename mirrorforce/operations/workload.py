"""Load on cells from an application host: clients that keep a record of every answer, and pgbench."""

from __future__ import annotations

import secrets
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mirrorforce import remote
from mirrorforce.drills import history
from mirrorforce.drills.history import History
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import application, final_state, workload_report
from mirrorforce.operations.application import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirrorforce.drills.history import Event, Way
    from mirrorforce.estate import Cell
    from mirrorforce.operations.workload_report import WorkloadReport
    from mirrorforce.workspace import Workspace

_MODULE = "mirrorforce.onhost.workload"

# A server that is busy writing takes nothing for seconds; the services' two are for rows, not for bulk loads.
_PATIENT = "tcp_user_timeout=60000 keepalives_count=30"
_SUPERUSER = "postgres"
_SOCKETS = "/var/run/postgresql"
_MARGIN_SECONDS = 30.0
_SCAN = "select sum(abalance) from pgbench_accounts;"
_LOGS = "/var/tmp"  # noqa: S108 (each run has a name of its own, made at random)

_CLIENTS, _PGBENCH = "mirrorforce-clients-", "mirrorforce-pgbench-"
"""What the names of runs begin with: units on hosts and, for clients, their records too."""

# The line of an acknowledged write, whole; the order of keys is `onhost.workload_log`'s.
_WRITTEN = r'^\{"kind": "(append|transfer|list)",.*"outcome": "acknowledged",.*\}$'


@dataclass(frozen=True, slots=True)
class Group:
    """`count` clients of one kind that find their server in one way; readers go by DNS alone."""

    kind: Literal["appends", "transfers", "lists", "readers"]
    count: int
    way: Way = "dns"

    def by_service(self, cell: str) -> str:
        """The group as `mirrorforce.onhost.workload` takes it, led by the services of the cell."""
        return self.at(
            application.service(cell, read_only=self.kind == "readers", multi_host=self.way == "multi-host")
        )

    def at(self, target: str) -> str:
        """The same, with a libpq connection string."""
        return f"{self.kind}:{self.count}:{self.way}:{target}"


WRITERS = (Group("appends", 4),)
"""What the demo counts: rows by the cell's DNS name."""

AT_MEMBER = (Group("appends", 2),)
"""Clients on a member's own host: whether it goes on acknowledging."""

EVERY_KIND = (
    Group("appends", 3),
    Group("appends", 3, "multi-host"),
    Group("transfers", 1),
    Group("transfers", 1, "multi-host"),
    Group("lists", 2),
    Group("lists", 2, "multi-host"),
    Group("readers", 1),
)
"""What a drill measures and checks: every kind, by each way in that it has."""


def groups_of(kinds: Iterable[str]) -> tuple[Group, ...]:
    """The groups of `EVERY_KIND` of these kinds, as drills name their load; pgbench is no such client."""
    chosen = set(kinds)
    return tuple(group for group in EVERY_KIND if group.kind in chosen)


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients at work on one cell; each of their answers is on the record."""

    cell: str
    run: str
    unit: Unit

    @property
    def log(self) -> str:
        """The path of the record on the application host."""
        return f"{_LOGS}/{self.run}.log"

    def history(self, ws: Workspace) -> History:
        """The record as it stands."""
        return Follower(self).fetch(ws)

    def last_acknowledgement(self, ws: Workspace) -> float:
        """Wall clock, in seconds, of the newest acknowledged write; 0.0 before the first one."""
        find = f"grep -a -E {shlex.quote(_WRITTEN)} {shlex.quote(self.log)} | tail -n 1"
        result = remote.run(ws, self.unit.host, find)
        found = history.parse(result.stdout).events if result.ok else ()
        return found[-1].at if found else 0.0

    def check_running(self, ws: Workspace) -> None:
        """MirrorforceError where the clients have ended by themselves, and will ask nothing any more."""
        if not self.unit.running(ws):
            raise MirrorforceError(
                f"the clients of {self.cell} ended too soon",
                f"mirrorforce ssh {self.unit.host} sudo journalctl -u {self.unit.name}",
            )

    def stop(self, ws: Workspace) -> None:
        """End them in good order: each has its last answer on the record."""
        self.unit.stop(ws)

    def judge(self, ws: Workspace) -> WorkloadReport:
        """Compare the record with the rows that the cell has now; the clients must have stopped."""
        rows = final_state.by_name(ws, self.unit.host, self.cell, self.run).rows
        return workload_report.judge(self.history(ws), rows)

    def forget(self, ws: Workspace) -> None:
        """Stop the clients if they still run, and delete the record."""
        self.stop(ws)
        application.run(ws, self.unit.host, ["rm", "-f", self.log], timeout=10.0, user=self.unit.user)


@dataclass
class Follower:
    """Reads a record that is still being written, each line once."""

    clients: Clients
    _events: list[Event] = field(default_factory=list)
    _read: int = 0

    def fetch(self, ws: Workspace) -> History:
        """All events so far; only what is new comes over the wire."""
        # Whole lines: the last one may be half written, and is read the next time.
        log = shlex.quote(self.clients.log)
        # The clients make it when they begin, a moment after their unit was started.
        command = ["sh", "-c", f"[ ! -e {log} ] || tail -c +{self._read + 1} {log}"]
        unit = self.clients.unit
        text = application.run(ws, unit.host, command, timeout=60.0, user=unit.user)
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole.encode())
        self._events += history.parse(whole).events
        return History(tuple(sorted(self._events, key=lambda event: event.mono_at)))


def start(
    ws: Workspace, host: str, cell: str, *, seconds: float, groups: Sequence[Group] = EVERY_KIND
) -> Clients:
    """Make their tables, then start clients on a cell for at most `seconds`.

    MirrorforceError where the cell takes no writes, or they fail to start.
    """
    run = _new_run(cell)
    _of_tables(ws, host, cell, "prepare", run)
    clients = Clients(cell, run, Unit(run, host, seconds + _MARGIN_SECONDS))
    return _work(ws, clients, seconds, [group.by_service(cell) for group in groups])


def start_at_member(ws: Workspace, host: str, member: str, cell: Cell, *, seconds: float) -> Clients:
    """The same for clients on a member's own host: they reach it by its socket, and it alone.

    `host` is an application host, from which their tables are made.
    """
    run = _new_run(cell.name)
    _of_tables(ws, host, cell.name, "prepare", run)
    clients = Clients(cell.name, run, Unit(run, member, seconds + _MARGIN_SECONDS, _SUPERUSER))
    target = f"host={_SOCKETS} dbname={cell.database} user={_SUPERUSER}"
    return _work(ws, clients, seconds, [group.at(target) for group in AT_MEMBER])


def stop_left(ws: Workspace, hosts: Iterable[str]) -> None:
    """Stop what a killed run left at work on these hosts, and delete its records; nothing where nothing is.

    Whoever calls holds the environment's lock, and has no load running. Such clients end by themselves, but
    after minutes: until then members differ by the rows that are being written.
    """
    command = (
        f"sudo -n systemctl stop '{_CLIENTS}*' '{_PGBENCH}*' && sudo -n find {_LOGS} -maxdepth 1 "
        f"-name '{_CLIENTS}*.log' -delete"
    )
    for host, result in remote.run_on_all(ws, hosts, command, timeout=30.0).items():
        if not result.ok:
            raise MirrorforceError(
                f"what may be left of an earlier run cannot be stopped on {host}: {result.reason}",
                f"mirrorforce ssh {host} systemctl list-units 'mirrorforce-*'",
            )


def delete_rows(ws: Workspace, host: str, cell: str, run: str) -> None:
    """Delete what the clients of a run wrote, from an application host; the cell must take writes."""
    _of_tables(ws, host, cell, "forget", run)


def _new_run(cell: str) -> str:
    return f"{_CLIENTS}{cell}-{secrets.token_hex(4)}"


def _work(ws: Workspace, clients: Clients, seconds: float, groups: Sequence[str]) -> Clients:
    working = ["--log", clients.log, "--seconds", str(seconds), *groups]
    clients.unit.start(ws, ["python3", "-m", _MODULE, "--run", clients.run, "work", *working])
    return clients


def _of_tables(ws: Workspace, host: str, cell: str, verb: Literal["prepare", "forget"], run: str) -> None:
    arguments = [_MODULE, "--run", run, verb, application.service(cell)]
    application.run_python(ws, host, arguments, timeout=60.0)


def pgbench_initialise(ws: Workspace, host: str, cell: str, *, scale: int, timeout: float = 300.0) -> None:
    """Create pgbench's tables at this scale (100,000 accounts each) through the cell's name.

    The rows come from the application host (pgbench's step `g`, a COPY FREEZE): the link paces the WAL that
    standbys have to follow, and the vacuum behind it has nothing left to write.
    """
    pgbench = [application.PGBENCH, "--initialize", f"--scale={scale}", "--quiet"]
    command = [*pgbench, f"{application.service(cell)} {_PATIENT}"]
    application.run(ws, host, command, timeout=timeout)


def start_pgbench(
    ws: Workspace, host: str, cell: str, *, seconds: float, clients: int = 4, scans: bool = False
) -> Unit:
    """Run pgbench's own transactions on a cell for about `seconds`.

    A pgbench client ends with its connection; so it is started again, and connects by name again. With
    `scans` every fourth transaction reads all accounts, and the others lock none that many want: what is
    short then is the primary's processors, not its locks.
    """
    pgbench = [application.PGBENCH, f"--client={clients}", f"--time={seconds:.0f}", "--no-vacuum"]
    target = application.service(cell)
    if scans:
        pgbench += ["--file=-@1", "--builtin=simple-update@3"]
        target += " connect_timeout=10"
    line = shlex.join([*pgbench, target])
    unit = Unit(f"{_PGBENCH}{cell}-{secrets.token_hex(4)}", host, seconds + 10.0)
    unit.start(ws, ["sh", "-c", f"until echo {shlex.quote(_SCAN)} | {line}; do sleep 0.5; done"])
    return unit
