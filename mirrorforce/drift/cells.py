"""What Patroni and PostgreSQL of a cell show against the model. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mirrorforce import expected, postgres_variables
from mirrorforce.drift.configuration import CONFIGURATION, restart_due
from mirrorforce.drift.finding import Finding, Mend, by_hand
from mirrorforce.drift.requests import DATA
from mirrorforce.drift.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.estate import Cell, Estate, Host

MODEL = "mirrorforce/postgres_variables.py"
_QUORUM = re.compile(r"ANY (?P<count>\d+) \((?P<names>[^)]*)\)")


def configuration(estate: Estate, cell: Cell, primary: str, shown: Mapping[str, Any]) -> Iterator[Finding]:
    """Patroni's dynamic configuration against the model. Keys that nobody declares have to go as well."""
    declared = postgres_variables.dynamic_configuration(estate, cell)
    for path, wanted, found in differences(declared, shown):
        item = f"{CONFIGURATION} {path}"
        if wanted is None:
            act = {"act": "edit_config", "cell": cell.name, "keys": [path]}
            mend = Mend("host", f"take {path} out of the dynamic configuration", primary, act)
        else:
            mend = Mend("converge", "converge patches the dynamic configuration", primary)
        yield Finding(
            ("cluster",), cell.name, item, json.dumps(wanted), json.dumps(found),
            f"{MODEL}: dynamic_configuration", severity_of(item), mend,
        )  # fmt: skip


def differences(
    declared: Mapping[str, Any], shown: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Path, declared and shown value wherever two nested mappings differ; None: not there."""
    for key in sorted(declared.keys() | shown.keys()):
        where = f"{path}.{key}" if path else key
        one, other = declared.get(key), shown.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from differences(one, other, where)
        elif one != other:
            yield where, one, other


def wal(host: Host, section: Mapping[str, Any]) -> Iterator[Finding]:
    """A member whose WAL volume was lost: what it has left never starts again."""
    if section["lacks_wal"]:
        yield Finding(
            ("cluster",), host.name, "pg_wal", "the WAL of its data directory", "leads to nothing",
            "roles/postgres: postgres_wal_mount", "critical",
            Mend("copy", "copy this member anew from its cell's primary", host.name, disruptive=True),
        )  # fmt: skip


def quorum(cell: Cell, primary: Host, standbys: Sequence[str], names: str) -> Iterator[Finding]:
    """Who must confirm a commit, against what the number of copies and the standbys there are ask for."""
    count, wanted = expected.synchronous_standby_names(cell, standbys)
    match = _QUORUM.fullmatch(names)
    listed = {name.strip().strip('"') for name in match["names"].split(",")} if match else set()
    if match is None or (int(match["count"]), listed) != (count, set(wanted)):
        yield Finding(
            ("cluster",), cell.name, "synchronous_standby_names",
            f"ANY {count} of {', '.join(sorted(wanted))}",
            names or "nobody", f"{MODEL}, the standbys that stream", "critical",
            by_hand(f"Patroni on {primary.name} sets it in each loop: journalctl -u patroni"),
        )  # fmt: skip


def parameters(
    estate: Estate, cell: Cell, host: Host, facts: Mapping[str, Any], altered: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """What ALTER SYSTEM set; what is not in force as declared; what waits for a restart."""
    by_hand_set = {one["name"]: one for one in altered}
    for name, one in sorted(by_hand_set.items()):
        act = {
            "act": "sql",
            "statements": [f"ALTER SYSTEM RESET {identifier(name)}", "SELECT pg_reload_conf()"],
        }
        item = f"parameter {name}"
        yield Finding(
            ("cluster",), host.name, item, "set by Patroni alone", f"{one['value']}, by ALTER SYSTEM",
            f"{MODEL}: dynamic_configuration", severity_of(item),
            Mend("host", f"ALTER SYSTEM RESET {name}", host.name, act),
        )  # fmt: skip
    pending = set(facts["pending_restart"])
    wanted: Any = postgres_variables.dynamic_configuration(estate, cell)
    for name, value in wanted["postgresql"]["parameters"].items():
        shown, unit = facts["in_force"].get(name), facts["units"].get(name)
        told = name in by_hand_set or name in pending
        if not told and not expected.same_setting(value, shown, unit):
            item = f"parameter {name}"
            yield Finding(
                ("cluster",), host.name, item, str(value), f"{shown} {unit or ''}".strip(),
                f"{MODEL}: dynamic_configuration", severity_of(item),
                by_hand(f"pg_file_settings on {host.name} says where {name} comes from"),
            )  # fmt: skip
    if waiting := sorted(pending - set(by_hand_set)):
        yield restart_due(host.name, f"{', '.join(waiting)} wait for a restart of PostgreSQL")


def roles(cell: Cell, primary: Host, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Roles that nobody declares, rights that a declared one is not to have, settings of either."""
    for role in facts["roles"]:
        name = role["name"]
        if name not in expected.ROLES and name not in expected.TAKING_TURNS:
            yield _foreign_role(cell, primary, role)
            continue
        for right, allowed in (("superuser", expected.SUPERUSERS), ("replication", expected.REPLICATORS)):
            if role[right] and name not in allowed:
                statement = f"ALTER ROLE {identifier(name)} NO{right.upper()}"
                yield _role(cell, f"{right} {name}", f"no {right}", f"is {right}", _sql(primary, statement))
    for one in facts["overrides"]:
        if one["database"] is None and one["setting"] == f"role={expected.TAKING_TURNS.get(one['role'])}":
            continue
        yield _override(cell, primary, one)
    for name in sorted(set(facts["databases"]) - {"postgres", cell.database}):
        mend = by_hand(f"DROP DATABASE {name}, once nobody needs what it holds")
        yield _role(cell, f"database {name}", "no such database", "is there", mend)


def _foreign_role(cell: Cell, primary: Host, role: Mapping[str, Any]) -> Finding:
    name = identifier(role["name"])
    rights = [right for right in ("superuser", "replication", "login") if role[right]]
    act = {
        "act": "sql",
        "statements": [f"DROP ROLE {name}"],
        "or_else": [f"ALTER ROLE {name} NOSUPERUSER NOREPLICATION NOLOGIN"],
    }
    what = f"DROP ROLE {name}; where it owns something, take its rights away"
    mend = Mend("host", what, primary.name, act, disruptive=True)
    item = f"{'superuser' if role['superuser'] else 'role'} {role['name']}"
    return _role(cell, item, "no such role", ", ".join(rights) or "is there", mend)


def _role(cell: Cell, item: str, declared: str, found: str, mend: Mend) -> Finding:
    place = "mirrorforce/expected.py: ROLES"
    return Finding(("cluster",), cell.name, item, declared, found, place, severity_of(item), mend)


def _override(cell: Cell, primary: Host, one: Mapping[str, Any]) -> Finding:
    name = one["setting"].partition("=")[0]
    role, database = one["role"], one["database"]
    if role:
        scope = f"ROLE {identifier(role)}" + (f" IN DATABASE {identifier(database)}" if database else "")
    else:
        scope = f"DATABASE {identifier(database)}" if database else "ROLE ALL"
    statement = f"ALTER {scope} RESET {identifier(name)}"
    item = f"setting {name} of {role or 'any role'} in {database or 'any database'}"
    return _role(cell, item, "not set", one["setting"], _sql(primary, statement))


def _sql(host: Host, statement: str, *, disruptive: bool = False) -> Mend:
    return Mend(
        "host", statement, host.name, {"act": "sql", "statements": [statement]}, disruptive=disruptive
    )


def rules(host: Host, section: Mapping[str, Any]) -> Iterator[Finding]:
    """Rules of pg_hba beside those of Patroni's own file, and those that are missing."""
    act = {"act": "hba", "data": DATA}
    mend = Mend("host", "write pg_hba.conf anew from Patroni's configuration, and reload", host.name, act)
    place = "roles/postgres/templates/config.yml.j2: pg_hba"
    for line in section["hba_added"]:
        yield Finding(
            ("cluster",), host.name, f"pg_hba {line}", "no such rule", "lets in", place, "critical", mend
        )
    for line in section["hba_missing"]:
        yield Finding(
            ("cluster",), host.name, f"pg_hba {line}", "a rule", "is missing", place, "critical", mend
        )


def slots(cell_members: Sequence[Host], host: Host, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Replication slots that belong to no member: they hold back WAL for nobody."""
    known = {member.name.replace("-", "_") for member in cell_members}
    for slot in facts["slots"]:
        if slot["name"] in known:
            continue
        statement = f"SELECT pg_drop_replication_slot({literal(slot['name'])})"
        mend = (
            by_hand("somebody streams by it: end that, then drop it")
            if slot["active"]
            else Mend(
                "host", "drop it", host.name, {"act": "sql", "statements": [statement]}, disruptive=True
            )
        )
        yield Finding(
            ("cluster",), host.name, f"slot {slot['name']}", "no slot but the members'",
            f"{slot['type']}, {'active' if slot['active'] else 'inactive'}, WAL {slot['wal_status']}",
            f"{MODEL}: use_slots", "serious", mend,
        )  # fmt: skip


def identifier(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL quotes it."""
    return "'" + text.replace("'", "''") + "'"
