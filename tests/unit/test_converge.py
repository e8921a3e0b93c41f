from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mirrorforce import playbook, remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import converge
from mirrorforce.playbook import Change, Failure, HostCounts, PlaybookResult
from mirrorforce.remote import Result
from mirrorforce.workspace import Workspace
from tests.estates import estate as an_estate
from tests.estates import site

if TYPE_CHECKING:
    from collections.abc import Callable

WS = Workspace("lab")
WANTED = {"east": "f1", "west": "f2", "legacy": "f3"}
ESTATE = an_estate(site("east", 1, "virginia"))
DONE = PlaybookResult(hosts={"east": HostCounts(ok=3)})


def answering(**stdout: str | None) -> Callable[..., dict[str, Result]]:
    """Hosts that show these markers; None: no answer."""

    def run_on_all(*_: object, **__: object) -> dict[str, Result]:
        return {
            host: Result(255, "", "timed out", timed_out=False)
            if text is None
            else Result(0, text, "", timed_out=False)
            for host, text in stdout.items()
        }

    return run_on_all


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The runs of Ansible that were asked for; each ends well."""
    asked: list[dict[str, Any]] = []

    def run(_: Workspace, name: str, **options: object) -> PlaybookResult:
        asked.append({"playbook": name, **options})
        return DONE

    monkeypatch.setattr(playbook, "run", run)
    monkeypatch.setattr(converge, "fingerprints", lambda *_: WANTED)
    return asked


def test_a_host_with_another_fingerprint_or_none_or_no_answer_is_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "run_on_all", answering(east="f1\n", west="old\n", legacy=None))
    assert converge.stale_hosts(WS, WANTED) == ["west", "legacy"]


def test_where_every_fingerprint_holds_ansible_is_not_started(
    monkeypatch: pytest.MonkeyPatch, runs: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(remote, "run_on_all", answering(east="f1\n", west="f2\n", legacy="f3\n"))
    assert converge.converge(WS, ESTATE, only_stale=True) == PlaybookResult()
    assert runs == []


def test_only_stale_hosts_are_converged(monkeypatch: pytest.MonkeyPatch, runs: list[dict[str, Any]]) -> None:
    monkeypatch.setattr(remote, "run_on_all", answering(east="f1\n", west="", legacy="f3\n"))
    converge.converge(WS, ESTATE, only_stale=True)
    assert [run["limit"] for run in runs] == ["west"]


@pytest.mark.parametrize("part", [{"check": True}, {"tags": "etcd"}])
def test_a_check_or_a_part_of_the_roles_leaves_no_fingerprint(
    runs: list[dict[str, Any]], part: dict[str, Any]
) -> None:
    converge.converge(WS, ESTATE, **part)
    assert runs[0]["variables"] == {}


def test_a_whole_converge_leaves_the_fingerprints(runs: list[dict[str, Any]]) -> None:
    converge.converge(WS, ESTATE)
    assert runs[0]["variables"] == {"fingerprints": WANTED}


FAILED = PlaybookResult(
    hosts={"east": HostCounts(ok=3), "west": HostCounts(failed=1)},
    failures=(Failure("west", "etcd: Run etcd", "no majority", unreachable=False),),
    changes=(Change("east", "etcd: Run etcd", ""),),
)


def test_a_failed_converge_names_host_task_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converge, "fingerprints", lambda *_: WANTED)
    monkeypatch.setattr(playbook, "run", lambda *_, **__: FAILED)
    with pytest.raises(MirrorforceError, match="failed on 1 of 2 hosts") as caught:
        converge.converge(WS, ESTATE)
    assert "west: etcd: Run etcd: no majority" in str(caught.value)
    assert converge.converge(WS, ESTATE, check=True) == FAILED


def test_only_stale_hosts_among_those_named_are_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def markers(_ws: object, hosts: list[str], *_: object, **__: object) -> dict[str, Result]:
        asked.extend(hosts)
        return {host: Result(0, "f2\n", "", timed_out=False) for host in hosts}

    limits: list[str | None] = []

    def run(*_: object, limit: str | None, **__: object) -> PlaybookResult:
        limits.append(limit)
        return DONE

    monkeypatch.setattr(converge, "fingerprints", lambda *_: WANTED)
    monkeypatch.setattr(remote, "run_on_all", markers)
    monkeypatch.setattr(playbook, "run", run)
    converge.converge(WS, ESTATE, limit="east,west", only_stale=True)
    assert asked == ["east", "west"]
    assert limits == ["east"]
