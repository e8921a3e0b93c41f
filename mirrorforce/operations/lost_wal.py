"""Members whose WAL volume was lost and made anew: found, and copied anew from their cell's primary.

A data directory without its WAL never starts again, and Patroni tries it for ever.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mirrorforce.drift.requests import DATA
from mirrorforce.operations import converge, probing, reinit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

PLACES = "volumes,member_files"
"""The parts of site.yml that mount volumes and give them to PostgreSQL."""

_TIMEOUT = 6.0


def without_wal(ws: Workspace, members: Sequence[str]) -> list[str]:
    """Those of these members that answer and whose data directory has no WAL."""
    probes = probing.ask(ws, {name: {"member_data": {"data": DATA}} for name in members}, timeout=_TIMEOUT)
    return [name for name in members if probes[name].section("member_data").get("lacks_wal")]


def copy_anew(
    ws: Workspace, estate: Estate, found: Inventory, member: str
) -> list[tuple[str, Callable[[], object]]]:
    """What to do, in words and as acts: a volume that only was not mounted has its WAL after the first."""

    def copy() -> None:
        if without_wal(ws, [member]):
            reinit.reinit(ws, estate, found, member)

    return [
        ("mount its volumes", partial(converge.converge, ws, estate, limit=member, tags=PLACES)),
        ("copy it anew from its cell's primary: its WAL is gone", copy),
    ]
