"""What verbs share: arguments that mean the same everywhere, consoles, and how a report is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

out = Console()
err = Console(stderr=True)

Env = Annotated[
    str, typer.Argument(envvar="MIRRORFORCE_ENV", help="The environment: the name of a file in stacks/.")
]
EnvOption = Annotated[
    str,
    typer.Option(
        "--env", "-e", envvar="MIRRORFORCE_ENV", help="The environment: the name of a file in stacks/."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, valid against its schema in schemas/.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def declared(env: str, *, root: bool = True) -> tuple[Workspace, Estate]:
    """The environment's files and its estate. With `root` the command goes on as root."""
    from mirrorforce import environment as environments

    return environments.declared(env, root=root)


def running(env: str) -> tuple[Workspace, Estate, Inventory]:
    """The same of an environment that is up, with its hosts. MirrorforceError where it is not."""
    from mirrorforce import environment as environments

    return environments.running(env)


def show(report: Any, tables: Callable[[Any], Iterable[RenderableType]], *, as_json: bool) -> None:  # noqa: ANN401 - a JSON document
    """Print a report: as JSON for programs, as tables for people."""
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    for part in tables(report):
        out.print(part)


def keep_showing(look: Callable[[], Iterable[RenderableType]]) -> None:
    """Show what `look` gives, again every two seconds, until Ctrl-C."""
    import time

    from rich.console import Group
    from rich.live import Live

    with Live(console=out, screen=out.is_terminal) as live:
        while True:
            live.update(Group(*look()), refresh=True)
            time.sleep(2)
