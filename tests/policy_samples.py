"""Resources that the guard rails let through, for tests to take something from or add something to."""

from __future__ import annotations

import copy
from typing import Any

from guard_rails.model import Resource

VOLUME = "aws:ebs/volume:Volume"
INSTANCE = "aws:ec2/instance:Instance"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
KEY = "aws:kms/key:Key"
BUCKET = "aws:s3/bucket:Bucket"
BUCKET_ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
BUCKET_CLOSED = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
SNAPSHOT = "aws:ebs/snapshot:Snapshot"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
EIP = "aws:ec2/eip:Eip"
PROVIDER = "pulumi:providers:aws"

TAGS = {"estate": "aws", "site": "east", "owner": "database-team", "cost-centre": "databases"}
HOST_TAGS = {**TAGS, "role": "database", "cell": "na1"}
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1"

GOOD: dict[str, dict[str, Any]] = {
    VOLUME: {"availabilityZone": "us-east-1a", "encrypted": True, "kmsKeyId": KEY_ARN, "tags": HOST_TAGS},
    INSTANCE: {
        "instanceType": "r6g.large",
        "associatePublicIpAddress": False,
        "disableApiTermination": True,
        "metadataOptions": {"httpEndpoint": "enabled", "httpTokens": "required"},
        "rootBlockDevice": {"encrypted": True, "kmsKeyId": KEY_ARN, "tags": HOST_TAGS},
        "ebsBlockDevices": [{"encrypted": True, "kmsKeyId": KEY_ARN}],
        "tags": HOST_TAGS,
    },
    TEMPLATE: {
        "instanceType": "t4g.small",
        "metadataOptions": {"httpTokens": "required"},
        "blockDeviceMappings": [{"ebs": {"encrypted": "true", "kmsKeyId": KEY_ARN}}],
        "networkInterfaces": [{"associatePublicIpAddress": "false"}],
        "tags": TAGS,
    },
    KEY: {"enableKeyRotation": True, "deletionWindowInDays": 30, "tags": TAGS},
    BUCKET: {"bucket": "state", "forceDestroy": False, "tags": TAGS},
    BUCKET_ENCRYPTION: {
        "bucket": "state",
        "rules": [
            {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY_ARN}}
        ],
    },
    BUCKET_CLOSED: {
        "bucket": "state",
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    },
    GROUP: {
        "ingress": [{"protocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrBlocks": ["10.41.0.0/20"]}],
        "tags": TAGS,
    },
    PROVIDER: {"region": "us-east-1"},
}


def resource(
    kind: str,
    *path: str | int,
    value: object = None,
    protect: bool = True,
    name: str = "it",
    dependencies: dict[str, tuple[str, ...]] | None = None,
    provider: dict[str, Any] | None = None,
) -> Resource:
    """A resource that is let through; where a path is given, with this value there (None: without any)."""
    properties = copy.deepcopy(GOOD.get(kind, {"tags": TAGS}))
    if path:
        place: Any = properties
        for step in path[:-1]:
            place = place[step]
        if value is None:
            place.pop(path[-1], None)
        else:
            place[path[-1]] = value
    return Resource(kind, name, f"urn:{kind}:{name}", properties, protect, dependencies or {}, provider or {})
