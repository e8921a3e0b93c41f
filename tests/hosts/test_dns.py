"""Failover DNS: each server and each resolver answers the primary's address, alone, for a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mirrorforce.operations.status_report import TTL_SECONDS, names_of

if TYPE_CHECKING:
    from mirrorforce.estate import Cell, Host
    from mirrorforce.operations.checked import Checked, Found


def wrong_answers(checked: Checked, host: Host, section: str, name: str, wanted: set[str]) -> list[str]:
    by_address = {str(one.address): one.name for one in checked.hosts}
    answers = [one for one in checked.of(host, section)["answers"] if one["name"] == name]
    faults = [] if answers else [f"{host.name} was not asked for {name}"]
    for one in answers:
        who = f"{by_address.get(one['server'], one['server'])} to {host.name}"
        if one.get("error") or not one["addresses"]:
            faults.append(f"{who}: {one.get('error') or one['rcode']}")
            continue
        pointed = [by_address.get(address, address) for address in one["addresses"]]
        if len(pointed) != 1 or pointed[0] not in wanted:
            faults.append(f"{who}: {', '.join(pointed)}, not {' or '.join(sorted(wanted))} alone")
        if one["ttl"] > TTL_SECONDS:
            faults.append(f"{who}: TTL {one['ttl']} s")
    return faults


def names(checked: Checked, cell: Cell) -> dict[str, set[str]]:
    """Each name of the cell, and the hosts it may answer."""
    standbys = {host.name for host in checked.standbys(cell)}
    of_primary, read_only = names_of(checked.estate, cell)
    return {of_primary: {checked.primary(cell).name}, read_only: standbys}


@pytest.mark.parametrize("transport", ["dns", "dns_tcp"], ids=["udp", "tcp"])
def test_each_server_answers_for_the_cell(cell: Cell, transport: str, checked: Checked, found: Found) -> None:
    wanted = names(checked, cell)
    servers = [host for host in checked.hosts if host.role == "control"]
    faults = [
        fault
        for name, hosts in wanted.items()
        for server in servers
        for fault in wrong_answers(checked, server, transport, name, hosts)
    ]
    assert servers, "there is no server"
    assert not faults, "\n".join(faults)
    found(f"{len(servers)} servers, {', '.join(wanted)}")


@pytest.mark.parametrize("asked", ["dns", "resolver"], ids=["servers", "resolver"])
def test_applications_hear_the_primary(application: Host, asked: str, checked: Checked, found: Found) -> None:
    faults = [
        fault
        for cell in checked.estate.cells
        for name, hosts in names(checked, cell).items()
        for fault in wrong_answers(checked, application, asked, name, hosts)
    ]
    assert not faults, "\n".join(faults)
    found(f"asked {'its resolver' if asked == 'resolver' else 'each server itself'}")
