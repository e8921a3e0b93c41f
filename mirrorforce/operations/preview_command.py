"""`mirrorforce preview`, `preview-merge` and `stacks`: arguments and printing, nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorforce.command_line import Env, out
from mirrorforce.errors import BadInputError, ExitCode

if TYPE_CHECKING:
    from mirrorforce.previews.report import Document

MarkdownFile = Annotated[
    Path | None,
    typer.Option("--markdown", metavar="FILE", help="Write it for a comment on a pull request there."),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the whole report there, as JSON.")
]
Link = Annotated[
    str,
    typer.Option(
        metavar="URL", help="Where the whole report will lie: the comment links what it leaves out."
    ),
]


def preview(  # noqa: PLR0913 - each is an option
    env: Env = "lab",
    *,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit with 3 where anything would change.")
    ] = False,
    against: Annotated[
        str,
        typer.Option(metavar="REF", help="Compare configuration and cost with this branch, tag or commit."),
    ] = "",
    stack: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this stack (`mirrorforce stacks`).")
    ] = None,
    no_stacks: Annotated[
        bool, typer.Option("--no-stacks", help="Ask no stack: configuration and cost, without credentials.")
    ] = False,
    markdown: MarkdownFile = None,
    json_file: JsonFile = None,
    link: Link = "",
) -> None:
    """What `up` would create, change or delete, and why to be careful; nothing is touched.

    With --markdown, --json or --against the project's guard rails (policy/) look as well.
    """
    from mirrorforce import environment
    from mirrorforce.operations import preview as operation
    from mirrorforce.operations import render_cost
    from mirrorforce.previews import trees
    from mirrorforce.progress import Phases

    if no_stacks and stack:
        raise BadInputError("--no-stacks and --stack exclude each other", "give one of them")
    _require_short(link)
    wanted = operation.Wanted(
        None if no_stacks else tuple(stack or ()),
        trees.revision(against) if against else None,
        guard_rails=bool(markdown or json_file or against),
    )
    workspace, estate = environment.declared(env, root=not no_stacks)
    for part in render_cost.size_and_cost(estate):
        out.print(part)
    document = operation.preview(workspace, estate, wanted, Phases(out))
    _tell(document)
    _write(document, markdown, json_file, link)
    _end(document, expect_no_changes=expect_no_changes)


def preview_merge(
    reports: Annotated[list[Path], typer.Argument(metavar="FILE", help="Reports that --json wrote.")],
    markdown: MarkdownFile = None,
    json_file: JsonFile = None,
    link: Link = "",
) -> None:
    """One preview out of those of single stacks, made side by side."""
    from mirrorforce.operations import preview as operation

    _require_short(link)
    document = operation.merge(reports)
    _tell(document)
    _write(document, markdown, json_file, link)
    _end(document, expect_no_changes=False)


def stacks(
    env: Env = "lab",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, for a matrix of CI.")] = False,
) -> None:
    """The names of an environment's stacks, the one that joins the sites last."""
    from mirrorforce import environment, stack_names

    _, estate = environment.declared(env, root=False)
    names = [str(name) for name in (*stack_names.site_stacks(estate), stack_names.interconnect_stack(estate))]
    typer.echo(json.dumps(names) if as_json else "\n".join(names))


def _require_short(link: str) -> None:
    from mirrorforce.previews.markdown import LONGEST_LINK

    if len(link) > LONGEST_LINK:
        message = f"--link has {len(link)} characters; a comment holds a link of {LONGEST_LINK} at most"
        raise BadInputError(message, "give a shorter one")


def _tell(document: Document) -> None:
    from mirrorforce.operations import render_preview

    for part in render_preview.preview(document):
        out.print(part)


def _write(document: Document, markdown: Path | None, json_file: Path | None, link: str) -> None:
    from mirrorforce.drills.report_files import write_text
    from mirrorforce.previews.markdown import page

    if json_file:
        write_text(json_file, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if markdown:
        write_text(markdown, page(document, link=link))


def _end(document: Document, *, expect_no_changes: bool) -> None:
    from mirrorforce.previews import report

    if report.failed(document):
        raise typer.Exit(ExitCode.ERROR)
    if expect_no_changes and report.changes(document):
        raise typer.Exit(ExitCode.DRIFT_FOUND)
