"""Security groups of a site on AWS, made of the one table of flows that also makes nftables."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import TYPE_CHECKING

import pulumi_aws as aws

from mirrorforce import flows, placement
from mirrorforce.sites.aws_network import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from ipaddress import IPv4Address

    import pulumi

    from mirrorforce.aws import AwsSite
    from mirrorforce.estate import Estate, Host, Site
    from mirrorforce.sites.aws_network import SiteNetwork
    from mirrorforce.sites.aws_scope import Scope

PACKAGE_PORTS = (80, 443)
"""Debian's archive speaks both; apt checks signatures either way."""
_ECHO_REQUEST, _ANY_CODE = 8, -1


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


def build_groups(
    scope: Scope, site: Site, on_aws: AwsSite, network: SiteNetwork
) -> Mapping[str, aws.ec2.SecurityGroup]:
    """Make the security groups; by their keys. Their rules are all there are: one added by hand is drift."""
    return {
        group.key: aws.ec2.SecurityGroup(
            scope.name(group.key),
            description=f"{group.key} hosts of the site {site.name}",
            vpc_id=network.vpc.id,
            ingress=[_ingress(opening) for opening in group.ingress],
            egress=[*map(_egress, group.egress), *_packages(on_aws, network)],
            tags=scope.tags(scope.name(group.key)),
            opts=scope.options(),
        )
        for group in groups_of(scope.estate, site)
    }


def build_outgoing_group(
    scope: Scope, part: str, description: str, vpc: pulumi.Input[str], openings: Iterable[Opening]
) -> aws.ec2.SecurityGroup:
    """A security group of something that is never spoken to, only speaks."""
    return aws.ec2.SecurityGroup(
        scope.name(part),
        description=description,
        vpc_id=vpc,
        ingress=[],
        egress=[_egress(opening) for opening in openings],
        tags=scope.tags(scope.name(part)),
        opts=scope.options(),
    )


def _ports(opening: Opening) -> tuple[int, int]:
    return (_ECHO_REQUEST, _ANY_CODE) if opening.port is None else (opening.port, opening.port)


def _ingress(opening: Opening) -> aws.ec2.SecurityGroupIngressArgs:
    first, last = _ports(opening)
    return aws.ec2.SecurityGroupIngressArgs(
        description=opening.name,
        protocol=opening.protocol,
        from_port=first,
        to_port=last,
        cidr_blocks=list(opening.networks),
    )


def _egress(opening: Opening) -> aws.ec2.SecurityGroupEgressArgs:
    first, last = _ports(opening)
    return aws.ec2.SecurityGroupEgressArgs(
        description=opening.name,
        protocol=opening.protocol,
        from_port=first,
        to_port=last,
        cidr_blocks=list(opening.networks),
    )


def _packages(on_aws: AwsSite, network: SiteNetwork) -> Iterator[aws.ec2.SecurityGroupEgressArgs]:
    """The way to packages: out through NAT, or to a bucket through its gateway endpoint."""
    if on_aws.nat_zones:
        for port in PACKAGE_PORTS:
            yield _egress(Opening(f"packages-{port}", "tcp", port, (ANYWHERE,)))
    else:
        yield aws.ec2.SecurityGroupEgressArgs(
            description="packages-s3",
            protocol="tcp",
            from_port=443,
            to_port=443,
            prefix_list_ids=[network.gateways["s3"]],
        )
