"""`mirrorforce drift`: arguments and printing, nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - Typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from mirrorforce import environment
from mirrorforce.command_line import Env  # noqa: TC001 - Typer reads it
from mirrorforce.errors import BadInputError, ExitCode, MirrorforceError
from mirrorforce.lab import files
from mirrorforce.lock import only_one
from mirrorforce.progress import Phases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.drift.report import Kind
    from mirrorforce.estate import Estate
    from mirrorforce.operations.drift import Result
    from mirrorforce.operations.drift_watch import News
    from mirrorforce.workspace import Workspace


def drift(  # noqa: PLR0913 - each is an option of the command
    env: Env = "lab",
    site: Annotated[str | None, typer.Option("--site", help="Look at this site alone.")] = None,
    as_json: Annotated[
        Path | None,
        typer.Option("--json", help="Write the report there: schemas/drift-report.schema.json. - prints it."),
    ] = None,
    as_html: Annotated[
        Path | None, typer.Option("--html", help="Write the report there, as a page for people.")
    ] = None,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Hosts against their seals, stacks by their state: seconds.")
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what differs, standbys before primaries; then look again.")
    ] = False,
    watch: Annotated[
        float | None,
        typer.Option("--watch", min=0.1, metavar="MINUTES", help="Look again so often, in full each hour."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before what may be noticed.")] = False,
) -> None:
    """What differs from what is declared: stacks, hosts, the running cluster. Changes nothing without --fix.

    Exit status: 3 where anything differs, else 1 where it could not tell, 0 when clean.
    """
    workspace, estate = environment.declared(env)
    from mirrorforce.operations import drift_render, names

    if site is not None:
        names.known("site", site, [each.name for each in estate.sites])
    if watch is not None and (fix or quick):
        raise BadInputError("--watch looks, quickly and in full by turns", "leave --fix and --quick out")
    for path in (as_json, as_html):
        _require_writable(path)
    prints_json = as_json is not None and str(as_json) == "-"
    console = Console(stderr=prints_json)
    command = _Command(workspace, estate, site, console, as_json, as_html)
    if watch is not None:
        command.watch(watch)
        return
    kind: Kind = "quick" if quick else "full"
    result = command.fixed(kind, yes=yes) if fix else command.look(kind)
    command.write(result.report)
    if not prints_json:
        for part in drift_render.drift(result.report):
            console.print(part, highlight=False, soft_wrap=True)
    raise typer.Exit(_status(result.report))


class _Command:
    """One call of the command."""

    def __init__(
        self,
        ws: Workspace,
        estate: Estate,
        site: str | None,
        console: Console,
        as_json: Path | None,
        as_html: Path | None,
    ) -> None:
        self.ws, self.estate, self.site, self.console = ws, estate, site, console
        self.files = (as_json, as_html)
        self.phases = Phases(Console(stderr=True))

    def look(self, kind: Kind, *, locked: bool = False, mended: Any = ()) -> Result:  # noqa: ANN401 (of a report)
        from mirrorforce.operations import drift as operation

        with self.phases.phase("look") as waits_for:
            return operation.look(
                self.ws,
                self.estate,
                kind,
                site=self.site,
                locked=locked,
                mended=mended,
                on_progress=waits_for,
            )

    def fixed(self, kind: Kind, *, yes: bool) -> Result:
        from mirrorforce.operations import drift_fix, drift_render

        with only_one(self.ws, f"drift {self.ws.env} --fix"):
            before = self.look(kind, locked=True)
            if not before.findings:
                return before
            for part in drift_render.drift(before.report):
                self.console.print(part, highlight=False, soft_wrap=True)
            agreed = yes or self._agrees(len(drift_fix.asks_about(before.findings)))
            mended = drift_fix.fix(self.ws, self.estate, before, self.phases, agreed=agreed)
            return self.look(kind, locked=True, mended=mended)

    def _agrees(self, count: int) -> bool:
        """Whether a person agrees to what may be noticed; where nobody can be asked, nobody does."""
        if not count:
            return True
        if not sys.stdin.isatty():
            self.console.print(f"{count} of these are not mended without --yes: they may be noticed")
            return False
        return typer.confirm(f"Mend the {count} of these as well that may be noticed?")

    def watch(self, minutes: float) -> None:
        from mirrorforce.operations import drift_watch

        drift_watch.watch(lambda kind: self.look(kind).report, self._tell, minutes)

    def _tell(self, report: Mapping[str, Any] | MirrorforceError, news: News) -> None:
        from mirrorforce.operations import drift_render

        if isinstance(report, MirrorforceError):
            self.console.print(f"[red]could not look:[/] {report.message}")
            return
        self.write(report)
        for one in drift_render.drift({**report, "findings": news.new, "accepted": []}):
            self.console.print(one, highlight=False, soft_wrap=True)
        for subject, item in news.gone:
            self.console.print(f"[green]gone:[/] {subject} {item}", highlight=False)

    def write(self, report: Mapping[str, Any]) -> None:
        """The files that were asked for; MirrorforceError where one cannot be written after all."""
        as_json, as_html = self.files
        if as_json is not None:
            text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
            if str(as_json) == "-":
                typer.echo(text, nl=False)
            else:
                _write(as_json, text)
        if as_html is not None:
            from mirrorforce.drift import html

            _write(as_html, html.page(report))


def _status(report: Mapping[str, Any]) -> ExitCode:
    from mirrorforce.drift.report import exit_code

    return exit_code(report)


def _require_writable(path: Path | None) -> None:
    """BadInputError before anything is looked at, where the report could not be written afterwards."""
    if path is None or str(path) == "-":
        return
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as fault:
        raise BadInputError(
            f"{path} cannot be written: {fault.strerror}", "another place for the report"
        ) from fault


def _write(path: Path, text: str) -> None:
    try:
        files.write(path, text)
    except OSError as fault:
        message = f"{path} could not be written: {fault.strerror}"
        raise MirrorforceError(message, "another place for the report") from fault
