"""What `bootstrap` has to do: the parts that are wanted, held against what is there. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mirrorforce.operations import bootstrap_policies as policies
from mirrorforce.operations.bootstrap_names import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.operations.bootstrap_names import Footing

Value: TypeAlias = Any
"""A JSON value."""
Action = Literal["make", "change", "keep"]

OLD_VERSIONS_DAYS = 365
"""Days that a version of the state is kept for, once there is a newer one."""
UPLOAD_DAYS = 7
"""Days after which an upload that was never finished is cleared away."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is wanted: `kind` of what is named `name`, as `wanted`, a JSON value.

    The kinds are those that `bootstrap` reads and writes.
    """

    kind: str
    name: str
    wanted: Value

    def holds(self, found: Value) -> bool:
        """Whether what was found is what is wanted. Tags of others beside ours are none of our business."""
        if self.kind.endswith(" tags"):
            return isinstance(found, dict) and self.wanted.items() <= found.items()
        return bool(canonical(found) == canonical(self.wanted))


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about a part. `found`: what is there now; None for nothing."""

    part: Part
    action: Action
    found: Value

    def __str__(self) -> str:
        return f"{self.action} {self.part.kind} {self.part.name}"


def parts(of: Footing) -> tuple[Part, ...]:
    """Everything that is wanted, each after what it needs."""
    return (*_key(of), *_bucket(of), *_identity(of))


def plan(wanted: tuple[Part, ...], found: Mapping[tuple[str, str], Value]) -> tuple[Step, ...]:
    """A step for each part; `found` has a value, or None, for each kind and name."""
    there = [(part, found[part.kind, part.name]) for part in wanted]
    return tuple(Step(part, _action(part, value), value) for part, value in there)


def canonical(value: Value) -> Value:
    """A document in the one form that all its spellings have: AWS gives lists back as it likes."""
    if isinstance(value, dict):
        return {key: canonical(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        items = sorted((canonical(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value


def _action(part: Part, found: Value) -> Action:
    if found is None:
        return "make"
    return "keep" if part.holds(found) else "change"


def _key(of: Footing) -> tuple[Part, ...]:
    return (
        Part("key", of.alias, wanted=True),
        Part("key policy", of.alias, policies.key_policy(of)),
        Part("key rotation", of.alias, wanted=True),
        Part("key tags", of.alias, dict(of.tags)),
    )


def _bucket(of: Footing) -> tuple[Part, ...]:
    name = of.bucket
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return (
        Part("bucket", name, wanted=True),
        Part("bucket public access", name, dict.fromkeys(closed, True)),
        Part("bucket ownership", name, "BucketOwnerEnforced"),
        Part("bucket versioning", name, "Enabled"),
        Part("bucket encryption", name, {"algorithm": "aws:kms", "key": of.alias_arn, "bucket_key": True}),
        Part("bucket policy", name, policies.bucket_policy(of)),
        Part("bucket lifecycle", name, _lifecycle()),
        Part("bucket tags", name, dict(of.tags)),
    )


def _lifecycle() -> list[dict[str, Any]]:
    return [
        {
            "ID": "old-versions",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_VERSIONS_DAYS},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
        }
    ]


def _identity(of: Footing) -> tuple[Part, ...]:
    roles = (
        (of.preview_role, of.preview_environment, policies.preview(of)),
        (of.deploy_role, of.environment, policies.deploy(of)),
    )
    return (
        Part("identity provider", of.issuer_arn, [AUDIENCE]),
        Part("boundary", of.boundary, policies.boundary(of)),
        *(
            part
            for name, environment, document in roles
            for part in (
                Part("role", name, policies.trust(of, environment)),
                Part("role policy", name, document),
                Part("role tags", name, dict(of.tags)),
            )
        ),
    )
