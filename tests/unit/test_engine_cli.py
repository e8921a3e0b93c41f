from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirrorforce import engine, engine_cli, estate_file, secrets
from mirrorforce.engine_cli import Answer, environment, failure, living_holders
from mirrorforce.engine_home import ENGINE_FILES, engine_folder
from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from mirrorforce.estate import Estate

LOCKED = """error: the stack is currently locked by 1 lock(s). Either wait or `pulumi cancel`.
  file:///x/locks/organization/mirrorforce/lab-east/5420.json: created by root@{host} (pid {pid}) at 2026"""

# Plays `pulumi`: writes down its arguments and standard input, answers from files named by its verb.
PULUMI = """#!{python}
import os, pathlib, sys
here = pathlib.Path(__file__).parent
verb = " ".join(word for word in sys.argv[1:3] if word.isalpha())
with (here / "calls").open("a") as calls:
    print(" ".join(sys.argv[1:]), file=calls)
if verb == "config set":
    (here / "written").write_text(sys.stdin.read())
    sys.exit(0)
answer = here / verb
if answer.exists():
    text = answer.read_text()
    if text.startswith("error"):
        print(text, file=sys.stderr)
        answer.unlink()
        sys.exit(1)
    print(text)
if (here / "environment").exists():
    (here / "environment").write_text(repr(dict(os.environ)))
"""


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIRRORFORCE_CACHE", str(tmp_path / "cache"))
    workspace = Workspace("lab")
    workspace.state.mkdir(parents=True)
    workspace.passphrase_file.write_text("a passphrase")
    return workspace


@pytest.fixture
def pulumi(ws: Workspace) -> Path:
    """A folder of answers for a stand-in for `pulumi` that is where the engine is looked for."""
    assert ws
    folder = engine_folder()
    folder.mkdir(parents=True)
    for name in ENGINE_FILES:
        (folder / name).write_text(PULUMI.format(python=sys.executable))
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def estate() -> Estate:
    return estate_file.load(Path(__file__).parents[2] / "stacks" / "lab.yaml")


def test_the_environment_puts_engine_and_interpreter_first_and_only_once(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = environment(ws)["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", environment(ws)["PATH"])
    assert first[:2] == [str(engine_folder()), str(Path(sys.executable).parent)]
    assert environment(ws)["PATH"].split(os.pathsep) == first


def test_a_lock_whose_holder_is_gone_is_nobodys() -> None:
    assert living_holders(LOCKED.format(host=socket.gethostname(), pid=2**22 + 1)) == []


def test_a_process_number_that_another_program_has_now_holds_no_lock() -> None:
    assert living_holders(LOCKED.format(host=socket.gethostname(), pid=os.getpid())) == []


def test_a_lock_of_another_machine_is_taken_for_living() -> None:
    assert living_holders(LOCKED.format(host="elsewhere", pid=7)) == [7]


def test_a_stale_lock_is_cancelled_and_the_command_run_again(ws: Workspace, pulumi: Path) -> None:
    (pulumi / "up").write_text(LOCKED.format(host=socket.gethostname(), pid=2**22 + 1))
    answer = engine_cli.call(ws, ["up", "--stack", "lab-east"])
    verbs = [line.split()[0] for line in (pulumi / "calls").read_text().splitlines()]
    assert answer.status == 0
    assert verbs == ["up", "cancel", "up"]


def test_a_stack_that_somebody_changes_is_left_alone(ws: Workspace, pulumi: Path) -> None:
    (pulumi / "up").write_text(LOCKED.format(host="elsewhere", pid=7))
    with pytest.raises(MirrorforceError, match=r"lab-east is being changed by another pulumi \(process 7\)"):
        engine_cli.call(ws, ["up", "--stack", "lab-east"])
    assert "cancel" not in (pulumi / "calls").read_text()


def test_a_wrong_passphrase_is_told_with_its_file_and_the_next_step(ws: Workspace) -> None:
    error = failure(ws, "up", Answer(1, "", "error: getting secrets manager: incorrect passphrase"))
    assert str(ws.passphrase_file) in error.message
    assert "mirrorforce down lab" in error.next_step


def test_an_error_that_has_a_next_step_keeps_it_as_the_only_one(ws: Workspace) -> None:
    error = failure(ws, "up", Answer(1, "", ""), ["no hosts\n  next: make them"])
    assert str(error).count("next:") == 1


def test_a_missing_engine_is_told_with_the_command_that_brings_it(ws: Workspace) -> None:
    with pytest.raises(MirrorforceError, match=r"(?s)not set up.*make setup"):
        engine_cli.call(ws, ["version"])


def test_a_passphrase_of_the_callers_own_is_not_passed_on(
    ws: Workspace, pulumi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of another estate")
    (pulumi / "environment").touch()
    engine_cli.call(ws, ["version"])
    seen = (pulumi / "environment").read_text()
    assert "of another estate" not in seen
    assert str(ws.passphrase_file) in seen


def test_secrets_go_through_the_pipe_and_never_into_the_arguments(
    ws: Workspace, pulumi: Path, estate: Estate
) -> None:
    values = secrets.generate(estate)
    engine.write_secrets(ws, values)
    assert secrets.from_json((pulumi / "written").read_text()) == values
    arguments = (pulumi / "calls").read_text()
    assert "--secret" in arguments
    assert values.etcd_root_password not in arguments


def test_the_passphrase_is_made_once_and_for_its_owner_alone(
    ws: Workspace, pulumi: Path, estate: Estate
) -> None:
    ws.passphrase_file.unlink()
    (pulumi / "stack ls").write_text("[]")
    (pulumi / "config get").write_text(secrets.to_json(secrets.generate(estate)))
    unknown = replace(estate, name="unheard")
    engine.prepare(ws, unknown)
    made = ws.passphrase_file.read_text()
    engine.prepare(ws, unknown)
    assert ws.passphrase_file.read_text() == made
    assert stat.S_IMODE(ws.passphrase_file.stat().st_mode) == 0o600


def test_no_new_passphrase_is_made_over_what_a_lost_one_encrypts(
    ws: Workspace, pulumi: Path, estate: Estate
) -> None:
    ws.passphrase_file.unlink()
    state = ws.backend / ".pulumi" / "stacks" / "mirrorforce" / "lab-east.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    with pytest.raises(
        MirrorforceError, match=r"(?s)passphrase of environment lab is missing.*mirrorforce down lab"
    ):
        engine.prepare(ws, estate)
    assert not ws.passphrase_file.exists()
    assert not (pulumi / "calls").exists()


def test_an_estate_that_is_up_and_has_lost_its_secrets_gets_no_new_ones(
    ws: Workspace, pulumi: Path, estate: Estate
) -> None:
    stacks = [f'{{"name": "{name}", "resourceCount": 5}}' for name in engine.stacks_of(estate)]
    (pulumi / "stack ls").write_text(f"[{','.join(stacks)}]")
    (pulumi / "config get").write_text("error: configuration key 'secrets' not found for stack")
    with pytest.raises(MirrorforceError, match="has lost them"):
        engine.prepare(ws, estate)
    assert not (pulumi / "written").exists()


# Plays `pulumi` that takes a while over what it is at, and says so when it is asked to end.
SLOW = """#!{python}
import pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
asked = []
signal.signal(signal.SIGINT, lambda *_: asked.append(1))
print("at it", flush=True)
(here / "at it").touch()
for _ in range(600):
    time.sleep(0.1)
    if asked:
        time.sleep(0.5)  # a second request would end the real one at once
        break
print("saving", flush=True)
(here / "saving").write_text(str(len(asked)))
(here / "saving").rename(here / "saved")
"""

CALL = """
from functools import partial
from mirrorforce import engine, engine_cli, workspace
up = partial(engine_cli.call, workspace.Workspace("lab"), ["up", "--stack", "lab-east"], on_line=print)
engine.side_by_side([up])
"""


def seen(file: Path) -> bool:
    until = time.monotonic() + 30
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return file.exists()


def test_an_engine_whose_caller_is_killed_ends_what_it_is_at_and_saves(pulumi: Path) -> None:
    (pulumi / "pulumi").write_text(SLOW.format(python=sys.executable))
    with subprocess.Popen([sys.executable, "-c", CALL], stdout=subprocess.DEVNULL) as caller:
        assert seen(pulumi / "at it")
        caller.kill()
    assert seen(pulumi / "saved")
    assert (pulumi / "saved").read_text() == "1"


def test_each_line_is_handed_on_while_the_command_runs(ws: Workspace, pulumi: Path) -> None:
    (pulumi / "pulumi").write_text(SLOW.format(python=sys.executable))
    lines: list[str] = []

    def take(line: str) -> None:
        lines.append(line)
        engine_cli.interrupt()

    answer = engine_cli.call(ws, ["up", "--stack", "lab-east"], on_line=take)
    assert lines[0] == "at it\n"
    assert answer.stdout == "at it\nsaving\n" == "".join(lines)


def test_a_line_ends_where_the_engine_ends_it_and_nowhere_else(ws: Workspace, pulumi: Path) -> None:
    lines: list[str] = []
    (pulumi / "up").write_text("one\u2028line\nand another")
    engine_cli.call(ws, ["up"], on_line=lines.append)
    assert lines == ["one\u2028line\n", "and another\n"]


def test_an_engine_that_ends_itself_is_waited_for_and_one_that_somebody_runs_is_not(
    ws: Workspace, pulumi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_cli, "_is_pulumi", lambda _: not (pulumi / "gone").exists())
    monkeypatch.setattr(engine_cli, "_is_orphan", lambda _: (pulumi / "gone").write_text("") == 0)
    (pulumi / "up").write_text(LOCKED.format(host=socket.gethostname(), pid=7))
    assert engine_cli.call(ws, ["up", "--stack", "lab-east"]).status == 0
    (pulumi / "gone").unlink()
    monkeypatch.setattr(engine_cli, "_is_orphan", lambda _: False)
    (pulumi / "up").write_text(LOCKED.format(host=socket.gethostname(), pid=7))
    with pytest.raises(MirrorforceError, match="is being changed"):
        engine_cli.call(ws, ["up", "--stack", "lab-east"])


def test_tasks_run_at_the_same_time_and_answer_in_order() -> None:
    barrier = threading.Barrier(3, timeout=30)

    def task(number: int) -> int:
        barrier.wait()
        return number

    assert engine.side_by_side([partial(task, number) for number in range(3)]) == [0, 1, 2]


def test_when_several_tasks_fail_each_is_told_of_and_every_next_step_once() -> None:
    def fails(name: str) -> None:
        raise MirrorforceError(f"{name} failed", "free some disk")

    with pytest.raises(MirrorforceError, match=r"(?s)east failed.*west failed") as told:
        engine.side_by_side([partial(fails, "east"), partial(fails, "west")])
    assert told.value.next_step == "free some disk"
