"""Hosts of a site on AWS: instances, the volumes that hold their data, what they are allowed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
from pulumi.dynamic import Resource

from mirrorforce.aws import ROOT_VOLUME_GIB, architecture
from mirrorforce.security_groups import group_key
from mirrorforce.sites.aws_access import proxy_command
from mirrorforce.sites.aws_alarms import build_host_alarm
from mirrorforce.sites.aws_cloud_init import ADMIN, user_data
from mirrorforce.sites.aws_providers import HostKeyProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.aws import Architecture, AwsSite
    from mirrorforce.estate import Host, Role, Volume
    from mirrorforce.sites.aws_network import SiteNetwork
    from mirrorforce.sites.aws_scope import Scope

HOLDS_DATA: frozenset[Role] = frozenset({"control", "database"})
"""Roles whose hosts hold what others would miss: a cell's rows, a vote of etcd with what it knows."""

_DEVICES = ("/dev/sdf", "/dev/sdg")
"""Names that AWS recommends for volumes beside the root. Hosts find a volume by its id, not by these."""
_MIB_OF_GIB = 1024

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    ],
}


class HostKey(Resource, module="mirrorforce", name="HostKey"):
    """A host's public ssh key, read from its console after its first boot."""

    host_key: pulumi.Output[str]

    def __init__(self, name: str, spec: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(HostKeyProvider(), name, {**spec, "host_key": None}, opts)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the hosts of a site stand on.

    renewed: hosts that are to be made anew of today's image.
    boundary: the policy that bounds their roles, if there is one.
    topics: where their alarms go.
    """

    on_aws: AwsSite
    network: SiteNetwork
    key: aws.kms.Key
    boundary: str | None
    groups: Mapping[str, aws.ec2.SecurityGroup]
    images: Mapping[Architecture, str]
    endpoint: pulumi.Output[str | None]
    ssh_public_key: str
    renewed: frozenset[str]
    topics: list[pulumi.Output[str]]


def build_hosts(
    scope: Scope, ground: Ground, hosts: Sequence[Host]
) -> pulumi.Output[list[dict[str, object]]]:
    """Make the hosts; as the inventory lists them."""
    profiles = {
        role: _profile(scope, role, ground.boundary) for role in dict.fromkeys(host.role for host in hosts)
    }
    cells = dict.fromkeys(host.cell for host in hosts if host.cell)
    spread = {cell: _apart(scope, cell) for cell in cells if ground.on_aws.spread}
    return pulumi.Output.all(
        *(
            _build_host(scope, ground, host, profiles[host.role], spread.get(host.cell or ""))
            for host in hosts
        )
    )


def _profile(scope: Scope, role: Role, boundary: str | None) -> aws.iam.InstanceProfile:
    """The identity of a role's hosts. It may do nothing: no role of this estate asks AWS for anything.

    It is there all the same, so that a right that is needed one day is given to one role in one site.
    """
    part = f"{role}-host"
    identity = aws.iam.Role(
        scope.name(part),
        description=f"{role} hosts of the site {scope.site}",
        assume_role_policy=json.dumps(_TRUST),
        permissions_boundary=boundary,
        tags=scope.tags(scope.name(part), role=role),
        opts=scope.options(),
    )
    return aws.iam.InstanceProfile(
        scope.name(part),
        role=identity.name,
        tags=scope.tags(scope.name(part), role=role),
        opts=scope.options(),
    )


def _apart(scope: Scope, cell: str) -> aws.ec2.PlacementGroup:
    """Hardware of their own for a cell's members in the site.

    Also for one member: no instance can be put into a group later, only a new one in its place.
    """
    return aws.ec2.PlacementGroup(
        scope.name(f"{cell}-apart"),
        strategy="spread",
        tags=scope.tags(scope.name(f"{cell}-apart"), role="database", cell=cell),
        opts=scope.options(),
    )


def _build_host(
    scope: Scope,
    ground: Ground,
    host: Host,
    profile: aws.iam.InstanceProfile,
    apart: aws.ec2.PlacementGroup | None,
) -> pulumi.Output[dict[str, object]]:
    instance_type = ground.on_aws.instance_types[host.role]
    holds_data = host.role in HOLDS_DATA
    instance = aws.ec2.Instance(
        host.name,
        ami=ground.images[architecture(instance_type)],
        instance_type=instance_type,
        subnet_id=ground.network.subnets[host.zone].id,
        private_ip=str(host.address),
        associate_public_ip_address=False,
        vpc_security_group_ids=[ground.groups[group_key(host)].id],
        iam_instance_profile=profile.name,
        placement_group=apart.name if apart else None,
        disable_api_termination=holds_data,
        instance_initiated_shutdown_behavior="stop",
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
            "instance_metadata_tags": "disabled",
        },
        root_block_device={
            "volume_type": "gp3",
            "volume_size": ROOT_VOLUME_GIB,
            "encrypted": True,
            "kms_key_id": ground.key.arn,
            "delete_on_termination": True,
            "tags": scope.host_tags(host, f"{host.name}-root"),
        },
        user_data=user_data(scope.estate, host, ground.ssh_public_key),
        user_data_replace_on_change=True,
        tags=scope.host_tags(host),
        opts=scope.options(
            protect=holds_data,
            # Its address is its own: the old one has to go first.
            delete_before_replace=True,
            # A host keeps the image it was made of, and what it was told at its first boot. A newer image
            # is asked for by name: docs/howto/aws.md.
            ignore_changes=[] if host.name in ground.renewed else ["ami", "userData"],
        ),
    )
    if scope.shared.alarms and holds_data:
        build_host_alarm(scope, host, instance, ground.topics)
    volumes = [
        _build_volume(scope, ground, host, volume, instance, device)
        for volume, device in zip(host.volumes, _DEVICES, strict=False)
    ]
    shown = HostKey(
        f"{host.name}-host-key",
        {"region": scope.region, "instance_id": instance.id},
        pulumi.ResourceOptions(parent=scope.parent),
    )
    return pulumi.Output.all(
        instance=instance.id, host_key=shown.host_key, endpoint=ground.endpoint, volumes=volumes
    ).apply(lambda known: _entry(scope.region, host, known))


def _build_volume(
    scope: Scope, ground: Ground, host: Host, volume: Volume, instance: aws.ec2.Instance, device: str
) -> pulumi.Output[str]:
    """Make a data volume and attach it; its id. It outlives its host, whatever becomes of that."""
    name = f"{host.name}-{volume.name}"
    made = aws.ebs.Volume(
        name,
        availability_zone=ground.on_aws.zone_name(host.zone),
        type="gp3",
        size=volume.size_mib // _MIB_OF_GIB,
        iops=volume.iops,
        throughput=volume.throughput_mib,
        encrypted=True,
        kms_key_id=ground.key.arn,
        final_snapshot=ground.on_aws.final_snapshots,
        tags=scope.host_tags(host, name),
        opts=scope.options(protect=True),
    )
    aws.ec2.VolumeAttachment(
        f"{name}-attachment",
        device_name=device,
        instance_id=instance.id,
        volume_id=made.id,
        # Taken from a running PostgreSQL it would be left as after a power cut.
        stop_instance_before_detaching=True,
        opts=scope.options(delete_before_replace=True),
    )
    return made.id.apply(lambda known: known)


def _entry(region: str, host: Host, known: Mapping[str, Any]) -> dict[str, object]:
    return {
        "name": host.name,
        "site": host.site,
        "role": host.role,
        "cell": host.cell,
        "address": str(host.address),
        "host_key": known["host_key"],
        "ssh": {
            "user": ADMIN,
            "proxy_command": proxy_command(region, known["instance"], known["endpoint"]),
        },
        "volumes": [
            {"name": volume.name, "mount": volume.mount, "device": device_of(volume_id)}
            for volume, volume_id in zip(host.volumes, known["volumes"], strict=True)
        ],
    }


def device_of(volume_id: str) -> str:
    """Where udev shows a volume of EBS on a Nitro instance, whatever its number. Pure."""
    return f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume_id.replace('-', '')}"
