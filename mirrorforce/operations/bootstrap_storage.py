"""The state's bucket and its key, as AWS has them: read and written by boto3, part by part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import ClientError

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.operations.bootstrap_names import Footing
    from mirrorforce.operations.bootstrap_plan import Value

Client: TypeAlias = Any
"""A client of boto3, which is made at run time."""

_PENDING = "PendingDeletion"
_DEFAULT_REGION = "us-east-1"
"""The one region that a bucket is made in without naming it."""


class Key:
    """The key by its alias. One that was made before its alias could be is found by its tags."""

    def __init__(self, kms: Client, of: Footing) -> None:
        self._kms = kms
        self._of = of

    def exists(self) -> Value:
        """Whether the alias names a key that stays."""
        key = found_or_none(lambda: self._kms.describe_key(KeyId=self._of.alias), "NotFoundException")
        return None if key is None else self._stays(key["KeyMetadata"])

    def make(self, _wanted: Value, _found: Value) -> None:
        """Make the key, and name it."""
        key = (
            self._unnamed()
            or self._kms.create_key(
                Description=f"State of the estate {self._of.estate}",
                Tags=[{"TagKey": name, "TagValue": value} for name, value in self._of.tags.items()],
            )["KeyMetadata"]["KeyId"]
        )
        self._kms.create_alias(AliasName=self._of.alias, TargetKeyId=key)

    def policy(self) -> Value:
        """The key's policy."""
        return self._told(
            lambda key: json.loads(self._kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        )

    def write_policy(self, wanted: Value, _found: Value) -> None:
        """Set the key's policy."""
        self._kms.put_key_policy(KeyId=self._id(), PolicyName="default", Policy=json.dumps(wanted))

    def rotation(self) -> Value:
        """Whether AWS makes new material each year."""
        return self._told(lambda key: self._kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"])

    def write_rotation(self, _wanted: Value, _found: Value) -> None:
        """Have it do so."""
        self._kms.enable_key_rotation(KeyId=self._id())

    def tags(self) -> Value:
        """The key's tags."""
        return self._told(self._tags_of)

    def write_tags(self, wanted: dict[str, str], _found: Value) -> None:
        """Add the tags."""
        tags = [{"TagKey": name, "TagValue": value} for name, value in wanted.items()]
        self._kms.tag_resource(KeyId=self._id(), Tags=tags)

    def _id(self) -> str:
        return str(self._kms.describe_key(KeyId=self._of.alias)["KeyMetadata"]["KeyId"])

    def _told(self, ask: Callable[[str], Value]) -> Value:
        return ask(self._id()) if self.exists() else None

    def _tags_of(self, key: str) -> dict[str, str]:
        tags = self._kms.list_resource_tags(KeyId=key)["Tags"]
        return {tag["TagKey"]: tag["TagValue"] for tag in tags}

    def _stays(self, metadata: dict[str, Value]) -> bool:
        if metadata["KeyState"] == _PENDING:
            raise MirrorforceError(
                f"the key {self._of.alias} ({metadata['KeyId']}) is being deleted, "
                "and with it every secret of the state",
                f"aws kms cancel-key-deletion --region {self._of.region} --key-id {metadata['KeyId']}, then "
                "enable-key likewise",
            )
        return True

    def _unnamed(self) -> str | None:
        """The key of an earlier run that was stopped before it could name it."""
        for page in self._kms.get_paginator("list_keys").paginate():
            for key in page["Keys"]:
                metadata = self._kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
                own = metadata["KeyManager"] == "CUSTOMER" and metadata["KeyState"] != _PENDING
                if own and self._of.tags.items() <= self._tags_of(key["KeyId"]).items():
                    return str(key["KeyId"])
        return None


class Bucket:
    """The bucket of the state."""

    def __init__(self, s3: Client, of: Footing) -> None:
        self._s3 = s3
        self._of = of
        self._ours = {"Bucket": of.bucket, "ExpectedBucketOwner": of.account}

    def exists(self) -> Value:
        """Whether it is there, and ours."""
        try:
            found = found_or_none(lambda: self._s3.head_bucket(**self._ours), "404", "NoSuchBucket")
        except ClientError as error:
            if error.response["Error"]["Code"] != "403":
                raise
            raise MirrorforceError(
                f"the bucket {self._of.bucket} is there, but these credentials may not see it, "
                "or another account has taken its name",
                "use credentials of an administrator of this account",
            ) from error
        return None if found is None else True

    def make(self, _wanted: Value, _found: Value) -> None:
        """Make it, closed from the start."""
        place = {"LocationConstraint": self._of.region}
        where = {} if self._of.region == _DEFAULT_REGION else {"CreateBucketConfiguration": place}
        self._s3.create_bucket(Bucket=self._of.bucket, ObjectOwnership="BucketOwnerEnforced", **where)

    def public_access(self) -> Value:
        """What is blocked of public access."""
        return self._told(
            "get_public_access_block",
            "PublicAccessBlockConfiguration",
            "NoSuchPublicAccessBlockConfiguration",
        )

    def write_public_access(self, wanted: Value, _found: Value) -> None:
        """Block it."""
        self._s3.put_public_access_block(**self._ours, PublicAccessBlockConfiguration=wanted)

    def ownership(self) -> Value:
        """Whose objects are: with the owner enforced, access control lists count for nothing."""
        found = self._told(
            "get_bucket_ownership_controls", "OwnershipControls", "OwnershipControlsNotFoundError"
        )
        return found["Rules"][0]["ObjectOwnership"] if found else None

    def write_ownership(self, wanted: Value, _found: Value) -> None:
        """Set it."""
        controls = {"Rules": [{"ObjectOwnership": wanted}]}
        self._s3.put_bucket_ownership_controls(**self._ours, OwnershipControls=controls)

    def versioning(self) -> Value:
        """Whether every version is kept."""
        return self._told("get_bucket_versioning", "Status")

    def write_versioning(self, wanted: Value, _found: Value) -> None:
        """Set it."""
        self._s3.put_bucket_versioning(**self._ours, VersioningConfiguration={"Status": wanted})

    def encryption(self) -> Value:
        """What objects are encrypted with that name nothing themselves."""
        found = self._told(
            "get_bucket_encryption",
            "ServerSideEncryptionConfiguration",
            "ServerSideEncryptionConfigurationNotFoundError",
        )
        if not found:
            return None
        rule = found["Rules"][0]
        default = rule["ApplyServerSideEncryptionByDefault"]
        return {
            "algorithm": default["SSEAlgorithm"],
            "key": default.get("KMSMasterKeyID"),
            "bucket_key": rule.get("BucketKeyEnabled", False),
        }

    def write_encryption(self, wanted: Value, _found: Value) -> None:
        """Set it."""
        default = {"SSEAlgorithm": wanted["algorithm"], "KMSMasterKeyID": wanted["key"]}
        rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": wanted["bucket_key"]}
        self._s3.put_bucket_encryption(**self._ours, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def policy(self) -> Value:
        """The bucket's policy."""
        found = self._told("get_bucket_policy", "Policy", "NoSuchBucketPolicy")
        return json.loads(found) if found else None

    def write_policy(self, wanted: Value, _found: Value) -> None:
        """Set it."""
        self._s3.put_bucket_policy(**self._ours, Policy=json.dumps(wanted))

    def lifecycle(self) -> Value:
        """What becomes of old versions."""
        return self._told("get_bucket_lifecycle_configuration", "Rules", "NoSuchLifecycleConfiguration")

    def write_lifecycle(self, wanted: Value, _found: Value) -> None:
        """Set it."""
        self._s3.put_bucket_lifecycle_configuration(**self._ours, LifecycleConfiguration={"Rules": wanted})

    def tags(self) -> Value:
        """The bucket's tags."""
        found = self._told("get_bucket_tagging", "TagSet", "NoSuchTagSet")
        return {tag["Key"]: tag["Value"] for tag in found} if found else None

    def write_tags(self, wanted: dict[str, str], found: dict[str, str] | None) -> None:
        """Set the tags; those of others stay."""
        tags = [{"Key": name, "Value": value} for name, value in ((found or {}) | wanted).items()]
        self._s3.put_bucket_tagging(**self._ours, Tagging={"TagSet": tags})

    def _told(self, question: str, part: str, *absent: str) -> Value:
        answer = found_or_none(lambda: getattr(self._s3, question)(**self._ours), "NoSuchBucket", *absent)
        return answer.get(part) if answer else None


def found_or_none(ask: Callable[[], Value], *absent: str) -> Value:
    """The answer; None where AWS says one of these codes, which mean that there is no such thing."""
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] in absent:
            return None
        raise
