"""The handful of drills that every change goes through, on an estate of their own; and drills cut off.

What a drill found is judged by the drill itself; here it counts that it was carried out, that nothing was
lost, that the reports are what they should be, and that nothing is left broken whatever becomes of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from mirrorforce import remote
from mirrorforce.drills import ledger, spec
from mirrorforce.errors import ExitCode
from mirrorforce.workspace import ROOT, Workspace
from tests.lab.user import User, declare_test_estate, standing_estate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENV = "testd"
CELL = "na1"
HANDFUL = tuple(drill.name for drill in spec.load_all() if drill.handful)
BROKEN_WITHIN = 60.0


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with standing_estate(ENV) as someone:
        yield someone


@pytest.fixture(scope="module")
def reports(user: User, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The handful, run once: drill.json, drill.html, drill.xml."""
    folder = tmp_path_factory.mktemp("drills")
    files = [f"--{kind}={folder}/drill.{kind}" for kind in ("json", "html", "junit")]
    done = user.mirrorforce("drill", "run", *HANDFUL, "--cell", CELL, *files)
    print(done)  # noqa: T201 (shown where a test below fails)
    assert done.status in {ExitCode.AS_DECLARED, ExitCode.OBJECTIVE_MISSED}, done
    return folder


@pytest.fixture(scope="module")
def report(reports: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((reports / "drill.json").read_text())
    return document


def test_the_report_is_what_its_schema_says(report: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "schemas" / "drill-report.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(report)
    assert [drill["name"] for drill in report["drills"]] == list(HANDFUL)


@pytest.mark.parametrize("name", HANDFUL)
def test_the_drill_went_as_it_should(name: str, report: dict[str, Any]) -> None:
    (drill,) = [one for one in report["drills"] if one["name"] == name]
    (repetition,) = drill["repetitions"]
    assert repetition["reason"] is None
    assert repetition["violations"] == []
    assert repetition["rpo_rows"] == 0
    # How long it took depends on the machine: drills measure that by night, this judges what happened.
    assert [one for one in repetition["expected"] if not one["met"]] == []
    assert repetition["outcome"] == "passed"
    assert all(outage["ended"] for outage in repetition["outages"].values())
    assert repetition["clients"]["acknowledged"] > 100


def test_the_seconds_of_a_lost_site_are_accounted_for(report: dict[str, Any]) -> None:
    (drill,) = [one for one in report["drills"] if one["name"] == "site-lost"]
    stages = {stage["name"] for stage in drill["repetitions"][0]["stages"]["dns"]}
    assert {"lease gone", "leader elected", "promoted", "dns changed", "first acknowledgement"} <= stages


def test_people_and_ci_get_reports_as_well(reports: Path) -> None:
    page = (reports / "drill.html").read_text()
    assert all(name in page for name in HANDFUL)
    assert "<svg" in page
    suites = ET.parse(reports / "drill.junit").getroot()  # noqa: S314 (our own file)
    cases = [case for case in suites.iter("testcase") if str(case.get("name")).startswith("repetition")]
    assert len(cases) == len(HANDFUL)


@pytest.mark.usefixtures("reports")
def test_a_drill_that_was_killed_is_healed_by_the_next_command(user: User) -> None:
    ws = Workspace(ENV)
    line = [sys.executable, "-m", "mirrorforce", "drill", "run", "primary-isolated", "--cell", CELL]
    with subprocess.Popen(
        line, cwd=ROOT, env={**os.environ, "MIRRORFORCE_ENV": ENV}, stdout=subprocess.DEVNULL
    ) as drill:
        deadline = time.monotonic() + BROKEN_WITHIN
        while not ledger.outstanding(ws):
            assert drill.poll() is None, "it ended before it broke anything"
            assert time.monotonic() < deadline
            time.sleep(0.1)
        drill.send_signal(signal.SIGKILL)
    refused = user.mirrorforce("drill", "run", "switchover", "--cell", CELL)
    assert refused.status == ExitCode.ERROR
    assert "mirrorforce drill heal" in refused.err
    healed = user.mirrorforce("drill", "heal")
    assert healed.status == ExitCode.AS_DECLARED, healed
    assert "isolate east" in healed.out
    assert ledger.outstanding(ws) == ()
    at_work = ["systemctl", "list-units", "--no-legend", "mirrorforce-clients-*", "mirrorforce-pgbench-*"]
    assert remote.run(ws, "dev-app", at_work).stdout == ""
    whole = user.mirrorforce("wait", ENV)
    assert whole.status == ExitCode.AS_DECLARED, whole


@pytest.mark.usefixtures("reports")
def test_agents_hand_a_cell_over_and_leave_it_to_patroni_while_they_keep_still(user: User) -> None:
    report = json.loads(user.mirrorforce("status", ENV, "--json").out)
    (here,) = [cell["primary"]["site"] for cell in report["cells"] if cell["name"] == CELL]
    there = "west" if here == "legacy" else "legacy"
    away = user.mirrorforce("switchover", CELL, "--to", there)
    assert away.status == ExitCode.AS_DECLARED, away
    assert "by failover agents; its clients were held for" in " ".join(away.out.split())
    user.mirrorforce("maintenance", CELL, "on")
    try:
        home = user.mirrorforce("switchover", CELL, "--to", here)
    finally:
        user.mirrorforce("maintenance", CELL, "off")
    assert home.status == ExitCode.AS_DECLARED, home
    assert "by Patroni (failover agents did not: maintenance is on);" in " ".join(home.out.split())
    # Nobody is fenced off, and nobody's clients are held.
    checked = user.mirrorforce("verify", ENV)
    assert checked.status == ExitCode.AS_DECLARED, checked


@pytest.mark.usefixtures("reports")
def test_a_drill_does_not_start_on_an_estate_that_is_not_healthy(user: User) -> None:
    user.mirrorforce("lab", "power-off", "legacy-na2")
    try:
        refused = user.mirrorforce("drill", "run", "switchover", "--cell", CELL)
    finally:
        user.mirrorforce("lab", "power-on", "legacy-na2")
    assert refused.status == ExitCode.ERROR
    assert "a drill starts on a healthy estate only" in refused.err
    assert "legacy-na2" in refused.err


@pytest.fixture(scope="module")
def without_agents(user: User, reports: Path) -> User:
    """Whose estate had agents, and has none any more; for the tests at the end."""
    del reports  # comes first
    declare_test_estate(ENV, agents=False)
    done = user.mirrorforce("up", ENV)
    assert done.status == ExitCode.AS_DECLARED, done
    return user


def test_agents_that_the_file_does_not_want_any_more_leave_nothing_behind(without_agents: User) -> None:
    checked = without_agents.mirrorforce("verify", ENV)
    assert checked.status == ExitCode.AS_DECLARED, checked
    left = ["sudo", "grep", "--count", "pre_promote", "/etc/patroni/config.yml"]
    runs = ["systemctl", "is-active", "failover_agent.service"]
    for member in ("east-na1", "west-na2"):
        assert remote.run(Workspace(ENV), member, left).stdout.strip() == "0"
        assert remote.run(Workspace(ENV), member, runs).stdout.strip() == "inactive"
    away = without_agents.mirrorforce("switchover", CELL, "--to", "legacy")
    assert away.status == ExitCode.AS_DECLARED, away
    assert "failover agents" not in away.out


def test_without_agents_patroni_takes_over_by_itself(without_agents: User, tmp_path: Path) -> None:
    report = tmp_path / "drill.json"
    done = without_agents.mirrorforce("drill", "run", "host-lost", "--cell", CELL, f"--json={report}")
    assert done.status in {ExitCode.AS_DECLARED, ExitCode.OBJECTIVE_MISSED}, done
    (drill,) = json.loads(report.read_text())["drills"]
    assert drill["repetitions"][0]["outcome"] == "passed"
