"""Whether every member of a cell holds the same rows: counts and a content hash of every table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce.operations import member_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Cell
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

_HASH_TIMEOUT = 180.0

# A sum over the rows' hashes does not depend on their order, which may differ from member to member.
_CONTENT = r"""
select format(
  'select json_build_object(''table'', %L, ''rows'', count(*), '
  '''hash'', coalesce(sum(hashtextextended(r::text, 0)::numeric), 0)::text) from %s r',
  c.oid::regclass, c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and c.relpersistence = 'p'
order by c.oid::regclass::text
\gexec
"""


@dataclass(frozen=True, slots=True)
class Content:
    """A table's number of rows, and a hash of all of them that does not depend on their order."""

    rows: int
    hash: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The content of every table of a cell on every member asked."""

    cell: str
    members: Mapping[str, Mapping[str, Content]]

    @property
    def differences(self) -> list[str]:
        """Each table that is not the same everywhere, in words; empty where all agree."""
        tables = sorted({table for content in self.members.values() for table in content})
        return [
            f"{self.cell}.{table}: "
            + ", ".join(f"{host} {_said(c.get(table))}" for host, c in self.members.items())
            for table in tables
            if len({content.get(table) for content in self.members.values()}) > 1
        ]

    @property
    def agrees(self) -> bool:
        """Whether every member holds the same rows, and there are any to compare."""
        return bool(self.members) and any(self.members.values()) and not self.differences

    @property
    def rows(self) -> int:
        """Rows of all tables on one member."""
        return sum(content.rows for content in next(iter(self.members.values()), {}).values())

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "cell": self.cell,
            "agrees": self.agrees,
            "rows": self.rows,
            "members": {
                host: {table: {"rows": c.rows, "hash": c.hash} for table, c in content.items()}
                for host, content in self.members.items()
            },
        }


def _said(content: Content | None) -> str:
    return "has no such table" if content is None else f"{content.rows} rows, hash {content.hash}"


def parse(printed: str) -> dict[str, Content]:
    """The content of each table in what psql printed: one JSON document a line. Pure."""
    lines = [json.loads(line) for line in printed.splitlines() if line.strip()]
    return {line["table"]: Content(int(line["rows"]), str(line["hash"])) for line in lines}


def compare(ws: Workspace, inventory: Inventory, cell: Cell, primary: str) -> Comparison:
    """Compare all members of `cell` once the standbys have replayed what `primary` has now.

    Nobody may write meanwhile. Raises MirrorforceError where a member cannot be asked, or is not there
    within a minute.
    """
    printed = member_sql.ask_all(ws, inventory, cell, primary, _CONTENT, timeout=_HASH_TIMEOUT)
    return Comparison(cell.name, {member: parse(text) for member, text in printed.items()})
