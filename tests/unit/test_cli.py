"""What the command line says of bad input, and by which exit status."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from mirrorforce import cli
from mirrorforce.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_environment_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("os.geteuid", lambda: 0)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mirrorforce", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("status", "--nope"), "No such option: --nope"),
        (("validate", "labb"), "nearest: lab"),
        (("status", "../lab"), "There is no environment"),
        (("lab", "power-off", "east", "--env", "UPPER"), "UPPER"),
        (("wait", "--for", "-1"), "--for"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_said_in_words_and_ends_with_2(
    words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == ExitCode.BAD_INPUT
    # In one line: where it is broken depends on how many environments this tree has.
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "words", [("psql", "na1"), ("verify",), ("status",), ("switchover", "na1", "--to", "east")]
)
def test_an_environment_that_is_not_up_is_an_error_with_its_next_step(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == ExitCode.ERROR
    assert "next: mirrorforce up lab" in capsys.readouterr().err


def test_validate_says_what_the_estate_promises(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "validate", "lab") == ExitCode.AS_DECLARED
    assert "na1" in capsys.readouterr().out


def test_ctrl_c_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mirrorforce.operations.validate.report", interrupted)
    assert run(monkeypatch, "validate", "lab") == ExitCode.ERROR
    assert "run the same command again" in capsys.readouterr().err
