"""`mirrorforce adopt`: arguments and printing, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from mirrorforce import environment
from mirrorforce.command_line import Env, out
from mirrorforce.progress import Phases
from mirrorforce.sites import static_check

if TYPE_CHECKING:
    from mirrorforce.operations.adopt import Found, Result


def adopt(env: Env = "lab") -> None:
    """Look at the machines of static sites: who answers, with which key, what they lack. Changes nothing."""
    from mirrorforce.operations import adopt as operation

    workspace, estate = environment.declared(env)
    result = operation.adopt(workspace, estate, Phases(out))
    out.print(f"the estate's public key: {escape(result.public_key)}", soft_wrap=True, highlight=False)
    if result.found:
        out.print(_table(result.found))
    if result.complaints:
        raise static_check.error(env, result.complaints, result.machines)
    out.print(f"{_machines(result)} can become hosts; next: mirrorforce up {env}", highlight=False)


def _table(found: tuple[Found, ...]) -> Table:
    table = Table("Host", "Address", "System", "Kernel", "Volumes")
    for each in found:
        mounts = each.facts.mounts
        volumes = (
            f"{volume.name} {mounted.size_mib} MiB"
            for volume in each.host.volumes
            if (mounted := mounts.get(volume.mount))
        )
        kernel = "its own" if each.facts.container == "none" else each.facts.container
        cells = (each.host.name, str(each.host.address), each.facts.system, kernel, "\n".join(volumes))
        table.add_row(*map(escape, cells))
    return table


def _machines(result: Result) -> str:
    return "the machine" if result.machines == 1 else f"all {result.machines} machines"
