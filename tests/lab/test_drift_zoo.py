"""The zoo of drifts: made in batches on an estate of its own; one look, one fix, one look.

MIRRORFORCE_ZOO=handful makes a chosen third, all of it on hosts; `all` makes all of them, infrastructure too.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from mirrorforce import engine, remote
from mirrorforce.errors import ExitCode
from mirrorforce.lab import disks, hosts, links
from mirrorforce.workspace import ROOT
from tests.lab import zoo
from tests.lab.user import Done, User, standing_estate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ENV = "testz"
CHOSEN = os.environ.get("MIRRORFORCE_ZOO", "handful")
BATCHES = zoo.BATCHES if CHOSEN == "all" else (zoo.HANDFUL,)
MADE = [(number, drift) for number, batch in enumerate(BATCHES) for drift in batch]
SCHEMA = json.loads((ROOT / "schemas" / "drift-report.schema.json").read_text())

Report = dict[str, Any]


def make(user: User, drift: zoo.Drift) -> None:
    if drift in zoo.INFRASTRUCTURE:
        on_the_machine(user.env, drift)
        return
    secrets = engine.read_secrets(user.ws)
    script = drift.make.replace("{etcd_root_password}", secrets.etcd_root_password)
    as_root(user, drift.host, script)


def as_root(user: User, host: str, script: str) -> None:
    """By standard input, so that no argument list shows a password."""
    done = remote.run(user.ws, host, ["sudo", "-n", "sh", "-e"], stdin=f"cd /; {script}\n", timeout=60.0)
    assert done.ok, f"{host}: {script}: {done.stderr or done.reason}"


def on_the_machine(env: str, drift: zoo.Drift) -> None:
    what, _, volume = drift.make.partition(" ")
    if what == "delete":
        hosts.remove(env, drift.host)
    elif what == "cut":
        links.cut(env, *drift.host.split("-"))
    else:
        hosts.power_off(env, drift.host)
        if what == "detach":
            disks.volume_file(disks.folder(env, drift.host), volume).unlink()


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with standing_estate(ENV, cells=None if CHOSEN == "all" else {"na1"}) as someone:
        yield someone


def look(user: User, folder: Path, *options: str, expected: Sequence[ExitCode]) -> Report:
    file = folder / f"drift{'-'.join(options)}.json"
    done = user.mirrorforce("drift", ENV, "--json", str(file), *options)
    assert done.status in expected, done
    report: Report = json.loads(file.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert engine.read_secrets(user.ws).etcd_root_password not in file.read_text()
    return report


@pytest.fixture(scope="module")
def clean(user: User, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Before anything is made: nothing may be found. Of a handful the full look at the end says the rest."""
    quick = () if CHOSEN == "all" else ("--quick",)
    return look(user, tmp_path_factory.mktemp("clean"), *quick, expected=[ExitCode.AS_DECLARED])


@pytest.fixture(scope="module")
def looks(
    user: User, clean: Report, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Report, Report, Report]]:
    """For each batch: a quick look, what --fix saw first, and the look after it."""
    assert clean["findings"] == []
    found = []
    for batch in BATCHES:
        folder = tmp_path_factory.mktemp("batch")
        for drift in batch:
            make(user, drift)
        quick = look(user, folder, "--quick", expected=[ExitCode.DRIFT_FOUND, ExitCode.ERROR])
        full = look(user, folder, expected=[ExitCode.DRIFT_FOUND])
        after = look(user, folder, "--fix", "--yes", expected=list(ExitCode))
        for drift in batch:
            if drift.undo:
                as_root(user, drift.host, drift.undo)
        found.append((quick, full, after))
    return found


def finding(report: Report, drift: zoo.Drift) -> dict[str, Any] | None:
    found = (one for one in report["findings"] if (one["subject"], one["item"]) == (drift.of, drift.item))
    return next(found, None)


def test_a_clean_estate_shows_no_drift_and_leaves_nothing_untold(clean: Report) -> None:
    assert (clean["drift"], clean["complete"]) == (False, True)
    more = set() if clean["kind"] == "quick" else {"infrastructure", "configuration"}
    assert set(clean["parts"]) == {"hosts", "state"} | more


@pytest.mark.parametrize(("batch", "drift"), MADE, ids=[drift.name for _, drift in MADE])
class TestEachDrift:
    def test_is_found_and_belongs_to_its_owner(
        self, batch: int, drift: zoo.Drift, looks: list[tuple[Report, Report, Report]]
    ) -> None:
        found = finding(looks[batch][1], drift)
        assert found is not None, [(one["subject"], one["item"]) for one in looks[batch][1]["findings"]]
        assert found["layer"] == drift.layers[0]
        assert set(drift.layers) <= set(found["seen_by"])
        assert found["declared_in"]

    def test_is_found_by_the_quick_look_as_the_table_says(
        self, batch: int, drift: zoo.Drift, looks: list[tuple[Report, Report, Report]]
    ) -> None:
        assert (finding(looks[batch][0], drift) is not None) == drift.quick

    def test_is_mended_as_the_table_says(
        self, batch: int, drift: zoo.Drift, looks: list[tuple[Report, Report, Report]]
    ) -> None:
        assert (finding(looks[batch][2], drift) is None) == drift.mended, looks[batch][2]["mended"]


def test_every_step_of_the_fix_went_well(looks: list[tuple[Report, Report, Report]]) -> None:
    for _, _, after in looks:
        assert [one for one in after["mended"] if one["outcome"] != "done"] == []
        assert after["mended"]


@pytest.mark.usefixtures("looks")
def test_the_estate_is_clean_after_all_and_verifies(user: User, tmp_path: Path) -> None:
    whole: Done = user.mirrorforce("wait", ENV)
    assert whole.status == ExitCode.AS_DECLARED, whole
    assert look(user, tmp_path, expected=[ExitCode.AS_DECLARED])["findings"] == []
    verified = user.mirrorforce("verify", ENV)
    assert verified.status == ExitCode.AS_DECLARED, verified


@pytest.mark.usefixtures("looks")
def test_a_host_without_power_is_never_told_as_clean(user: User, tmp_path: Path) -> None:
    hosts.power_off(ENV, "legacy-na1")
    try:
        report = look(user, tmp_path, "--quick", expected=[ExitCode.ERROR])
    finally:
        hosts.power_on(ENV, "legacy-na1")
    assert [gap["subject"] for gap in report["gaps"]] == ["legacy-na1"]
    assert (report["drift"], report["complete"]) == (False, False)
