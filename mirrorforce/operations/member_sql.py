"""SQL asked of a member of a cell on its own host, primary or standby, as PostgreSQL's superuser."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mirrorforce import remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.estate import Cell
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

_CAUGHT_UP_WITHIN = 60.0

_POSITION = "select pg_current_wal_lsn();"
_BEHIND = "select pg_is_in_recovery() and pg_last_wal_replay_lsn() < :'position'::pg_lsn;"


def ask(
    ws: Workspace,
    member: str,
    database: str,
    sql: str,
    *,
    timeout: float,
    variables: Mapping[str, str] | None = None,
) -> str:
    """What psql prints, unaligned and without headings. MirrorforceError where the member does not answer."""
    settings = [part for name, value in (variables or {}).items() for part in ("-v", f"{name}={value}")]
    command: Sequence[str] = [
        "sudo", "-n", "runuser", "-u", "postgres", "--",
        "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *settings, "-d", database, "-f", "-",
    ]  # fmt: skip
    result = remote.run(ws, member, command, stdin=sql, timeout=timeout)
    if not result.ok:
        raise MirrorforceError(
            f"{member} could not be asked for its rows: {result.reason}", f"mirrorforce ssh {member}"
        )
    return result.stdout


def ask_all(  # noqa: PLR0913 - as `ask`
    ws: Workspace,
    inventory: Inventory,
    cell: Cell,
    primary: str,
    sql: str,
    *,
    timeout: float,
    variables: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What each member prints once it has replayed what `primary` has now. Nobody may write meanwhile.

    Raises MirrorforceError where a member cannot be asked, or is not there within a minute.
    """
    members = [host.name for host in inventory.of_cell(cell.name)]
    position = ask(ws, primary, cell.database, _POSITION, timeout=10.0).strip()
    for member in members:
        _wait_for(ws, member, cell.database, position)

    def one(member: str) -> str:
        return ask(ws, member, cell.database, sql, timeout=timeout, variables=variables)

    with ThreadPoolExecutor(max_workers=max(1, len(members))) as pool:
        return dict(zip(members, pool.map(one, members), strict=True))


def _wait_for(ws: Workspace, member: str, database: str, position: str) -> None:
    def replayed() -> bool | None:
        behind = ask(ws, member, database, _BEHIND, timeout=10.0, variables={"position": position})
        return True if behind.strip() == "f" else None

    waiting.until(
        replayed,
        limit=_CAUGHT_UP_WITHIN,
        otherwise=lambda: MirrorforceError(
            f"{member} has not replayed {position} after {_CAUGHT_UP_WITHIN:.0f} s",
            "mirrorforce status",
        ),
    )
