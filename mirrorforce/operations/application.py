"""What runs on an application host for us: libpq services, bounded units. The edge of demo and drills.

Role application gives its unprivileged user libpq services per cell (`<cell>`, `<cell>-multi`, `<cell>-ro`),
with TLS, time limits and a password file that nobody else can read; so no command line here ever holds a
secret.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.onhost import PYTHON_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.inventory import Inventory
    from mirrorforce.remote import Result
    from mirrorforce.workspace import Workspace

USER = "app"
PGBENCH = "/usr/lib/postgresql/17/bin/pgbench"


def service(cell: str, *, read_only: bool = False, multi_host: bool = False) -> str:
    """The libpq connection string of a cell, everything but the service's name in the service file.

    By the cell's DNS name, or with `multi_host` by the list of all its members; `read_only` leads to the
    nearest standby, by its DNS name. ValueError for both: the list has no nearest member.
    """
    if read_only and multi_host:
        raise ValueError("the nearest standby is found by its DNS name alone")
    return f"service={cell}{'-ro' if read_only else ''}{'-multi' if multi_host else ''}"


def host_of(inventory: Inventory) -> str:
    """The first application host; MirrorforceError where the estate has none."""
    hosts = inventory.of_role("application")
    if not hosts:
        raise MirrorforceError(
            "this estate has no application host to connect from",
            "give a site `application_hosts: 1` in the estate file, then: mirrorforce up",
        )
    return hosts[0].name


def as_user(command: Sequence[str], user: str = USER) -> list[str]:
    """The command, run by the application's user (or another one) with its home and nothing else."""
    return ["sudo", "-n", "-i", "-u", user, "--", *command]


@dataclass(frozen=True, slots=True)
class Unit:
    """A command that `user` runs on a host by itself: a transient systemd unit, for at most `seconds`."""

    name: str
    host: str
    seconds: float
    user: str = USER

    def start(self, ws: Workspace, command: Sequence[str]) -> None:
        """Start it; it goes on when the ssh that started it ends. MirrorforceError where it fails to."""
        line = [
            "sudo", "-n", "systemd-run", "--quiet", f"--unit={self.name}", f"--uid={self.user}", "--collect",
            "--property=WorkingDirectory=~", f"--property=RuntimeMaxSec={self.seconds:.0f}",
            f"--setenv={PYTHON_PATH}", "--", *command,
        ]  # fmt: skip
        _checked(self.host, f"start {self.name}", remote.run(ws, self.host, line, timeout=20.0))

    def running(self, ws: Workspace) -> bool:
        """Whether it still runs."""
        line = ["systemctl", "is-active", "--quiet", self.name]
        return remote.run(ws, self.host, line).ok

    def stop(self, ws: Workspace) -> None:
        """Stop it; nothing to do where it has ended."""
        command = f"sudo -n systemctl stop {shlex.quote(self.name)} 2>&1 || true"
        remote.run(ws, self.host, command, timeout=30.0)


def run(
    ws: Workspace,
    host: str,
    command: Sequence[str],
    *,
    timeout: float,
    stdin: str | None = None,
    user: str = USER,
) -> str:
    """What the command prints when the application's user runs it; MirrorforceError where it fails."""
    result = remote.run(ws, host, as_user(command, user), stdin=stdin, timeout=timeout)
    _checked(host, command[0], result)
    return result.stdout


def run_python(
    ws: Workspace, host: str, arguments: Sequence[str], *, timeout: float, user: str = USER
) -> str:
    """The same for a module of `mirrorforce.onhost`."""
    return run(ws, host, ["env", PYTHON_PATH, "python3", "-m", *arguments], timeout=timeout, user=user)


def _checked(host: str, what: str, result: Result) -> None:
    if not result.ok:
        raise MirrorforceError(
            f"{what} failed on {host}: {result.reason}",
            f"look at it there: mirrorforce ssh {host}",
        )
