"""Where resources on AWS go: below which parent, through which provider, under which names and tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

if TYPE_CHECKING:
    from mirrorforce.aws import AwsEstate
    from mirrorforce.estate import Estate, Host

OF_ALL_SITES = "interconnect"
"""The tag `site` of what joins sites."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One region as a stack sees it. `site` is a site's name, or `OF_ALL_SITES`."""

    estate: Estate
    shared: AwsEstate
    site: str
    region: str
    parent: pulumi.Resource
    provider: aws.Provider

    def name(self, part: str) -> str:
        """The name of what belongs to no host: names in an account are one space for all estates."""
        return f"{self.estate.name}-{self.site}-{part}"

    def options(self, **more: Any) -> pulumi.ResourceOptions:  # noqa: ANN401 - as ResourceOptions takes them
        """The options of a resource; `more` as `pulumi.ResourceOptions` takes them."""
        return pulumi.ResourceOptions(parent=self.parent, provider=self.provider, **more)

    def asking(self) -> pulumi.InvokeOptions:
        """The options of a question to AWS."""
        return pulumi.InvokeOptions(parent=self.parent, provider=self.provider)

    def tags(self, name: str, **more: str) -> dict[str, str]:
        """The tags of everything, with the resource's own."""
        return {
            "Name": name,
            "estate": self.estate.name,
            "site": self.site,
            "owner": self.shared.owner,
            "cost-centre": self.shared.cost_centre,
            **more,
        }

    def host_tags(self, host: Host, name: str = "") -> dict[str, str]:
        """The tags of a host, or of what belongs to one."""
        cell = {"cell": host.cell} if host.cell else {}
        return self.tags(name or host.name, role=host.role, **cell)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: in which account, of which partition of AWS (`aws`, or one that a government has)."""

    partition: str
    account: str

    def boundary(self, shared: AwsEstate) -> str | None:
        """The ARN of the policy that bounds every role; None where the estate names none."""
        name = shared.permissions_boundary
        return f"arn:{self.partition}:iam::{self.account}:policy/{name}" if name else None


def who_asks(scope: Scope) -> Caller:
    """Ask AWS whose credentials these are."""
    found = aws.get_caller_identity(opts=scope.asking())
    return Caller(found.arn.split(":")[1], found.account_id)


def provider(shared: AwsEstate, region: str, parent: pulumi.Resource) -> aws.Provider:
    """The provider of one region. Credentials are the caller's own: none is ever in a stack."""
    return aws.Provider(
        region,
        region=region,
        allowed_account_ids=[shared.account] if shared.account else None,
        opts=pulumi.ResourceOptions(parent=parent),
    )
