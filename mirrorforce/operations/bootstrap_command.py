"""`mirrorforce bootstrap …`: what an environment stands on. Arguments and printing, nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from mirrorforce.command_line import EnvOption, out

app = typer.Typer(
    name="bootstrap",
    help="Make what an environment stands on before its first `up`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def bootstrap() -> None:
    """Make what an environment stands on before its first `up`."""


@app.command()
def aws(
    repository: Annotated[
        str, typer.Option("--repository", "-r", help="OWNER/NAME on GitHub, whose jobs preview and deploy.")
    ],
    env: EnvOption = "aws",
    environment: Annotated[
        str,
        typer.Option(
            "--environment", help="GitHub environment that deploys; else ENV. Previews: with -preview behind."
        ),
    ] = "",
    region: Annotated[
        str,
        typer.Option("--region", help="Where the state lies; else apart from the cells' preferred sites."),
    ] = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Bucket and key for the state, roles for GitHub Actions. Run again, it mends what differs."""
    from mirrorforce import environment as environments
    from mirrorforce.operations import bootstrap as operation

    _, estate = environments.declared(env, root=False)
    account = operation.Account(
        estate, repository=operation.repository_name(repository), environment=environment, region=region
    )
    steps = account.plan()
    out.print(f"account {account.of.account}, region {account.of.region}", highlight=False)
    for step in steps:
        if not dry_run:
            account.carry_out(step)
        out.print(
            f"  {step.action:<7} {step.part.kind:<21} {step.part.name}", highlight=False, soft_wrap=True
        )
    changed = sum(step.action != "keep" for step in steps)
    if dry_run:
        out.print(f"{changed} of {len(steps)} would be made or changed; nothing was touched")
        return
    out.print(f"{changed} of {len(steps)} made or changed" if changed else "all is as it is to be")
    for line in operation.next_steps(account.of):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
