"""The one table of flows: who may speak to whom. All else is refused.

nftables on each host and the security groups of AWS are both made of `rules_for`, and `verify` compares
listening sockets with it. Traffic of a host with itself (loopback) and answers to what a host asked for
are not in the table: every platform lets them through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mirrorforce import placement
from mirrorforce.estate import (
    DNS_PORT,
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    PATRONI_PORT,
    POSTGRES_PORT,
    SSH_PORT,
    Role,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv4Network

    from mirrorforce.estate import Estate, Host

Protocol = Literal["tcp", "udp", "icmp"]
Peers = Literal[
    "control", "database", "application", "database of the same cell", "controller", "forwarder", "estate"
]

EVERY_ROLE: tuple[Role, ...] = ("control", "database", "application")


@dataclass(frozen=True, slots=True)
class Flow:
    """One row of the table: peers `sources` may reach `port` of hosts of the roles `to`.

    `port` is None for icmp, where echo requests alone are meant. "controller" is where ssh to the host's own
    site comes from (`placement.ssh_sources`); "forwarder" is what forwards questions for the estate's domain,
    where a platform has it (`placement.forwarders`); "estate" is every site's network.
    """

    name: str
    protocol: Protocol
    port: int | None
    sources: tuple[Peers, ...]
    to: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one host lets in; `sources` are never empty, sorted, and never hold the host itself."""

    name: str
    protocol: Protocol
    port: int | None
    sources: tuple[IPv4Network | IPv4Address, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """What one host may speak to: the other side of `Rule`. `targets` are never empty, sorted."""

    name: str
    protocol: Protocol
    port: int | None
    targets: tuple[IPv4Network | IPv4Address, ...]


FLOWS: tuple[Flow, ...] = (
    Flow("ssh", "tcp", SSH_PORT, ("controller",), EVERY_ROLE),
    Flow("echo", "icmp", None, ("estate",), EVERY_ROLE),
    Flow("etcd-client", "tcp", ETCD_CLIENT_PORT, ("control", "database"), ("control",)),
    Flow("etcd-peer", "tcp", ETCD_PEER_PORT, ("control",), ("control",)),
    Flow("dns-udp", "udp", DNS_PORT, ("control", "application", "forwarder"), ("control",)),
    Flow("dns-tcp", "tcp", DNS_PORT, ("control", "application", "forwarder"), ("control",)),
    Flow("postgres", "tcp", POSTGRES_PORT, ("database of the same cell", "application"), ("database",)),
    Flow("patroni", "tcp", PATRONI_PORT, ("database of the same cell", "control"), ("database",)),
)


def rules_for(estate: Estate, hosts: Sequence[Host], host: Host) -> tuple[Rule, ...]:
    """What `host` lets in, in the table's order; a flow that nobody could use makes no rule."""
    rules = (
        Rule(flow.name, flow.protocol, port_of(flow, host), _sources(flow, estate, hosts, host))
        for flow in FLOWS
        if host.role in flow.to
    )
    return tuple(rule for rule in rules if rule.sources)


def reach_of(estate: Estate, hosts: Sequence[Host], host: Host) -> tuple[Reach, ...]:
    """What `host` may speak to, in the table's order: as `rules_for` of all others, seen from its side."""
    found = (
        Reach(flow.name, flow.protocol, flow.port, _targets(flow, estate, hosts, host)) for flow in FLOWS
    )
    return tuple(reach for reach in found if reach.targets)


def reach_of_forwarders(hosts: Sequence[Host]) -> tuple[Reach, ...]:
    """What forwarders may speak to, in the table's order."""
    return tuple(
        Reach(flow.name, flow.protocol, flow.port, tuple(sorted(each.address for each in targets)))
        for flow in FLOWS
        if "forwarder" in flow.sources and (targets := [each for each in hosts if each.role in flow.to])
    )


def port_of(flow: Flow, host: Host) -> int | None:
    """The port that the flow leads to on this host: sshd of a machine that exists may have one of its own."""
    return host.ssh_port if flow.port == SSH_PORT else flow.port


def _sources(
    flow: Flow, estate: Estate, hosts: Sequence[Host], host: Host
) -> tuple[IPv4Network | IPv4Address, ...]:
    if "estate" in flow.sources:
        return tuple(sorted(site.cidr for site in estate.sites))
    if "controller" in flow.sources:
        return placement.ssh_sources(estate.site(host.site))
    addresses = {other.address for other in hosts if other != host and _is_peer(flow, other, host)}
    if "forwarder" in flow.sources:
        addresses.update(placement.forwarders(estate))
    return tuple(sorted(addresses))


def _targets(
    flow: Flow, estate: Estate, hosts: Sequence[Host], host: Host
) -> tuple[IPv4Network | IPv4Address, ...]:
    if "estate" in flow.sources:
        return tuple(sorted(site.cidr for site in estate.sites))
    return tuple(
        sorted(
            other.address
            for other in hosts
            if other != host and other.role in flow.to and _is_peer(flow, host, other)
        )
    )


def _is_peer(flow: Flow, other: Host, host: Host) -> bool:
    same_cell = "database of the same cell" in flow.sources and other.cell == host.cell
    return other.role in flow.sources or (other.role == "database" and same_cell)
