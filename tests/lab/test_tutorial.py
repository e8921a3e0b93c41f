"""docs/tutorial.md, typed line by line by a newcomer, on an estate of its own."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from mirrorforce.errors import ExitCode
from mirrorforce.lab import estate as lab
from mirrorforce.workspace import ROOT, Workspace
from tests.lab.user import declare_test_estate

if TYPE_CHECKING:
    from collections.abc import Iterator

ENV = "testt"
TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT = 900.0


@dataclass(frozen=True)
class Typed:
    """A line that was typed under a heading, what came of it, and the shell's exit status."""

    heading: str
    line: str
    said: str
    status: int


def lines_by_heading() -> list[tuple[str, str]]:
    sections = re.split(r"^## (.*)$", TUTORIAL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pairs = zip(sections[1::2], sections[2::2], strict=True)
    return [
        (heading, line)
        for heading, text in pairs
        for block in BLOCK.findall(text)
        for line in block.splitlines()
    ]


@pytest.fixture(scope="module")
def shell() -> Iterator[dict[str, str]]:
    """What a newcomer's shell exports, with another environment's name instead of the default."""
    declare_test_estate(ENV)
    yield {**os.environ, "MIRRORFORCE_ENV": ENV, "ENV": ENV}
    lab.sweep(ENV)


@pytest.fixture(scope="module")
def typed(shell: dict[str, str]) -> list[Typed]:
    """Every line in order. `down` asks whether it is meant; the newcomer says yes."""
    done = []
    for heading, line in lines_by_heading():
        if line.startswith("export "):
            shell = exported(shell, line)
            continue
        ended = subprocess.run(
            ["bash", "-c", line],
            cwd=ROOT, env=shell, input="y\n", capture_output=True, text=True, check=False, timeout=LIMIT,
        )  # fmt: skip
        done.append(Typed(heading, line, ended.stdout + ended.stderr, ended.returncode))
    return done


def exported(shell: dict[str, str], line: str) -> dict[str, str]:
    """The shell's environment after an `export`."""
    printed = subprocess.run(
        ["bash", "-c", f"{line}; env --null"], cwd=ROOT, env=shell, capture_output=True, text=True, check=True
    ).stdout
    return dict(each.split("=", 1) for each in printed.split("\0") if "=" in each)


def test_every_line_does_what_the_tutorial_says(typed: list[Typed]) -> None:
    """`status` alone has something to complain of while a coast is lost."""
    for one in typed:
        lost = one.heading == "Lose the East coast" and one.line == "mirrorforce status"
        assert one.status == (ExitCode.OBJECTIVE_MISSED if lost else ExitCode.AS_DECLARED), (
            f"{one.line}: {one.said}"
        )


def test_both_rows_are_there_after_the_loss(typed: list[Typed]) -> None:
    (read,) = [one for one in typed if one.heading == "Lose the East coast" and "select" in one.line]
    assert "before the loss" in read.said
    assert "after the loss" in read.said


def test_the_estate_is_home_before_it_is_taken_down(typed: list[Typed]) -> None:
    (status,) = [one for one in typed if one.heading == "Bring it home" and one.line.endswith("status")]
    assert "na1 from east, na2 from west; all as declared" in status.said


def test_nothing_is_left_after_make_down(typed: list[Typed]) -> None:
    assert typed[-1].line == "make down"
    assert not lab.exists(ENV)
    assert not Workspace(ENV).state.exists()
