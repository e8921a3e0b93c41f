from __future__ import annotations

import fnmatch
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import estate_file
from mirrorforce.errors import BadInputError
from mirrorforce.operations import bootstrap_policies as policies
from mirrorforce.operations.bootstrap import repository_name
from mirrorforce.operations.bootstrap_names import Footing, footing
from mirrorforce.operations.bootstrap_plan import Part, Value, canonical, parts, plan

ROOT = Path(__file__).parents[2]
AWS = estate_file.load(ROOT / "stacks" / "aws.yaml")
LAB = estate_file.load(ROOT / "stacks" / "lab.yaml")
CALLER = "arn:aws:sts::123456789012:assumed-role/admin/someone"
OF = footing(AWS, CALLER, repository="acme/estate")

LARGEST_INLINE_POLICY = 10_240
"""Characters of a role's inline policies without white space ("IAM and AWS STS quotas", IAM User Guide)."""
LARGEST_TRUST = 2_048
LARGEST_BUCKET_POLICY = 20 * 1024


def statements(document: Value) -> list[Value]:
    return list(document["Statement"])


def actions(statement: Value) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


def test_the_state_lies_in_the_region_whose_loss_takes_no_primary() -> None:
    assert OF.region == "us-west-1"
    assert footing(AWS, CALLER, repository="a/b", region="eu-west-1").region == "eu-west-1"


def test_names_follow_from_the_estate_and_its_account() -> None:
    assert OF.bucket == "mirrorforce-aws-state-123456789012"
    assert OF.backend == "s3://mirrorforce-aws-state-123456789012?region=us-west-1"
    assert OF.secrets_provider == "awskms://alias/mirrorforce-aws-state?region=us-west-1"
    other = footing(AWS, CALLER.replace("arn:aws:", "arn:aws-us-gov:"), repository="a/b")
    assert all("arn:aws:" not in json.dumps(part.wanted) for part in parts(other))


def test_an_estate_without_a_site_on_aws_is_refused() -> None:
    with pytest.raises(BadInputError, match="the estate lab has no site on AWS"):
        footing(LAB, CALLER, repository="a/b")


def test_credentials_of_another_account_are_refused_before_anything_is_asked() -> None:
    assert AWS.aws
    elsewhere = replace(AWS, aws=replace(AWS.aws, account="999999999999"))
    with pytest.raises(BadInputError, match=r"account 123456789012; aws\.account is 999999999999"):
        footing(elsewhere, CALLER, repository="a/b")


@pytest.mark.parametrize("text", ["", "acme", "acme/", "/estate", "acme/estate/x", "acme/*", "acme/es tate"])
def test_a_repository_is_an_owner_and_a_name_and_no_pattern(text: str) -> None:
    with pytest.raises(BadInputError, match="OWNER/NAME"):
        repository_name(text)


def test_a_repository_may_be_named_as_github_lets_one() -> None:
    assert repository_name("Acme-2/estate_1.x") == "Acme-2/estate_1.x"


def found_as(wanted: tuple[Part, ...]) -> dict[tuple[str, str], Value]:
    return {(part.kind, part.name): part.wanted for part in wanted}


def test_what_is_there_as_wanted_is_kept() -> None:
    wanted = parts(OF)
    assert {step.action for step in plan(wanted, found_as(wanted))} == {"keep"}


def test_what_is_missing_is_made_and_what_differs_is_changed() -> None:
    wanted = parts(OF)
    found = found_as(wanted) | {("bucket", OF.bucket): None, ("bucket versioning", OF.bucket): "Suspended"}
    steps = {step.part.kind: step.action for step in plan(wanted, found) if step.action != "keep"}
    assert steps == {"bucket": "make", "bucket versioning": "change"}


def test_each_part_comes_after_what_it_needs() -> None:
    order = [part.kind for part in parts(OF)]
    assert order.index("key") < order.index("bucket encryption")
    for owner in ("key", "bucket", "role"):
        others = [index for index, kind in enumerate(order) if kind.startswith(f"{owner} ")]
        assert order.index(owner) < min(others)
    assert order.index("identity provider") < order.index("role")


def test_no_two_parts_are_the_same() -> None:
    wanted = parts(OF)
    assert len(found_as(wanted)) == len(wanted)


def test_tags_of_others_are_left_out_of_account() -> None:
    (tags,) = [part for part in parts(OF) if part.kind == "bucket tags"]
    assert tags.holds({**tags.wanted, "team": "theirs"})
    assert not tags.holds({**tags.wanted, "estate": "other"})
    assert not tags.holds({})


JSON = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_a_document_has_one_form_whatever_order_its_lists_are_in(value: Value) -> None:
    def turned(each: Value) -> Value:
        if isinstance(each, dict):
            return {key: turned(inner) for key, inner in reversed(each.items())}
        return [turned(inner) for inner in reversed(each)] if isinstance(each, list) else each

    assert canonical(turned(value)) == canonical(value)
    assert canonical(canonical(value)) == canonical(value)
    assert canonical([value]) == canonical(value) or isinstance(value, list)


def test_documents_are_within_what_aws_takes() -> None:
    for document in (policies.preview(OF), policies.deploy(OF)):
        assert len(json.dumps(document, separators=(",", ":"))) <= LARGEST_INLINE_POLICY
    assert len(json.dumps(policies.trust(OF, OF.environment))) <= LARGEST_TRUST
    assert len(json.dumps(policies.bucket_policy(OF))) <= LARGEST_BUCKET_POLICY


READING = ("Describe*", "Get*", "List*", "Search*", "Decrypt")


def test_whoever_previews_may_change_nothing() -> None:
    for statement in statements(policies.preview(OF)):
        for action in actions(statement):
            verb = action.partition(":")[2].removesuffix("*")
            assert any(fnmatch.fnmatch(verb, pattern) for pattern in READING), action


def test_nobody_is_given_a_whole_service_or_another_estates_roles() -> None:
    for document in (policies.preview(OF), policies.deploy(OF), policies.boundary(OF)):
        for statement in statements(document):
            assert all(not action.endswith(":*") for action in actions(statement))
            if any(action.startswith("iam:") for action in actions(statement)):
                resources = statement["Resource"]
                listed = [resources] if isinstance(resources, str) else resources
                assert all("/aws-" in resource for resource in listed)


def test_whoever_deploys_cannot_make_a_role_that_is_not_bounded() -> None:
    making = [
        statement
        for statement in statements(policies.deploy(OF))
        if {"iam:CreateRole", "iam:PutRolePolicy"} & set(actions(statement))
    ]
    assert making
    for statement in making:
        assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": OF.boundary_arn}}
    forbidden = {"iam:DeleteRolePermissionsBoundary", "iam:AttachRolePolicy", "iam:CreatePolicyVersion"}
    for statement in statements(policies.deploy(OF)):
        assert not forbidden & set(actions(statement))


def test_the_roles_that_bootstrap_makes_are_out_of_their_own_reach() -> None:
    for role in (OF.preview_role, OF.deploy_role):
        for statement in statements(policies.deploy(OF)):
            if any(action.startswith("iam:") for action in actions(statement)):
                resources = statement["Resource"]
                listed = [resources] if isinstance(resources, str) else resources
                assert not any(fnmatch.fnmatch(OF.role_arn(role), pattern) for pattern in listed)


def test_the_states_key_is_not_whoever_deploys_to_change() -> None:
    (kept,) = [each for each in statements(policies.deploy(OF)) if each["Effect"] == "Deny"]
    assert {"kms:ScheduleKeyDeletion", "kms:PutKeyPolicy"} <= set(actions(kept))
    assert kept["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": OF.alias}}


def test_data_is_deleted_only_where_it_has_the_estates_tag() -> None:
    for statement in statements(policies.deploy(OF)):
        if {"ec2:DeleteVolume", "ec2:TerminateInstances", "ec2:ModifyVolume"} & set(actions(statement)):
            assert statement["Condition"]["StringEquals"]["aws:ResourceTag/estate"] == "aws"


def test_a_footing_says_nothing_of_an_environment_that_was_not_named() -> None:
    assert isinstance(OF, Footing)
    assert (OF.environment, OF.preview_environment) == ("aws", "aws-preview")
    named = footing(AWS, CALLER, repository="a/b", environment="production")
    assert (named.environment, named.preview_environment) == ("production", "production-preview")
