"""Verbs of the lab go on as root by sudo; a question about the command line takes no rights."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from typer.testing import CliRunner

from mirrorforce import superuser
from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import commands


class BecameError(Exception):
    """In the place of the program that would have taken over; its text is the command line."""


def become(_file: str, line: list[str]) -> None:
    raise BecameError(" ".join(line))


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "execvp", become)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("somebody")
def test_a_lab_verb_begins_anew_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mirrorforce", "lab", "status", "--env", "lab"])
    with pytest.raises(BecameError, match=r"sudo --preserve-env=.* -m mirrorforce lab status --env lab$"):
        CliRunner().invoke(commands.app, ["status"], catch_exceptions=False)


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_a_question_about_the_command_line_takes_no_rights(
    monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["mirrorforce", "lab", "status", flag])
    done = CliRunner().invoke(commands.app, ["status", "--help"], catch_exceptions=False)
    assert "Usage" in done.output


@pytest.mark.usefixtures("somebody")
def test_without_sudo_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(MirrorforceError, match="no sudo"):
        superuser.become_root()


def test_root_stays_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "execvp", become)
    superuser.become_root()
