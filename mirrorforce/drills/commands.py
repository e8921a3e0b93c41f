"""`mirrorforce drill …`: break an estate on purpose and measure. Arguments and printing, nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mirrorforce.errors import ExitCode

if TYPE_CHECKING:
    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

app = typer.Typer(
    name="drill",
    help="Break the estate on purpose, under load, and say what it cost its clients.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
out = Console()

EnvOption = Annotated[
    str,
    typer.Option(
        "--env", "-e", envvar="MIRRORFORCE_ENV", help="The environment: the name of a file in stacks/."
    ),
]
Meant = Annotated[
    str | None,
    typer.Option("--i-mean-it", metavar="ENV", help="Say so where the environment is no lab: its name."),
]
Cell = Annotated[str | None, typer.Option("--cell", "-c", help="This cell only; else each one it says.")]
Repeat = Annotated[int, typer.Option("--repeat", "-n", min=1, help="Run each drill so many times.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the report there too, as JSON.")]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="Write the report there too, as a page.")]
JunitFile = Annotated[Path | None, typer.Option("--junit", help="Write the report there as JUnit's XML.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Heal what a killed drill left, without asking.")]


@app.command("list")
def listed() -> None:
    """The drills that there are, each with what it breaks."""
    from mirrorforce.drills import spec

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("Drill", "What happens", "Nightly", "make test"):
        table.add_column(title)
    for drill in spec.load_all():
        table.add_row(drill.name, drill.title, str(drill.nightly), "yes" if drill.handful else "")
    out.print(table)


@app.command()
def run(  # noqa: PLR0913, PLR0917 (what a person may say)
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Drills, as `drill list` names them.")],
    env: EnvOption = "lab",
    cell: Cell = None,
    repeat: Repeat = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
    meant: Meant = None,
    *,
    yes: Yes = False,
) -> None:
    """Run these drills, one after another. Exit status 4 where one is not as expected."""
    from mirrorforce.operations.drill import Outputs

    _run(names, env, cell, repeat, Outputs(json, html, junit), meant, yes=yes)


@app.command("all")
def run_all(  # noqa: PLR0913, PLR0917 (what a person may say)
    env: EnvOption = "lab",
    cell: Cell = None,
    repeat: Repeat = 1,
    json: JsonFile = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
    meant: Meant = None,
    *,
    yes: Yes = False,
) -> None:
    """Run the whole catalogue."""
    from mirrorforce.operations.drill import Outputs

    _run([], env, cell, repeat, Outputs(json, html, junit), meant, yes=yes)


@app.command()
def heal(env: EnvOption = "lab") -> None:
    """Undo what a drill that was killed left broken."""
    from mirrorforce import environment
    from mirrorforce.lock import only_one
    from mirrorforce.operations import drill

    workspace, estate, inventory = environment.running(env)
    with only_one(workspace, f"drill heal {env}"):
        left = drill.outstanding(workspace)
        drill.heal(workspace, estate, inventory, _say)
    out.print(f"healed: {', '.join(left)}" if left else "nothing was left broken")


def _run(  # noqa: PLR0913 (as the verbs)
    names: list[str],
    env: str,
    cell: str | None,
    repeat: int,
    outputs: Any,  # noqa: ANN401 (Outputs, imported late)
    meant: str | None,
    *,
    yes: bool,
) -> None:
    from mirrorforce import environment
    from mirrorforce.lock import only_one
    from mirrorforce.operations import drill, render_drill

    chosen = drill.chosen(names)
    workspace, estate, inventory = environment.running(env)
    drill.require_permission(workspace, estate, meant)
    with only_one(workspace, f"drill {' '.join(names) or 'all'}"):
        _offer_heal(workspace, estate, inventory, yes=yes)
        report = drill.drill(
            workspace, estate, inventory, chosen, cell=cell, repeat=repeat, outputs=outputs, say=_say
        )
    for part in render_drill.report(report, workspace.reports / drill.HTML_FILE):
        out.print(part)
    if not report["passed"]:
        raise typer.Exit(ExitCode.OBJECTIVE_MISSED)


def _offer_heal(workspace: Workspace, estate: Estate, inventory: Inventory, *, yes: bool) -> None:
    """What an earlier drill left broken is healed first, if the person says so; else `drill` refuses."""
    from mirrorforce.operations import drill

    left = drill.outstanding(workspace)
    if not left:
        return
    out.print(f"An earlier drill was killed and left broken: {'; '.join(left)}")
    if yes or (sys.stdin.isatty() and typer.confirm("Heal that first?", default=True)):
        drill.heal(workspace, estate, inventory, _say)


def _say(text: str) -> None:
    out.print(text, highlight=False, markup=False)
