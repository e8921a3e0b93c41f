"""What joins the sites of an estate on AWS: networks, names, alarms. One provider for each region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.sites.aws_alarms import build_quorum_alarm
from mirrorforce.sites.aws_forwarders import build_delegation, build_forwarders
from mirrorforce.sites.aws_joined import JoinedSite
from mirrorforce.sites.aws_peering import build_peering
from mirrorforce.sites.aws_scope import OF_ALL_SITES, Scope, provider
from mirrorforce.sites.aws_transit import build_transit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pulumi

    from mirrorforce.aws import AwsEstate
    from mirrorforce.estate import Estate, Link


def build_interconnect(
    estate: Estate, networks: Mapping[str, pulumi.Output[Mapping[str, Any]]], parent: pulumi.Resource
) -> None:
    """Join the estate's sites on AWS. `networks` is the network in each site's inventory, by site."""
    if estate.aws is None:
        raise ValueError(f"the estate {estate.name} has no site on AWS")
    scopes = _scopes(estate, estate.aws, parent)
    joined = {
        site.name: JoinedSite(site, site.aws, scopes[site.aws.region], networks[site.name])
        for site in estate.sites
        if site.aws
    }
    build = build_transit if estate.aws.interconnect == "transit-gateway" else build_peering
    build(links_on_aws(estate), joined)
    if estate.aws.forwarders:
        build_forwarders(estate, joined)
    if estate.aws.delegate_from:
        build_delegation(estate, next(iter(scopes.values())))
    if estate.aws.alarms:
        build_quorum_alarm(estate, scopes, parent)


def links_on_aws(estate: Estate) -> Sequence[Link]:
    """The links that AWS makes: with both ends on it."""
    return [link for link in estate.links if all(estate.site(name).aws for name in link.between)]


def _scopes(estate: Estate, shared: AwsEstate, parent: pulumi.Resource) -> dict[str, Scope]:
    """The scope of each region, in the order of the estate file."""
    regions = dict.fromkeys(site.aws.region for site in estate.sites if site.aws)
    return {
        region: Scope(estate, shared, OF_ALL_SITES, region, parent, provider(shared, region, parent))
        for region in regions
    }
