"""Security groups of a site on AWS, made of the one table of flows that also makes nftables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_aws as aws

from mirrorforce.security_groups import Opening, groups_of
from mirrorforce.sites.aws_network import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pulumi

    from mirrorforce.aws import AwsSite
    from mirrorforce.estate import Site
    from mirrorforce.sites.aws_network import SiteNetwork
    from mirrorforce.sites.aws_scope import Scope

PACKAGE_PORTS = (80, 443)
"""Debian's archive speaks both; apt checks signatures either way."""
_ECHO_REQUEST, _ANY_CODE = 8, -1


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
    """A security group of something that is never spoken to, only speaks.

    AWS takes no apostrophe in a description, and another description is another group.
    """
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
