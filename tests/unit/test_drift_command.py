"""The command without an estate: exit statuses, files, what is asked, and a fix that fails half-way."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mirrorforce import cli, environment, estate_file, inventory
from mirrorforce.drift import allowance, report
from mirrorforce.drift.finding import Finding, Gap, Mend
from mirrorforce.errors import ExitCode, MirrorforceError
from mirrorforce.inventory import Inventory
from mirrorforce.operations import converge, drift, drift_command, drift_fix, probing
from mirrorforce.progress import Phases
from mirrorforce.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from pathlib import Path

ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
WS = Workspace("lab")
FRAME = report.Look("lab", "lab", "2026-11-28T03:00:00+00:00", "full", 1.0)
GAP = Gap("east-na1", "does not answer: no route", "mirrorforce status")


def finding(mend: Mend) -> Finding:
    return Finding(("seal",), mend.where, mend.what, "a", "b", "c", "serious", mend)


CONVERGE = finding(Mend("converge", "hosts", "west-na1"))
NOTICED = finding(Mend("host", "job", "west-na1", {"act": "remove_file", "path": "/x"}, disruptive=True))


def result(*findings: Finding, gaps: tuple[Gap, ...] = (), mended: Any = ()) -> drift.Result:  # noqa: ANN401
    document = report.build(FRAME, allowance.Judged(findings, ()), gaps, mended=mended)
    return drift.Result(document, findings, frozenset({"east-na1"}))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[drift.Result]:
    """What the next looks give; nothing else is touched."""
    coming: list[drift.Result] = []

    def look(*_: object, mended: Any = (), **__: object) -> drift.Result:  # noqa: ANN401
        one = coming.pop(0)
        return drift.Result({**one.report, "mended": list(mended)}, one.findings, one.primaries)

    monkeypatch.setattr(drift, "look", look)
    monkeypatch.setattr(environment, "declared", lambda _env: (WS, ESTATE))
    monkeypatch.setattr(drift_command, "only_one", lambda *_: nullcontext())
    return coming


def run(*arguments: str) -> Any:  # noqa: ANN401 (Typer's result)
    return CliRunner().invoke(cli.whole(), ["drift", "lab", *arguments])


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (result(), ExitCode.AS_DECLARED),
        (result(gaps=(GAP,)), ExitCode.ERROR),
        (result(CONVERGE), ExitCode.DRIFT_FOUND),
        (result(CONVERGE, gaps=(GAP,)), ExitCode.DRIFT_FOUND),
    ],
)
def test_the_exit_status_says_drift_before_doubt(
    looks: list[drift.Result], found: drift.Result, status: ExitCode
) -> None:
    looks.append(found)
    assert run().exit_code == status


def test_the_report_goes_to_files_and_to_standard_output(looks: list[drift.Result], tmp_path: Path) -> None:
    looks += [result(CONVERGE), result(CONVERGE)]
    run("--json", str(tmp_path / "a.json"), "--html", str(tmp_path / "a.html"))
    assert json.loads((tmp_path / "a.json").read_text())["drift"] is True
    assert "west-na1" in (tmp_path / "a.html").read_text()
    assert json.loads(run("--json", "-").stdout)["drift"] is True


def test_a_file_that_cannot_be_written_is_refused_before_the_look(
    looks: list[drift.Result], tmp_path: Path
) -> None:
    looks.append(result())
    refused = run("--json", str(tmp_path / "no" / "such" / "folder.json"))
    assert refused.exit_code == ExitCode.BAD_INPUT
    assert len(looks) == 1


@pytest.mark.parametrize("line", [("--site", "esat"), ("--watch", "1", "--fix"), ("--watch", "1", "--quick")])
def test_what_cannot_be_is_bad_input(looks: list[drift.Result], line: tuple[str, ...]) -> None:
    assert run(*line).exit_code == ExitCode.BAD_INPUT
    assert looks == []


def test_without_a_terminal_nothing_is_done_that_may_be_noticed(
    looks: list[drift.Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    agreements = []

    def fix(*_: object, agreed: bool) -> list[dict[str, Any]]:
        agreements.append(agreed)
        return []

    monkeypatch.setattr(drift_fix, "fix", fix)
    looks += [result(NOTICED), result(NOTICED), result(NOTICED), result(), result(CONVERGE), result()]
    assert run("--fix").exit_code == ExitCode.DRIFT_FOUND
    assert run("--fix", "--yes").exit_code == ExitCode.AS_DECLARED
    assert run("--fix").exit_code == ExitCode.AS_DECLARED
    assert agreements == [False, True, True]


def test_a_clean_estate_is_looked_at_once(looks: list[drift.Result]) -> None:
    looks.append(result())
    assert run("--fix").exit_code == ExitCode.AS_DECLARED
    assert looks == []


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Phases:
    monkeypatch.setattr(inventory, "read", lambda *_: Inventory("lab", ()))
    monkeypatch.setattr(drift_fix, "_primaries", lambda *_: frozenset({"east-na1"}))
    monkeypatch.setattr(drift_fix, "waiting_members", lambda *_: [])
    monkeypatch.setattr(converge, "fingerprints", lambda *_: {})
    return Phases(Console(file=io.StringIO()))


def test_a_member_waits_for_a_restart_by_the_word_of_patroni_or_of_postgresql(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = {
        "east-na1": {"patroni": {"member": {"pending_restart": True}}, "postgres": {"pending_restart": []}},
        "west-na1": {"patroni": {"member": {}}, "postgres": {"pending_restart": ["shared_buffers"]}},
        "legacy-na1": {"patroni": {"member": {}}, "postgres": {"pending_restart": []}},
    }
    answers = {name: probing.Probe(name, sections=told[name]) for name in told}
    monkeypatch.setattr(probing, "ask", lambda *_, **__: answers)
    assert drift_fix.waiting_members(WS, ESTATE, list(told)) == ["east-na1", "west-na1"]


def test_a_step_that_fails_stops_the_fix_and_what_follows_is_named(
    quiet: Phases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def converged(*_: object, limit: str) -> None:
        if limit == "west-na1":
            raise MirrorforceError("no room on the disk")

    monkeypatch.setattr(converge, "converge", converged)
    primary = finding(Mend("converge", "hosts", "east-na1"))
    lines = drift_fix.fix(WS, ESTATE, result(primary, CONVERGE), quiet, agreed=True)
    assert [(one["where"], one["outcome"]) for one in lines] == [
        ("west-na1", "failed"),
        ("east-na1", "not reached"),
    ]
    assert lines[0]["reason"] == "no room on the disk"


def test_what_was_declined_is_named_and_not_done(quiet: Phases, monkeypatch: pytest.MonkeyPatch) -> None:
    converged = []
    monkeypatch.setattr(converge, "converge", lambda *_, limit: converged.append(limit))
    lines = drift_fix.fix(WS, ESTATE, result(NOTICED, CONVERGE), quiet, agreed=False)
    assert converged == ["west-na1"]
    assert [(one["where"], one["outcome"]) for one in lines] == [
        ("west-na1", "done"),
        ("west-na1", "declined"),
    ]


def test_what_cannot_even_be_begun_leaves_an_account(quiet: Phases, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object) -> Inventory:
        raise MirrorforceError("environment lab is not up")

    monkeypatch.setattr(inventory, "read", unreadable)
    (line,) = drift_fix.fix(WS, ESTATE, result(CONVERGE), quiet, agreed=True)
    assert (line["outcome"], line["reason"]) == ("failed", "environment lab is not up")
