"""The sites of an estate on AWS as the interconnect sees them: each as its own stack left it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from mirrorforce.aws import AwsSite
    from mirrorforce.estate import Site
    from mirrorforce.sites.aws_scope import Scope


@dataclass(frozen=True, slots=True)
class JoinedSite:
    """A site with the scope of its region; `network` is the network in its inventory."""

    site: Site
    on_aws: AwsSite
    scope: Scope
    network: pulumi.Output[Mapping[str, Any]]

    @property
    def vpc(self) -> pulumi.Output[str]:
        """The id of its network."""
        return self.network.apply(lambda known: str(known["aws"]["vpc"]))

    @property
    def subnets(self) -> tuple[pulumi.Output[str], ...]:
        """The ids of the hosts' subnets, one for each zone."""
        return tuple(self._item("subnets", index) for index in range(len(self.on_aws.zones)))

    @property
    def route_tables(self) -> tuple[pulumi.Output[str], ...]:
        """The ids of the hosts' route tables: as many as the estate file makes them, known or not yet."""
        count = max(1, len(self.on_aws.nat_zones))
        return tuple(self._item("route_tables", index) for index in range(count))

    def _item(self, key: str, index: int) -> pulumi.Output[str]:
        return self.network.apply(lambda known: str(known["aws"][key][index]))
