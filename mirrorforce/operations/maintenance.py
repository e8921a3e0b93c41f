"""`maintenance`: the failover agents of a cell keep still while somebody works on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import placement, remote
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.onhost import PYTHON_PATH
from mirrorforce.operations import names

if TYPE_CHECKING:
    from mirrorforce.estate import Estate
    from mirrorforce.workspace import Workspace

_TIMEOUT = 20.0
_PROGRAM = (
    "sudo", "-n", "env", PYTHON_PATH,
    "python3", "-m", "mirrorforce.onhost.failover_agent", "maintenance",
)  # fmt: skip


def maintenance(ws: Workspace, estate: Estate, cell_name: str, *, on: bool) -> str:
    """Begin or end it; the member through which it was told to etcd.

    BadInputError where the cell does not exist or the estate has no agents; MirrorforceError where no
    member of the cell could tell etcd.
    """
    cell = names.cell(estate, cell_name)
    if not estate.fence_and_release:
        raise BadInputError(
            f"{estate.name} has no failover agents that could keep still",
            "agents come with failover: {fence_and_release: true}; Patroni is paused by patronictl pause",
        )
    reasons = []
    for member in placement.members_of_cell(estate, cell):
        result = remote.run(ws, member.name, [*_PROGRAM, "on" if on else "off"], timeout=_TIMEOUT)
        if result.ok:
            return member.name
        reasons.append(f"{member.name}: {result.stderr.strip().splitlines()[-1:] or result.reason}")
    raise MirrorforceError(
        f"no member of {cell.name} could tell etcd: {'; '.join(reasons)}", f"mirrorforce status {ws.env}"
    )
