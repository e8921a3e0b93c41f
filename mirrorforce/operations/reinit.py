"""`reinit`: copy a member anew from its cell's primary.

Patroni does so by itself where a member has nothing, or could not be rewound; not where the WAL it needs is
gone, nor where its disk lies. What the member holds is removed first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce import placement, remote
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import names, requests, status, status_report, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

_ORDER_SECONDS = 60.0
_SYNCHRONOUS = ("quorum", "sync")

_STARTED = """
select case when exists (select from pg_stat_wal_receiver where status = 'streaming')
            then pg_postmaster_start_time() end;
"""
_PSQL = ("sudo", "-n", "runuser", "-u", "postgres", "--", "psql", "-XAtq", "-d", "postgres", "-f", "-")


@dataclass(frozen=True, slots=True)
class Copy:
    """What is to be copied: the member, its cell, and the primary that it is copied from."""

    member: str
    cell: str
    primary: str


def plan(report: Mapping[str, Any], cell: str, member: str) -> Copy:
    """Whether the member may be copied anew, by a status report. Pure.

    Raises BadInputError for the primary itself, MirrorforceError where the cell has none, the member does not
    answer, or no commit would come back meanwhile.
    """
    found = status_report.cell_of(report, cell)
    own = next(one for one in found["members"] if one["host"] == member)
    if found["primary"] is None:
        raise MirrorforceError(
            f"{cell} has no primary that {member} could be copied from", "mirrorforce status"
        )
    primary = str(found["primary"]["host"])
    if member in found["claims"]:
        others = sorted({one["site"] for one in found["members"] if one["host"] != member})
        raise BadInputError(
            f"{member} leads {cell}: a primary is not copied anew, it is what the others are copied from",
            f"mirrorforce switchover {cell} --to {others[0]}" if others else "",
        )
    if own["role"] == "unknown" and own["reason"] and _silent(report, member):
        raise MirrorforceError(f"{member} does not answer: {own['reason']}", f"mirrorforce ssh {member}")
    confirming = [one["host"] for one in found["members"] if one["sync"] in _SYNCHRONOUS]
    if confirming == [member]:
        raise MirrorforceError(
            f"{member} is the only standby that confirms commits of {cell}: every write would wait until it "
            "has been copied",
            "make another member whole first: mirrorforce status",
        )
    return Copy(member, cell, primary)


def _silent(report: Mapping[str, Any], member: str) -> bool:
    hosts = (host for site in report["sites"] for host in site["hosts"])
    return any(host["name"] == member and not host["answers"] for host in hosts)


def reinit(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    member: str,
    *,
    limit: float = math.inf,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Copy:
    """Copy the member anew; returns once it streams, or raises after `limit` seconds (the copy goes on).

    Raises BadInputError where no member has that name, MirrorforceError where `plan` or Patroni refuses.
    """
    hosts = {host.name: host for host in placement.hosts(estate) if host.cell is not None}
    cell = str(hosts[names.known("member", member, hosts)].cell)
    asked = [host.name for host in hosts.values() if host.cell == cell]
    report = status.collect(ws, estate, inventory, only=asked, timeout=status.FOR_A_DECISION)
    copy = plan(report, cell, member)
    before = _streams_since(ws, member)
    on_progress(f"{member} is copied from {copy.primary}")
    _order(ws, copy)

    def copied() -> bool | None:
        since = _streams_since(ws, member)
        return True if since and since != before else None

    waiting.until(
        copied,
        limit=limit,
        every=1.0,
        otherwise=lambda: MirrorforceError(
            f"{member} does not stream {limit:.0f} s after the order to copy it; the copy goes on",
            f"mirrorforce status --watch; mirrorforce ssh {member} journalctl -u patroni -n 50",
        ),
    )
    return copy


def _streams_since(ws: Workspace, member: str) -> str:
    """When the PostgreSQL was started that streams there; '' where none streams."""
    result = remote.run(ws, member, _PSQL, stdin=_STARTED, timeout=10.0)
    return result.stdout.strip() if result.ok else ""


def _order(ws: Workspace, copy: Copy) -> None:
    """Patroni's own order; its exit status is 0 as well where the member refused."""
    line = [*requests.PATRONICTL, "reinit", copy.cell, copy.member, "--force"]
    result = remote.run(ws, copy.member, line, timeout=_ORDER_SECONDS)
    if not result.ok or "Success" not in result.stdout:
        said = (result.stdout.strip() or result.reason).splitlines()[-1]
        raise MirrorforceError(
            f"Patroni did not copy {copy.member} anew: {said}",
            f"mirrorforce ssh {copy.member} journalctl -u patroni -n 50",
        )
