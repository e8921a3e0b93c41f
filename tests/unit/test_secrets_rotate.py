"""The run of a rotation: what is written down before what is done, and what an interruption leaves."""

from __future__ import annotations

import io
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from mirrorforce import engine, estate_file, inventory, placement, remote, rotation, secrets
from mirrorforce.errors import MirrorforceError
from mirrorforce.inventory import Inventory
from mirrorforce.operations import converge, secrets_rotate, secrets_trials, status, waiting
from mirrorforce.progress import Phases
from mirrorforce.remote import Result
from mirrorforce.secrets import Stage
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.secrets import EstateSecrets

ESTATE = estate_file.load(Path(__file__).parents[2] / "stacks" / "lab.yaml")
HOSTS = placement.hosts(ESTATE)
KNOWN = secrets.generate(ESTATE)
WS = Workspace("lab")


@dataclass
class Lab:
    """What stands in for stacks, hosts and Ansible; `log` tells in which order they were asked."""

    kept: EstateSecrets = KNOWN
    log: list[str] = field(default_factory=list)
    limits: list[set[str]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)
    silent: str = ""
    fails_at: str = ""
    troubles: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    def write(self, _ws: Workspace, values: EstateSecrets) -> None:
        self.kept = values
        self.log.append(f"write {sorted(f'{n} {c.stage}' for n, c in values.changes.items())}")

    def converge(
        self, _ws: Workspace, _estate: object, *, tags: str, limit: str, notes: dict[str, str], **_: object
    ) -> None:
        self.log.append(f"converge {tags}")
        self.limits.append(set(limit.split(",")))
        self.notes.append(dict(notes))
        if self.fails_at in {str(change.stage) for change in self.kept.changes.values()}:
            raise MirrorforceError("a task failed")

    def run_on_all(
        self, _ws: Workspace, hosts: Sequence[str], *_: object, **_more: object
    ) -> dict[str, Result]:
        return {name: Result(255 if name == self.silent else 0, "", "", timed_out=False) for name in hosts}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    found = Lab()
    report = {"cells": [{"name": "na1", "primary": {"host": "east-na1"}},
                        {"name": "na2", "primary": {"host": "west-na2"}}]}  # fmt: skip

    def until_whole(*_: object, **_more: object) -> dict[str, Any]:
        found.log.append("whole")
        return report

    monkeypatch.setattr(secrets_rotate, "only_one", lambda *_: nullcontext())
    monkeypatch.setattr(engine, "read_secrets", lambda _: found.kept)
    monkeypatch.setattr(engine, "write_secrets", found.write)
    monkeypatch.setattr(engine, "up", lambda _ws, stack, **_: found.log.append(f"up {stack}"))
    monkeypatch.setattr(inventory, "write_access", lambda *_: found.log.append("access"))
    monkeypatch.setattr(inventory, "close_access", lambda _: found.log.append("close"))
    monkeypatch.setattr(remote, "run_on_all", found.run_on_all)
    monkeypatch.setattr(status, "collect", lambda *_, **__: report)
    monkeypatch.setattr(secrets_rotate, "troubles_of", lambda _: found.troubles)
    monkeypatch.setattr(converge, "stale_hosts", lambda *_: list(found.stale))
    monkeypatch.setattr(converge, "converge", found.converge)
    monkeypatch.setattr(waiting, "until_whole", until_whole)
    monkeypatch.setattr(
        secrets_trials, "until_true", lambda _, doors: found.log.append(f"try {len(doors) > 0}")
    )
    monkeypatch.setattr(secrets_trials, "until_reloaded", lambda *_: found.log.append("reloaded"))
    monkeypatch.setattr(secrets_trials, "until_reissued", lambda *_: found.log.append("reissued"))
    monkeypatch.setattr(
        secrets_trials, "ssh_key", lambda *_, opens: found.log.append(f"ssh key opens {opens}")
    )
    return found


def rotate(*names: str) -> str:
    """A run; what it said."""
    said = io.StringIO()
    hosts: Any = HOSTS
    phases = Phases(Console(file=said, width=200))
    try:
        secrets_rotate.rotate(WS, ESTATE, Inventory("lab", hosts), names, phases)
    except MirrorforceError as error:
        return f"{said.getvalue()}{error}"
    return said.getvalue()


def test_each_stage_is_written_down_then_converged_then_tried(lab: Lab) -> None:
    rotate("na1-application")
    assert lab.log == [
        "access",
        "write ['na1-application offered']", "converge application,postgres", "whole", "try True",
        "write ['na1-application switched']", "converge application,postgres", "whole", "try True",
        "write ['na1-application dropped']", "converge application,postgres", "whole", "try True",
        "write []",
    ]  # fmt: skip
    members, applications = {"east-na1", "west-na1", "legacy-na1"}, {"dev-app"}
    assert lab.limits == [members | applications, applications, members | applications]


def test_the_last_converge_leaves_fingerprints_on_hosts_that_were_as_declared(lab: Lab) -> None:
    lab.stale = ("west-na1",)
    rotate("na1-application")
    assert lab.notes[:-1] == [{}, {}]
    assert set(lab.notes[-1]) == {"east-na1", "legacy-na1", "dev-app"}
    declared = converge.fingerprints_with(ESTATE, lab.kept)
    assert all(declared[name] == text for name, text in lab.notes[-1].items())


def test_a_new_ssh_key_is_proven_before_it_is_used_and_the_old_one_refused_at_the_end(lab: Lab) -> None:
    rotate("ssh-key")
    order = [each for each in lab.log if each.startswith(("ssh key", "up", "close", "write"))]
    assert order == [
        "write ['ssh-key offered']", "ssh key opens True",
        "write ['ssh-key switched']", "close", *order[4:8],
        "write ['ssh-key dropped']", "ssh key opens False",
        "write []",
    ]  # fmt: skip
    assert sorted(order[4:8]) == ["up lab-dev", "up lab-east", "up lab-legacy", "up lab-west"]


@pytest.mark.parametrize("stage", list(Stage))
def test_what_fails_is_named_and_the_next_run_goes_on_from_there(lab: Lab, stage: Stage) -> None:
    lab.fails_at = stage
    said = rotate("ca")
    assert lab.kept.changes["ca"].stage is stage
    assert "half-done: ca" in said
    assert "next: mirrorforce secrets rotate" in said
    lab.fails_at, half = "", lab.kept
    assert "taken up again: ca" in rotate("ca")
    assert lab.kept.changes == {}
    new = half.changes["ca"].other if stage is Stage.OFFERED else {"ca_key": half.ca_key}
    assert lab.kept.ca_key == new["ca_key"]


def test_a_host_that_does_not_answer_stops_it_before_anything_is_changed(lab: Lab) -> None:
    lab.silent = "legacy-na2"
    said = rotate()
    assert "nothing was changed: legacy-na2 does not answer" in said
    assert lab.kept is KNOWN
    assert not [each for each in lab.log if each.startswith(("write", "converge"))]


def test_an_estate_that_is_not_whole_is_left_alone(lab: Lab) -> None:
    lab.troubles = ("site east is down",)
    assert "nothing was changed: the estate is not whole: site east is down" in rotate("ca")
    assert lab.kept is KNOWN


def test_all_secrets_together_take_three_stages(lab: Lab) -> None:
    rotate()
    assert len([each for each in lab.log if each.startswith("write")]) == 4
    assert lab.kept.changes == {}
    assert replace(lab.kept, dates={}).second_logins == tuple(
        sorted(each.name for each in rotation.of(ESTATE) if each.turns)
    )


def test_an_old_user_of_etcd_is_dropped_only_when_patroni_has_read_the_new_one(lab: Lab) -> None:
    rotate("na1-etcd")
    assert lab.log.count("reloaded") == 1
    dropped = lab.log.index("write ['na1-etcd dropped']")
    assert lab.log.index("write ['na1-etcd switched']") < lab.log.index("reloaded") < dropped
