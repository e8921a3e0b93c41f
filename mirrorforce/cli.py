"""The command line: arguments in, text out. Every verb is a module of `mirrorforce.operations`."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from mirrorforce.command_line import (
    Env,
    EnvOption,
    Json,
    Yes,
    declared,
    err,
    keep_showing,
    out,
    running,
    show,
)
from mirrorforce.errors import ExitCode, MirrorforceError


class Verbs(TyperGroup):
    """The verbs, with our errors as text on standard error and an exit status from the one table."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 (as the base class has it)
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except MirrorforceError as error:
            err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            err.print("stopped; run the same command again to go on from what is there")
            raise typer.Exit(ExitCode.ERROR) from None


app = typer.Typer(
    name="mirrorforce",
    cls=Verbs,
    help="A mirrored database estate as code: stand it up, check it, move it, break it on purpose.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(rich_help_panel="The estate")
def up(
    env: Env = "lab",
    *,
    converge_all: Annotated[
        bool, typer.Option("--converge-all", help="Converge hosts again that are as declared.")
    ] = False,
    accept_loss: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="This host or volume that holds data may be deleted or replaced."),
    ] = None,
    renew_image: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Make this host on AWS anew of today's image; volumes stay."),
    ] = None,
    site_by_site: Annotated[
        bool,
        typer.Option(
            "--site-by-site", help="One site after another; stop at the first that fails to verify."
        ),
    ] = False,
) -> None:
    """Stand the estate up, or bring it back to what its file says; verify it; show its status."""
    from mirrorforce.operations import plan, render, rollout
    from mirrorforce.operations import up as operation
    from mirrorforce.progress import Phases

    workspace, estate = declared(env)
    consent = plan.Consent(tuple(accept_loss or ()), tuple(renew_image or ()))
    bring_up = rollout.site_by_site if site_by_site else operation.up
    result = bring_up(workspace, estate, Phases(out), converge_all=converge_all, consent=consent)
    for table in render.status(result.status):
        out.print(table)
    if not result.as_declared:
        for table in render.verify(result.verified):
            out.print(table)
        raise typer.Exit(ExitCode.OBJECTIVE_MISSED)


@app.command(rich_help_panel="The estate")
def down(env: Env = "lab", *, yes: Yes = False) -> None:
    """Take the environment down whole: hosts, networks, state, secrets. Also when it is half broken."""
    from mirrorforce.operations import down as operation
    from mirrorforce.progress import Phases

    workspace, estate = declared(env)
    if operation.asks_first(estate) and not yes:
        typer.confirm(f"Destroy environment {env} with all its data?", abort=True)
    operation.down(workspace, estate, Phases(out))


@app.command(rich_help_panel="The estate")
def validate(env: Env = "lab") -> None:
    """Check the estate file; say what it promises about durability, whoever leads and whatever is lost."""
    from mirrorforce.operations import render
    from mirrorforce.operations import validate as operation

    for part in render.validate(operation.report(declared(env, root=False)[1])):
        out.print(part)


@app.command(rich_help_panel="Day by day")
def status(
    env: Env = "lab",
    *,
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Look again every two seconds until Ctrl-C.")
    ] = False,
) -> None:
    """Who is primary, who is in step, what DNS answers; within three seconds, also with a site dead."""
    from mirrorforce.operations import render
    from mirrorforce.operations import status as operation

    workspace, estate = declared(env)
    if watch:
        keep_showing(lambda: render.status(operation.collect(workspace, estate)))
        return
    report = operation.collect(workspace, estate)
    show(report, render.status, as_json=as_json)
    if report["problems"]:
        raise typer.Exit(ExitCode.OBJECTIVE_MISSED)


@app.command(rich_help_panel="Day by day")
def wait(
    env: Env = "lab",
    *,
    seconds: Annotated[float, typer.Option("--for", help="Give up after this many seconds.", min=1)] = 180.0,
) -> None:
    """Wait until the estate is whole again: every site up, every member streaming, DNS in agreement."""
    from mirrorforce.operations import waiting as operation
    from mirrorforce.progress import Phases

    workspace, estate, inventory = running(env)
    with Phases(out).phase("whole") as waits_for:
        operation.until_whole(workspace, estate, inventory, limit=seconds, on_progress=waits_for)


@app.command(rich_help_panel="Day by day")
def verify(
    env: Env = "lab",
    *,
    site: Annotated[str | None, typer.Option(help="Only the hosts of this site.")] = None,
    as_json: Json = False,
) -> None:
    """Check what runs against what is declared, host by host."""
    from mirrorforce.operations import names, render, rollout
    from mirrorforce.operations import verify as operation
    from mirrorforce.progress import Phases

    workspace, estate, inventory = running(env)
    if site is not None:
        names.known("site", site, [each.name for each in estate.sites])
    with Phases(err).phase("verify") as waits_for:
        report = operation.verify(workspace, estate, inventory, on_progress=waits_for)
    if site is not None:
        report = rollout.of_site(estate, site, report)
    show(report, render.verify, as_json=as_json)
    if not report["as_declared"]:
        raise typer.Exit(ExitCode.OBJECTIVE_MISSED)


@app.command(rich_help_panel="Day by day")
def converge(
    env: Env = "lab",
    *,
    limit: Annotated[str | None, typer.Option(help="Only these hosts: an Ansible pattern.")] = None,
    tags: Annotated[str | None, typer.Option(help="Only these roles, separated by commas.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say what would change, with diffs; change nothing.")
    ] = False,
) -> None:
    """Bring hosts to the declared state with Ansible."""
    from mirrorforce.lock import only_one
    from mirrorforce.operations import converge as operation
    from mirrorforce.operations import render_verbs
    from mirrorforce.progress import Phases

    workspace, estate, _ = running(env)
    with only_one(workspace, f"converge {env}"), Phases(out).phase("converge") as waits_for:
        result = operation.converge(
            workspace, estate, limit=limit, tags=tags, only_stale=False, check=check, on_progress=waits_for
        )
    for part in render_verbs.converge(result):
        out.print(part)
    if check and result.changes:
        raise typer.Exit(ExitCode.DRIFT_FOUND)


@app.command(rich_help_panel="Day by day")
def switchover(
    cell: Annotated[str, typer.Argument(help="The cell to move.")],
    to: Annotated[str, typer.Option("--to", help="The site that is to hold the primary.")],
    env: EnvOption = "lab",
) -> None:
    """Move a cell's primary to another site, as planned work: nothing is lost, clients see seconds."""
    from mirrorforce.lock import only_one
    from mirrorforce.operations import render_verbs
    from mirrorforce.operations import switchover as operation
    from mirrorforce.progress import Phases

    workspace, estate, inventory = running(env)
    with only_one(workspace, f"switchover {cell}"), Phases(out).phase("switchover") as waits_for:
        done = operation.switchover(workspace, estate, inventory, cell, to, waits_for)
    out.print(render_verbs.switchover(done))


@app.command(rich_help_panel="The estate")
def demo(env: Env = "lab") -> None:
    """Load both cells, power the East site off under load, count what was lost, bring everything home."""
    from mirrorforce.lock import only_one
    from mirrorforce.operations import demo as operation
    from mirrorforce.operations import render_verbs

    workspace, estate, inventory = running(env)
    with only_one(workspace, f"demo {env}"):
        report = operation.prepare(workspace, estate, inventory, say=out.print).run()
    for part in render_verbs.demo(report):
        out.print(part)
    if report["shortfalls"]:
        raise typer.Exit(ExitCode.OBJECTIVE_MISSED)


@cache
def whole() -> typer.Typer:
    """The command line with the verbs that live elsewhere."""
    from mirrorforce.drills.commands import app as drill
    from mirrorforce.lab.commands import app as lab
    from mirrorforce.operations.adopt_command import adopt
    from mirrorforce.operations.bootstrap_command import app as bootstrap
    from mirrorforce.operations.drift_command import drift
    from mirrorforce.operations.maintenance_command import maintenance
    from mirrorforce.operations.preview_command import preview, preview_merge, stacks
    from mirrorforce.operations.reach_in_commands import app as reach_in
    from mirrorforce.operations.recovery_commands import app as recovery
    from mirrorforce.operations.secrets_command import app as secrets

    app.add_typer(recovery)
    app.add_typer(reach_in)
    for verb in (preview, preview_merge, stacks, adopt):
        app.command(verb.__name__.replace("_", "-"), rich_help_panel="The estate")(verb)
    app.command(rich_help_panel="Day by day")(drift)
    app.command(rich_help_panel="Day by day")(maintenance)
    app.add_typer(secrets, name="secrets", rich_help_panel="Day by day")
    app.add_typer(bootstrap, name="bootstrap", rich_help_panel="The estate")
    app.add_typer(drill, name="drill", rich_help_panel="Break it on purpose")
    app.add_typer(lab, name="lab", rich_help_panel="Break it on purpose")
    return app


def main() -> None:
    """Run the command line; the exit status is one of `ExitCode` (Typer's own for bad usage is 2 as well)."""
    whole()()
