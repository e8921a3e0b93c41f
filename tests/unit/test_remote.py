from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from mirrorforce import remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path / "home"))
    found = Workspace("lab")
    found.access.mkdir(parents=True)
    found.ssh_config.write_text(
        "Host east-na1\n  HostName 192.0.2.1\n\nHost west-na1\n\nHost *\n  BatchMode yes\n"
    )
    return found


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for ssh, first on PATH: what it does is the shell text that a test writes into it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / "ssh"


def does(ssh: Path, script: str) -> None:
    ssh.write_text(f"#!/bin/sh\n{script}\n")
    ssh.chmod(0o755)


def test_outputs_and_exit_status_come_back(ws: Workspace, ssh: Path) -> None:
    does(ssh, "echo out; echo err >&2; exit 3")
    result = remote.run(ws, "east-na1", "true")
    assert (result.rc, result.stdout, result.stderr, result.ok, result.reached) == (
        3,
        "out\n",
        "err\n",
        False,
        True,
    )
    assert result.reason == "err"


def test_standard_input_reaches_the_command(ws: Workspace, ssh: Path) -> None:
    does(ssh, "cat")
    assert remote.run(ws, "east-na1", "cat", stdin="a secret").stdout == "a secret"


def test_without_input_the_command_reads_nothing(ws: Workspace, ssh: Path) -> None:
    does(ssh, "cat; echo end")
    assert remote.run(ws, "east-na1", "cat").stdout == "end\n"


def test_a_sequence_is_quoted_for_the_remote_shell(ws: Workspace) -> None:
    assert remote.arguments(ws, "east-na1", ["echo", "two words", "$HOME"])[-1] == "echo 'two words' '$HOME'"
    assert remote.arguments(ws, "east-na1", "echo $HOME")[-1] == "echo $HOME"


def test_an_unreachable_host_is_an_answer(ws: Workspace, ssh: Path) -> None:
    does(ssh, "echo 'ssh: connect to host: No route to host' >&2; exit 255")
    result = remote.run(ws, "east-na1", "true")
    assert not result.reached
    assert not result.timed_out
    assert "No route to host" in result.reason


def test_at_the_limit_everything_that_ssh_started_is_killed(ws: Workspace, ssh: Path, tmp_path: Path) -> None:
    does(ssh, f"echo begun; sleep 300 & echo $! > {tmp_path}/child; wait")
    result = remote.run(ws, "east-na1", "true", timeout=0.5)
    assert result.timed_out
    assert not result.reached
    assert result.rc == remote.TIMED_OUT
    assert result.stdout == "begun\n"
    assert "no answer within" in result.reason
    child = int((tmp_path / "child").read_text())
    assert gone(child), "what ssh started still runs"


@pytest.mark.parametrize("kept_open", [False, True])
def test_a_slow_host_that_was_reached_is_waited_for(ws: Workspace, ssh: Path, *, kept_open: bool) -> None:
    if kept_open:
        ws.control.mkdir()
        (ws.control / "east-na1").touch()
    does(ssh, "echo; sleep 1; echo answer")
    result = remote.run(ws, "east-na1", "true", timeout=0.3, patience=20)
    assert result.ok
    assert result.stdout == "\nanswer\n"


def test_a_new_connection_that_is_being_made_is_not_cut_off(ws: Workspace, ssh: Path) -> None:
    does(ssh, "sleep 1; echo answer")
    assert remote.run(ws, "east-na1", "true", timeout=0.3, patience=20).stdout == "answer\n"


def test_nobody_waits_for_a_host_that_an_open_connection_no_longer_reaches(ws: Workspace, ssh: Path) -> None:
    ws.control.mkdir()
    (ws.control / "east-na1").touch()
    does(ssh, "exec sleep 300")
    result = remote.run(ws, "east-na1", "true", timeout=0.3, patience=20)
    assert result.timed_out
    assert result.seconds < 20


def test_a_master_that_keeps_our_pipes_open_holds_up_nobody(ws: Workspace, ssh: Path, tmp_path: Path) -> None:
    does(ssh, f"echo begun; setsid sleep 8 & echo $! > {tmp_path}/master; wait")
    result = remote.run(ws, "east-na1", "true", timeout=0.5)
    assert result.timed_out
    assert result.stdout == "begun\n"
    master = int((tmp_path / "master").read_text())
    os.kill(master, signal.SIGKILL)  # it is still there: nobody waited for its end


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_one_dead_host_costs_the_others_nothing(ws: Workspace, ssh: Path) -> None:
    does(ssh, 'case "$*" in *silent-host*) sleep 300;; *) echo alive;; esac')
    results = remote.run_on_all(ws, ["east-na1", "silent-host", "west-na1"], "true", timeout=1.0)
    assert list(results) == ["east-na1", "silent-host", "west-na1"]
    assert [result.reached for result in results.values()] == [True, False, True]


def test_each_host_can_have_a_command_of_its_own(ws: Workspace, ssh: Path) -> None:
    does(ssh, 'for last; do :; done; echo "$last"')
    results = remote.run_on_all(ws, ["east-na1", "west-na1"], lambda host: ["hello", host])
    assert results["west-na1"].stdout == "hello west-na1\n"


def test_no_host_is_no_work(ws: Workspace) -> None:
    assert remote.run_on_all(ws, [], "true") == {}


def test_hosts_that_can_be_reached_are_those_of_the_ssh_config(ws: Workspace) -> None:
    assert remote.known_hosts(ws) == {"east-na1", "west-na1"}


def test_an_environment_that_is_not_up_is_said_to_be_so(ws: Workspace) -> None:
    ws.ssh_config.unlink()
    with pytest.raises(MirrorforceError, match="its hosts do not exist yet") as refused:
        remote.run(ws, "east-na1", "true")
    assert refused.value.next_step == "mirrorforce up lab"
