"""Security groups on AWS: the table of flows by groups of hosts that are alike. Pure.

nftables on each host lets in what `flows.rules_for` says of that host; a security group lets through what is
said of any host in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import TYPE_CHECKING

from mirrorforce import flows, placement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address

    from mirrorforce.estate import Estate, Host, Site

QUOTA = 60
"""Rules that AWS allows a security group in each direction, until it is asked for more (quota L-0EA8095F)."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One rule of a security group, in or out. `port` is None for icmp echo requests."""

    name: str
    protocol: flows.Protocol
    port: int | None
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What the security group of hosts that are alike lets in and out. `key` names it within the site."""

    key: str
    ingress: tuple[Opening, ...]
    egress: tuple[Opening, ...]


def group_key(host: Host) -> str:
    """The security group of a host: one for each role, and for each cell's members."""
    return f"{host.role}-{host.cell}" if host.cell else host.role


def groups_of(estate: Estate, site: Site) -> tuple[Group, ...]:
    """The security groups of a site's hosts. Pure."""
    everyone = placement.hosts(estate)
    alike: dict[str, list[Host]] = {}
    for host in everyone:
        if host.site == site.name:
            alike.setdefault(group_key(host), []).append(host)
    return tuple(
        Group(
            key,
            _openings(
                (rule.name, rule.protocol, rule.port, rule.sources)
                for host in members
                for rule in flows.rules_for(estate, everyone, host)
            ),
            _openings(
                (reach.name, reach.protocol, reach.port, reach.targets)
                for host in members
                for reach in flows.reach_of(estate, everyone, host)
            ),
        )
        for key, members in alike.items()
    )


def _openings(
    rules: Iterable[tuple[str, flows.Protocol, int | None, Sequence[IPv4Network | IPv4Address]]],
) -> tuple[Opening, ...]:
    """Rules of several hosts as one set: peers of the same flow together, neighbours as one network."""
    found: dict[tuple[str, flows.Protocol, int | None], set[IPv4Network]] = {}
    for name, protocol, port, peers in rules:
        found.setdefault((name, protocol, port), set()).update(IPv4Network(peer) for peer in peers)
    return tuple(
        Opening(*rule, tuple(str(network) for network in collapse_addresses(networks)))
        for rule, networks in found.items()
    )


def most_rules(estate: Estate) -> int:
    """The rules of the fullest security group of the estate, in one direction: each network counts."""
    return max(
        (
            sum(len(opening.networks) for opening in openings)
            for site in estate.sites
            if site.aws
            for group in groups_of(estate, site)
            for openings in (group.ingress, group.egress)
        ),
        default=0,
    )
