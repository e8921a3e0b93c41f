"""PostgreSQL on every member: nothing that weakens a commit, nobody who comes in unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import expected

if TYPE_CHECKING:
    from mirrorforce.estate import Host
    from mirrorforce.operations.checked import Checked, Found

DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "data_checksums": ("on",),
    "synchronous_commit": ("on", "remote_apply"),
    "wal_level": ("replica", "logical"),
    "wal_log_hints": ("on",),
    "ssl": ("on",),
    "password_encryption": ("scram-sha-256",),
}
STRONG_COMMITS = ("on", "remote_apply")
ENCRYPTED_OR_LOCAL = ("local", "hostssl")
METHODS = ("peer", "scram-sha-256", "cert", "reject")


def test_commits_are_durable(database: Host, checked: Checked, found: Found) -> None:
    settings = checked.of(database, "postgres")["settings"]
    faults = [
        f"{name} is {settings.get(name)}, not {' or '.join(allowed)}"
        for name, allowed in DURABLE.items()
        if settings.get(name) not in allowed
    ]
    assert not faults, "\n".join(faults)
    found(", ".join(f"{name} {settings[name]}" for name in DURABLE))


def test_nobody_lowers_synchronous_commit(database: Host, checked: Checked) -> None:
    faults = []
    for one in checked.of(database, "postgres")["overrides"]:
        name, _, value = one["setting"].partition("=")
        if name == "synchronous_commit" and value not in STRONG_COMMITS:
            faults.append(
                f"role {one['role'] or 'any'} in database {one['database'] or 'any'}: {one['setting']}"
            )
    assert not faults, "\n".join(faults)


def test_no_setting_waits_for_a_restart(database: Host, checked: Checked) -> None:
    pending = checked.of(database, "postgres")["pending_restart"]
    assert not pending, f"wait for a restart: {', '.join(pending)}"


def test_roles_are_the_declared_ones(database: Host, checked: Checked, found: Found) -> None:
    roles = checked.of(database, "postgres")["roles"]
    faults = [
        f"{one['name']} is a superuser"
        for one in roles
        if one["superuser"] and one["name"] not in expected.SUPERUSERS
    ]
    faults += [
        f"{one['name']} may replicate"
        for one in roles
        if one["replication"] and one["name"] not in expected.REPLICATORS
    ]
    faults += [
        f"{one['name']}'s password is kept as {one['password']}"
        for one in roles
        if one["login"] and one["password"] != "scram-sha-256"
    ]
    missing = expected.ROLES - {one["name"] for one in roles}
    faults += [f"there is no role {name}" for name in sorted(missing)]
    assert not faults, "\n".join(faults)
    found(", ".join(one["name"] for one in roles))


def test_the_application_has_its_database(database: Host, checked: Checked) -> None:
    wanted = checked.cell_of(database).database
    databases = checked.of(database, "postgres")["databases"]
    assert wanted in databases, f"databases: {', '.join(databases)}"


def test_nobody_is_let_in_in_plain_text_or_on_trust(database: Host, checked: Checked, found: Found) -> None:
    rules = checked.of(database, "postgres")["hba"]
    faults = [f"line {one['line']}: {one['error']}" for one in rules if one["error"]]
    faults += [
        f"line {one['line']}: {one['type']} {one['method']}"
        for one in rules
        if not one["error"] and (one["type"] not in ENCRYPTED_OR_LOCAL or one["method"] not in METHODS)
    ]
    assert rules, "there are no rules at all"
    assert not faults, "\n".join(faults)
    found(f"{len(rules)} rules")
