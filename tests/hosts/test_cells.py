"""Cells: one primary each, every other member streams, rows are durable as declared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mirrorforce import expected, postgres_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mirrorforce.estate import Cell, Host
    from mirrorforce.operations.checked import Checked, Found

QUORUM = re.compile(r"ANY (?P<count>\d+) \((?P<names>[^)]*)\)")


def test_one_member_leads(cell: Cell, checked: Checked, found: Found) -> None:
    for member in checked.members(cell):
        checked.of(member, "patroni")
    found(checked.primary(cell).name)


def test_every_standby_streams(cell: Cell, checked: Checked, found: Found) -> None:
    primary = checked.primary(cell)
    standbys = [one for one in checked.status_of(cell)["members"] if one["host"] != primary.name]
    faults = [
        f"{one['host']} is {one['role']}, {one['state']}, {one['sync'] or 'not known to the primary'}"
        for one in standbys
        if one["role"] != "standby" or one["state"] != "streaming" or one["sync"] != "quorum"
    ]
    assert len(standbys) == len(checked.members(cell)) - 1, f"{len(standbys)} standbys"
    assert not faults, "\n".join(faults)
    found(", ".join(f"{one['host']} {one['lag_bytes']} B behind" for one in standbys))


def test_standbys_stream_over_tls_with_certificates(cell: Cell, checked: Checked) -> None:
    primary = checked.primary(cell)
    standbys = checked.of(primary, "replication")["standbys"]
    faults = [
        f"{one['name']}: ssl {one['ssl']}, certificate {one['client_dn']}"
        for one in standbys
        if not one["ssl"] or not one["client_dn"]
    ]
    assert standbys, "nobody streams"
    assert not faults, "\n".join(faults)


def test_members_are_on_one_timeline(cell: Cell, checked: Checked, found: Found) -> None:
    timelines = {
        host.name: checked.of(host, "patroni")["member"]["timeline"] for host in checked.members(cell)
    }
    assert len(set(timelines.values())) == 1, f"timelines: {timelines}"
    found(f"timeline {next(iter(timelines.values()))}")


def test_the_quorum_is_the_computed_one(cell: Cell, checked: Checked, found: Found) -> None:
    primary = checked.primary(cell)
    names = checked.of(primary, "postgres")["settings"]["synchronous_standby_names"]
    shown = QUORUM.fullmatch(names)
    standbys = [host.name for host in checked.standbys(cell)]
    count, wanted = expected.synchronous_standby_names(cell, standbys)
    assert shown is not None, f"synchronous_standby_names is '{names}', no quorum"
    listed = {name.strip().strip('"') for name in shown["names"].split(",")}
    assert (int(shown["count"]), listed) == (count, set(wanted)), (
        f"{names}; computed: ANY {count} of {wanted}"
    )
    found(names)


def test_the_dynamic_configuration_is_the_declared_one(cell: Cell, checked: Checked) -> None:
    declared = postgres_variables.dynamic_configuration(checked.estate, cell)
    for host in checked.members(cell):
        shown = checked.of(host, "patroni_config")["config"]
        faults = list(differences(declared, shown))
        assert not faults, f"{host.name}: " + "\n".join(faults)


def differences(declared: Mapping[str, Any], shown: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key in sorted(declared.keys() | shown.keys()):
        where = f"{path}.{key}" if path else key
        one, other = declared.get(key), shown.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from differences(one, other, where)
        elif one != other:
            yield f"{where} is {other!r}, declared is {one!r}"


def test_every_standby_has_a_slot_that_keeps_its_wal(cell: Cell, checked: Checked) -> None:
    primary = checked.primary(cell)
    slots = {one["name"]: one for one in checked.of(primary, "postgres")["slots"]}
    faults = []
    for member in checked.standbys(cell):
        slot = slots.get(member.name.replace("-", "_"))
        if slot is None or not slot["active"] or slot["wal_status"] == "lost":
            faults.append(f"{member.name}: {slot or 'no slot'}")
    assert not faults, "\n".join(faults)


def test_declared_parameters_are_in_force(database: Host, checked: Checked, found: Found) -> None:
    cell = checked.cell_of(database)
    configuration: Any = postgres_variables.dynamic_configuration(checked.estate, cell)
    facts = checked.of(database, "postgres")
    settings, units = facts["in_force"], facts["units"]
    faults = [
        f"{name} is {settings.get(name)} {units.get(name, '')}, declared is {value}"
        for name, value in configuration["postgresql"]["parameters"].items()
        if not expected.same_setting(value, settings.get(name), units.get(name))
    ]
    assert not faults, "\n".join(faults)
    found(f"{len(configuration['postgresql']['parameters'])} parameters as declared")
