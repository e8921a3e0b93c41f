"""The command line's reference, from the command line itself."""

from __future__ import annotations

import typer
from typer.cli import get_docs_for_click

from mirrorforce import cli
from mirrorforce.errors import ExitCode

_MEANINGS = {
    ExitCode.AS_DECLARED: "as declared",
    ExitCode.ERROR: "error; the message says the next step",
    ExitCode.BAD_INPUT: "bad input; nothing was touched",
    ExitCode.DRIFT_FOUND: "drift found, or changes where none were expected",
    ExitCode.OBJECTIVE_MISSED: "a drill or a check missed its objective",
}


def text() -> str:
    """The page: the exit codes, then every verb with its arguments and options."""
    command = typer.main.get_command(cli.whole())
    context = typer.Context(command, info_name="mirrorforce")
    verbs = get_docs_for_click(obj=command, ctx=context, name="mirrorforce")
    codes = "\n".join(f"| {code.value} | {_MEANINGS[code]} |" for code in ExitCode)
    title, _, rest = verbs.partition("\n")
    return (
        f"{title}\n\nMade by `make reference` from the command line itself.\n\n"
        f"| exit status | meaning |\n| --- | --- |\n{codes}\n{rest.rstrip()}\n"
    )
