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


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of what EC2 holds: how it is listed, where its IDs are in the answer, how it is deleted.

    listing: the method of boto3's client; ids: JMESPath; filtered_by: the argument that takes filters.
    """

    name: str
    listing: str
    ids: str
    deletion: str
    filtered_by: str = "Filters"


KINDS = (
    Kind(
        "instance", "describe_instances",
        "Reservations[].Instances[?State.Name!='terminated' && State.Name!='shutting-down'][].InstanceId",
        "terminate-instances --instance-ids",
    ),
    Kind("volume", "describe_volumes", "Volumes[].VolumeId", "delete-volume --volume-id"),
    Kind(
        "endpoint", "describe_vpc_endpoints", "VpcEndpoints[?State!='deleted'].VpcEndpointId",
        "delete-vpc-endpoints --vpc-endpoint-ids",
    ),
    Kind(
        "NAT gateway", "describe_nat_gateways", "NatGateways[?State!='deleted'].NatGatewayId",
        "delete-nat-gateway --nat-gateway-id", filtered_by="Filter",
    ),
    Kind(
        "elastic address", "describe_addresses", "Addresses[].AllocationId",
        "release-address --allocation-id",
    ),
    Kind(
        "peering", "describe_vpc_peering_connections",
        "VpcPeeringConnections[?Status.Code!='deleted'].VpcPeeringConnectionId",
        "delete-vpc-peering-connection --vpc-peering-connection-id",
    ),
    Kind("subnet", "describe_subnets", "Subnets[].SubnetId", "delete-subnet --subnet-id"),
    Kind(
        "route table", "describe_route_tables", "RouteTables[].RouteTableId",
        "delete-route-table --route-table-id",
    ),
    Kind(
        "security group", "describe_security_groups", "SecurityGroups[].GroupId",
        "delete-security-group --group-id",
    ),
    Kind(
        "internet gateway", "describe_internet_gateways", "InternetGateways[].InternetGatewayId",
        "delete-internet-gateway --internet-gateway-id",
    ),
    Kind("network", "describe_vpcs", "Vpcs[].VpcId", "delete-vpc --vpc-id"),
)  # fmt: skip
"""What is looked for, in the order in which it can be deleted: what stands on others comes first."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A resource with the tags of a site, which the site's stack has not got."""

    region: str
    kind: Kind
    id: str

    def __str__(self) -> str:
        """For a person who looks for it."""
        return f"{self.kind.name} {self.id} in {self.region}"

    @property
    def deletion(self) -> str:
        """The command that deletes it."""
        return f"aws ec2 --region {self.region} {self.kind.deletion} {self.id}"


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
    ordered = sorted(left, key=lambda stray: KINDS.index(stray.kind))
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


def unknown(region: str, tagged: Iterable[tuple[Kind, str]], state: str) -> list[Stray]:
    """Those of the tagged resources (kind, ID) that a stack's state does not hold anywhere. Pure.

    The volume that an instance boots from has its tags too, and its ID among the instance's outputs.
    """
    return [Stray(region, kind, each) for kind, each in tagged if each not in state]


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


def _tagged(region: str, estate: str, site: str) -> list[tuple[Kind, str]]:
    """Kind and ID of what is there with the tags of a site, or of what joins sites.

    Each kind is asked for by itself: tags by themselves outlive what had them.
    """
    import boto3  # noqa: PLC0415 - half a second that only a killed `up` is worth
    import jmespath  # noqa: PLC0415 - the same

    client = boto3.client("ec2", region_name=region)
    wanted = [
        {"Name": f"tag:{key}", "Values": [value]} for key, value in (("estate", estate), ("site", site))
    ]
    found = []
    for kind in KINDS:
        asked = {kind.filtered_by: wanted}
        if client.can_paginate(kind.listing):
            answers = client.get_paginator(kind.listing).paginate(**asked)
        else:
            answers = [getattr(client, kind.listing)(**asked)]
        found += [(kind, each) for answer in answers for each in jmespath.search(kind.ids, answer) or []]
    return found
