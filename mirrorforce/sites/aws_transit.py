"""Links between sites on AWS by transit gateways: one in each region, peered where a link needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi_aws as aws

from mirrorforce.sites.aws_peering import build_routes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi

    from mirrorforce.estate import Link
    from mirrorforce.sites.aws_joined import JoinedSite
    from mirrorforce.sites.aws_scope import Scope


@dataclass(frozen=True, slots=True)
class Hub:
    """A region's transit gateway."""

    scope: Scope
    gateway: aws.ec2transitgateway.TransitGateway


def build_transit(links: Sequence[Link], joined: Mapping[str, JoinedSite]) -> None:
    """Join the sites of each link through their regions' gateways."""
    scopes = {joined[name].on_aws.region: joined[name].scope for link in links for name in link.between}
    hubs = {region: _hub(scope) for region, scope in scopes.items()}
    attached = {
        name: _attach(joined[name], hubs[joined[name].on_aws.region])
        for name in dict.fromkeys(name for link in links for name in link.between)
    }
    peerings = {pair: _peer(hubs[pair[0]], hubs[pair[1]]) for pair in _pairs(links, joined)}
    ways = [
        (joined[here], joined[there])
        for one, other in (link.between for link in links)
        for here, there in ((one, other), (other, one))
    ]
    routes = _routes_of_hubs(ways, hubs, peerings)
    for here, there in ways:
        region = here.on_aws.region
        after = [
            attached[here.site.name],
            attached[there.site.name],
            *routes.get((region, there.site.name), ()),
        ]
        build_routes(here, there, {"transit_gateway_id": hubs[region].gateway.id}, after)


def _pairs(links: Sequence[Link], joined: Mapping[str, JoinedSite]) -> list[tuple[str, str]]:
    """The pairs of regions that some link joins, each once, its regions in the alphabet's order."""
    regions = [sorted({joined[name].on_aws.region for name in link.between}) for link in links]
    return list(dict.fromkeys((pair[0], pair[1]) for pair in regions if len(pair) > 1))


def _hub(scope: Scope) -> Hub:
    name = scope.name(scope.region)
    gateway = aws.ec2transitgateway.TransitGateway(
        name,
        description=f"Joins the sites of the estate {scope.estate.name}",
        auto_accept_shared_attachments="disable",
        default_route_table_association="enable",
        default_route_table_propagation="enable",
        tags=scope.tags(name),
        opts=scope.options(),
    )
    return Hub(scope, gateway)


def _attach(site: JoinedSite, hub: Hub) -> aws.ec2transitgateway.VpcAttachment:
    name = f"{site.site.name}-attachment"
    return aws.ec2transitgateway.VpcAttachment(
        name,
        transit_gateway_id=hub.gateway.id,
        vpc_id=site.vpc,
        subnet_ids=list(site.subnets),
        tags=hub.scope.tags(hub.scope.name(name)),
        opts=hub.scope.options(),
    )


def _peer(one: Hub, other: Hub) -> aws.ec2transitgateway.PeeringAttachmentAccepter:
    """Ask and accept, each through the provider of its own region; what was accepted."""
    name = f"{one.scope.region}-{other.scope.region}"
    tags = one.scope.tags(one.scope.name(name))
    asked = aws.ec2transitgateway.PeeringAttachment(
        name,
        transit_gateway_id=one.gateway.id,
        peer_transit_gateway_id=other.gateway.id,
        peer_region=other.scope.region,
        tags=tags,
        opts=one.scope.options(),
    )
    return aws.ec2transitgateway.PeeringAttachmentAccepter(
        f"{name}-accepted",
        transit_gateway_attachment_id=asked.id,
        tags=tags,
        opts=other.scope.options(),
    )


def _routes_of_hubs(
    ways: Sequence[tuple[JoinedSite, JoinedSite]],
    hubs: Mapping[str, Hub],
    peerings: Mapping[tuple[str, str], aws.ec2transitgateway.PeeringAttachmentAccepter],
) -> dict[tuple[str, str], list[pulumi.Resource]]:
    """Routes in the gateways' own tables to networks of other regions, by region and site.

    One for all sites of a region. Networks of its own region a gateway knows by their attachments.
    """
    routes: dict[tuple[str, str], list[pulumi.Resource]] = {}
    for here, there in ways:
        place = (here.on_aws.region, there.site.name)
        if here.on_aws.region != there.on_aws.region and place not in routes:
            first, second = sorted((here.on_aws.region, there.on_aws.region))
            routes[place] = [_route_of_hub(hubs[here.on_aws.region], there, peerings[first, second])]
    return routes


def _route_of_hub(
    hub: Hub, there: JoinedSite, peering: aws.ec2transitgateway.PeeringAttachmentAccepter
) -> aws.ec2transitgateway.Route:
    return aws.ec2transitgateway.Route(
        f"{hub.scope.region}-to-{there.site.name}",
        destination_cidr_block=str(there.site.cidr),
        transit_gateway_attachment_id=peering.transit_gateway_attachment_id,
        transit_gateway_route_table_id=hub.gateway.association_default_route_table_id,
        opts=hub.scope.options(depends_on=[peering]),
    )
