"""What a run of the workload left behind: read on every member, or from where applications live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.drills import final
from mirrorforce.operations import application, member_sql

if TYPE_CHECKING:
    from mirrorforce.drills.final import FinalState
    from mirrorforce.estate import Cell
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

_TIMEOUT = 60.0

# One statement, so one moment. The tables: mirrorforce/onhost/workload_tables.py.
SQL = """
select json_build_object(
  'rows', (select coalesce(json_agg(json_build_array(client, number) order by position), '[]')
             from mirrorforce.appends where run = :'run'),
  'transfers', (select coalesce(json_agg(json_build_array(client, number, debit, credit, amount)
                                         order by position), '[]')
                  from mirrorforce.transfers where run = :'run'),
  'accounts', (select coalesce(json_agg(json_build_array(account, opening, balance) order by account), '[]')
                 from mirrorforce.accounts where run = :'run'),
  'lists', (select coalesce(json_object_agg(key, elements), '{}')
              from mirrorforce.lists where run = :'run'));
"""
"""Prints one JSON document of all that the run wrote; psql's variable `run` names it."""


def of_members(
    ws: Workspace, inventory: Inventory, cell: Cell, primary: str, run: str
) -> dict[str, FinalState]:
    """What each member of the cell holds, once it has replayed what `primary` has now.

    The clients must have stopped. Raises MirrorforceError where a member cannot be asked, or has not caught
    up within a minute.
    """
    printed = member_sql.ask_all(ws, inventory, cell, primary, SQL, timeout=_TIMEOUT, variables={"run": run})
    return {member: final.parse(text) for member, text in printed.items()}


def by_name(ws: Workspace, host: str, cell: str, run: str) -> FinalState:
    """What the cell's primary holds, as an application on `host` sees it by the cell's DNS name."""
    psql = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", f"run={run}", "-d", application.service(cell)]
    return final.parse(application.run(ws, host, [*psql, "-f", "-"], stdin=SQL, timeout=_TIMEOUT))
