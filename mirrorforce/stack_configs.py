"""The stacks' configs, `stacks/Pulumi.<stack>.yaml`: which there are, and how their secrets are encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from mirrorforce.errors import MirrorforceError
from mirrorforce.stack_names import interconnect_stack, site_stacks
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from mirrorforce.estate import Estate
    from mirrorforce.workspace import Workspace


def files(estate: Estate) -> list[Path]:
    """The configs of the estate's stacks that are there."""
    names = (*site_stacks(estate), interconnect_stack(estate))
    found = [ROOT / "stacks" / f"Pulumi.{name}.yaml" for name in names]
    return [file for file in found if file.exists()]


def require_provider(ws: Workspace, estate: Estate) -> None:
    """MirrorforceError where a config's secrets are encrypted otherwise than the estate file says."""
    wanted = ws.shared.secrets_provider if ws.shared else "a passphrase"
    for file in files(estate):
        config = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        found = config.get("secretsprovider", "a passphrase")
        if found != wanted:
            message = f"stacks/{file.name} is encrypted with {found}; stacks/{ws.env}.yaml says {wanted}"
            raise MirrorforceError(
                message,
                "docs/howto/bootstrap.md moves a state; remove the file if the estate is not up",
            )
