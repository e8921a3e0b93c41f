"""What `bootstrap` is to make, in names: every one follows from the estate and its account. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.errors import BadInputError
from mirrorforce.workspace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Estate

GITHUB_ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Footing:
    """What one estate's deployment stands on.

    region: where the state lies. regions, sites: where the estate's sites are, and which. repository:
    OWNER/NAME on GitHub. environment: the GitHub environment whose jobs deploy.
    """

    estate: str
    domain: str
    owner: str
    cost_centre: str
    partition: str
    account: str
    region: str
    regions: tuple[str, ...]
    sites: tuple[str, ...]
    repository: str
    environment: str

    @property
    def bucket(self) -> str:
        """The bucket of the state. Names of buckets are one space for the whole world: hence the account."""
        return f"{PROJECT}-{self.estate}-state-{self.account}"

    @property
    def bucket_arn(self) -> str:
        """The bucket, for policies."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def alias(self) -> str:
        """The name of the key that encrypts the state, and the stacks' secrets in it."""
        return f"alias/{PROJECT}-{self.estate}-state"

    @property
    def alias_arn(self) -> str:
        """The key by its name, for the bucket."""
        return f"arn:{self.partition}:kms:{self.region}:{self.account}:{self.alias}"

    @property
    def issuer_arn(self) -> str:
        """The identity provider of GitHub Actions; one for the whole account."""
        return self.iam(f"oidc-provider/{GITHUB_ISSUER}")

    @property
    def boundary(self) -> str:
        """The policy that bounds every role which the deploy role makes, as the estate file names it."""
        return f"{PROJECT}/{self.estate}-boundary"

    @property
    def boundary_arn(self) -> str:
        """The boundary, for policies."""
        return self.iam(f"policy/{self.boundary}")

    @property
    def preview_environment(self) -> str:
        """The GitHub environment whose jobs may look, and change nothing."""
        return f"{self.environment}-preview"

    @property
    def preview_role(self) -> str:
        """The role that looks."""
        return f"{self.estate}-preview"

    @property
    def deploy_role(self) -> str:
        """The role that deploys."""
        return f"{self.estate}-deploy"

    @property
    def backend(self) -> str:
        """The backend as Pulumi and the estate file name it."""
        return f"s3://{self.bucket}?region={self.region}"

    @property
    def secrets_provider(self) -> str:
        """The secrets provider as Pulumi and the estate file name it."""
        return f"awskms://{self.alias}?region={self.region}"

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of everything made here. `site: state` tells it from what the estate's stacks make."""
        return {
            "estate": self.estate,
            "site": "state",
            "owner": self.owner,
            "cost-centre": self.cost_centre,
        }

    def iam(self, what: str) -> str:
        """Something of IAM in the account, for policies."""
        return f"arn:{self.partition}:iam::{self.account}:{what}"

    def role_arn(self, role: str) -> str:
        """A role made here. Its path is no name that a stack's role could have."""
        return self.iam(f"role/{PROJECT}/{role}")


def footing(
    estate: Estate, caller_arn: str, *, repository: str, environment: str = "", region: str = ""
) -> Footing:
    """What the estate's deployment is to stand on, in the caller's account.

    BadInputError where the estate has no site on AWS, or is to be in another account.
    """
    if estate.aws is None:
        message = f"the estate {estate.name} has no site on AWS"
        raise BadInputError(message, f"bootstrap an estate whose stacks/{estate.name}.yaml has a section aws")
    _, partition, _, _, account, _ = caller_arn.split(":", maxsplit=5)
    if estate.aws.account and estate.aws.account != account:
        message = f"these credentials are of account {account}; aws.account is {estate.aws.account}"
        raise BadInputError(message, "use credentials of that account, or mend aws.account")
    regions = dict.fromkeys(site.aws.region for site in estate.sites if site.aws)
    return Footing(
        estate=estate.name,
        domain=estate.domain,
        owner=estate.aws.owner,
        cost_centre=estate.aws.cost_centre,
        partition=partition,
        account=account,
        region=region or state_region(estate),
        regions=tuple(regions),
        sites=tuple(site.name for site in estate.sites if site.aws),
        repository=repository,
        environment=environment or estate.name,
    )


def state_region(estate: Estate) -> str:
    """The region for the state: of a mirrored site that no cell prefers, where there is one.

    The loss of a primary's region is when the state is asked for: the third vote's region then stands.
    """
    on_aws = [site for site in estate.sites if site.aws]
    primaries = {estate.site(cell.preferred_site).failure_domain for cell in estate.cells}
    apart = [site for site in on_aws if site.mirrored and site.failure_domain not in primaries]
    chosen = (apart or on_aws)[0]
    return chosen.aws.region if chosen.aws else ""
