"""`mirrorforce drill …`: break an estate on purpose and measure. Arguments and printing, nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from mirrorforce.command_line import EnvOption, out
from mirrorforce.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.operations.drill import Outputs, Turn
    from mirrorforce.workspace import Workspace

app = typer.Typer(
    name="drill",
    help="Break the estate on purpose, under load, and say what it cost its clients.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Meant = Annotated[
    str | None,
    typer.Option("--i-mean-it", metavar="ENV", help="Say so where the environment is no lab: its name."),
]
Cell = Annotated[str | None, typer.Option("--cell", "-c", help="This cell only; else each one it says.")]
Repeat = Annotated[
    int | None,
    typer.Option("--repeat", "-n", min=1, help="Run each drill so many times; else once, or --nightly's."),
]
Nightly = Annotated[bool, typer.Option("--nightly", help="As often as each drill says for the night.")]
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
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Drills, as `drill list` names them.")],
    env: EnvOption = "lab",
    cell: Cell = None,
    repeat: Repeat = None,
    json: JsonFile = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
    meant: Meant = None,
    *,
    nightly: Nightly = False,
    yes: Yes = False,
) -> None:
    """Run these drills, one after another. Exit status 4 where one is not as expected."""
    from mirrorforce.operations import drill

    chosen = drill.chosen(names)
    _carry_out(
        f"drill run {' '.join(names)}" if names else "drill all", env,
        lambda estate: drill.turns(chosen, estate, cell, repeat, nightly=nightly),
        drill.Outputs(json, html, junit), meant, yes=yes,
    )  # fmt: skip


@app.command("all")
def run_all(  # noqa: PLR0913, PLR0917 (what a person may say)
    env: EnvOption = "lab",
    cell: Cell = None,
    repeat: Repeat = None,
    json: JsonFile = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
    meant: Meant = None,
    *,
    nightly: Nightly = False,
    yes: Yes = False,
) -> None:
    """Run the whole catalogue."""
    run([], env, cell, repeat, json, html, junit, meant, nightly=nightly, yes=yes)


@app.command()
def soak(  # noqa: PLR0913, PLR0917 (what a person may say)
    hours: Annotated[float, typer.Option("--hours", min=0.01, help="Begin no drill after so many hours.")],
    env: EnvOption = "lab",
    cell: Cell = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same order of drills.")] = None,
    json: JsonFile = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
    meant: Meant = None,
    *,
    yes: Yes = False,
) -> None:
    """Drills at random for hours, under load: how available the cells were, and what that means."""
    import secrets

    from mirrorforce.operations import drill

    chosen = drill.chosen([])
    number = secrets.randbelow(1 << 32) if seed is None else seed
    out.print(f"seed {number}")
    _carry_out(
        f"drill soak --seed {number}", env,
        lambda estate: drill.turns_at_random(chosen, estate, cell, hours * 3600, number),
        drill.Outputs(json, html, junit), meant, yes=yes, soaks=True,
    )  # fmt: skip


@app.command()
def merge(
    reports: Annotated[list[Path], typer.Argument(metavar="FILE", help="Reports that --json wrote.")],
    json: JsonFile = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
) -> None:
    """One report out of several nights' or machines': the repetitions of each drill together."""
    from mirrorforce.drills import report, report_files
    from mirrorforce.operations import render_drill

    merged = report.merge(report_files.read(reports))
    report_files.write(merged, as_json=json, as_html=html, as_junit=junit)
    for part in render_drill.report(merged, html):
        out.print(part)
    if not merged["passed"]:
        raise typer.Exit(ExitCode.OBJECTIVE_MISSED)


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


def _carry_out(  # noqa: PLR0913 (as the verbs)
    what: str,
    env: str,
    planned: Callable[[Estate], Iterator[Turn]],
    outputs: Outputs,
    meant: str | None,
    *,
    yes: bool,
    soaks: bool = False,
) -> None:
    from mirrorforce import environment
    from mirrorforce.lock import only_one
    from mirrorforce.operations import drill, render_drill
    from mirrorforce.progress import unrepeated

    workspace, estate, inventory = environment.running(env)
    drill.require_permission(workspace, estate, meant)
    with only_one(workspace, what):
        _offer_heal(workspace, estate, inventory, yes=yes)
        report = drill.drill(
            workspace, estate, inventory, planned(estate), soak=soaks, outputs=outputs, say=unrepeated(_say)
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
