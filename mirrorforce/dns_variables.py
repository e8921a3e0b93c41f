"""Variables of the roles `failover_dns`, `resolver` and `application`. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mirrorforce import placement, rotation
from mirrorforce.estate import ETCD_CLIENT_PORT
from mirrorforce.etcd_variables import watcher_user
from mirrorforce.postgres_variables import logins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Cell, Estate, Host, Site
    from mirrorforce.secrets import EstateSecrets

Variables = dict[str, object]

ROUND_TRIPS_OF_A_CONNECTION = 6
"""TCP, the request for TLS, TLS 1.3, and three messages of SCRAM-SHA-256 with the first query's answer."""
SLOWER, SLOWER_WITH_AGENTS = 4.0, 2.0
"""So many times as long as declared may a round trip be. Where agents make a failover a matter of seconds,
the clients' own patience with a dead member is much of it, so it is less."""


def failover_dns(estate: Estate, hosts: Sequence[Host], host: Host, secrets: EstateSecrets) -> Variables:
    """The role's variables for one control host."""
    return {
        "failover_dns_domain": estate.domain,
        "failover_dns_address": str(host.address),
        "failover_dns_servers": [
            {"name": f"ns-{each.site}", "address": str(each.address)} for each in _control(hosts)
        ],
        "failover_dns_cells": [_cell(estate, hosts, cell) for cell in estate.cells],
        "failover_dns_voters": _voters(estate, hosts, host),
        "failover_dns_etcd_user": watcher_user(secrets),
        "failover_dns_etcd_password": secrets.etcd_watcher_password,
    }


def resolver(estate: Estate, hosts: Sequence[Host], host: Host) -> Variables:
    """The role's variables for one application host."""
    servers = sorted(_control(hosts), key=lambda each: estate.round_trip_ms(host.site, each.site))
    return {
        "resolver_domain": estate.domain,
        "resolver_servers": [str(each.address) for each in servers],
    }


def application(estate: Estate, host: Host, secrets: EstateSecrets) -> Variables:
    """The role's variables for one application host."""
    services = [service for cell in estate.cells for service in _services(estate, cell, secrets)]
    passwords = {
        name: logins(cell.name, role, secrets)
        for cell in estate.cells
        for name, role in (
            (cell.name, "application"),
            (f"{cell.name}-multi", "application"),
            (f"{cell.name}-ro", "reader"),
        )
    }
    return {
        "application_services": services,
        "application_passwords": passwords,
        "application_connect_timeout": connect_timeout(estate, host.site),
    }


def connect_timeout(estate: Estate, site: str) -> int:
    """Seconds that a client in this site gives each address: libpq takes whole ones.

    Whoever tries a dead member first waits for so long, again and again until another one leads.
    """
    farthest = estate.longest_round_trip_ms(site, (each.name for each in estate.mirrored_sites))
    slower = SLOWER_WITH_AGENTS if estate.fence_and_release else SLOWER
    return max(1, math.ceil(slower * ROUND_TRIPS_OF_A_CONNECTION * farthest / 1000))


def _control(hosts: Sequence[Host]) -> list[Host]:
    return [each for each in hosts if each.role == "control"]


def _members(hosts: Sequence[Host], cell: Cell) -> list[Host]:
    return [each for each in hosts if each.cell == cell.name]


def _cell(estate: Estate, hosts: Sequence[Host], cell: Cell) -> dict[str, object]:
    """The cell's members, the preferred site first, and how near they are to each site."""
    members = preferred_first(cell, _members(hosts, cell))
    return {
        "name": cell.name,
        "members": [{"name": each.name, "site": each.site, "address": str(each.address)} for each in members],
        "nearest": [
            {"clients": str(site.cidr), "members": nearest_first(estate, members, site)}
            for site in estate.sites
        ],
    }


def nearest_first(estate: Estate, members: Sequence[Host], site: Site) -> list[str]:
    """The members' names, those with the shortest round trip to `site` first; of equals, in their order."""
    return [
        each.name for each in sorted(members, key=lambda each: estate.round_trip_ms(site.name, each.site))
    ]


def _voters(estate: Estate, hosts: Sequence[Host], host: Host) -> list[dict[str, object]]:
    """Etcd's members as the host on `host` asks them: its own first, then the nearest."""
    ordered = sorted(
        _control(hosts), key=lambda each: (each != host, estate.round_trip_ms(host.site, each.site))
    )
    return [
        {
            "url": f"https://{each.address}:{ETCD_CLIENT_PORT}",
            "site": each.site,
            "round_trips_ms": {
                site.name: estate.round_trip_ms(each.site, site.name) for site in estate.mirrored_sites
            },
        }
        for each in ordered
    ]


def _services(estate: Estate, cell: Cell, secrets: EstateSecrets) -> list[dict[str, object]]:
    """The libpq services of a cell: to the primary by name, by the list of all members; to a standby."""
    by_name = [{"name": f"{cell.name}.{estate.domain}", "address": ""}]
    # With their addresses, so that this way in asks no name server at all; names are what certificates bear.
    members = [
        {"name": f"{each.name}.{estate.domain}", "address": str(each.address)}
        for each in preferred_first(cell, placement.members_of_cell(estate, cell))
    ]
    nearest = [{"name": f"{cell.name}-ro.{estate.domain}", "address": ""}]
    application, reader = (
        rotation.user(role, f"{cell.name}-{role}", secrets) for role in ("application", "reader")
    )
    services = (
        (cell.name, by_name, application, True),
        (f"{cell.name}-multi", members, application, True),
        (f"{cell.name}-ro", nearest, reader, False),
    )
    return [
        {"name": name, "hosts": hosts, "database": cell.database, "user": user, "primary": primary}
        for name, hosts, user, primary in services
    ]


def preferred_first(cell: Cell, members: Sequence[Host]) -> list[Host]:
    """The members of the preferred site, then the others, in their order."""
    return sorted(members, key=lambda each: each.site != cell.preferred_site)
