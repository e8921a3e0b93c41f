"""How ssh comes to hosts on AWS: by an EC2 Instance Connect Endpoint, or straight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from mirrorforce.estate import SSH_PORT
from mirrorforce.security_groups import Opening
from mirrorforce.sites.aws_firewall import build_outgoing_group
from mirrorforce.sites.aws_network import access_subnet

if TYPE_CHECKING:
    from mirrorforce.aws import AwsSite
    from mirrorforce.estate import Site
    from mirrorforce.sites.aws_network import SiteNetwork
    from mirrorforce.sites.aws_scope import Scope


def build_access(
    scope: Scope, site: Site, on_aws: AwsSite, network: SiteNetwork
) -> pulumi.Output[str | None]:
    """The id of the endpoint that ssh comes in by; None where it comes straight."""
    if on_aws.access == "direct":
        return pulumi.Output.from_input(None)
    subnet = access_subnet(scope, site, on_aws, network)
    openings = [Opening("ssh", "tcp", SSH_PORT, (str(site.cidr),))]
    group = build_outgoing_group(
        scope, "access", "The endpoint that ssh comes in by", network.vpc.id, openings
    )
    endpoint = aws.ec2transitgateway.InstanceConnectEndpoint(
        scope.name("access"),
        subnet_id=subnet.id,
        security_group_ids=[group.id],
        # Hosts see the endpoint's own address, the one network that nftables lets in as well.
        preserve_client_ip=False,
        tags=scope.tags(scope.name("access")),
        opts=scope.options(),
    )
    return endpoint.id.apply(lambda known: known)


def proxy_command(region: str, instance: str, endpoint: str | None) -> str:
    """The ProxyCommand of ssh_config for an instance; '' where ssh needs none. Pure.

    The AWS command line (version 2) opens the tunnel with the credentials of whoever calls it.
    """
    if endpoint is None:
        return ""
    return (
        "aws ec2-instance-connect open-tunnel "
        f"--region {region} --instance-id {instance} "
        f"--instance-connect-endpoint-id {endpoint} --remote-port %p"
    )
