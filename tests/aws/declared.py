"""The estate file of these tests: stacks/aws.yaml, less what moto lacks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import yaml

from mirrorforce import estate_file
from mirrorforce.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from mirrorforce.estate import Estate

ENV = "testaws"
"""The environment. Its files in stacks/ are not taken into the repository."""

WITHOUT = {
    "access": "direct",  # moto has no Instance Connect endpoints
    "controllers": ["10.40.0.0/24"],
    "spread": False,  # no placement groups
    "final_snapshots": False,  # they would be left, as they are to be
}


def document(env: str = ENV) -> dict[str, Any]:
    """The estate file, read, as that of the environment `env`."""
    text = (ROOT / "stacks" / "aws.yaml").read_text()
    declared: dict[str, Any] = yaml.safe_load(text)
    declared["estate"] = env
    declared["aws"]["image"] = {"owner": "self", "name": "debian-13-{architecture}-*"}
    declared["sites"]["legacy"]["aws"]["zones"] = ["a", "b"]  # moto's us-west-1
    for site in declared["sites"].values():
        site["aws"] |= copy.deepcopy(WITHOUT)
    return declared


def declare(declared: dict[str, Any]) -> Estate:
    """Write the estate file; the estate that it declares."""
    file = Workspace(declared["estate"]).estate_file
    file.write_text(yaml.safe_dump(declared, sort_keys=False))
    return estate_file.load(file)


def clear(env: str) -> None:
    """Remove what tests of an environment leave in stacks/."""
    folder = ROOT / "stacks"
    for file in (folder / f"{env}.yaml", *folder.glob(f"Pulumi.{env}-*.yaml")):
        file.unlink(missing_ok=True)
