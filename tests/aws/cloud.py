"""One emulated AWS account for a test: the process that plays it, and how a test looks into it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

EMULATOR = Path(__file__).with_name("emulator.py")
ACCOUNT = "123456789012"
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}
IMAGE = "debian-13-{architecture}-20261101-2290"
OWN_KEY = "AKIAUNDERTEST0000000"
"""The access key of what is under test; calls are recorded by key."""
BY_HAND_KEY = "AKIABYHAND0000000000"
"""The access key of whoever looks, and changes things behind its back."""


@dataclass
class Cloud:
    """An account that is empty at first. Used as a context, it is gone at the end.

    calls: a file for every call: with whose key, and the action as IAM names it.
    """

    calls: Path | None = None
    process: subprocess.Popen[str] = field(init=False)
    endpoint: str = field(init=False)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, str(EMULATOR), *([str(self.calls)] if self.calls else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.endpoint = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.communicate()

    @property
    def environment(self) -> Mapping[str, str]:
        """What leads every client to this account, and no client to the machine's own."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": OWN_KEY,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SKIP_METADATA_API_CHECK": "true",
            "AWS_SKIP_CREDENTIALS_VALIDATION": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def in_place_of(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment, with this account in place of whatever AWS it leads to."""
        others = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
        return {**others, **self.environment}

    def client(self, service: str, region: str = "us-east-1") -> Any:  # noqa: ANN401 - made at run time
        """A client of boto3: how somebody changes things behind Pulumi's back."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=BY_HAND_KEY,
            aws_secret_access_key="test",
        )

    def actions(self) -> list[str]:
        """The actions that were called so far by what is under test, as IAM names them, in their order."""
        assert self.calls
        lines = (line.split() for line in self.calls.read_text().splitlines())
        return [action for key, action in lines if key == OWN_KEY]

    def publish_images(self, region: str, name: str = IMAGE) -> None:
        """Publish an image for each architecture in a region, as Debian does."""
        for debian, amazon in ARCHITECTURES.items():
            self.client("ec2", region).register_image(
                Name=name.format(architecture=debian),
                Architecture=amazon,
                RootDeviceName="/dev/xvda",
                VirtualizationType="hvm",
                BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}],
            )
