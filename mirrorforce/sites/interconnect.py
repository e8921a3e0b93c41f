"""What joins the sites: the links between them. It comes up last, over the site stacks' outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from mirrorforce.placement import gateway
from mirrorforce.sites import lab
from mirrorforce.stack_names import StackName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Estate, Link, Site

INTERCONNECT_VERSION = 1
"""The version of the document `interconnect` in `schemas/inventory.schema.json`."""


@dataclass(frozen=True, slots=True)
class InterconnectProps:
    """What the interconnect needs: the estate."""

    estate: Estate


class InterconnectComponent(pulumi.ComponentResource):
    """The links of an estate; `document` says which there are."""

    document: pulumi.Output[dict[str, object]]

    def __init__(
        self, name: str, props: InterconnectProps, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mirrorforce:site:Interconnect", name, None, opts)
        estate = props.estate
        networks = {site.name: self._network(estate, site) for site in estate.sites}
        links = [self._link(estate, link, networks) for link in estate.links]
        if estate.aws:
            from mirrorforce.sites import aws_interconnect  # noqa: PLC0415 - as in site.py

            aws_interconnect.build_interconnect(estate, networks, self)
        self.document = pulumi.Output.all(*links).apply(
            lambda known: {"version": INTERCONNECT_VERSION, "estate": estate.name, "links": known}
        )
        self.register_outputs({"interconnect": self.document})

    def _link(
        self, estate: Estate, link: Link, networks: Mapping[str, pulumi.Output[Mapping[str, Any]]]
    ) -> pulumi.Output[dict[str, object]]:
        """The link as the document lists it; made here where it is the lab's own."""
        if all(estate.site(name).platform == "lab" for name in link.between):
            return lab.build_link(estate, link, networks, self)
        entry: dict[str, object] = {"between": list(link.between), "round_trip_ms": link.round_trip_ms}
        return pulumi.Output.from_input(entry)

    def _network(self, estate: Estate, site: Site) -> pulumi.Output[Mapping[str, Any]]:
        """The site's network as its own stack says it is."""
        stack = StackName(estate.name, site.name)
        reference = pulumi.StackReference(
            stack.reference, stack_name=stack.reference, opts=pulumi.ResourceOptions(parent=self)
        )
        return reference.get_output("inventory").apply(lambda found: network_of(found, stack, site))


def network_of(inventory: Mapping[str, Any] | None, stack: StackName, site: Site) -> Mapping[str, Any]:
    """The network in a site's inventory. A preview of a site that is not up says what it will be."""
    if inventory is not None:
        network: Mapping[str, Any] = inventory["network"]
        return network
    if pulumi.runtime.is_dry_run():
        unknown = {"aws": pulumi.UNKNOWN} if site.aws else {}
        return {"cidr": str(site.cidr), "gateway": str(gateway(site)), **unknown}
    message = f"site {site.name} is not up: stack {stack} has no inventory"
    raise pulumi.RunError(f"{message}\n  next: pulumi up -s {stack}, or mirrorforce up {stack.env}")
