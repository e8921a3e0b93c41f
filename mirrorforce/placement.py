"""Which host stands where, under which name and address.

The address plan of a site, as offsets from the first address of its CIDR:

| offset | who |
| --- | --- |
| 0 | the network itself |
| 1 | the gateway |
| 2, 3 | left free: AWS keeps them for itself |
| 5, 6 | forwarders of questions for the estate's domain (Route 53 Resolver, on AWS) |
| 10 | the control host of a mirrored site |
| 11 to 18 | application hosts, in order |
| 20 + 4 * slot + n | member n (0 to 3) of the cell with that slot |
| last | broadcast |

A static site has no plan: its machines exist already, each with the address that the estate file says.

A site on AWS has a network for hosts in each of its availability zones: the first three quarters of its
CIDR, each with the plan above. The last quarter is for what is no host: a network for the NAT gateway of each
zone, and one for the endpoint that ssh comes in by.

An address of the plan depends on nothing but the site's CIDR and zones, the cell's slot and the host's own
number. So a cell, a member or an application host that is appended leaves every other address as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.aws import FORWARDER_ADDRESSES
from mirrorforce.estate import Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv4Network

    from mirrorforce.estate import Cell, Estate, Role, Site, Volume

GATEWAY_OFFSET = 1
FORWARDER_OFFSET = 5
CONTROL_OFFSET = 10
APPLICATION_OFFSET = 11
MOST_APPLICATION_HOSTS = 8
DATABASE_OFFSET = 20
MOST_MEMBERS_PER_SITE = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A host that a site needs, before it has an address; `offset` is its place in the address plan.

    `turn` decides its zone: hosts with neighbouring turns stand in different ones.
    """

    name: str
    role: Role
    offset: int
    turn: int
    cell: str | None = None
    volumes: tuple[Volume, ...] = ()


def gateway(site: Site) -> IPv4Address:
    """The address of the site's router: the first one after the network's own."""
    return site.cidr.network_address + GATEWAY_OFFSET


def ssh_sources(site: Site) -> tuple[IPv4Network, ...] | tuple[IPv4Address]:
    """Where ssh to the site's hosts comes from: the site's router, its endpoint, or what is declared."""
    if site.static:
        return site.static.controllers
    if site.aws:
        return site.aws.controllers if site.aws.access == "direct" else (access_network(site),)
    return (gateway(site),)


def zone_network(site: Site, zone: int) -> IPv4Network:
    """The network of the site's hosts in one zone: all of the site's where it has no zones."""
    return _quarters(site)[zone] if site.aws else site.cidr


def nat_network(site: Site, zone: int) -> IPv4Network:
    """The network of the NAT gateway in one zone of a site on AWS; no host stands in it."""
    return _service_networks(site)[zone]


def access_network(site: Site) -> IPv4Network:
    """The network of the endpoint that ssh comes in by, of a site on AWS."""
    return _service_networks(site)[-1]


def _quarters(site: Site) -> list[IPv4Network]:
    return list(site.cidr.subnets(prefixlen_diff=2))


def _service_networks(site: Site) -> list[IPv4Network]:
    return list(_quarters(site)[-1].subnets(prefixlen_diff=2))


def forwarding_sites(estate: Estate) -> tuple[Site, ...]:
    """The site of each region that holds its forwarders: the first that is mirrored, else the first."""
    chosen: dict[str, Site] = {}
    for site in sorted(estate.sites, key=lambda each: not each.mirrored):
        if site.aws and estate.aws and estate.aws.forwarders:
            chosen.setdefault(site.aws.region, site)
    return tuple(site for site in estate.sites if site in chosen.values())


def forwarders_of_site(site: Site) -> tuple[tuple[int, IPv4Address], ...]:
    """Zone and address of each forwarder, in a site that holds some."""
    zones = len(site.aws.zones) if site.aws else 1
    return tuple(
        (index % zones, zone_network(site, index % zones).network_address + FORWARDER_OFFSET + index // zones)
        for index in range(FORWARDER_ADDRESSES)
    )


def forwarders(estate: Estate) -> tuple[IPv4Address, ...]:
    """Every address that questions for the estate's domain are forwarded from."""
    return tuple(address for site in forwarding_sites(estate) for _, address in forwarders_of_site(site))


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
    zone = place.turn % len(site.aws.zones) if site.aws else 0
    address = machine.address if machine else zone_network(site, zone).network_address + place.offset
    return Host(place.name, site.name, place.role, address, place.cell, place.volumes, machine, zone)


def _control(site: Site) -> Iterator[Place]:
    if site.mirrored:
        yield Place(f"{site.name}-control", "control", CONTROL_OFFSET, turn=0)


def _members(site: Site, cell: Cell) -> Iterator[Place]:
    for index in range(cell.members.get(site.name, 0)):
        name = _numbered(f"{site.name}-{cell.name}", index)
        offset = DATABASE_OFFSET + MOST_MEMBERS_PER_SITE * cell.slot + index
        yield Place(name, "database", offset, cell.slot + index, cell.name, cell.volumes)


def _applications(site: Site) -> Iterator[Place]:
    for index in range(site.application_hosts):
        name = _numbered(f"{site.name}-app", index)
        yield Place(name, "application", APPLICATION_OFFSET + index, turn=index)


def _numbered(name: str, index: int) -> str:
    """The first of its kind has the plain name, the second ends in `-2`."""
    return name if index == 0 else f"{name}-{index + 1}"
