"""Runs the searches one by one, and puts their figures into models/README.md: `python -m tests.models.table`.

With names, only those; rows of the others stay.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.models import search
from tests.models.checks import CHECKS, SAMPLE_SECONDS, Check, Verdict

README = search.MODELS / "README.md"
BEGIN, END = "<!-- verdicts -->\n", "<!-- end of verdicts -->\n"
HEAD = """\
| search | options | verdict | says | states | depth | s | MiB |
| --- | --- | --- | --- | ---: | ---: | ---: | ---: |
"""


def searched(check: Check) -> search.Search:
    """What the search of that check came to. ModelError when that is not its verdict."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if check.verdict is Verdict.BROKEN:
            found = search.broken(check.flags, folder)
        elif check.verdict is Verdict.HOLDS:
            found = search.complete(check.flags, folder)
        else:
            found = search.sampled(check.flags, folder, SAMPLE_SECONDS)
    cut_short = check.verdict is Verdict.HOLDS and not found.complete
    if cut_short or bool(found.broken) != (check.verdict is Verdict.BROKEN):
        raise search.ModelError(f"{check.name}: {check.verdict.value} was expected, and it is not so")
    return found


def row(check: Check, found: search.Search) -> str:
    """The check's line in the README."""
    nightly = " (nightly)" if check.nightly else ""
    words = f"| {check.name} | `{check.options}` | {check.verdict.value} | {check.says}{nightly} "
    return words + f"| {found.states:,} | {found.depth:,} | {found.seconds:.1f} | {found.memory:,.0f} |\n"


def main(names: list[str]) -> None:
    """Search, and write row by row, so that a run that is ended leaves what it found."""
    for check in CHECKS:
        if check.name in names or not names:
            found = searched(check)
            write(check, row(check, found))
            print(row(check, found), end="", flush=True)  # noqa: T201 a person watches


def write(check: Check, line: str) -> None:
    """Put the line where the check stands in the order of checks."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    table, after = rest.split(END)
    old = {text.split(" | ")[0].removeprefix("| "): f"{text}\n" for text in table.splitlines()[2:]}
    rows = {**old, check.name: line}
    ordered = "".join(rows[each.name] for each in CHECKS if each.name in rows)
    README.write_text(before + BEGIN + HEAD + ordered + END + after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
