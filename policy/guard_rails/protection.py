"""What holds data cannot be deleted by one wrong command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .encryption import BUCKETS, INSTANCE, KEY, VOLUME
from .model import UNKNOWN, Resource, Rule, Setting, Settings, Violation, is_true, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = Setting(
    "Roles (by the tag role) of hosts that hold data: rows of a cell, or a vote of etcd with what it knows.",
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ["control", "database"],
)
KEY_DAYS = Setting(
    "Days that a deleted key can still be had back; AWS allows 7 to 30.",
    {"type": "integer", "minimum": 7, "maximum": 30},
    30,
)
_WAY_DOWN = "; docs/howto/policy.md says how it is taken down on purpose"


def protected(resource: Resource, settings: Settings) -> Iterator[Violation]:
    """Pulumi's own protection: `destroy`, and a replacement, stop before it."""
    if _holds_data(resource, settings) and not resource.protect:
        yield Violation(
            "it is not protected, and holds data", "protect: true", f"set it in its options{_WAY_DOWN}"
        )


def termination(resource: Resource, settings: Settings) -> Iterator[Violation]:
    """AWS's protection, which also stops who does not come by Pulumi."""
    if resource.type == INSTANCE and _holds_data(resource, settings):
        if not is_true(resource.get("disableApiTermination")):
            yield Violation(
                f"disableApiTermination is {shown(resource.get('disableApiTermination'))}",
                "disableApiTermination: true for a host that holds data",
                f"set it{_WAY_DOWN}",
            )
    elif resource.type == KEY:
        days = resource.get("deletionWindowInDays")
        least = settings["keyDays"]
        # Not said is 30, which is what AWS takes.
        if isinstance(days, int | float) and days < least:
            yield Violation(
                f"deletionWindowInDays is {int(days)}", f"{least} or more, or nothing (30)", "raise it"
            )
    elif resource.type in BUCKETS and resource.get("forceDestroy") is True:
        yield Violation(
            "forceDestroy is true: the bucket goes with all that is in it",
            "forceDestroy: false",
            f"take it out{_WAY_DOWN}",
        )


def _holds_data(resource: Resource, settings: Settings) -> bool:
    if resource.type == INSTANCE:
        role = resource.tags.get("role")
        return role is not UNKNOWN and role in settings["roles"]
    return resource.type in {VOLUME, KEY} or resource.type in BUCKETS


RULES = (
    Rule("data-is-protected", "What holds data is protected in Pulumi.", protected, {"roles": ROLES}),
    Rule(
        "data-outlives-its-deletion",
        "What holds data is protected in AWS.",
        termination,
        {"roles": ROLES, "keyDays": KEY_DAYS},
    ),
)
