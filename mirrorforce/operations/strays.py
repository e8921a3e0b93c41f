"""What a killed `up` left on AWS that no stack knows of: named, before a second one is made beside it.

An engine that is killed while AWS makes something leaves the operation in its state, as pending, and no ID.
Only then AWS is asked, for what has the tags of the site.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mirrorforce import engine, engine_cli
from mirrorforce.errors import MirrorforceError
from mirrorforce.stack_names import INTERCONNECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mirrorforce.estate import Estate
    from mirrorforce.stack_names import StackName
    from mirrorforce.workspace import Workspace

DELETION = {
    "instance": "terminate-instances --instance-ids",
    "volume": "delete-volume --volume-id",
    "vpc-endpoint": "delete-vpc-endpoints --vpc-endpoint-ids",
    "natgateway": "delete-nat-gateway --nat-gateway-id",
    "elastic-ip": "release-address --allocation-id",
    "vpc-peering-connection": "delete-vpc-peering-connection --vpc-peering-connection-id",
    "subnet": "delete-subnet --subnet-id",
    "route-table": "delete-route-table --route-table-id",
    "security-group": "delete-security-group --group-id",
    "internet-gateway": "delete-internet-gateway --internet-gateway-id",
    "vpc": "delete-vpc --vpc-id",
}
"""How `aws ec2` deletes each type of resource, as tags name it; what stands on others comes first."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A resource with the tags of a site, which the site's stack has not got."""

    region: str
    type: str
    id: str

    def __str__(self) -> str:
        """For a person who looks for it."""
        return f"{self.type} {self.id} in {self.region}"

    @property
    def deletion(self) -> str:
        """The command that deletes it."""
        return f"aws ec2 --region {self.region} {DELETION[self.type]} {self.id}"


def require_none(ws: Workspace, estate: Estate, stacks: Iterable[StackName]) -> None:
    """MirrorforceError with each resource that a killed `up` of these stacks left, and how to delete it."""
    looked_at = [stack for stack in stacks if _regions(estate, stack)]
    states = engine.side_by_side([partial(_state, ws, str(stack)) for stack in looked_at])
    left: list[Stray] = []
    making: list[str] = []
    for stack, state in zip(looked_at, states, strict=True):
        if pending := creations_pending(json.loads(state)):
            making += [f"{stack}: {each}" for each in pending]
            for region in _regions(estate, stack):
                left += unknown(region, _tagged(region, estate.name, stack.part), state)
    if not left:
        return
    ordered = sorted(left, key=lambda stray: list(DELETION).index(stray.type))
    raise MirrorforceError(
        f"an up that was killed left {', '.join(map(str, ordered))}, which no stack knows of; "
        f"it was making {', '.join(making)}; nothing was changed",
        f"delete what it left, then mirrorforce up {ws.env}: {'; '.join(each.deletion for each in ordered)}",
    )


def creations_pending(exported: Mapping[str, Any]) -> list[str]:
    """What an exported stack was making when its engine was killed, as `Vpc aws-east`. Pure."""
    operations = exported["deployment"].get("pending_operations") or []
    urns = [each["resource"]["urn"] for each in operations if each["type"] == "creating"]
    return [f"{urn.split('::')[2].rpartition(':')[2]} {urn.split('::')[3]}" for urn in urns]


def unknown(region: str, tagged: Iterable[tuple[str, str]], state: str) -> list[Stray]:
    """Those of the tagged resources (type, ID) that a stack's state does not hold anywhere. Pure.

    The volume that an instance boots from has its tags too, and its ID among the instance's outputs.
    """
    return [Stray(region, kind, each) for kind, each in tagged if kind in DELETION and each not in state]


def _regions(estate: Estate, stack: StackName) -> list[str]:
    """The regions on AWS in which a stack makes something: one of a site, all of what joins them."""
    return sorted({
        site.aws.region
        for site in estate.sites
        if site.aws and stack.part in {site.name, INTERCONNECT}
    })  # fmt: skip


def _state(ws: Workspace, stack: str) -> str:
    answer = engine_cli.call(ws, ["stack", "export", "--stack", stack])
    if answer.status != 0:
        raise engine_cli.failure(ws, f"stack export of {stack}", answer)
    return answer.stdout


def _tagged(region: str, estate: str, site: str) -> list[tuple[str, str]]:
    """Type and ID of what has the tags of a site, or of what joins sites."""
    import boto3  # noqa: PLC0415 - half a second that only a killed `up` is worth

    pages = boto3.client("ec2", region_name=region).get_paginator("describe_tags")

    def having(key: str, value: str) -> set[tuple[str, str]]:
        wanted = [{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
        found = (tag for page in pages.paginate(Filters=wanted) for tag in page["Tags"])
        return {(tag["ResourceType"], tag["ResourceId"]) for tag in found}

    return sorted(having("estate", estate) & having("site", site))
