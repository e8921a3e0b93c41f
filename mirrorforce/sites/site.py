"""One site of an estate: its network and hosts, on whatever platform the site is built on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from mirrorforce.errors import BadInputError
from mirrorforce.sites import lab, static

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirrorforce.estate import Estate, Site
    from mirrorforce.sites.built import Built

INVENTORY_VERSION = 1
"""The version of `schemas/inventory.schema.json`. It grows when a reader would have to change."""


@dataclass(frozen=True, slots=True)
class SiteProps:
    """What a site needs: the estate, the site in it, the ssh public key that its hosts let in.

    `renewed`: hosts that are to be made anew of today's image, where the platform has images.
    """

    estate: Estate
    site: Site
    ssh_public_key: str
    renewed: frozenset[str] = frozenset()


def _on_aws(props: SiteProps, parent: pulumi.Resource) -> Built:
    from mirrorforce.sites import aws  # noqa: PLC0415 - its SDK costs time and memory, for AWS alone

    return aws.build_site(props, parent)


PLATFORMS: Mapping[str, Callable[[SiteProps, pulumi.Resource], Built]] = {
    "lab": lab.build_site,
    "aws": _on_aws,
    "static": static.build_site,
}
"""Each makes a site's resources below its component, and answers with what the inventory says of them."""


class SiteComponent(pulumi.ComponentResource):
    """A site; `inventory` is its document for `schemas/inventory.schema.json`."""

    inventory: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, props: SiteProps, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mirrorforce:site:Site", name, None, opts)
        site = props.site
        if site.platform not in PLATFORMS:
            message = f"sites.{site.name}.platform is {site.platform}, which cannot be built"
            raise BadInputError(message, f"platforms that can: {', '.join(PLATFORMS)}")
        built = PLATFORMS[site.platform](props, self)
        self.inventory = pulumi.Output.all(network=built.network, hosts=built.hosts).apply(
            lambda known: {
                "version": INVENTORY_VERSION,
                "estate": props.estate.name,
                "site": site.name,
                "platform": site.platform,
                "network": known["network"],
                "hosts": known["hosts"],
            }
        )
        self.register_outputs({"inventory": self.inventory})
