"""The platform `static`: a site whose hosts exist already, as in a colocation facility. It builds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi.dynamic import Resource

from mirrorforce.placement import hosts_of_site
from mirrorforce.sites.built import Built
from mirrorforce.sites.static_entry import inventory_entry, spec_of
from mirrorforce.sites.static_providers import MachineProvider

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mirrorforce.sites.site import SiteProps


class Machine(Resource, module="mirrorforce", name="Machine"):
    """A machine that answers with its key; `host_key` is the one that it was found to have."""

    host_key: pulumi.Output[str]

    def __init__(self, name: str, spec: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(MachineProvider(), name, dict(spec), opts)


def build_site(props: SiteProps, parent: pulumi.Resource) -> Built:
    """Find the site's machines; nobody asks for the gateway of a network that existed before."""
    options = pulumi.ResourceOptions(parent=parent)
    hosts = hosts_of_site(props.estate, props.site)
    found = [Machine(host.name, spec_of(props.estate, host), options) for host in hosts]
    keys = pulumi.Output.all(*(machine.host_key for machine in found))
    entries = keys.apply(
        lambda known: [inventory_entry(host, key) for host, key in zip(hosts, known, strict=True)]
    )
    return Built(pulumi.Output.from_input({"cidr": str(props.site.cidr)}), entries)
