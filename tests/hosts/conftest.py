"""The checks of `mirrorforce verify`, on the hosts of the environment that MIRRORFORCE_ENV names.

`pytest tests/hosts` runs them with the environment that `mirrorforce env` prints. Every host is asked once,
at the start, for all of its facts; a check then is a comparison, and takes no time.
"""

from __future__ import annotations

import json
import os
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirrorforce import estate_file, expected, placement
from mirrorforce.errors import ExitCode, MirrorforceError
from mirrorforce.operations import verify_facts, verify_report
from mirrorforce.operations.checked import Checked, Found
from mirrorforce.operations.verify_report import CheckResult
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.estate import Cell, Estate, Host

STARTED = pytest.StashKey[tuple[datetime, float]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mirrorforce")
    group.addoption(
        "--report", type=Path, help="write the results there, as schemas/verify.schema.json has it"
    )
    group.addoption("--facts-to", type=Path, help="keep what hosts said in this file")
    group.addoption("--facts-from", type=Path, help="judge the facts in this file; ask no host")


def _estate() -> Estate:
    ws = Workspace(os.environ.get("MIRRORFORCE_ENV", "lab"))
    try:
        return estate_file.load(ws.estate_file)
    except MirrorforceError as fault:
        pytest.exit(str(fault), returncode=ExitCode.BAD_INPUT)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STARTED] = (datetime.now(UTC), time.monotonic())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One check per host of a kind (any, by role, with ports that speak TLS), or per `cell`."""
    estate = _estate()
    hosts = placement.hosts(estate)
    subjects: dict[str, list[Host] | list[Cell]] = {"any_host": list(hosts)}
    subjects["tls_host"] = [host for host in hosts if expected.tls_ports(host)]
    for role in ("control", "database", "application"):
        subjects[role] = [host for host in hosts if host.role == role]
    subjects["cell"] = list(estate.cells)
    for name, values in subjects.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values, ids=[value.name for value in values])


@pytest.fixture(scope="session")
def estate() -> Estate:
    return _estate()


@pytest.fixture(scope="session")
def checked(estate: Estate, pytestconfig: pytest.Config) -> Checked:
    """Every host's facts, asked for once."""
    if path := pytestconfig.getoption("--facts-from"):
        return Checked(estate, verify_facts.read(path))
    try:
        facts = verify_facts.collect(Workspace(estate.name), estate)
    except MirrorforceError as fault:
        pytest.exit(str(fault), returncode=ExitCode.ERROR)
    if path := pytestconfig.getoption("--facts-to"):
        facts.write(path)
    return Checked(estate, facts)


@pytest.fixture
def found(record_property: Callable[[str, object], None]) -> Found:
    """Say in the report what a check found, also where it passes."""
    return lambda what: record_property("found", what)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember the result of each check: its call, or a set-up that failed or skipped it."""
    if report.when == "call" or (report.when == "setup" and not report.passed):
        check, subject = verify_report.in_words(report.nodeid.rpartition("::")[2])
        _results.append(CheckResult(check, subject, report.outcome, _said(report)))


_results: list[CheckResult] = []


def _said(report: pytest.TestReport) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = str(crash.message if crash else report.longrepr)
        said, _, _ = text.removeprefix("AssertionError: ").partition("\nassert ")  # what pytest adds
        return textwrap.dedent(f"  {said}").strip()
    return "; ".join(str(value) for name, value in report.user_properties if name == "found")


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--report")
    if not path:
        return
    moment, started = session.config.stash[STARTED]
    estate = _estate()
    report = verify_report.build(
        environment=estate.name,
        estate=estate.name,
        time=moment.isoformat(timespec="seconds"),
        seconds=time.monotonic() - started,
        results=_results,
    )
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
