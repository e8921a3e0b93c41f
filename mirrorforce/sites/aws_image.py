"""What new hosts start from: the newest image of a publisher, and instance types that the zones offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_aws as aws

from mirrorforce.aws import architecture
from mirrorforce.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mirrorforce.aws import Architecture, AwsSite, Image
    from mirrorforce.estate import Host
    from mirrorforce.sites.aws_scope import Scope

_NAMES_OF_EC2: Mapping[Architecture, str] = {"amd64": "x86_64", "arm64": "arm64"}


def images(scope: Scope, on_aws: AwsSite, hosts: Iterable[Host]) -> Mapping[Architecture, str]:
    """The id of today's image for each architecture that the hosts have. Hosts that exist keep theirs."""
    wanted = sorted({architecture(on_aws.instance_types[host.role]) for host in hosts})
    return {each: _image(scope, scope.shared.image, each) for each in wanted}


def _image(scope: Scope, image: Image, of: Architecture) -> str:
    found = aws.ec2.get_ami_ids(
        owners=[image.owner],
        filters=[
            {"name": "name", "values": [image.pattern(of)]},
            {"name": "architecture", "values": [_NAMES_OF_EC2[of]]},
            {"name": "virtualization-type", "values": ["hvm"]},
            {"name": "root-device-type", "values": ["ebs"]},
            {"name": "state", "values": ["available"]},
        ],
        opts=scope.asking(),
    ).ids
    if not found:
        message = (
            f"sites.{scope.site}: the region {scope.region} has no image {image.pattern(of)!r} "
            f"({of}) of the owner {image.owner}"
        )
        raise BadInputError(
            message, "aws.image names the owner and the name of an image for this architecture"
        )
    return found[0]


def require_offered(scope: Scope, on_aws: AwsSite, hosts: Collection[Host]) -> None:
    """BadInputError where a zone has not the instance type of a host that is to stand in it."""
    types = sorted({on_aws.instance_types[host.role] for host in hosts})
    if not types:
        return
    answer = aws.ec2.get_instance_type_offerings(
        location_type="availability-zone",
        filters=[{"name": "instance-type", "values": types}],
        opts=scope.asking(),
    )
    complaints = not_offered(
        scope.site, on_aws, hosts, set(zip(answer.instance_types, answer.locations, strict=True))
    )
    if complaints:
        raise BadInputError("\n".join(complaints), "name other zones or instance types in the estate file")


def not_offered(
    site: str, on_aws: AwsSite, hosts: Iterable[Host], offered: Collection[tuple[str, str]]
) -> tuple[str, ...]:
    """What the zones of a site lack, given the pairs of instance type and zone that there are. Pure."""
    found: dict[str, None] = {}
    for host in hosts:
        wanted, zone = on_aws.instance_types[host.role], on_aws.zone_name(host.zone)
        if (wanted, zone) in offered:
            continue
        zones = sorted(where for which, where in offered if which == wanted)
        if zones:
            text = f"sites.{site}.aws.zones: {zone} has no {wanted}; zones that have it: {', '.join(zones)}"
        else:
            text = f"sites.{site}.aws.region: {on_aws.region} has no {wanted} (instance_types.{host.role})"
        found[text] = None
    return tuple(found)
