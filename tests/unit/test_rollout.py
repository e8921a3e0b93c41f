"""`up --site-by-site`: in which order, and where it stops."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from mirrorforce import engine, estate_file
from mirrorforce.errors import BadInputError
from mirrorforce.inventory import Inventory
from mirrorforce.operations import converge, plan, rollout, status, up, verify, verify_report
from mirrorforce.operations.verify_report import CheckResult
from mirrorforce.progress import Phases
from mirrorforce.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from pathlib import Path

ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
HOSTS = Inventory("lab", ())


class Deployment:
    """An estate that is up, and what was done to it. `bad`: a check's subject that fails."""

    def __init__(self, bad: str = "", down: str = "") -> None:
        self.bad = bad
        self.down = down
        self.did: list[str] = []

    def outputs(self, *_: object) -> dict[str, Any]:
        return {str(name): {} if str(name) == self.down else {"x": 1} for name in engine.stacks_of(ESTATE)}

    def sites(self, _ws: object, _estate: object, sites: list[str], *_: object) -> Inventory:
        self.did += [f"up {site}" for site in sites]
        return HOSTS

    def converge(self, *_: object, limit: str, only_stale: bool, **__: object) -> None:
        self.did.append(f"converge {limit}{'' if only_stale else ' all'}")

    def verify(self, *_: object, **__: object) -> dict[str, Any]:
        subjects = ["east-na1", "west-na1", "legacy-control", "dev-app", "na1", None]
        results = [
            CheckResult("runs", each, "failed" if each == self.bad else "passed", "") for each in subjects
        ]
        return verify_report.build(environment="lab", estate="lab", time="", seconds=1.0, results=results)


def deployed(
    found: Deployment, monkeypatch: pytest.MonkeyPatch, home: Path, *, converge_all: bool = False
) -> up.Result:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(home))
    monkeypatch.setattr(engine, "outputs", found.outputs)
    monkeypatch.setattr(up, "have_platforms", lambda *_: None)
    monkeypatch.setattr(up, "have_secrets", lambda *_: None)
    monkeypatch.setattr(up, "have_sites", found.sites)
    monkeypatch.setattr(up, "look", found.verify)
    monkeypatch.setattr(verify, "verify", found.verify)
    monkeypatch.setattr(converge, "converge", found.converge)
    monkeypatch.setattr(status, "collect", lambda *_: {})
    phases = Phases(Console(file=io.StringIO()))
    return rollout.site_by_site(
        Workspace("lab"), ESTATE, phases, converge_all=converge_all, consent=plan.NOTHING
    )


def test_nobodys_data_goes_first_and_where_primaries_are_preferred_last() -> None:
    assert [site.name for site in rollout.order(ESTATE)] == ["dev", "legacy", "east", "west"]


def test_every_site_is_converged_and_verified_before_the_next_is_touched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = Deployment()
    result = deployed(found, monkeypatch, tmp_path)
    assert found.did == [
        "up dev", "converge dev-app",
        "up legacy", "converge legacy-control,legacy-na1,legacy-na2",
        "up east", "converge east-control,east-na1,east-na2",
        "up west", "converge west-control,west-na1,west-na2",
    ]  # fmt: skip
    assert result.as_declared
    assert result.verified["passed"] == 6


def test_it_stops_at_the_first_site_that_does_not_verify(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = Deployment(bad="legacy-control")
    result = deployed(found, monkeypatch, tmp_path)
    assert [done for done in found.did if done.startswith("up")] == ["up dev", "up legacy"]
    assert not result.as_declared
    assert {each["subject"] for each in result.verified["results"]} == {"legacy-control"}


def test_what_only_the_whole_estate_shows_is_looked_at_in_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = Deployment(bad="na1")
    result = deployed(found, monkeypatch, tmp_path, converge_all=True)
    assert not result.as_declared
    assert found.did[-1] == "converge west-control,west-na1,west-na2 all"


def test_a_site_that_is_not_up_yet_is_for_all_sites_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = Deployment(down="lab-east")
    with pytest.raises(BadInputError, match="lab-east is not up yet"):
        deployed(found, monkeypatch, tmp_path)
    assert not found.did


def test_a_report_of_no_check_is_not_as_declared() -> None:
    report = Deployment().verify()
    assert verify_report.of_subjects(report, {"east-na1"})["as_declared"]
    assert not verify_report.of_subjects(report, {"nobody"})["as_declared"]
