"""`mirrorforce maintenance`: arguments and printing, nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from mirrorforce import environment


class State(StrEnum):
    """Whether agents keep still."""

    ON = "on"
    OFF = "off"


Cell = Annotated[str, typer.Argument(metavar="CELL", help="A cell, as the estate file names it.")]
Switch = Annotated[State, typer.Argument(help="on: agents keep still; off: no longer.")]
Env = Annotated[
    str,
    typer.Option(
        "--env", "-e", envvar="MIRRORFORCE_ENV", help="The environment: the name of a file in stacks/."
    ),
]


def maintenance(cell: Cell, state: Switch, env: Env = "lab") -> None:
    """Have a cell's failover agents keep still while you work on it. Patroni goes on by itself."""
    from mirrorforce.operations import maintenance as operation

    workspace, estate = environment.declared(env)
    on = state is State.ON
    through = operation.maintenance(workspace, estate, cell, on=on)
    said = "keep still until: mirrorforce maintenance" if on else "watch again; as before:"
    rest = f" {cell} off --env {env}" if on else f" mirrorforce status {env}"
    Console().print(f"the failover agents of {cell} {said}{rest} (told by {through})", highlight=False)
