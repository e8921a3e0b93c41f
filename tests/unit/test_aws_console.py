"""A host's key as its console shows it, and who is asked for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import aws_account, estate_file
from mirrorforce.errors import MirrorforceError
from mirrorforce.sites import aws_providers
from mirrorforce.sites.aws_access import proxy_command
from mirrorforce.sites.aws_console import host_key, wait_for_host_key
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGYcvkQCQfXMT0wTUxzgZQ3zJYwvAcPGyMl0xSPNRvZt"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEeOQ3cK9QZy7X1y9mV0pF0c9lZ7m3Jx4w8q2n5r6t7A"
BLOCK = f"""
<14>Nov 23 10:00:01 cloud-init: #############################################################
-----BEGIN SSH HOST KEY KEYS-----
{KEY} root@east-na1
-----END SSH HOST KEY KEYS-----
[   21.5] cloud-init[611]: Cloud-init v. 25.1.4 finished
"""


def test_the_key_stands_between_cloud_inits_lines() -> None:
    assert host_key(BLOCK) == KEY


@pytest.mark.parametrize(
    "console",
    [
        "",
        KEY,
        BLOCK.partition("-----END")[0],
        BLOCK.replace(KEY, "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI"),
        BLOCK.replace(KEY, KEY[:-4]),
        BLOCK.replace(KEY, KEY + "AAAA"),
    ],
)
def test_half_a_block_and_other_keys_are_none(console: str) -> None:
    assert host_key(console) is None


def test_the_first_block_counts_whatever_is_written_later() -> None:
    assert host_key(BLOCK + BLOCK.replace(KEY, OTHER)) == KEY


def test_a_console_breaks_lines_and_prefixes_them_and_the_key_is_found_all_the_same() -> None:
    assert host_key(BLOCK.replace("\n", "\r\n").replace(KEY, f"ci-info: {KEY}")) == KEY


@given(st.text())
def test_any_console_has_an_answer(text: str) -> None:
    assert host_key(text) is None


def looks(*shown: str) -> Callable[[], str]:
    left = list(shown)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_console_is_looked_at_until_it_shows_the_key() -> None:
    paused: list[float] = []
    assert wait_for_host_key("i-1", looks("", "Linux", BLOCK), pause=paused.append, clock=lambda: 0.0) == KEY
    assert len(paused) == 2


def test_a_console_that_never_shows_a_key_is_given_up_with_the_command_that_shows_it() -> None:
    times = iter(range(0, 10_000, 100))
    with pytest.raises(MirrorforceError, match="console of instance i-1") as caught:
        wait_for_host_key("i-1", looks("Linux"), pause=lambda _: None, clock=lambda: float(next(times)))
    assert "get-console-output" in caught.value.next_step


class Ec2:
    """EC2's answers to get_console_output, one after the other."""

    def __init__(self, *answers: dict[str, Any] | ClientError) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def get_console_output(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - as boto3
        self.asked.append(asked)
        answer = self.answers.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return answer


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "GetConsoleOutput")


def test_the_latest_output_is_asked_for_and_where_there_is_none_the_posted_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ec2 = Ec2(
        {"Output": "now"}, refused("UnsupportedOperation"), {"Output": "before"}, {}, refused("Unauthorized")
    )
    regions = []

    def client(service: str, *, region_name: str) -> Ec2:
        regions.append((service, region_name))
        return ec2

    monkeypatch.setattr(boto3, "client", client)
    look = aws_providers.console_of("us-west-1", "i-1")
    assert [look(), look(), look()] == ["now", "before", ""]
    assert regions == [("ec2", "us-west-1")]
    assert ec2.asked[0] == {"InstanceId": "i-1", "Latest": True}
    assert ec2.asked[2] == {"InstanceId": "i-1"}
    with pytest.raises(ClientError):
        look()


def test_another_instance_has_another_key_and_the_same_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = aws_providers.HostKeyProvider()
    monkeypatch.setattr(aws_providers, "console_of", lambda _region, _instance: lambda: BLOCK)
    asked = {"region": "us-east-1", "instance_id": "i-1", "host_key": None}
    made = provider.create(asked)
    assert made.id == "i-1"
    assert made.outs is not None
    assert made.outs["host_key"] == KEY
    assert not provider.diff("i-1", made.outs, asked).changes
    other = provider.diff("i-1", made.outs, {**asked, "instance_id": "i-2"})
    assert other.changes
    assert other.replaces == ["instance_id"]


def test_ssh_goes_through_the_endpoints_tunnel_or_straight() -> None:
    assert proxy_command("us-east-1", "i-1", None) == ""
    assert proxy_command("us-east-1", "i-1", "eice-1").split() == [
        *("aws", "ec2-instance-connect", "open-tunnel", "--region", "us-east-1", "--instance-id", "i-1"),
        *("--instance-connect-endpoint-id", "eice-1", "--remote-port", "%p"),
    ]


# Who asks


ESTATE = estate_file.load(ROOT / "stacks" / "aws.yaml")


class Sts:
    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer

    def get_caller_identity(self) -> dict[str, str]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Account": self.answer}


def as_caller(monkeypatch: pytest.MonkeyPatch, answer: str | Exception) -> None:
    monkeypatch.setattr(boto3, "client", lambda _service, **_options: Sts(answer))


def test_without_credentials_the_site_and_the_field_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    as_caller(monkeypatch, NoCredentialsError())
    with pytest.raises(
        MirrorforceError, match=r"sites\.east\.platform is aws.*Unable to locate credentials"
    ) as caught:
        aws_account.require(ESTATE)
    assert "AWS_PROFILE" in caught.value.next_step


def test_credentials_of_another_account_than_the_declared_one_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ESTATE.aws is not None
    mine = replace(ESTATE, aws=replace(ESTATE.aws, account="123456789012"))
    as_caller(monkeypatch, "123456789012")
    aws_account.require(mine)
    as_caller(monkeypatch, "999999999999")
    aws_account.require(ESTATE)
    with pytest.raises(MirrorforceError, match=r"aws\.account is 123456789012.*999999999999"):
        aws_account.require(mine)


def test_an_estate_off_aws_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    as_caller(monkeypatch, AssertionError("asked"))
    aws_account.require(estate_file.load(ROOT / "stacks" / "lab.yaml"))
