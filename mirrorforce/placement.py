"""Which host stands where, under which name and address.

The address plan of a site, as offsets from the first address of its CIDR:

| offset | who |
| --- | --- |
| 0 | the network itself |
| 1 | the gateway |
| 2, 3 | left free: AWS keeps them for itself |
| 10 | the control host of a mirrored site |
| 11 to 18 | application hosts, in order |
| 20 + 4 * slot + n | member n (0 to 3) of the cell with that slot |
| last | broadcast |

An address depends on nothing but the site's CIDR, the cell's slot and the host's own number. So a cell,
a member or an application host that is appended leaves every other address as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.estate import Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address

    from mirrorforce.estate import Cell, Estate, Site

GATEWAY_OFFSET = 1
CONTROL_OFFSET = 10
APPLICATION_OFFSET = 11
MOST_APPLICATION_HOSTS = 8
DATABASE_OFFSET = 20
MOST_MEMBERS_PER_SITE = 4


def gateway(site: Site) -> IPv4Address:
    """The address of the site's router: the first one after the network's own."""
    return site.cidr.network_address + GATEWAY_OFFSET


def hosts(estate: Estate) -> tuple[Host, ...]:
    """Every host of the estate, site by site in the file's order: control, database, application."""
    return tuple(host for site in estate.sites for host in hosts_of_site(estate, site))


def hosts_of_site(estate: Estate, site: Site) -> tuple[Host, ...]:
    """The hosts of one site: control, then database hosts cell by cell, then application hosts."""
    members = (host for cell in estate.cells for host in _members(site, cell))
    return (*_control(site), *members, *_applications(site))


def members_of_cell(estate: Estate, cell: Cell) -> tuple[Host, ...]:
    """The member hosts of one cell, site by site in the file's order."""
    return tuple(host for site in estate.sites for host in _members(site, cell))


def _control(site: Site) -> Iterator[Host]:
    if site.mirrored:
        address = site.cidr.network_address + CONTROL_OFFSET
        yield Host(f"{site.name}-control", site.name, "control", address, cell=None, volumes=())


def _members(site: Site, cell: Cell) -> Iterator[Host]:
    for index in range(cell.members.get(site.name, 0)):
        name = _numbered(f"{site.name}-{cell.name}", index)
        offset = DATABASE_OFFSET + MOST_MEMBERS_PER_SITE * cell.slot + index
        yield Host(name, site.name, "database", site.cidr.network_address + offset, cell.name, cell.volumes)


def _applications(site: Site) -> Iterator[Host]:
    for index in range(site.application_hosts):
        name = _numbered(f"{site.name}-app", index)
        address = site.cidr.network_address + APPLICATION_OFFSET + index
        yield Host(name, site.name, "application", address, cell=None, volumes=())


def _numbered(name: str, index: int) -> str:
    """The first of its kind has the plain name, the second ends in `-2`."""
    return name if index == 0 else f"{name}-{index + 1}"
