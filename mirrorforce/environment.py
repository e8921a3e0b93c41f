"""An environment by its name, as every verb takes it: its files, its estate, the hosts that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import estate_file, superuser
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory


def declared(env: str, *, root: bool = True) -> tuple[Workspace, Estate]:
    """The environment's files and estate; for a lab the rest of the command runs as root."""
    estate = estate_file.load(Workspace(env).estate_file)
    workspace = Workspace(env, estate.state)
    if root and any(site.platform == "lab" for site in estate.sites):
        superuser.become_root()
    return workspace, estate


def running(env: str) -> tuple[Workspace, Estate, Inventory]:
    """The same, and the hosts that exist."""
    from mirrorforce import inventory  # noqa: PLC0415 - the engine behind it takes time to import

    workspace, estate = declared(env)
    return workspace, estate, inventory.read(workspace, estate)
