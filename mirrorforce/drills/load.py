"""The load of a repetition: clients that remember every answer, and pgbench beside them. The edge."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirrorforce.drills.history import History
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import application, member_sql, waiting, workload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.drills.actions import Context
    from mirrorforce.drills.drill import Load
    from mirrorforce.operations.application import Unit
    from mirrorforce.operations.workload import Clients, Follower

PGBENCH_SCALE = 5
"""500,000 accounts: enough that two clients seldom wait for each other, and small enough to compare."""

PGBENCH_CLIENTS: Mapping[Load, int] = {"pgbench": 2, "saturation": 60}
"""The first is a background, not a benchmark: commits are what is measured, and the lab's processors are
shared. The second is more than they can take."""

STARTED_WITHIN = 30.0

_HAS_PGBENCH = "select to_regclass('public.pgbench_accounts') is not null"


@dataclass
class Running:
    """Load at work on one cell.

    clients: on the application host. at_primary: on the hosts that the drill names, by the local socket.
    """

    ctx: Context
    cell: str
    clients: Clients
    at_primary: tuple[Clients, ...] = ()
    pgbench: tuple[Unit, ...] = ()
    _followers: dict[str, Follower] = field(default_factory=dict)

    def history(self) -> History:
        """What the clients on the application host remember so far."""
        return self._followed(self.clients)

    def history_at_primary(self) -> History:
        """What the clients on the primary's host remember so far; empty where there are none."""
        events = [event for one in self.at_primary for event in self._followed(one).events]
        return History(tuple(sorted(events, key=lambda event: event.mono_at)))

    def _followed(self, clients: Clients) -> History:
        follower = self._followers.setdefault(clients.run, workload.Follower(clients))
        return follower.fetch(self.ctx.ws)

    def wait_for_writes(self, since: float, within: float = STARTED_WITHIN) -> None:
        """Until a write that was asked for after `since` (wall clock, seconds) has been acknowledged."""

        def acknowledged() -> bool | None:
            self.clients.check_running(self.ctx.ws)
            return any(event.began >= since for event in self.history().acknowledged_writes) or None

        waiting.until(
            acknowledged,
            limit=within,
            otherwise=lambda: MirrorforceError(
                f"no write on {self.cell} was acknowledged within {within:.0f} s",
                f"mirrorforce status {self.ctx.ws.env}",
            ),
        )

    def stop(self) -> None:
        """End pgbench, then the clients in good order."""
        for unit in self.pgbench:
            unit.stop(self.ctx.ws)
        for clients in (self.clients, *self.at_primary):
            clients.stop(self.ctx.ws)

    def forget(self) -> None:
        """Delete records and rows: the next repetition begins with nothing of this one."""
        for clients in (self.clients, *self.at_primary):
            clients.forget(self.ctx.ws)
            workload.delete_rows(self.ctx.ws, self.clients.unit.host, self.cell, clients.run)


def start(
    ctx: Context, cell: str, kinds: Sequence[Load], also_at: Sequence[str], primary: str, *, seconds: float
) -> Running:
    """Start clients of these kinds (and pgbench) for at most `seconds`; returns when they write.

    Those that a killed drill left are stopped before: they would go on writing while members are compared.
    """
    host = application.host_of(ctx.inventory)
    workload.stop_left(ctx.ws, [host, *(member.name for member in ctx.inventory.of_cell(cell))])
    groups = workload.groups_of(kinds)
    units: list[Unit] = []
    for kind in (each for each in kinds if each in PGBENCH_CLIENTS):
        _have_pgbench_tables(ctx, host, cell, primary)
        count, scans = PGBENCH_CLIENTS[kind], kind == "saturation"
        units.append(workload.start_pgbench(ctx.ws, host, cell, seconds=seconds, clients=count, scans=scans))
    began = time.time()
    clients = workload.start(ctx.ws, host, cell, seconds=seconds, groups=groups)
    beside = tuple(
        workload.start_at_member(ctx.ws, host, member, ctx.estate.cell(cell), seconds=seconds)
        for member in also_at
    )
    running = Running(ctx, cell, clients, beside, tuple(units))
    running.wait_for_writes(began)
    return running


def _have_pgbench_tables(ctx: Context, host: str, cell: str, primary: str) -> None:
    database = ctx.estate.cell(cell).database
    if member_sql.ask(ctx.ws, primary, database, _HAS_PGBENCH, timeout=10.0).strip() == "t":
        return
    ctx.say(f"pgbench's tables at scale {PGBENCH_SCALE} in {cell}")
    workload.pgbench_initialise(ctx.ws, host, cell, scale=PGBENCH_SCALE)
