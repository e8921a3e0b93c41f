"""How long commits take, and how many there are a second, by number of connections: pgbench under a setup.

One row and one round trip of the client a transaction, from the application host through the cell's name.
"""

from __future__ import annotations

import os
import secrets
import shlex
from typing import TYPE_CHECKING, Any

from mirrorforce.drills.measure import spread
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import application

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirrorforce.drills.actions import Context

CONNECTIONS = (1, 8, 32, 128)
SECONDS = 20.0
SCRIPT = "insert into benchmark_commits (client) values (:client_id);\n"

_MAKE = "drop table if exists benchmark_commits; create table benchmark_commits (client int not null);"
_DROP = "drop table if exists benchmark_commits;"
_CONNECTING_SECONDS = 90.0

# So many that come in at once, on processors that are busy, take more than the services' two seconds.
_PATIENT = "connect_timeout=30 tcp_user_timeout=60000 keepalives_count=30"
_MICROSECONDS = 1_000_000

Document = dict[str, Any]


def points(
    ctx: Context, cell: str, *, seconds: float = SECONDS, connections: Sequence[int] = CONNECTIONS
) -> list[Document]:
    """A figure for each number of connections. MirrorforceError where the cell takes no writes."""
    host = application.host_of(ctx.inventory)
    _sql(ctx, host, cell, _MAKE)
    try:
        return [_point(ctx, host, cell, count, seconds) for count in connections]
    finally:
        _sql(ctx, host, cell, _DROP)


def _point(ctx: Context, host: str, cell: str, count: int, seconds: float) -> Document:
    ctx.say(f"{count} connections for {seconds:g} s")
    before = os.getloadavg()[0]
    printed = _pgbench(ctx, host, cell, count, seconds)
    return {"connections": count, **figures(printed.splitlines()), "load": [before, os.getloadavg()[0]]}


def _pgbench(ctx: Context, host: str, cell: str, count: int, seconds: float) -> str:
    """The log of every transaction, as pgbench writes it.

    A thread opens its connections one after another, at five round trips each, while the clock of `--time`
    runs already: so each connection has a thread of its own.
    """
    log = f"/var/tmp/benchmark-commits-{secrets.token_hex(4)}"  # noqa: S108 (a name made at random)
    pgbench = [
        application.PGBENCH, f"--client={count}", f"--jobs={count}", f"--time={seconds:.0f}",
        "--no-vacuum", "--log", f"--log-prefix={log}", "--file=-",
        f"{application.service(cell)} {_PATIENT}",
    ]  # fmt: skip
    line = f"set -e; trap 'rm -f {log}.*' EXIT; {shlex.join(pgbench)} >&2; cat {log}.*"
    return application.run(
        ctx.ws, host, ["sh", "-c", line], stdin=SCRIPT, timeout=seconds + _CONNECTING_SECONDS
    )


def _sql(ctx: Context, host: str, cell: str, sql: str) -> None:
    psql = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", application.service(cell), "-f", "-"]
    application.run(ctx.ws, host, psql, stdin=sql, timeout=30.0)


def figures(log: Iterable[str]) -> Document:
    """Commits, commits a second, and how long they took, out of pgbench's log of transactions. Pure.

    A line is: client, its transaction's number, microseconds, script, and the end in epoch seconds and
    microseconds. MirrorforceError where there is none.
    """
    lines = [[int(word) for word in line.split()[:6]] for line in log if line.strip()]
    if not lines:
        raise MirrorforceError("pgbench committed nothing", "look at the cell: mirrorforce status")
    ended = [line[4] + line[5] / _MICROSECONDS for line in lines]
    began = min(end - line[2] / _MICROSECONDS for end, line in zip(ended, lines, strict=True))
    took = spread(line[2] / 1000 for line in lines)
    assert took is not None  # noqa: S101 (there is a line)
    return {
        "commits": len(lines),
        "commits_per_second": round(len(lines) / (max(ended) - began), 1),
        "latency_ms": {
            "median": round(took.median, 1), "p95": round(took.p95, 1), "maximum": round(took.maximum, 1)
        },
    }  # fmt: skip
