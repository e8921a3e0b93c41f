"""`bootstrap aws`: what an estate on AWS stands on before its first `up`.

It keeps no state: it asks AWS part by part, and writes only what differs from what is wanted
(docs/adr/0008-bootstrap-asks-aws.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import bootstrap_names, bootstrap_plan
from mirrorforce.operations.bootstrap_identity import Boundary, Issuer, Role
from mirrorforce.operations.bootstrap_storage import Bucket, Key

if TYPE_CHECKING:
    from mirrorforce.estate import Estate
    from mirrorforce.operations.bootstrap_names import Footing
    from mirrorforce.operations.bootstrap_plan import Step, Value

Read: TypeAlias = Callable[[], "Value"]
Write: TypeAlias = Callable[["Value", "Value"], None]
Access: TypeAlias = Mapping[tuple[str, str], tuple[Read, Write]]
"""How each part is read and written, by its kind and name."""

_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


class Account:
    """The caller's account, with what one estate needs in it."""

    def __init__(self, estate: Estate, *, repository: str, environment: str = "", region: str = "") -> None:
        self._session = boto3.Session()
        caller = told(lambda: self._session.client("sts", region_name="us-east-1").get_caller_identity())
        self.of = bootstrap_names.footing(
            estate, caller["Arn"], repository=repository, environment=environment, region=region
        )
        self._access = _access(self._session, self.of)

    def plan(self) -> tuple[Step, ...]:
        """What is to be done. Changes nothing."""
        wanted = bootstrap_plan.parts(self.of)
        found = {(part.kind, part.name): told(self._access[part.kind, part.name][0]) for part in wanted}
        return bootstrap_plan.plan(wanted, found)

    def carry_out(self, step: Step) -> None:
        """Do one step."""
        part = step.part
        if step.action != "keep":
            told(lambda: self._access[part.kind, part.name][1](part.wanted, step.found), str(step))


def told(ask: Callable[[], Value], what: str = "asking AWS") -> Value:
    """AWS's answer, or its error in words that lead on."""
    try:
        return ask()
    except (NoCredentialsError, ProfileNotFound) as error:
        raise MirrorforceError(
            f"there are no credentials for AWS ({error})",
            "aws sso login, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from error
    except ClientError as error:
        details = error.response["Error"]
        message = f"{what}: {details.get('Message') or details['Code']} ({error.operation_name})"
        if details["Code"] in _REFUSED:
            raise MirrorforceError(
                message, "bootstrap needs an administrator of the account, once"
            ) from error
        raise MirrorforceError(
            message, "mend what it names, then run this again: it goes on from there"
        ) from error
    except BotoCoreError as error:
        raise MirrorforceError(
            f"{what}: {error}", "see that AWS can be reached, then run this again"
        ) from error


def repository_name(text: str) -> str:
    """OWNER/NAME as it stands in a token of GitHub; BadInputError for anything else."""
    owner, _, name = text.partition("/")
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    if not (owner and name) or set(owner + name) - set(allowed):
        message = f"--repository is {text!r}; allowed is OWNER/NAME, as in github.com/OWNER/NAME"
        raise BadInputError(message, "name the repository whose jobs may deploy this estate")
    return text


def next_steps(of: Footing) -> tuple[str, ...]:
    """What a person does next, a line each."""
    return (
        f"Put into stacks/{of.estate}.yaml, and commit it:",
        "    state:",
        f"      backend: {of.backend}",
        f"      secrets_provider: {of.secrets_provider}",
        f"and below its `aws:`    permissions_boundary: {of.boundary}",
        f"GitHub, environment {of.preview_environment}: AWS_ROLE_ARN={of.role_arn(of.preview_role)}",
        f"GitHub, environment {of.environment}: AWS_ROLE_ARN={of.role_arn(of.deploy_role)}",
        f"Plain pulumi: pulumi login '{of.backend}'",
        f"Then: mirrorforce up {of.estate}",
    )


def _access(session: boto3.Session, of: Footing) -> Access:
    key = Key(session.client("kms", region_name=of.region), of)
    bucket = Bucket(session.client("s3", region_name=of.region), of)
    iam = session.client("iam", region_name="us-east-1")
    issuer, bound = Issuer(iam, of), Boundary(iam, of)
    roles = {name: Role(iam, of, name) for name in (of.preview_role, of.deploy_role)}
    return {
        ("key", of.alias): (key.exists, key.make),
        ("key policy", of.alias): (key.policy, key.write_policy),
        ("key rotation", of.alias): (key.rotation, key.write_rotation),
        ("key tags", of.alias): (key.tags, key.write_tags),
        ("bucket", of.bucket): (bucket.exists, bucket.make),
        ("bucket public access", of.bucket): (bucket.public_access, bucket.write_public_access),
        ("bucket ownership", of.bucket): (bucket.ownership, bucket.write_ownership),
        ("bucket versioning", of.bucket): (bucket.versioning, bucket.write_versioning),
        ("bucket encryption", of.bucket): (bucket.encryption, bucket.write_encryption),
        ("bucket policy", of.bucket): (bucket.policy, bucket.write_policy),
        ("bucket lifecycle", of.bucket): (bucket.lifecycle, bucket.write_lifecycle),
        ("bucket tags", of.bucket): (bucket.tags, bucket.write_tags),
        ("identity provider", of.issuer_arn): (issuer.audiences, issuer.write),
        ("boundary", of.boundary): (bound.document, bound.write),
        **{("role", name): (role.trust, role.write_trust) for name, role in roles.items()},
        **{("role policy", name): (role.policy, role.write_policy) for name, role in roles.items()},
        **{("role tags", name): (role.tags, role.write_tags) for name, role in roles.items()},
    }
