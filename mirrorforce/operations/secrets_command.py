"""`mirrorforce secrets …`: arguments and printing, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mirrorforce.command_line import EnvOption, Json, Yes, declared, out, running, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

app = typer.Typer(
    name="secrets",
    help="What secrets there are, and new values for them while everything runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(name="list")
def list_(env: EnvOption = "lab", *, as_json: Json = False) -> None:
    """Passwords, keys and certificates: kind, age or end, who uses them. Never a value."""
    from mirrorforce.operations import secrets_list as operation

    workspace, estate = declared(env)
    show(operation.collect(workspace, estate), _rows, as_json=as_json)


@app.command()
def rotate(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Secrets as `secrets list` names them; a cell, for all of its own; none: every secret.",
        ),
    ] = None,
    env: EnvOption = "lab",
    *,
    yes: Yes = False,
) -> None:
    """Give secrets new values without an outage; takes up again what was interrupted."""
    from mirrorforce.operations import secrets_rotate as operation
    from mirrorforce.progress import Phases

    workspace, estate, inventory = running(env)
    todo = operation.look(workspace, estate, names or [])
    for what, secrets in (("take up again", todo.taken_up), ("rotate", todo.new)):
        if secrets:
            out.print(f"{what}: {', '.join(each.name for each in secrets)}", highlight=False)
    if not yes:
        typer.confirm("Go on?", abort=True)
    done = operation.rotate(workspace, estate, inventory, names or [], Phases(out))
    out.print(f"rotated: {', '.join(done)}; the old values are refused", highlight=False, style="green")


def _rows(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    table = Table()
    for column in ("Secret", "Kind", "Age", "Ends", "Who uses it"):
        table.add_column(column, no_wrap=column == "Secret")
    for one in report["secrets"]:
        age = "not known" if one["age_days"] is None else f"{one['age_days']} days"
        end = "" if one["ends"] is None else f"in {one['days_left']} days"
        half = one["half_rotated"]
        table.add_row(
            one["name"], one["kind"], f"half rotated: {half['stage']}" if half else age, end, one["users"],
            style="yellow" if half else None,
        )  # fmt: skip
    yield table
    if report["silent"]:
        yield Text(f"did not show their certificates: {', '.join(report['silent'])}", style="yellow")
    if any(one["half_rotated"] for one in report["secrets"]):
        yield Text(f"next: mirrorforce secrets rotate --env {report['environment']}", style="yellow")
