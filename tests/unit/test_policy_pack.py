"""The pack as Pulumi's SDK calls it: what it hands to rules, and what it makes of their answers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from guard_rails import pack
from guard_rails.model import UNKNOWN, Rule
from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import PolicyProviderResource
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from tests.policy_samples import BUCKET, GOOD, INSTANCE, TAGS, VOLUME

RULES = {rule.name: rule for rule in pack.RULES}
GROUP = "aws:ec2/securityGroup:SecurityGroup"


class Report:
    """What the engine is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.urns: list[str | None] = []

    def __call__(self, message: str, urn: str | None = None) -> None:
        self.messages.append(message)
        self.urns.append(urn)


def options(*, protect: bool = True) -> PolicyResourceOptions:
    return PolicyResourceOptions(
        protect=protect,
        ignore_changes=[],
        delete_before_replace=None,
        aliases=[],
        custom_timeouts=PolicyCustomTimeouts(0, 0, 0),
        additional_secret_outputs=[],
        parent=None,
    )


def said(
    rule: str,
    kind: str,
    properties: dict[str, Any],
    *,
    provider: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    protect: bool = True,
) -> list[str]:
    """What a rule reports of one resource, through the SDK's own classes."""
    policy = pack.policy(RULES[rule])
    assert isinstance(policy, ResourceValidationPolicy)
    of = PolicyProviderResource("pulumi:providers:aws", unknown_checking_proxy(provider or {}), "urn:p", "p")
    args = ResourceValidationArgs(
        kind,
        unknown_checking_proxy(copy.deepcopy(properties)),
        "urn:it",
        "it",
        options(protect=protect),
        of,
        config,
    )
    report = Report()
    policy.validate(args, report)
    return report.messages


def test_a_violation_says_resource_found_allowed_and_next_step() -> None:
    (message,) = said("volumes-are-encrypted", VOLUME, {**GOOD[VOLUME], "encrypted": False})
    first, *rest = message.splitlines()
    assert first == f"{VOLUME} it"
    assert [line.split(":")[0].strip() for line in rest] == ["found", "allowed", "next"]


def test_what_is_not_known_yet_is_let_pass_and_the_rest_is_looked_at() -> None:
    unknown = {**GOOD[INSTANCE], "rootBlockDevice": {"encrypted": True, "kmsKeyId": UNKNOWN_STRING_VALUE}}
    assert said("volumes-are-encrypted", INSTANCE, unknown) == []
    unknown["rootBlockDevice"]["encrypted"] = False
    (message,) = said("volumes-are-encrypted", INSTANCE, unknown)
    assert "rootBlockDevice.encrypted is false" in message


@pytest.mark.parametrize("value", [1.5, "text", True, None, ["a", {"b": None}], {"c": [1.0, False]}])
def test_known_values_come_as_they_are(value: object) -> None:
    assert pack.plain(unknown_checking_proxy({"it": copy.deepcopy(value)})) == {"it": value}


def test_unknown_values_come_as_such_at_any_depth() -> None:
    hidden = unknown_checking_proxy({"a": UNKNOWN_STRING_VALUE, "b": {"c": [UNKNOWN_STRING_VALUE, 1.0]}})
    assert pack.plain(hidden) == {"a": UNKNOWN, "b": {"c": [UNKNOWN, 1.0]}}


@pytest.mark.parametrize(
    "tags", [{"tags": TAGS}, '{"tags": {"estate": "a", "owner": "b", "cost-centre": "c"}}']
)
def test_default_tags_of_a_provider_count_also_where_they_come_as_json(tags: object) -> None:
    of_its_own = {"tags": {"site": "east"}}
    assert said("everything-bears-its-tags", GROUP, of_its_own, provider={"defaultTags": tags}) == []
    (message,) = said("everything-bears-its-tags", GROUP, of_its_own, provider={"region": "{no json"})
    assert "without estate, owner, cost-centre" in message


def test_config_wins_over_defaults() -> None:
    elsewhere = {"region": "eu-west-1"}
    assert len(said("regions-are-allowed", "pulumi:providers:aws", elsewhere)) == 1
    allowed = {"regions": ["eu-west-1"]}
    assert said("regions-are-allowed", "pulumi:providers:aws", elsewhere, config=allowed) == []


def test_protection_is_read_from_the_options() -> None:
    assert said("data-is-protected", VOLUME, GOOD[VOLUME]) == []
    assert len(said("data-is-protected", VOLUME, GOOD[VOLUME], protect=False)) == 1


def test_a_rule_over_a_stack_reports_at_the_resource() -> None:
    policy = pack.policy(RULES["buckets-are-encrypted-and-closed"])
    assert isinstance(policy, StackValidationPolicy)
    bucket = PolicyResource(
        BUCKET, unknown_checking_proxy(GOOD[BUCKET]), "urn:bucket", "state", options(), None, None, [], {}
    )
    report = Report()
    policy.validate(StackValidationArgs([bucket]), report)
    assert report.urns == ["urn:bucket", "urn:bucket"]
    assert all(message.startswith(f"{BUCKET} state\n") for message in report.messages)


def test_every_rule_goes_to_pulumi_under_its_name_with_its_settings() -> None:
    names = [rule.name for rule in pack.RULES]
    assert len(set(names)) == len(names)
    for rule in pack.RULES:
        policy = pack.policy(rule)
        assert (policy.name, policy.description) == (rule.name, rule.description)
        assert isinstance(policy, ResourceValidationPolicy) == isinstance(rule, Rule)
        schema = policy.config_schema
        assert set(schema.properties if schema else {}) == set(rule.settings)
