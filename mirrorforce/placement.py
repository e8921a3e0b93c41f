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

A static site has no plan: its machines exist already, each with the address that the estate file says.

An address of the plan depends on nothing but the site's CIDR, the cell's slot and the host's own number. So
a cell, a member or an application host that is appended leaves every other address as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.estate import Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv4Network

    from mirrorforce.estate import Cell, Estate, Role, Site, Volume

GATEWAY_OFFSET = 1
CONTROL_OFFSET = 10
APPLICATION_OFFSET = 11
MOST_APPLICATION_HOSTS = 8
DATABASE_OFFSET = 20
MOST_MEMBERS_PER_SITE = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A host that a site needs, before it has an address; `offset` is its place in the address plan."""

    name: str
    role: Role
    offset: int
    cell: str | None = None
    volumes: tuple[Volume, ...] = ()


def gateway(site: Site) -> IPv4Address:
    """The address of the site's router: the first one after the network's own."""
    return site.cidr.network_address + GATEWAY_OFFSET


def ssh_sources(site: Site) -> tuple[IPv4Network, ...] | tuple[IPv4Address]:
    """Where ssh to the site's hosts comes from: the site's router, or what is declared of a static site."""
    return site.static.ssh_from if site.static else (gateway(site),)


def hosts(estate: Estate) -> tuple[Host, ...]:
    """Every host of the estate, site by site in the file's order: control, database, application."""
    return tuple(host for site in estate.sites for host in hosts_of_site(estate, site))


def hosts_of_site(estate: Estate, site: Site) -> tuple[Host, ...]:
    """The hosts of one site: control, then database hosts cell by cell, then application hosts."""
    return tuple(_host(site, place) for place in places(estate, site))


def members_of_cell(estate: Estate, cell: Cell) -> tuple[Host, ...]:
    """The member hosts of one cell, site by site in the file's order."""
    return tuple(_host(site, place) for site in estate.sites for place in _members(site, cell))


def places(estate: Estate, site: Site) -> tuple[Place, ...]:
    """The hosts that a site needs, in the order of `hosts_of_site`."""
    members = (place for cell in estate.cells for place in _members(site, cell))
    return (*_control(site), *members, *_applications(site))


def _host(site: Site, place: Place) -> Host:
    machine = site.static.machine(place.name) if site.static else None
    address = machine.address if machine else site.cidr.network_address + place.offset
    return Host(place.name, site.name, place.role, address, place.cell, place.volumes, machine)


def _control(site: Site) -> Iterator[Place]:
    if site.mirrored:
        yield Place(f"{site.name}-control", "control", CONTROL_OFFSET)


def _members(site: Site, cell: Cell) -> Iterator[Place]:
    for index in range(cell.members.get(site.name, 0)):
        name = _numbered(f"{site.name}-{cell.name}", index)
        offset = DATABASE_OFFSET + MOST_MEMBERS_PER_SITE * cell.slot + index
        yield Place(name, "database", offset, cell.name, cell.volumes)


def _applications(site: Site) -> Iterator[Place]:
    for index in range(site.application_hosts):
        yield Place(_numbered(f"{site.name}-app", index), "application", APPLICATION_OFFSET + index)


def _numbered(name: str, index: int) -> str:
    """The first of its kind has the plain name, the second ends in `-2`."""
    return name if index == 0 else f"{name}-{index + 1}"
