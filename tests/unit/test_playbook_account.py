from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorforce import playbook
from mirrorforce.playbook import Account, Change, Failure, HostCounts, Progress, diff_text
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    import pytest


def event(kind: str, **data: object) -> dict[str, Any]:
    return {"event": kind, "event_data": data}


def outcome(kind: str, host: str, **res: object) -> dict[str, Any]:
    return event(f"runner_on_{kind}", host=host, role="etcd", task="Run etcd", res=res)


def account(*events: dict[str, Any]) -> Account:
    reader = Account()
    for each in events:
        reader.take(each)
    return reader


STATS = event(
    "playbook_on_stats",
    ok={"east": 3, "west": 2},
    changed={"east": 1},
    failures={"west": 1},
    dark={"legacy": 1},
    processed={"east": 1, "west": 1, "legacy": 1},
)


def test_counts_are_those_of_ansibles_own_end() -> None:
    result = account(STATS).result(check=False)
    assert result is not None
    assert result.hosts == {
        "east": HostCounts(ok=3, changed=1),
        "legacy": HostCounts(unreachable=1),
        "west": HostCounts(ok=2, failed=1),
    }
    assert [name for name, counts in result.hosts.items() if counts.done] == ["east"]


def test_a_run_that_never_came_to_its_end_has_no_result() -> None:
    assert account(outcome("ok", "east")).result(check=False) is None


def test_failed_tasks_and_lost_hosts_are_told_apart() -> None:
    reader = account(
        outcome("failed", "west", msg=" no majority "),
        outcome("unreachable", "legacy", msg="timed out"),
        STATS,
    )
    assert reader.failures == [
        Failure("west", "etcd: Run etcd", "no majority", unreachable=False),
        Failure("legacy", "etcd: Run etcd", "timed out", unreachable=True),
    ]


def test_a_failure_that_the_task_ignores_is_none() -> None:
    reader = Account()
    failed = outcome("failed", "west", msg="so be it")
    failed["event_data"]["ignore_errors"] = True
    reader.take(failed)
    assert reader.failures == []


def test_a_changed_task_keeps_its_difference() -> None:
    reader = account(
        outcome(
            "ok", "east", changed=True, diff={"before": "a\nb\n", "after": "a\nc\n", "after_header": "/etc/x"}
        )
    )
    (change,) = reader.changes
    assert (change.host, change.task) == ("east", "etcd: Run etcd")
    assert change.diff.splitlines()[0] == "--- /etc/x"
    assert change.diff.splitlines()[-2:] == ["-b", "+c"]


def test_a_task_that_changed_nothing_is_no_change() -> None:
    assert account(outcome("ok", "east", changed=False)).changes == []


def test_a_hidden_result_gives_its_reason_for_being_hidden() -> None:
    reader = account(outcome("failed", "west", censored="hidden by no_log"))
    assert reader.failures[0].message == "hidden by no_log"


def test_progress_counts_the_hosts_of_the_task_at_work() -> None:
    reader = Account()
    reader.take(event("playbook_on_task_start", task="Run etcd", role="etcd"))
    reader.take(event("runner_on_start", host="east"))
    reader.take(event("runner_on_start", host="west"))
    assert reader.take(outcome("ok", "east")) == Progress("etcd: Run etcd", 1, 2)
    assert str(reader.take(outcome("failed", "west"))) == "etcd: Run etcd (2 of 2 hosts)"
    assert reader.take(event("playbook_on_task_start", task="Next")) == Progress("Next", 0, 0)


def test_warnings_are_told_once_with_their_host() -> None:
    warned = outcome("ok", "east", warnings=["waits for a restart"])
    result = account(warned, warned, STATS).result(check=True)
    assert result is not None
    assert result.warnings == ("east: waits for a restart",)


def test_differences_of_several_files_stand_one_below_the_other() -> None:
    text = diff_text(
        [
            {"before": "", "after": "x\n", "after_header": "/a"},
            {},
            {"prepared": "as it is\n"},
            {"before": {"state": "absent"}, "after": {"state": "directory"}},
        ]
    )
    assert text.splitlines()[:2] == ["--- /a", "+++ /a"]
    assert "as it is" in text
    assert "+state: directory" in text


def test_a_change_without_a_difference_is_still_a_change() -> None:
    reader = account(outcome("ok", "east", changed=True))
    assert reader.changes == [Change("east", "etcd: Run etcd", "")]


def test_ctrl_c_ends_us_again_when_ansible_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ansible-runner takes SIGINT and SIGTERM for itself, and never gives them back."""
    (tmp_path / "none.yml").write_text("- {hosts: all, gather_facts: false, tasks: []}\n")
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path / "home"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setattr(playbook, "PLAYBOOKS", tmp_path)
    (tmp_path / "hosts.yml").write_text("all: {hosts: {somewhere: }}\n")
    told = {
        "ANSIBLE_INVENTORY": str(tmp_path / "hosts.yml"),
        "ANSIBLE_INVENTORY_ENABLED": "yaml",
        "PATH": path,
    }
    monkeypatch.setattr(playbook, "environment", lambda _: told)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    playbook.run(Workspace("lab"), "none.yml")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
