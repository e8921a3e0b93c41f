"""One call of the `pulumi` command: its environment, its process, what its failures mean.

The command runs in a process group of its own, so that Ctrl-C reaches it once and in order, through
`interrupt`: it then ends what it is at, and saves. So it does when this process is gone, however it ended: a
killed engine would not know what was just being made for it.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.engine_home import engine_folder
from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from mirrorforce.workspace import Workspace

EXIT_NO_SUCH_STACK = 6
EXIT_CHANGES = 7
"""Exit statuses of the command, from its own table (pkg/cmd/pulumi/cmd/exit_codes.go, v3.259.0)."""

STREAMING = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
"""`--json` of a preview is then a stream of events, too, as that of every other operation."""

LAST_WORDS_SECONDS = 60.0
"""How long is waited for a command whose caller is gone: it ends what it is at, and begins nothing."""

_LOOK_EVERY_SECONDS = 0.05
_LOCK_HOLDER = re.compile(r"created by \S+@(?P<host>\S+) \(pid (?P<pid>\d+)\)")
_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave."""

    status: int
    stdout: str
    stderr: str


def environment(ws: Workspace) -> dict[str, str]:
    """The variables with which `pulumi`, `ansible-playbook` and `pytest` work on this environment."""
    folder = engine_folder()
    binaries = [str(folder), str(Path(sys.executable).parent)]
    rest = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part not in binaries]
    variables = {
        "MIRRORFORCE_ENV": ws.env,
        "PATH": os.pathsep.join([*binaries, *rest]),
        "PULUMI_BACKEND_URL": ws.backend_url,
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(ws.passphrase_file),
        "PULUMI_HOME": str(ws.state / "pulumi-home"),
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_SSH_ARGS": f"-F {ws.ssh_config}",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(ws.access / "control"),
    }
    if (folder / "SOURCE").exists() and (folder / "SOURCE").read_text().strip() == "go":
        # Built here because no release could be reached: a plugin could not be, either.
        variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    return variables


def call(
    ws: Workspace,
    arguments: Sequence[str],
    *,
    stdin: str | None = None,
    on_line: Callable[[str], None] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Answer:
    """Run `pulumi` with these arguments in the project's folder; each line of stdout goes to `on_line`.

    `variables` come to those of `environment`.

    A passphrase in the caller's own environment is left out: the environment's file is the only one.
    MirrorforceError where the engine is missing, or the stack is locked by a command that lives.
    """
    answer = _once(ws, arguments, stdin, on_line, variables)
    if answer.status == 0 or not _LOCK_HOLDER.search(answer.stderr):
        return answer
    stack = _stack_of(arguments)
    _wait_for_orphans(living_holders(answer.stderr))
    if alive := living_holders(answer.stderr):
        message = f"stack {stack} is being changed by another pulumi (process {', '.join(map(str, alive))})"
        raise MirrorforceError(message, "wait until it has ended, then run this again")
    # Its holder was killed: the lock is nobody's. What the holder was at is taken up by this run.
    _once(ws, ["cancel", "--yes", "--stack", stack], None, None)
    return _once(ws, arguments, stdin, on_line, variables)


def living_holders(locked: str) -> list[int]:
    """The processes that hold the locks named in pulumi's message and still live, or may live elsewhere."""
    found = [(match["host"], int(match["pid"])) for match in _LOCK_HOLDER.finditer(locked)]
    return [pid for host, pid in found if host != socket.gethostname() or _is_pulumi(pid)]


def interrupt(number: signal.Signals = signal.SIGINT) -> None:
    """Ask every running command to end in order (SIGINT), or end it at once (SIGKILL)."""
    with _running_lock:
        for process in _running:
            process.send_signal(number)


def failure(ws: Workspace, what: str, answer: Answer, errors: Iterable[str] = ()) -> MirrorforceError:
    """What a failed call means to a person, and what to do about it."""
    if "incorrect passphrase" in answer.stderr or "incorrect passphrase" in answer.stdout:
        return MirrorforceError(
            f"{what}: the passphrase in {ws.passphrase_file} is not the one that its state is encrypted with",
            f"put the right one into that file; `mirrorforce down {ws.env}` gives the environment up",
        )
    told = [_without_prefix(error) for error in errors] or [_without_prefix(answer.stderr.strip())]
    if answer.status < 0:
        told.append(f"pulumi was killed by {signal.Signals(-answer.status).name}")
    message = f"{what} failed:\n" + "\n".join(told)
    if any("next:" in text for text in told):
        return MirrorforceError(message)
    return MirrorforceError(message, "mend what it names, then run the command again: it goes on from there")


def _once(
    ws: Workspace,
    arguments: Sequence[str],
    stdin: str | None,
    on_line: Callable[[str], None] | None,
    variables: Mapping[str, str] | None = None,
) -> Answer:
    pulumi = engine_folder() / "pulumi"
    if not os.access(pulumi, os.X_OK):
        raise MirrorforceError(f"the Pulumi engine is not set up: there is no {pulumi}", "make setup")
    inherited = {name: value for name, value in os.environ.items() if name != "PULUMI_CONFIG_PASSPHRASE"}
    command = [str(pulumi), *arguments, "--non-interactive"]
    with (
        _Captured() as stdout,
        _Captured() as stderr,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=inherited | environment(ws) | STREAMING | dict(variables or {}),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=stdout.descriptor,
            stderr=stderr.descriptor,
            process_group=0,
        ) as process,
        _asked_to_end_without_us(process.pid),
    ):
        with _running_lock:
            _running.add(process)
        try:
            _feed(process, stdin)
            _follow(process, stdout, on_line)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        finally:
            with _running_lock:
                _running.discard(process)
        return Answer(process.returncode, stdout.text(), stderr.text())


@contextmanager
def _asked_to_end_without_us(pid: int) -> Iterator[None]:
    """Should this process be gone before the block ends, `pid` is asked to end as by Ctrl-C.

    Whatever ended us, and once: a second request would end it at once, and a parent's death signal may come
    with each of the parent's threads.
    """
    line = ["sh", "-c", 'read -r _ || kill -INT "$0"', str(pid)]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    ) as watcher:
        try:
            yield
        finally:
            with suppress(BrokenPipeError):
                watcher.communicate(b"\n")


@dataclass
class _Captured:
    """What a process writes, in memory that it holds as well as we do.

    A pipe would break when we are gone, and end the process at its next word.
    """

    descriptor: int = field(default_factory=lambda: os.memfd_create("captured"))
    _read: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def text(self) -> str:
        """All of it."""
        return self._from(0).decode(errors="replace")

    def lines(self) -> list[str]:
        """The whole lines that were written since the last call, each with its end."""
        *whole, _ = self._from(self._read).split(b"\n")
        self._read += sum(len(line) + 1 for line in whole)
        return [f"{line.decode(errors='replace')}\n" for line in whole]

    def _from(self, offset: int) -> bytes:
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size - offset, offset)


def _feed(process: subprocess.Popen[bytes], stdin: str | None) -> None:
    if stdin is None or process.stdin is None:
        return
    try:
        process.stdin.write(stdin.encode())
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended before it read: its status and its words say why


def _follow(
    process: subprocess.Popen[bytes], stdout: _Captured, on_line: Callable[[str], None] | None
) -> None:
    """Hand on each line as it comes, until the process has ended."""
    if not on_line:
        process.wait()
        return
    ended = False
    while not ended:
        ended = process.poll() is not None  # first: what it wrote before is read below
        for line in stdout.lines():
            on_line(line)
        if not ended:
            time.sleep(_LOOK_EVERY_SECONDS)


def _wait_for_orphans(holders: Iterable[int]) -> None:
    """Wait until commands whose callers are gone have ended what they were at, for a while at most."""
    until = time.monotonic() + LAST_WORDS_SECONDS
    for pid in holders:
        while _is_pulumi(pid) and _is_orphan(pid) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_SECONDS)


def _is_orphan(pid: int) -> bool:
    """Whether who started a process is gone, and an init process has it instead."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        (parent,) = re.findall(r"^PPid:\s+(\d+)$", status, re.MULTILINE)
        return parent == "1" or Path(f"/proc/{parent}/comm").read_text().strip() == "systemd"
    except (OSError, ValueError):
        return False


def _is_pulumi(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "pulumi"
    except OSError:
        return False


def _stack_of(arguments: Sequence[str]) -> str:
    return arguments[arguments.index("--stack") + 1]


def _without_prefix(text: str) -> str:
    return text.removeprefix("error: ")
