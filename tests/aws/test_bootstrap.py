"""`mirrorforce bootstrap aws` on an account of its own, and the shared state that it makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mirrorforce import engine, estate_file
from mirrorforce.cli import whole
from mirrorforce.errors import ExitCode, MirrorforceError
from mirrorforce.operations.bootstrap import Account
from mirrorforce.operations.bootstrap_names import GITHUB_ISSUER
from mirrorforce.workspace import ROOT, SharedState, Workspace
from tests.aws import declared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mirrorforce.estate import Estate
    from mirrorforce.operations.bootstrap_plan import Step
    from tests.aws.cloud import Cloud

ESTATE = estate_file.load(ROOT / "stacks" / "aws.yaml")
REPOSITORY = "acme/estate"
ENV = "testshared"


def account(estate: Estate = ESTATE) -> Account:
    return Account(estate, repository=REPOSITORY)


def carry_out(one: Account) -> list[Step]:
    """The steps that changed something."""
    steps = [step for step in one.plan() if step.action != "keep"]
    for step in steps:
        one.carry_out(step)
    return steps


@pytest.fixture(scope="module")
def made(cloud: Cloud) -> Account:
    """The account after the first run."""
    assert cloud.endpoint
    one = account()
    assert {step.action for step in carry_out(one)} == {"make"}
    return one


def pending(one: Account) -> list[str]:
    return [f"{step.action} {step.part.kind}" for step in one.plan() if step.action != "keep"]


def test_a_dry_run_says_everything_and_makes_nothing(cloud: Cloud) -> None:
    arguments = ["bootstrap", "aws", "--repository", REPOSITORY, "--dry-run"]
    done = CliRunner().invoke(whole(), arguments)
    assert done.exit_code == ExitCode.AS_DECLARED, done.output
    assert "20 of 20 would be made" in done.output
    assert not cloud.client("s3").list_buckets()["Buckets"]
    assert not cloud.client("iam").list_roles()["Roles"]


def test_a_second_run_changes_nothing(made: Account) -> None:
    assert pending(made) == []
    done = CliRunner().invoke(whole(), ["bootstrap", "aws", "--repository", REPOSITORY])
    assert done.exit_code == ExitCode.AS_DECLARED, done.output
    assert "all is as it is to be" in done.output
    assert f"backend: {made.of.backend}" in done.output


def test_the_bucket_keeps_versions_encrypted_and_shows_them_to_nobody(cloud: Cloud, made: Account) -> None:
    s3, bucket = cloud.client("s3", made.of.region), made.of.bucket
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "us-west-1"
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4
    assert all(blocked.values())
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == made.of.alias_arn
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    (tls,) = [each for each in policy["Statement"] if each["Sid"] == "TlsOnly"]
    assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", "s3:*")


def test_roles_trust_one_environment_of_one_repository(cloud: Cloud, made: Account) -> None:
    iam = cloud.client("iam")
    for role, environment in ((made.of.preview_role, "aws-preview"), (made.of.deploy_role, "aws")):
        trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        (statement,) = trust["Statement"]
        assert statement["Condition"] == {
            "StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": f"repo:{REPOSITORY}:environment:{environment}",
            }
        }


def open_the_bucket(cloud: Cloud, made: Account) -> None:
    cloud.client("s3", made.of.region).delete_public_access_block(Bucket=made.of.bucket)


def stop_versions(cloud: Cloud, made: Account) -> None:
    cloud.client("s3", made.of.region).put_bucket_versioning(
        Bucket=made.of.bucket, VersioningConfiguration={"Status": "Suspended"}
    )


def drop_the_bucket_policy(cloud: Cloud, made: Account) -> None:
    cloud.client("s3", made.of.region).delete_bucket_policy(Bucket=made.of.bucket)


def stop_the_rotation(cloud: Cloud, made: Account) -> None:
    cloud.client("kms", made.of.region).disable_key_rotation(
        KeyId=cloud.client("kms", made.of.region).describe_key(KeyId=made.of.alias)["KeyMetadata"]["KeyId"]
    )


def trust_everybody(cloud: Cloud, made: Account) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}],
    }
    cloud.client("iam").update_assume_role_policy(
        RoleName=made.of.deploy_role, PolicyDocument=json.dumps(document)
    )


def allow_everything(cloud: Cloud, made: Account) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    cloud.client("iam").put_role_policy(
        RoleName=made.of.preview_role, PolicyName=made.of.preview_role, PolicyDocument=json.dumps(document)
    )


def unbound(cloud: Cloud, made: Account) -> None:
    """As often as there can be versions of a policy."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam, arn = cloud.client("iam"), made.of.boundary_arn
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)


def leave_the_provider_to_others(cloud: Cloud, made: Account) -> None:
    iam, arn = cloud.client("iam"), made.of.issuer_arn
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.create_open_id_connect_provider(Url=f"https://{GITHUB_ISSUER}", ClientIDList=["theirs"])


@pytest.mark.parametrize(
    ("meddle", "mended"),
    [
        (open_the_bucket, "make bucket public access"),
        (stop_versions, "change bucket versioning"),
        (drop_the_bucket_policy, "make bucket policy"),
        (stop_the_rotation, "change key rotation"),
        (trust_everybody, "change role"),
        (allow_everything, "change role policy"),
        (unbound, "change boundary"),
        (leave_the_provider_to_others, "change identity provider"),
    ],
)
def test_what_somebody_changed_is_mended_and_nothing_else(
    cloud: Cloud, made: Account, meddle: Callable[[Cloud, Account], None], mended: str
) -> None:
    meddle(cloud, made)
    assert pending(made) == [mended]
    carry_out(made)
    assert pending(made) == []


def test_what_others_have_there_stays(cloud: Cloud, made: Account) -> None:
    s3 = cloud.client("s3", made.of.region)
    tags = s3.get_bucket_tagging(Bucket=made.of.bucket)["TagSet"]
    others = [{"Key": "team", "Value": "theirs"}, *(tag for tag in tags if tag["Key"] != "estate")]
    s3.put_bucket_tagging(Bucket=made.of.bucket, Tagging={"TagSet": others})
    assert pending(made) == ["change bucket tags"]
    carry_out(made)
    assert {"Key": "team", "Value": "theirs"} in s3.get_bucket_tagging(Bucket=made.of.bucket)["TagSet"]
    provider = cloud.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=made.of.issuer_arn)
    assert set(provider["ClientIDList"]) == {"theirs", "sts.amazonaws.com"}


def test_a_run_that_was_stopped_before_the_key_had_its_name_makes_no_second_key(
    cloud: Cloud, made: Account
) -> None:
    kms = cloud.client("kms", made.of.region)
    key = kms.describe_key(KeyId=made.of.alias)["KeyMetadata"]["KeyId"]
    kms.delete_alias(AliasName=made.of.alias)
    carry_out(made)
    assert kms.describe_key(KeyId=made.of.alias)["KeyMetadata"]["KeyId"] == key


def test_a_key_that_is_being_deleted_is_told_with_the_way_back(cloud: Cloud, made: Account) -> None:
    kms = cloud.client("kms", made.of.region)
    key = kms.describe_key(KeyId=made.of.alias)["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key)
    with pytest.raises(MirrorforceError, match="is being deleted") as refused:
        made.plan()
    assert f"cancel-key-deletion --region us-west-1 --key-id {key}" in refused.value.next_step
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert pending(made) == []


def test_without_credentials_the_way_to_get_some_is_told(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cloud
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(MirrorforceError, match="credentials") as refused:
        account()
    assert "AWS_PROFILE" in refused.value.next_step


@pytest.fixture
def shared(made: Account, home: None) -> Iterator[tuple[Workspace, Estate]]:  # noqa: ARG001
    """An estate whose state is in the bucket, on a machine that knows nothing else of it."""
    declared.clear(ENV)
    document = declared.document(ENV)
    document["state"] = {"backend": made.of.backend, "secrets_provider": made.of.secrets_provider}
    estate = declared.declare(document)
    yield Workspace(ENV, estate.state), estate
    declared.clear(ENV)


def test_state_and_secrets_are_shared_through_the_bucket_and_the_key(
    cloud: Cloud,
    made: Account,
    shared: tuple[Workspace, Estate],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ws, estate = shared
    assert ws.shared == SharedState(made.of.backend, made.of.secrets_provider)
    secrets = engine.prepare(ws, estate)
    config = (ROOT / "stacks" / f"Pulumi.{ENV}-interconnect.yaml").read_text()
    assert f"secretsprovider: {made.of.secrets_provider}" in config
    assert "PRIVATE KEY" not in config

    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path / "a colleague's"))
    assert engine.read_secrets(ws) == secrets
    assert engine.prepare(ws, estate) == secrets
    assert not list(ws.state.rglob("passphrase"))
    assert engine.outputs(ws, estate) == {str(name): {} for name in engine.stacks_of(estate)}

    listed = cloud.client("s3", made.of.region).list_objects_v2(Bucket=made.of.bucket)
    assert any("/stacks/" in each["Key"] for each in listed["Contents"])
    engine.forget(ws, estate)
    assert not engine.is_prepared(ws)
