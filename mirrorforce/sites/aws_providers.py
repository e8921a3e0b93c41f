"""The dynamic provider of host keys on AWS: a thin edge over `aws_console` and one call of EC2's API.

As the lab's providers (lab_providers.py), it is a class without state in an importable module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult

from mirrorforce.sites import engine_life
from mirrorforce.sites.aws_console import wait_for_host_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi.dynamic import ConfigureRequest

    Properties = dict[str, Any]


class HostKeyProvider(ResourceProvider):
    """The key is read once, after the first boot; another instance has another one."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:  # noqa: ARG002
        """Before the first call: see to it that this process ends with the engine."""
        engine_life.end_with_the_engine()

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Another instance is another key."""
        replaced = [name for name in ("region", "instance_id") if olds.get(name) != news.get(name)]
        return DiffResult(changes=bool(replaced), replaces=replaced)

    def create(self, props: Properties) -> CreateResult:
        """Wait until the host has shown its key."""
        region, instance = str(props["region"]), str(props["instance_id"])
        key = wait_for_host_key(instance, console_of(region, instance))
        return CreateResult(instance, {"region": region, "instance_id": instance, "host_key": key})

    def update(self, _id: str, olds: Properties, _news: Properties) -> UpdateResult:
        """Never asked for: whatever differs makes another key."""
        return UpdateResult(olds)


def console_of(region: str, instance: str) -> Callable[[], str]:
    """What an instance's console shows now. With the credentials and the endpoint of the environment."""
    import boto3  # noqa: PLC0415 - half a second that only a new host is worth
    from botocore.exceptions import ClientError  # noqa: PLC0415

    ec2 = boto3.client("ec2", region_name=region)

    def look() -> str:
        try:
            answer = ec2.get_console_output(InstanceId=instance, Latest=True)
        except ClientError as error:
            # Instances that are not of the Nitro system have no latest output, only one some minutes old.
            if error.response["Error"]["Code"] not in {"UnsupportedOperation", "InvalidParameterCombination"}:
                raise
            answer = ec2.get_console_output(InstanceId=instance)
        return str(answer.get("Output", ""))

    return look
