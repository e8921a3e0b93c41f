"""Load on cells from an application host, by their DNS names: pgbench, and writers that keep a record."""

from __future__ import annotations

import json
import secrets
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import application, workload_report
from mirrorforce.operations.application import Unit

if TYPE_CHECKING:
    from mirrorforce.operations.workload_report import Row, WorkloadLog, WorkloadReport
    from mirrorforce.workspace import Workspace

_MODULE = "mirrorforce.onhost.workload"

# A server that is busy writing takes nothing for seconds; the services' two are for rows, not for bulk loads.
_PATIENT = "tcp_user_timeout=60000 keepalives_count=30"
_LOGS = "/var/tmp"  # noqa: S108 (each run has a name of its own, made at random)


@dataclass(frozen=True, slots=True)
class Writers:
    """Writers at work on one cell; each of their rows is on the record."""

    cell: str
    run: str
    unit: Unit

    @property
    def log(self) -> str:
        """The path of the record on the application host."""
        return f"{_LOGS}/{self.run}.log"

    def read(self, ws: Workspace) -> WorkloadLog:
        """The record as it stands."""
        text = application.run(ws, self.unit.host, ["cat", self.log], timeout=30.0)
        return workload_report.parse(text)

    def last_acknowledgement(self, ws: Workspace) -> float:
        """Wall clock, in seconds, of the newest acknowledged row; 0.0 before the first one."""
        find = f"grep -a '\"acknowledged\"' {shlex.quote(self.log)} | tail -n 1"
        result = remote.run(ws, self.unit.host, find)
        line = result.stdout.strip()
        return float(json.loads(line)["wall"]) if result.ok and line.endswith("}") else 0.0

    def check_running(self, ws: Workspace) -> None:
        """MirrorforceError where the writers have ended by themselves, and will write nothing any more."""
        if not self.unit.running(ws):
            raise MirrorforceError(
                f"the writers on {self.cell} ended too soon",
                f"mirrorforce ssh {self.unit.host} sudo journalctl -u {self.unit.name}",
            )

    def judge(self, ws: Workspace) -> WorkloadReport:
        """Compare the record with the rows that the cell has now; the writers must have stopped."""
        return workload_report.judge(self.read(ws), self._rows(ws))

    def forget(self, ws: Workspace) -> None:
        """Stop the writers if they still run, and delete the record."""
        self.unit.stop(ws)
        application.run(ws, self.unit.host, ["rm", "-f", self.log], timeout=10.0)

    def _rows(self, ws: Workspace) -> list[Row]:
        arguments = [_MODULE, "--target", application.service(self.cell), "--run", self.run, "rows"]
        printed = application.run_python(ws, self.unit.host, arguments, timeout=60.0)
        return [(writer, number) for writer, number in json.loads(printed)]


def start_writers(ws: Workspace, host: str, cell: str, *, seconds: float, writers: int = 4) -> Writers:
    """Start writers on a cell for at most `seconds`."""
    run = f"mirrorforce-writers-{cell}-{secrets.token_hex(4)}"
    started = Writers(cell, run, Unit(run, host, seconds + 30.0))
    started.unit.start(
        ws,
        [
            "python3", "-m", _MODULE, "--target", application.service(cell), "--run", run,
            "write", "--log", started.log, "--writers", str(writers), "--seconds", str(seconds),
        ],
    )  # fmt: skip
    return started


def pgbench_initialise(ws: Workspace, host: str, cell: str, *, scale: int, timeout: float = 300.0) -> None:
    """Create pgbench's tables at this scale (100,000 accounts each) through the cell's name.

    The rows come from the application host (pgbench's step `g`, a COPY FREEZE): the link paces the WAL that
    standbys have to follow, and the vacuum behind it has nothing left to write.
    """
    pgbench = [application.PGBENCH, "--initialize", f"--scale={scale}", "--quiet"]
    command = [*pgbench, f"{application.service(cell)} {_PATIENT}"]
    application.run(ws, host, command, timeout=timeout)


def start_pgbench(ws: Workspace, host: str, cell: str, *, seconds: float, clients: int = 4) -> Unit:
    """Run pgbench's own transactions on a cell for about `seconds`.

    A pgbench client ends with its connection; so it is started again, and connects by name again.
    """
    pgbench = [
        application.PGBENCH, f"--client={clients}", f"--time={seconds:.0f}", "--no-vacuum",
        application.service(cell),
    ]  # fmt: skip
    unit = Unit(f"mirrorforce-pgbench-{cell}-{secrets.token_hex(4)}", host, seconds + 10.0)
    unit.start(ws, ["sh", "-c", f"until {shlex.join(pgbench)}; do sleep 0.5; done"])
    return unit
