"""`psql`: a session on a cell through its DNS name, from where applications live."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mirrorforce import remote
from mirrorforce.operations import application, names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace


def command(  # noqa: PLR0913 - what psql's own command line says, and where
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    cell: str,
    *,
    read_only: bool,
    wait_seconds: int,
    arguments: Sequence[str],
    terminal: bool,
) -> list[str]:
    """The ssh command line that opens psql on the cell, as the applications' user on their host.

    `wait_seconds` tries until a session opens, so long at most. BadInputError for an unknown cell.
    """
    service = application.service(names.cell(estate, cell).name, read_only=read_only)
    psql = ["psql", "--no-psqlrc", service, "--set=ON_ERROR_STOP=1", *arguments]
    line = shlex.join(psql)
    if wait_seconds:
        probe = shlex.join(["psql", "--no-psqlrc", "-qAt", service, "-c", "select 1"])
        until = shlex.quote(f"until {probe} >/dev/null 2>&1; do sleep 1; done")
        line = f"timeout {wait_seconds} sh -c {until}; {line}"
    whole = shlex.join(application.as_user(["sh", "-c", line]))
    return remote.arguments(ws, application.host_of(inventory), whole, terminal=terminal)
