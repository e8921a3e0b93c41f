"""What tests of the program on AWS share: the estate, and words for its stacks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from mirrorforce import estate_file, placement
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Host, Site
    from tests.program_engine import Registered, Run

WARNINGS = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # The SDK warns of its own old names while it is imported.
    pytest.mark.filterwarnings("ignore:aws[.]ec2/:DeprecationWarning"),
]
"""Of the event loop and of Pulumi's SDK, which are not ours."""

FILE = ROOT / "stacks" / "aws.yaml"
ESTATE = estate_file.load(FILE)
HOSTS = placement.hosts(ESTATE)
SITES = [site.name for site in ESTATE.sites]
MIRRORED = [site.name for site in ESTATE.mirrored_sites]
SITE_STACKS = [f"aws-{site}" for site in SITES]
UNTAGGED = {
    "Route",
    "RouteTableAssociation",
    "VolumeAttachment",
    "RolePolicy",
    "Alias",
    "ResolverRuleAssociation",
    "TopicSubscription",
}
"""Types that AWS has no tags for, in the words of the provider."""


def outputs_of(built: Mapping[str, Run]) -> dict[str, dict[str, Any]]:
    return {stack: run.outputs[f"mirrorforce-{stack}"] for stack, run in built.items()}


def site_of(stack: str) -> Site:
    return ESTATE.site(stack.removeprefix("aws-"))


def of_aws(run: Run) -> list[Registered]:
    return [each for each in run.resources if each.type.startswith("aws:")]


def hosts_of(stack: str) -> list[Host]:
    return [host for host in HOSTS if host.site == site_of(stack).name]


def lets(group: Registered, direction: str, peer: IPv4Address, protocol: str, port: int | None) -> bool:
    return any(
        rule["protocol"] == protocol
        and rule["fromPort"] == (8 if port is None else port)
        and any(peer in IPv4Network(cidr) for cidr in rule.get("cidrBlocks", []))
        for rule in group.inputs[direction]
    )
