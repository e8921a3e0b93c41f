"""Links between sites on AWS as peerings of their networks, with the routes both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_aws as aws

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi

    from mirrorforce.estate import Link
    from mirrorforce.sites.aws_joined import JoinedSite


def build_peering(links: Sequence[Link], joined: Mapping[str, JoinedSite]) -> None:
    """Peer the networks of each link's sites."""
    for link in links:
        _peer(*(joined[name] for name in link.between))


def _peer(one: JoinedSite, other: JoinedSite) -> None:
    """One side asks and the other accepts, each through the provider of its own region."""
    name = f"{one.site.name}-{other.site.name}"
    tags = one.scope.tags(one.scope.name(name))
    asked = aws.ec2.VpcPeeringConnection(
        name,
        vpc_id=one.vpc,
        peer_vpc_id=other.vpc,
        peer_region=other.on_aws.region,
        tags=tags,
        opts=one.scope.options(),
    )
    accepted = aws.ec2.VpcPeeringConnectionAccepter(
        f"{name}-accepted",
        vpc_peering_connection_id=asked.id,
        auto_accept=True,
        tags=tags,
        opts=other.scope.options(),
    )
    build_routes(one, other, {"vpc_peering_connection_id": asked.id}, [accepted])
    build_routes(other, one, {"vpc_peering_connection_id": asked.id}, [accepted])


def build_routes(
    here: JoinedSite,
    there: JoinedSite,
    way: Mapping[str, pulumi.Input[str]],
    after: Sequence[pulumi.Resource],
) -> None:
    """Routes to `there` in all of the hosts' route tables of `here`; `way` as `aws.ec2.Route` takes it."""
    for index, table in enumerate(here.route_tables):
        numbered = f"-{index + 1}" if len(here.route_tables) > 1 else ""
        aws.ec2.Route(
            f"{here.site.name}-to-{there.site.name}{numbered}",
            route_table_id=table,
            destination_cidr_block=str(there.site.cidr),
            opts=here.scope.options(depends_on=list(after)),
            **way,
        )
