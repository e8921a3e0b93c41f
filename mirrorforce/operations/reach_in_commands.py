"""The verbs that reach into an estate: arguments and printing, nothing else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mirrorforce import superuser
from mirrorforce.command_line import Env, EnvOption, Json, declared, running, show

app = typer.Typer()


@app.command(
    rich_help_panel="Reach in", context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
def ssh(
    context: typer.Context,
    host: Annotated[str, typer.Argument(help="A host's name, as `status` shows it.")],
    env: EnvOption = "lab",
) -> None:
    """A shell on a host, or one command there: `mirrorforce ssh east-na1 uptime`.

    A single argument goes to the host's shell as it is: `mirrorforce ssh east-na1 'df -h | tail -3'`.
    """
    from mirrorforce import remote
    from mirrorforce.operations import names

    workspace, _, inventory = running(env)
    known = names.known("host", host, [each.name for each in inventory.hosts])
    command = context.args[0] if len(context.args) == 1 else context.args or None
    line = remote.arguments(workspace, known, command, terminal=sys.stdin.isatty())
    superuser.become(line)


@app.command(
    rich_help_panel="Reach in", context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
def psql(
    context: typer.Context,
    cell: Annotated[str, typer.Argument(help="The cell to talk to.")],
    env: EnvOption = "lab",
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help="Ask the nearest healthy standby.")] = False,
    wait_seconds: Annotated[
        int,
        typer.Option("--wait", help="Try again for this many seconds where the cell does not answer.", min=0),
    ] = 0,
) -> None:
    """A session on a cell by its DNS name, from an application host. What follows goes to psql."""
    from mirrorforce.operations import psql as operation

    workspace, estate, inventory = running(env)
    superuser.become(
        operation.command(
            workspace,
            estate,
            inventory,
            cell,
            read_only=read_only,
            wait_seconds=wait_seconds,
            arguments=context.args,
            terminal=sys.stdin.isatty(),
        )
    )


@app.command(rich_help_panel="Reach in")
def inventory(env: Env = "lab", *, as_json: Json = False) -> None:
    """The hosts that exist, from the stacks' outputs. No secret is in it."""
    from mirrorforce.operations import render_verbs

    _, _, found = running(env)
    show(found.to_dict(), render_verbs.inventory, as_json=as_json)


@app.command("env", rich_help_panel="Reach in")
def environment(env: Env = "lab") -> None:
    """The environment for plain `pulumi`, `ansible-playbook`, `pytest`: eval "$(mirrorforce env)"."""
    import shlex

    from mirrorforce import engine

    workspace, _ = declared(env)
    for name, value in sorted(engine.environment(workspace).items()):
        typer.echo(f"export {name}={shlex.quote(value)}")
