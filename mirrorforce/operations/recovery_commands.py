"""The verbs for when too much is lost: arguments and printing, nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from mirrorforce.command_line import EnvOption, out, running

app = typer.Typer()


@app.command(rich_help_panel="When too much is lost")
def recover(
    cell: Annotated[str, typer.Argument(help="The cell to go on with.")],
    site: Annotated[str, typer.Option("--from", help="The site that is left, with a voter and a member.")],
    env: EnvOption = "lab",
    *,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Do it. Without this, say what may be lost.")
    ] = False,
) -> None:
    """Go on from one site, with a majority of sites gone for good: rebuild etcd there and promote."""
    from mirrorforce.lock import only_one
    from mirrorforce.operations import recover as operation
    from mirrorforce.operations import render_verbs
    from mirrorforce.progress import Phases

    workspace, estate, inventory = running(env)
    with only_one(workspace, f"recover {cell}"), Phases(out).phase("recover") as waits_for:
        done = operation.recover(
            workspace, estate, inventory, cell, site, accept_loss=accept_loss, on_progress=waits_for
        )
    for part in render_verbs.recovery(done, env):
        out.print(part)


@app.command("take-back", rich_help_panel="When too much is lost")
def take_back(
    site: Annotated[str, typer.Argument(help="A site that was given up, cut off from others or new.")],
    env: EnvOption = "lab",
) -> None:
    """Let a site that `recover` gave up join again, without anything that it held."""
    from mirrorforce.lock import only_one
    from mirrorforce.operations import take_back as operation
    from mirrorforce.progress import Phases

    workspace, estate, inventory = running(env)
    with only_one(workspace, f"take-back {site}"), Phases(out).phase("take-back") as waits_for:
        done = operation.take_back(workspace, estate, inventory, site, waits_for)
    out.print(f"{site} has joined again, with nothing it held" if done else f"{site} is there already")


@app.command(rich_help_panel="When too much is lost")
def reinit(
    host: Annotated[str, typer.Argument(help="A member, as `status` shows it; not the primary.")],
    env: EnvOption = "lab",
) -> None:
    """Copy a member anew from its cell's primary; what it holds is removed first."""
    from mirrorforce.lock import only_one
    from mirrorforce.operations import reinit as operation
    from mirrorforce.progress import Phases

    workspace, estate, inventory = running(env)
    with only_one(workspace, f"reinit {host}"), Phases(out).phase("reinit") as waits_for:
        done = operation.reinit(workspace, estate, inventory, host, on_progress=waits_for)
    out.print(f"{done.member} streams from {done.primary}, copied anew")
