"""Who may deploy, as IAM has it: the identity provider, the boundary and the roles, part by part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mirrorforce.operations.bootstrap_names import AUDIENCE, GITHUB_ISSUER
from mirrorforce.operations.bootstrap_storage import found_or_none
from mirrorforce.workspace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.operations.bootstrap_names import Footing
    from mirrorforce.operations.bootstrap_plan import Value
    from mirrorforce.operations.bootstrap_storage import Client

_ABSENT = "NoSuchEntity"
_PATH = f"/{PROJECT}/"
_SESSION_SECONDS = 3600
_VERSIONS_OF_POLICY = 5
"""So many versions of a policy there can be."""


class Issuer:
    """GitHub's identity provider. The account may have it already, for others: it is shared."""

    def __init__(self, iam: Client, of: Footing) -> None:
        self._iam = iam
        self._arn = of.issuer_arn

    def audiences(self) -> Value:
        """Of whom it may be asked: ours, or none that is ours."""
        found = found_or_none(
            lambda: self._iam.get_open_id_connect_provider(OpenIDConnectProviderArn=self._arn), _ABSENT
        )
        return None if found is None else [each for each in found["ClientIDList"] if each == AUDIENCE]

    def write(self, wanted: list[str], found: Value) -> None:
        """Make it, or add our audience. AWS knows GitHub's certificates by itself."""
        if found is None:
            self._iam.create_open_id_connect_provider(Url=f"https://{GITHUB_ISSUER}", ClientIDList=wanted)
            return
        for audience in wanted:
            self._iam.add_client_id_to_open_id_connect_provider(
                OpenIDConnectProviderArn=self._arn, ClientID=audience
            )


class Boundary:
    """The policy that bounds what the deploy role makes."""

    def __init__(self, iam: Client, of: Footing) -> None:
        self._iam = iam
        self._of = of

    def document(self) -> Value:
        """What it says now."""
        arn = self._of.boundary_arn
        found = found_or_none(lambda: self._iam.get_policy(PolicyArn=arn), _ABSENT)
        if found is None:
            return None
        version = found["Policy"]["DefaultVersionId"]
        return self._iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]

    def write(self, wanted: Value, found: Value) -> None:
        """Make it, or make a new version of it the one that counts."""
        text = json.dumps(wanted)
        if found is None:
            name = self._of.boundary.rpartition("/")[2]
            self._iam.create_policy(
                PolicyName=name, Path=_PATH, PolicyDocument=text, Tags=_tags(self._of.tags)
            )
            return
        self._make_room()
        self._iam.create_policy_version(
            PolicyArn=self._of.boundary_arn, PolicyDocument=text, SetAsDefault=True
        )

    def _make_room(self) -> None:
        arn = self._of.boundary_arn
        versions = self._iam.list_policy_versions(PolicyArn=arn)["Versions"]
        if len(versions) == _VERSIONS_OF_POLICY:
            oldest = min((each for each in versions if not each["IsDefaultVersion"]), key=_made)
            self._iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])


class Role:
    """A role for jobs on GitHub."""

    def __init__(self, iam: Client, of: Footing, name: str) -> None:
        self._iam = iam
        self._of = of
        self._name = name

    def trust(self) -> Value:
        """Whom it trusts."""
        found = found_or_none(lambda: self._iam.get_role(RoleName=self._name), _ABSENT)
        return None if found is None else found["Role"]["AssumeRolePolicyDocument"]

    def write_trust(self, wanted: Value, found: Value) -> None:
        """Make it, or set whom it trusts."""
        text = json.dumps(wanted)
        if found is not None:
            self._iam.update_assume_role_policy(RoleName=self._name, PolicyDocument=text)
            return
        self._iam.create_role(
            RoleName=self._name,
            Path=_PATH,
            AssumeRolePolicyDocument=text,
            MaxSessionDuration=_SESSION_SECONDS,
            Description=f"Jobs of {self._of.repository} for the estate {self._of.estate}",
            Tags=_tags(self._of.tags),
        )

    def policy(self) -> Value:
        """What it may do."""
        found = found_or_none(
            lambda: self._iam.get_role_policy(RoleName=self._name, PolicyName=self._name), _ABSENT
        )
        return None if found is None else found["PolicyDocument"]

    def write_policy(self, wanted: Value, _found: Value) -> None:
        """Set what it may do."""
        self._iam.put_role_policy(
            RoleName=self._name, PolicyName=self._name, PolicyDocument=json.dumps(wanted)
        )

    def tags(self) -> Value:
        """The role's tags."""
        found = found_or_none(lambda: self._iam.list_role_tags(RoleName=self._name), _ABSENT)
        return None if found is None else {tag["Key"]: tag["Value"] for tag in found["Tags"]}

    def write_tags(self, wanted: dict[str, str], _found: Value) -> None:
        """Add the tags."""
        self._iam.tag_role(RoleName=self._name, Tags=_tags(wanted))


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def _made(version: Value) -> Value:
    return version["CreateDate"]
