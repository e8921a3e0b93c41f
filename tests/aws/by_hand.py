"""What somebody does to an estate on AWS behind the back of its stacks. A table.

`undo`: as by hand, too; None where only a stack makes what is gone anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REGIONS = {"east": "us-east-1", "west": "us-west-2", "legacy": "us-west-1", "dev": "us-west-2"}
ELSEWHERE = {
    "IpProtocol": "tcp",
    "FromPort": 5432,
    "ToPort": 5432,
    "IpRanges": [{"CidrIp": "203.0.113.0/24"}],
}

Ec2 = Any
"""A client of boto3 in the site's region."""


@dataclass(frozen=True)
class ByHand:
    """One act in a site, and the finding it makes: of which resource, and what of it.

    mended: by the stack's `up`; what it does not declare, somebody brings back.
    """

    name: str
    site: str
    resource: str
    item: str
    make: Callable[[Ec2], object]
    undo: Callable[[Ec2], object] | None = None
    mended: bool = True

    @property
    def region(self) -> str:
        """Where it is done."""
        return REGIONS[self.site]


def instance(ec2: Ec2, name: str) -> dict[str, Any]:
    """The instance of a host."""
    filters = [
        {"Name": "tag:Name", "Values": [name]},
        {"Name": "instance-state-name", "Values": ["running", "stopped"]},
    ]
    (reservation,) = ec2.describe_instances(Filters=filters)["Reservations"]
    (found,) = reservation["Instances"]
    return dict(found)


def volume(ec2: Ec2, name: str) -> dict[str, Any]:
    """A volume."""
    (found,) = ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": [name]}])["Volumes"]
    return dict(found)


def _rule(ec2: Ec2, host: str) -> dict[str, Any]:
    return {"GroupId": instance(ec2, host)["SecurityGroups"][0]["GroupId"], "IpPermissions": [ELSEWHERE]}


def _retag(ec2: Ec2, name: str, owner: str) -> None:
    ec2.create_tags(Resources=[volume(ec2, name)["VolumeId"]], Tags=[{"Key": "owner", "Value": owner}])


def _untag(ec2: Ec2, host: str) -> None:
    ec2.delete_tags(Resources=[instance(ec2, host)["InstanceId"]], Tags=[{"Key": "cost-centre"}])


def _detach(ec2: Ec2, name: str) -> None:
    found = volume(ec2, name)
    (attached,) = found["Attachments"]
    ec2.detach_volume(VolumeId=found["VolumeId"], InstanceId=attached["InstanceId"], Force=True)


def _end(ec2: Ec2, host: str) -> None:
    known = instance(ec2, host)["InstanceId"]
    ec2.modify_instance_attribute(InstanceId=known, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[known])


ALL = (
    ByHand(
        "security group opened", "east", "testaws-east-database-na1", "SecurityGroup.ingress",
        lambda ec2: ec2.authorize_security_group_ingress(**_rule(ec2, "east-na1")),
        lambda ec2: ec2.revoke_security_group_ingress(**_rule(ec2, "east-na1")),
    ),
    ByHand(
        "tag changed", "west", "west-na1-data", "Volume.tags",
        lambda ec2: _retag(ec2, "west-na1-data", "somebody-else"),
        lambda ec2: _retag(ec2, "west-na1-data", "database-team"),
    ),
    ByHand(
        "instance stopped", "legacy", "legacy-na2", "Instance.instanceState",
        lambda ec2: ec2.stop_instances(InstanceIds=[instance(ec2, "legacy-na2")["InstanceId"]]),
        lambda ec2: ec2.start_instances(InstanceIds=[instance(ec2, "legacy-na2")["InstanceId"]]),
        mended=False,
    ),
    ByHand("tag removed", "east", "east-na2", "Instance.tags", lambda ec2: _untag(ec2, "east-na2")),
    ByHand(
        "volume detached", "west", "west-na2-wal-attachment", "VolumeAttachment.exists",
        lambda ec2: _detach(ec2, "west-na2-wal"),
    ),
    ByHand("host deleted", "dev", "dev-app", "Instance.exists", lambda ec2: _end(ec2, "dev-app")),
)  # fmt: skip
"""In the order in which they are done."""
