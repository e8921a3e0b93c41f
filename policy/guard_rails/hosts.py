"""What instances are: of allowed families, in allowed regions, with metadata that no forged request reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .encryption import INSTANCE, TEMPLATE
from .model import UNKNOWN, Resource, Rule, Setting, Settings, Violation, is_given, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER = "pulumi:providers:aws"

REGIONS = Setting(
    "The regions that anything may be made in.",
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ["us-east-1", "us-west-1", "us-west-2"],
)
FAMILIES = Setting(
    "The families of instance types that hosts may be of. All of these are Nitro: disks are named as the "
    "roles expect, and encryption costs nothing.",
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ["t4g", "m6g", "m7g", "m8g", "r6g", "r7g", "r8g", "m6i", "m7i", "r6i", "r7i", "t3"],
)


def metadata(resource: Resource, _settings: Settings) -> Iterator[Violation]:
    """IMDSv2 alone: credentials of a host are given to who asks twice, which no forged request does."""
    if resource.type not in {INSTANCE, TEMPLATE}:
        return
    tokens = resource.get("metadataOptions", "httpTokens")
    if resource.get("metadataOptions", "httpEndpoint") == "disabled" or tokens in (UNKNOWN, "required"):
        return
    yield Violation(
        f"metadataOptions.httpTokens is {shown(tokens)}",
        "required (IMDSv2), or httpEndpoint: disabled",
        "set it; cloud-init and the SDKs have asked that way since 2019",
    )


def regions(resource: Resource, settings: Settings) -> Iterator[Violation]:
    """Providers, and resources that choose a region or a zone by themselves, stay in the allowed regions."""
    allowed = settings["regions"]
    if resource.type == PROVIDER and not is_given(resource.get("region")):
        yield Violation(
            "a provider without a region: it works wherever the environment of the day says",
            f"one of {', '.join(allowed)}",
            "give every resource an explicit provider with a region",
        )
        return
    if resource.type != PROVIDER and not resource.type.startswith("aws:"):
        return
    zone = resource.get("availabilityZone")
    named = {
        "region": resource.get("region"),
        "availabilityZone": zone[:-1] if isinstance(zone, str) else zone,
    }
    for field, region in named.items():
        if is_given(region) and region is not UNKNOWN and region not in allowed:
            yield Violation(
                f"{field} is {shown(resource.get(field))}",
                f"the regions {', '.join(allowed)}",
                "make it there; with the owner's consent a region goes into regions of this rule's config",
            )


def families(resource: Resource, settings: Settings) -> Iterator[Violation]:
    """Instance types of allowed families."""
    if resource.type not in {INSTANCE, TEMPLATE}:
        return
    kind = resource.get("instanceType")
    if kind is UNKNOWN or (kind is None and resource.type == TEMPLATE):
        return
    if not isinstance(kind, str) or kind.partition(".")[0] not in settings["families"]:
        yield Violation(
            f"instanceType is {shown(kind)}",
            f"the families {', '.join(settings['families'])}",
            "choose one of them; a new family goes into families of this rule's config, with its price",
        )


RULES = (
    Rule("metadata-needs-a-token", "Instance metadata is read with a token alone (IMDSv2).", metadata),
    Rule("regions-are-allowed", "Everything is made in an allowed region.", regions, {"regions": REGIONS}),
    Rule("families-are-allowed", "Instances are of an allowed family.", families, {"families": FAMILIES}),
)
