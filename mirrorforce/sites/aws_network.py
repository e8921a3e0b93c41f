"""The network of a site on AWS: VPC, subnets, routes, the way out to packages, flow logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from mirrorforce import placement
from mirrorforce.workspace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.aws import AwsSite
    from mirrorforce.estate import Site
    from mirrorforce.sites.aws_scope import Caller, Scope

ANYWHERE = "0.0.0.0/0"
GATEWAY_SERVICES = ("s3", "dynamodb")
"""What a VPC has a way to at no price: Debian's packages may lie in a bucket of one's own."""
_AGGREGATION_SECONDS = 600


@dataclass(frozen=True, slots=True)
class SiteNetwork:
    """A site's network. One subnet for each zone; `route_tables` are those of hosts.

    `gateways` are the prefix lists of the gateway endpoints, by service.
    """

    vpc: aws.ec2.Vpc
    subnets: tuple[aws.ec2.Subnet, ...]
    route_tables: tuple[aws.ec2.RouteTable, ...]
    gateways: Mapping[str, pulumi.Output[str]]

    def document(self, site: Site, on_aws: AwsSite) -> pulumi.Output[dict[str, object]]:
        """The network in the inventory: what a link to this site has to know."""
        return pulumi.Output.all(
            vpc=self.vpc.id,
            subnets=[subnet.id for subnet in self.subnets],
            route_tables=[table.id for table in self.route_tables],
        ).apply(
            lambda known: {
                "cidr": str(site.cidr),
                "gateway": str(placement.gateway(site)),
                "aws": {"region": on_aws.region, **known},
            }
        )


def build_network(scope: Scope, site: Site, on_aws: AwsSite, key: aws.kms.Key, caller: Caller) -> SiteNetwork:
    """Make it. Hosts have no public address and no way in from the internet; out, only through NAT."""
    vpc = aws.ec2.Vpc(
        scope.name("network"),
        cidr_block=str(site.cidr),
        enable_dns_support=True,
        enable_dns_hostnames=True,
        tags=scope.tags(scope.name("network")),
        opts=scope.options(),
    )
    # What somebody makes here without a security group is to reach nothing, and be reached by nothing.
    aws.ec2.DefaultSecurityGroup(
        scope.name("closed"),
        vpc_id=vpc.id,
        ingress=[],
        egress=[],
        tags=scope.tags(scope.name("closed")),
        opts=scope.options(),
    )
    subnets = tuple(
        _subnet(
            scope, vpc, f"hosts-{letter}", str(placement.zone_network(site, zone)), on_aws.zone_name(zone)
        )
        for zone, letter in enumerate(on_aws.zones)
    )
    tables = _ways_out(scope, site, on_aws, vpc, subnets)
    gateways = {service: _gateway(scope, vpc, service, tables) for service in GATEWAY_SERVICES}
    if on_aws.flow_log_days:
        _flow_log(scope, vpc, on_aws.flow_log_days, key, caller)
    return SiteNetwork(vpc, subnets, tables, gateways)


def _subnet(scope: Scope, vpc: aws.ec2.Vpc, part: str, cidr: str, zone: str) -> aws.ec2.Subnet:
    return aws.ec2.Subnet(
        scope.name(part),
        vpc_id=vpc.id,
        cidr_block=cidr,
        availability_zone=zone,
        map_public_ip_on_launch=False,
        tags=scope.tags(scope.name(part)),
        opts=scope.options(),
    )


def access_subnet(scope: Scope, site: Site, on_aws: AwsSite, network: SiteNetwork) -> aws.ec2.Subnet:
    """The subnet of the endpoint that ssh comes in by: its address is what hosts know the controller by."""
    cidr = str(placement.access_network(site))
    return _subnet(scope, network.vpc, "access", cidr, on_aws.zone_name(0))


def _ways_out(
    scope: Scope, site: Site, on_aws: AwsSite, vpc: aws.ec2.Vpc, subnets: tuple[aws.ec2.Subnet, ...]
) -> tuple[aws.ec2.RouteTable, ...]:
    """The hosts' route tables: one for each NAT gateway, or a single one without a way out."""
    if not on_aws.nat_zones:
        table = _table(scope, vpc, "routes")
        for letter, subnet in zip(on_aws.zones, subnets, strict=True):
            _associate(scope, f"hosts-{letter}", table, subnet)
        return (table,)
    internet = aws.ec2.InternetGateway(
        scope.name("internet"), vpc_id=vpc.id, tags=scope.tags(scope.name("internet")), opts=scope.options()
    )
    public = _table(scope, vpc, "public")
    aws.ec2.Route(
        scope.name("to-internet"),
        route_table_id=public.id,
        destination_cidr_block=ANYWHERE,
        gateway_id=internet.id,
        opts=scope.options(),
    )
    tables = []
    for zone in on_aws.nat_zones:
        letter = on_aws.zones[zone]
        cidr = str(placement.nat_network(site, zone))
        subnet = _subnet(scope, vpc, f"nat-{letter}", cidr, on_aws.zone_name(zone))
        _associate(scope, f"nat-{letter}", public, subnet)
        tables.append(_table_by_nat(scope, vpc, letter, subnet, internet))
    for zone, (letter, subnet) in enumerate(zip(on_aws.zones, subnets, strict=True)):
        _associate(scope, f"hosts-{letter}", tables[zone % len(tables)], subnet)
    return tuple(tables)


def _table_by_nat(
    scope: Scope, vpc: aws.ec2.Vpc, letter: str, subnet: aws.ec2.Subnet, internet: aws.ec2.InternetGateway
) -> aws.ec2.RouteTable:
    part = f"nat-{letter}"
    address = aws.ec2.Eip(
        scope.name(part),
        domain="vpc",
        tags=scope.tags(scope.name(part)),
        opts=scope.options(depends_on=[internet]),
    )
    gateway = aws.ec2.NatGateway(
        scope.name(f"{part}-gateway"),
        allocation_id=address.id,
        subnet_id=subnet.id,
        tags=scope.tags(scope.name(part)),
        opts=scope.options(depends_on=[internet]),
    )
    table = _table(scope, vpc, f"routes-{letter}")
    aws.ec2.Route(
        scope.name(f"out-{letter}"),
        route_table_id=table.id,
        destination_cidr_block=ANYWHERE,
        nat_gateway_id=gateway.id,
        opts=scope.options(),
    )
    return table


def _table(scope: Scope, vpc: aws.ec2.Vpc, part: str) -> aws.ec2.RouteTable:
    """A route table. Its routes are resources of their own: the interconnect adds some."""
    return aws.ec2.RouteTable(
        scope.name(part), vpc_id=vpc.id, tags=scope.tags(scope.name(part)), opts=scope.options()
    )


def _associate(scope: Scope, part: str, table: aws.ec2.RouteTable, subnet: aws.ec2.Subnet) -> None:
    aws.ec2.RouteTableAssociation(
        scope.name(f"{part}-routes"), route_table_id=table.id, subnet_id=subnet.id, opts=scope.options()
    )


def _gateway(
    scope: Scope, vpc: aws.ec2.Vpc, service: str, tables: tuple[aws.ec2.RouteTable, ...]
) -> pulumi.Output[str]:
    endpoint = aws.ec2.VpcEndpoint(
        scope.name(service),
        vpc_id=vpc.id,
        vpc_endpoint_type="Gateway",
        service_name=f"com.amazonaws.{scope.region}.{service}",
        route_table_ids=[table.id for table in tables],
        tags=scope.tags(scope.name(service)),
        opts=scope.options(),
    )
    return endpoint.prefix_list_id


def _flow_log(scope: Scope, vpc: aws.ec2.Vpc, days: int, key: aws.kms.Key, caller: Caller) -> None:
    group = aws.cloudwatch.LogGroup(
        scope.name("flow-logs"),
        name=log_group_name(scope),
        retention_in_days=days,
        kms_key_id=key.arn,
        tags=scope.tags(scope.name("flow-logs")),
        opts=scope.options(),
    )
    role = aws.iam.Role(
        scope.name("flow-logs-writer"),
        description="Writes the flow logs of one network",
        assume_role_policy=json.dumps(_trust_of_flow_logs(caller.account)),
        permissions_boundary=caller.boundary(scope.shared),
        tags=scope.tags(scope.name("flow-logs-writer")),
        opts=scope.options(),
    )
    policy = aws.iam.RolePolicy(
        scope.name("flow-logs-write"),
        role=role.id,
        policy=group.arn.apply(lambda arn: json.dumps(_writes_to(arn))),
        opts=scope.options(),
    )
    aws.ec2.FlowLog(
        scope.name("flow-log"),
        vpc_id=vpc.id,
        traffic_type="ALL",
        iam_role_arn=role.arn,
        log_destination=group.arn,
        max_aggregation_interval=_AGGREGATION_SECONDS,
        tags=scope.tags(scope.name("flow-log")),
        opts=scope.options(depends_on=[policy]),
    )


def log_group_name(scope: Scope) -> str:
    """The group of the site's flow logs. Its key is told this name, so it is no random one."""
    return f"/{PROJECT}/{scope.estate.name}/{scope.site}/flow-logs"


def _trust_of_flow_logs(account: str) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        ],
    }


def _writes_to(group_arn: str) -> dict[str, object]:
    streams = f"{group_arn.removesuffix(':*')}:*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                "Resource": streams,
            }
        ],
    }
