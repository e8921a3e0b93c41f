"""The guard rails over all that the estate's own program makes on AWS: it keeps to every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from guard_rails import pack
from guard_rails.model import Resource, Rule

from mirrorforce import engine, estate_file
from mirrorforce.workspace import Workspace
from tests import program_aws

if TYPE_CHECKING:
    from tests.program_engine import Run

# The SDK makes an event loop when it is imported, and leaves the futures of a program that failed unread.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ESTATE = estate_file.load(Workspace("aws").estate_file)


def resources(run: Run) -> list[Resource]:
    """What a stack registered, as rules see it."""
    providers = {each.name: each.inputs for each in run.of_type("pulumi:providers:aws")}
    return [
        Resource(
            each.type,
            each.name,
            f"urn:{each.type}:{each.name}",
            each.inputs,
            protect=each.protect,
            provider=providers.get(each.provider, {}),
        )
        for each in run.resources
    ]


@pytest.fixture(scope="module")
def stacks() -> dict[str, list[Resource]]:
    runs = {f"aws-{site.name}": program_aws.build(f"aws-{site.name}") for site in ESTATE.sites}
    up = {stack: run.outputs[f"mirrorforce-{stack}"] for stack, run in runs.items()}
    runs["aws-interconnect"] = program_aws.build("aws-interconnect", up=up)
    return {stack: resources(run) for stack, run in runs.items()}


@pytest.mark.parametrize("stack", [str(name) for name in engine.stacks_of(ESTATE)])
def test_the_estates_own_stacks_keep_to_every_rule(stack: str, stacks: dict[str, list[Resource]]) -> None:
    made = stacks[stack]
    assert any(each.type.startswith("aws:") for each in made)
    for rule in pack.RULES:
        settings = pack.settings_of(rule, {})
        if isinstance(rule, Rule):
            found = [
                violation.text(f"{rule.name}: {each.type} {each.name}")
                for each in made
                for violation in rule.check(each, settings)
            ]
        else:
            found = [
                violation.text(f"{rule.name}: {violation.urn}") for violation in rule.check(made, settings)
            ]
        assert not found, "\n".join(found)
