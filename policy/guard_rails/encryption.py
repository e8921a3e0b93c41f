"""What is kept is encrypted, with a key of one's own that is renewed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .model import UNKNOWN, Resource, Rule, Settings, StackRule, Violation, is_given, is_true, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VOLUME = "aws:ebs/volume:Volume"
INSTANCE = "aws:ec2/instance:Instance"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
SNAPSHOT = "aws:ebs/snapshot:Snapshot"
COPIES = frozenset({"aws:ebs/snapshotCopy:SnapshotCopy", "aws:ec2/amiCopy:AmiCopy"})
KEY = "aws:kms/key:Key"
BUCKETS = frozenset({"aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"})
BUCKET_ENCRYPTION = frozenset(
    {
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
    }
)
BUCKET_CLOSED = frozenset({"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"})
CLOSED = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")

_OWN_KEY = "encrypted: true, with kmsKeyId of a key of one's own"


def volumes(resource: Resource, _settings: Settings) -> Iterator[Violation]:
    """Volumes, whoever declares them, and copies of snapshots and images."""
    if resource.type == VOLUME or resource.type in COPIES:
        yield from _disk("", resource.properties)
    elif resource.type == INSTANCE:
        root = resource.get("rootBlockDevice")
        if root is None:
            yield Violation(
                "no rootBlockDevice, so its root volume is as the account has it",
                f"rootBlockDevice with {_OWN_KEY}",
                "declare its rootBlockDevice",
            )
        elif root is not UNKNOWN:
            yield from _disk("rootBlockDevice.", root)
        for index, disk in enumerate(resource.items("ebsBlockDevices")):
            yield from _disk(f"ebsBlockDevices[{index}].", disk)
    elif resource.type == TEMPLATE:
        for index, mapping in enumerate(resource.items("blockDeviceMappings")):
            disk = mapping.get("ebs")
            if disk is not None and disk is not UNKNOWN:
                yield from _disk(f"blockDeviceMappings[{index}].ebs.", disk)


def _disk(where: str, disk: Any) -> Iterator[Violation]:  # noqa: ANN401 - properties are as free as JSON
    if not is_true(disk.get("encrypted")):
        yield Violation(
            f"{where}encrypted is {shown(disk.get('encrypted'))}",
            _OWN_KEY,
            "encrypt it; what is not yet encrypted moves by a snapshot that is copied with a key",
        )
    elif not is_given(disk.get("kmsKeyId")):
        yield Violation(
            f"{where}kmsKeyId is not given: AWS's own key, which nobody can take away or share",
            _OWN_KEY,
            "name the site's key",
        )


def snapshots(resources: Iterable[Resource], _settings: Settings) -> Iterator[Violation]:
    """A snapshot is as encrypted as its volume, which has to be looked at beside it."""
    everything = {resource.urn: resource for resource in resources}
    for snapshot in everything.values():
        if snapshot.type != SNAPSHOT:
            continue
        sources = [everything[urn] for urn in snapshot.dependencies.get("volumeId", ()) if urn in everything]
        open_source = next((each for each in sources if not is_true(each.get("encrypted"))), None)
        if open_source or snapshot.get("encrypted") is False:
            of = (
                f"of the volume {open_source.name}, which is not"
                if open_source
                else "of a volume that is not"
            )
            yield Violation(
                f"a snapshot {of} encrypted",
                "snapshots of encrypted volumes, or encrypted copies",
                "encrypt the volume, or make an encrypted copy (aws.ebs.SnapshotCopy) and keep that alone",
                snapshot.urn,
            )


def keys(resource: Resource, _settings: Settings) -> Iterator[Violation]:
    """A key of one's own is renewed by AWS every year."""
    symmetric = resource.get("customerMasterKeySpec") in (None, "SYMMETRIC_DEFAULT")
    if resource.type == KEY and symmetric and not is_true(resource.get("enableKeyRotation")):
        yield Violation(
            f"enableKeyRotation is {shown(resource.get('enableKeyRotation'))}",
            "enableKeyRotation: true",
            "set it; what is encrypted already stays readable",
        )


def buckets(resources: Iterable[Resource], _settings: Settings) -> Iterator[Violation]:
    """Buckets: encrypted by KMS, and closed to the public in each of the four ways."""
    everything = list(resources)
    for bucket in everything:
        if bucket.type in BUCKETS:
            yield from _bucket_encryption(bucket, everything)
            yield from _bucket_closed(bucket, everything)


def _bucket_encryption(bucket: Resource, everything: list[Resource]) -> Iterator[Violation]:
    configurations = [each for each in everything if each.type in BUCKET_ENCRYPTION and _is_of(each, bucket)]
    rules = [rule for each in configurations for rule in each.items("rules")]
    if any(each.get("rules") is UNKNOWN for each in configurations):
        return
    algorithms = [
        Resource("", "", "", rule).get("applyServerSideEncryptionByDefault", "sseAlgorithm") for rule in rules
    ]
    if not algorithms or any(
        each is not UNKNOWN and each not in ("aws:kms", "aws:kms:dsse") for each in algorithms
    ):
        found = ", ".join(map(shown, algorithms)) or "what AWS does by itself (AES256)"
        yield Violation(
            f"encrypted by {found}",
            "aws:kms, with a key of one's own",
            "give it an aws.s3.BucketServerSideEncryptionConfiguration with sseAlgorithm aws:kms",
            bucket.urn,
        )


def _bucket_closed(bucket: Resource, everything: list[Resource]) -> Iterator[Violation]:
    blocks = [each for each in everything if each.type in BUCKET_CLOSED and _is_of(each, bucket)]
    missing = [way for way in CLOSED if not any(is_true(block.get(way)) for block in blocks)]
    if missing:
        yield Violation(
            f"not closed to the public: {', '.join(missing)}",
            f"{', '.join(CLOSED)}: true",
            "give it an aws.s3.BucketPublicAccessBlock with all four",
            bucket.urn,
        )


def _is_of(companion: Resource, bucket: Resource) -> bool:
    """Whether a resource that configures some bucket configures this one."""
    named = companion.get("bucket")
    same_name = named is not UNKNOWN and named is not None and named == bucket.get("bucket")
    return same_name or bucket.urn in companion.dependencies.get("bucket", ())


RULES = (
    Rule(
        "volumes-are-encrypted", "Volumes and copies of them are encrypted with a key of one's own.", volumes
    ),
    Rule("keys-are-renewed", "Keys are renewed every year.", keys),
    StackRule("snapshots-are-encrypted", "Snapshots are encrypted.", snapshots),
    StackRule(
        "buckets-are-encrypted-and-closed", "Buckets are encrypted by KMS and closed to the public.", buckets
    ),
)
