"""The platform `lab`: a site and its links as network namespaces and systemd hosts on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi.dynamic import Resource

from mirrorforce.placement import gateway, hosts_of_site
from mirrorforce.sites.built import Built
from mirrorforce.sites.lab_providers import HostProvider, LinkProvider, NetworkProvider

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mirrorforce import estate as model
    from mirrorforce.sites.site import SiteProps

ADMIN = "mirrorforce"
"""The user that the image has on every lab host: key only, sudo without a password."""


class Network(Resource, module="mirrorforce", name="Network"):
    """A site's network namespace with its bridge and router."""

    def __init__(self, name: str, spec: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(NetworkProvider(), name, {**spec, "running": None}, opts)


class Host(Resource, module="mirrorforce", name="Host"):
    """A systemd host; `host_key` is its public ssh key."""

    host_key: pulumi.Output[str]

    def __init__(self, name: str, spec: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        observed = {"running": None, "image": None, "host_key": None}
        super().__init__(HostProvider(), name, {**spec, **observed}, opts)


class Link(Resource, module="mirrorforce", name="Link"):
    """A link with the round trip of the estate file."""

    name: pulumi.Output[str]

    def __init__(self, name: str, spec: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(LinkProvider(), name, {**spec, "running": None}, opts)


def build_site(props: SiteProps, parent: pulumi.Resource) -> Built:
    """Make the site's network and its hosts."""
    site = props.site
    spec = {"estate": props.estate.name, "site": site.name, "cidr": str(site.cidr)}
    network = Network(site.name, spec, pulumi.ResourceOptions(parent=parent))
    options = pulumi.ResourceOptions(parent=parent, depends_on=[network])
    made = [
        (host, Host(host.name, host_spec(props, host), options)) for host in hosts_of_site(props.estate, site)
    ]
    keys = pulumi.Output.all(*(resource.host_key for _, resource in made))
    hosts = keys.apply(
        lambda known: [
            inventory_entry(props.estate, host, key) for (host, _), key in zip(made, known, strict=True)
        ]
    )
    return Built(pulumi.Output.from_input({"cidr": str(site.cidr), "gateway": str(gateway(site))}), hosts)


def host_spec(props: SiteProps, host: model.Host) -> dict[str, object]:
    """What is declared of a host: a `mirrorforce.lab.specs.HostSpec` without its image."""
    return {
        "estate": props.estate.name,
        "site": host.site,
        "name": host.name,
        "domain": props.estate.domain,
        "address": str(host.address),
        "prefix_length": props.site.cidr.prefixlen,
        "gateway": str(gateway(props.site)),
        "authorized_key": props.ssh_public_key,
        "volumes": [
            {"name": volume.name, "mount": volume.mount, "size_mib": volume.size_mib}
            for volume in host.volumes
        ],
    }


def inventory_entry(estate: model.Estate, host: model.Host, host_key: str) -> dict[str, object]:
    """A host in the inventory. Its ssh goes through its site's namespace, so no cut link is in the way."""
    namespace = f"/run/netns/mf-{estate.name}-{host.site}"
    return {
        "name": host.name,
        "site": host.site,
        "role": host.role,
        "cell": host.cell,
        "address": str(host.address),
        "host_key": host_key,
        "ssh": {"user": ADMIN, "proxy_command": f"nsenter --net={namespace} nc %h %p"},
        "volumes": [{"name": volume.name, "mount": volume.mount} for volume in host.volumes],
    }


def build_link(
    estate: model.Estate,
    link: model.Link,
    networks: Mapping[str, pulumi.Output[Mapping[str, str]]],
    parent: pulumi.Resource,
) -> pulumi.Output[dict[str, object]]:
    """Make one link between two sites' networks (`cidr`, `gateway`); the link as the document lists it."""
    a, b = link.between
    spec = {
        "estate": estate.name,
        "a": a,
        "b": b,
        "a_cidr": networks[a].apply(lambda network: network["cidr"]),
        "b_cidr": networks[b].apply(lambda network: network["cidr"]),
        "a_address": networks[a].apply(lambda network: network["gateway"]),
        "b_address": networks[b].apply(lambda network: network["gateway"]),
        "round_trip_ms": link.round_trip_ms,
    }
    made = Link(f"{a}-{b}", spec, pulumi.ResourceOptions(parent=parent))
    entry: dict[str, object] = {"between": [a, b], "round_trip_ms": link.round_trip_ms}
    return made.id.apply(lambda _: entry)
