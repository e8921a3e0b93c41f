"""One command at a time changes an environment."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mirrorforce.errors import MirrorforceError
from mirrorforce.lock import machine_to_oneself, only_one
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from mirrorforce.lock import only_one
from mirrorforce.workspace import Workspace
with only_one(Workspace("here"), "up here"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path))
    return Workspace("here")


def test_a_second_command_is_told_who_holds_the_environment(workspace: Workspace) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        with (
            pytest.raises(MirrorforceError, match=rf"`up here` \(process {holder.pid}\)"),
            only_one(workspace, "down here"),
        ):
            pass
        holder.kill()


def test_a_killed_holder_leaves_the_environment_free(workspace: Workspace) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
    with only_one(workspace, "up here"):
        pass


def test_the_lock_can_be_removed_by_its_holder_and_taken_anew(workspace: Workspace) -> None:
    with only_one(workspace, "down here"):
        workspace.lock.unlink()
    with only_one(workspace, "up here"):
        assert workspace.lock.exists()


MEASURE = """
import time
from mirrorforce.lock import machine_to_oneself
with machine_to_oneself(print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_who_measures_has_the_machine_to_itself(workspace: Workspace) -> None:
    del workspace
    said: list[str] = []
    with subprocess.Popen([sys.executable, "-c", MEASURE], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        def let_go(text: str) -> None:
            said.append(text)
            holder.kill()

        with machine_to_oneself(let_go):
            assert holder.wait() != 0
    assert said == ["another lab on this machine is being measured; this one waits for its turn"]
