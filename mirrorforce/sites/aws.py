"""The platform `aws`: a site as a VPC with EC2 instances.

docs/adr/0006-sites-on-aws.md says why it is as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.placement import hosts_of_site
from mirrorforce.sites.aws_access import build_access
from mirrorforce.sites.aws_alarms import build_topic
from mirrorforce.sites.aws_firewall import build_groups
from mirrorforce.sites.aws_hosts import Ground, build_hosts
from mirrorforce.sites.aws_image import images, require_offered
from mirrorforce.sites.aws_keys import build_key
from mirrorforce.sites.aws_network import build_network, log_group_name
from mirrorforce.sites.aws_scope import Scope, provider, who_asks
from mirrorforce.sites.built import Built

if TYPE_CHECKING:
    import pulumi

    from mirrorforce.sites.site import SiteProps


def build_site(props: SiteProps, parent: pulumi.Resource) -> Built:
    """Make the site's network, its way in, its hosts."""
    estate, site = props.estate, props.site
    on_aws, shared = site.aws, estate.aws
    if on_aws is None or shared is None:
        raise ValueError(f"{site.name} is not on AWS")
    scope = Scope(estate, shared, site.name, on_aws.region, parent, provider(shared, on_aws.region, parent))
    hosts = hosts_of_site(estate, site)
    require_offered(scope, on_aws, hosts)
    caller = who_asks(scope)
    key = build_key(scope, caller, log_group_name(scope))
    network = build_network(scope, site, on_aws, key, caller)
    ground = Ground(
        on_aws,
        network,
        key,
        caller.boundary(shared),
        build_groups(scope, site, on_aws, network),
        images(scope, on_aws, hosts),
        build_access(scope, site, on_aws, network),
        props.ssh_public_key,
        props.renewed,
        build_topic(scope) if shared.alarms else [],
    )
    return Built(network.document(site, on_aws), build_hosts(scope, ground, hosts))
