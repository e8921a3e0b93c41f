"""Whose credentials the environment holds: asked once, before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from mirrorforce.estate import Estate

_WHO = "aws sts get-caller-identity says who you are"


def require(estate: Estate) -> None:
    """Nothing for an estate without sites on AWS. MirrorforceError without credentials, or with others'."""
    site = next((site for site in estate.sites if site.aws), None)
    if site is None or site.aws is None or estate.aws is None:
        return
    account = _account(site.name, site.aws.region)
    if estate.aws.account and account != estate.aws.account:
        raise MirrorforceError(
            f"aws.account is {estate.aws.account}, but the credentials are of the account {account}",
            f"set AWS_PROFILE to a profile of the account, or mend stacks/{estate.name}.yaml; {_WHO}",
        )


def _account(site: str, region: str) -> str:
    import boto3  # noqa: PLC0415 - half a second that only estates on AWS are worth
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return str(boto3.client("sts", region_name=region).get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise MirrorforceError(
            f"sites.{site}.platform is aws, but AWS does not know who asks: {error}",
            f"aws sso login, or set AWS_PROFILE; {_WHO}",
        ) from error
