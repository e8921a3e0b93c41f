"""How names of the estate are found on AWS: forwarding inside its networks, delegation from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_aws as aws

from mirrorforce import flows, placement
from mirrorforce.estate import DNS_PORT
from mirrorforce.security_groups import Opening
from mirrorforce.sites.aws_alarms import build_forwarder_alarm
from mirrorforce.sites.aws_firewall import build_outgoing_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Estate
    from mirrorforce.sites.aws_joined import JoinedSite
    from mirrorforce.sites.aws_scope import Scope

DELEGATION_SECONDS = 300
"""For how long others may remember who serves the estate's domain; which site that is changes with sites."""


def build_forwarders(estate: Estate, joined: Mapping[str, JoinedSite]) -> None:
    """In each region one outbound endpoint, and a rule that all networks of the region follow."""
    for holder in placement.forwarding_sites(estate):
        here = joined[holder.name]
        rule = _rule(estate, here, _endpoint(estate, here))
        for other in joined.values():
            if other.on_aws.region == here.on_aws.region:
                aws.route53.ResolverRuleAssociation(
                    f"{other.site.name}-forwards",
                    resolver_rule_id=rule.id,
                    vpc_id=other.vpc,
                    opts=here.scope.options(),
                )


def _endpoint(estate: Estate, here: JoinedSite) -> aws.route53.ResolverEndpoint:
    region, scope = here.on_aws.region, here.scope
    openings = [
        Opening(reach.name, reach.protocol, reach.port, tuple(f"{target}/32" for target in reach.targets))
        for reach in flows.reach_of_forwarders(placement.hosts(estate))
    ]
    group = build_outgoing_group(
        scope, f"{region}-forwarders", "Forwards questions for the domain of the estate", here.vpc, openings
    )
    endpoint = aws.route53.ResolverEndpoint(
        scope.name(f"{region}-forwarders"),
        direction="OUTBOUND",
        security_group_ids=[group.id],
        # Declared addresses: the hosts' own packet filter knows forwarders by them.
        ip_addresses=[
            aws.route53.ResolverEndpointIpAddressArgs(subnet_id=here.subnets[zone], ip=str(address))
            for zone, address in placement.forwarders_of_site(here.site)
        ],
        tags=scope.tags(scope.name(f"{region}-forwarders")),
        opts=scope.options(),
    )
    if scope.shared.alarms:
        build_forwarder_alarm(scope, endpoint)
    return endpoint


def _rule(
    estate: Estate, here: JoinedSite, endpoint: aws.route53.ResolverEndpoint
) -> aws.route53.ResolverRule:
    scope = here.scope
    name = scope.name(f"{here.on_aws.region}-domain")
    return aws.route53.ResolverRule(
        name,
        domain_name=estate.domain,
        rule_type="FORWARD",
        resolver_endpoint_id=endpoint.id,
        target_ips=[
            aws.route53.ResolverRuleTargetIpArgs(ip=str(host.address), port=DNS_PORT)
            for host in placement.hosts(estate)
            if host.role == "control"
        ],
        tags=scope.tags(name),
        opts=scope.options(),
    )


def build_delegation(estate: Estate, scope: Scope) -> None:
    """Have the public zone name the failover DNS of all sites, with their addresses beside (glue)."""
    zone = aws.route53.get_zone(name=scope.shared.delegate_from, private_zone=False, opts=scope.asking())
    servers = {
        f"ns-{host.site}.{estate.domain}": str(host.address)
        for host in placement.hosts(estate)
        if host.role == "control"
    }
    aws.route53.Record(
        scope.name("delegation"),
        zone_id=zone.zone_id,
        name=estate.domain,
        type="NS",
        ttl=DELEGATION_SECONDS,
        records=list(servers),
        opts=scope.options(),
    )
    for name, address in servers.items():
        aws.route53.Record(
            scope.name(name.partition(".")[0]),
            zone_id=zone.zone_id,
            name=name,
            type="A",
            ttl=DELEGATION_SECONDS,
            records=[address],
            opts=scope.options(),
        )
