"""A command on a host by ssh, many hosts side by side: the only place that starts ssh.

Hosts are reached through the generated ssh_config (`Workspace.ssh_config`) and by their names in
the inventory. A host that is dead or unreachable is a normal answer (`Result.reached` is False),
never an exception: whoever asks ten hosts wants the other nine answers.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from mirrorforce.workspace import Workspace

TIMED_OUT = 124
"""Exit status of a command that was killed at its time limit, as timeout(1) has it."""

SSH_FAILED = 255
"""Exit status by which ssh itself says that it did not get through (ssh(1), EXIT STATUS)."""

_MOST_AT_ONCE = 32
_REST_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Result:
    """What a command on a host gave: exit status, both outputs as text, seconds it took."""

    rc: int
    stdout: str
    stderr: str
    timed_out: bool
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True if the command ran and ended with 0."""
        return self.rc == 0

    @property
    def reached(self) -> bool:
        """True if the host answered: ssh got through and the command ended by itself."""
        return not self.timed_out and self.rc != SSH_FAILED

    @property
    def reason(self) -> str:
        """Why it failed, in one line: the last words on stderr, or the time limit."""
        if self.timed_out:
            return f"no answer within {self.seconds:.1f} s"
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit status {self.rc}"


def known_hosts(ws: Workspace) -> set[str]:
    """The hosts that the generated ssh_config leads to. Raises MirrorforceError where there is none."""
    lines = _config(ws).read_text(encoding="utf-8").splitlines()
    names = (line.split()[1] for line in lines if line.startswith("Host "))
    return {name for name in names if name != "*"}


def _config(ws: Workspace) -> Path:
    if not ws.ssh_config.exists():
        raise MirrorforceError(
            f"environment '{ws.env}' has no ssh_config ({ws.ssh_config}): its hosts do not exist yet",
            f"mirrorforce up {ws.env}",
        )
    return ws.ssh_config


def arguments(
    ws: Workspace, host: str, command: Sequence[str] | str | None = None, *, terminal: bool = False
) -> list[str]:
    """The ssh command line for `command` on `host`; a login shell where there is no command.

    A sequence is quoted for the remote shell, a string is handed to it as it is. `terminal` asks
    for a pseudo-terminal (interactive psql). Raises MirrorforceError where no ssh_config exists.
    """
    line = ["ssh", "-F", str(_config(ws))]
    if terminal:
        line.append("-tt")
    line.append(host)
    if command is not None:
        line += ["--", command if isinstance(command, str) else shlex.join(command)]
    return line


def _batch(line: list[str], timeout: float) -> list[str]:
    """The same ssh command line that never asks a person, and gives up connecting by itself."""
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, round(timeout))}"]
    return [line[0], *options, *line[1:]]


def run(
    ws: Workspace,
    host: str,
    command: Sequence[str] | str,
    *,
    stdin: str | bytes | None = None,
    timeout: float = 10.0,
    patience: float = 0.0,
) -> Result:
    """Run `command` on `host` and return what it gave, after at most `timeout` seconds.

    A host that was reached in this time has `patience` seconds more: one that is slow is no dead one, and
    a new connection that is cut off before it stands has to be made again by the next who asks.

    Scripts and secrets go by `stdin`: argument lists can be read by every user of both machines.
    At the limit the local ssh and all it started are killed; a command that must not outlive that
    on the host carries its own limit (timeout(1), `systemd-run`).
    """
    line = _batch(arguments(ws, host, command), timeout)
    # ssh ends by itself where a new connection finds nobody (_batch); one that is kept open does not tell.
    is_new = not (ws.control / host).exists()
    given = stdin.encode() if isinstance(stdin, str) else stdin
    return run_line(line, given, timeout, patience=patience, reached_if_running=is_new)


def run_line(
    line: Sequence[str],
    stdin: bytes | None,
    timeout: float,
    *,
    patience: float = 0.0,
    reached_if_running: bool = False,
) -> Result:
    """Run a whole ssh command line, as `run` does: for who reaches a machine that is no host yet.

    What said something on stdout within `timeout` seconds has `patience` too; with `reached_if_running`
    whatever still runs then.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    timed_out = False
    try:
        out, err = _communicate(process, stdin, timeout, patience, reached_if_running=reached_if_running)
    except subprocess.TimeoutExpired:
        timed_out = True
        _kill_group(process)
        out, err = _rest(process)
    except BaseException:
        _kill_group(process)
        process.wait()
        raise
    return Result(
        rc=TIMED_OUT if timed_out else process.returncode,
        stdout=out.decode(errors="replace"),
        stderr=err.decode(errors="replace"),
        timed_out=timed_out,
        seconds=time.monotonic() - started,
    )


def _communicate(
    process: subprocess.Popen[bytes],
    stdin: bytes | None,
    timeout: float,
    patience: float,
    *,
    reached_if_running: bool,
) -> tuple[bytes, bytes]:
    """Both outputs, when the process has ended; TimeoutExpired where it is not to be waited for longer."""
    try:
        return process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        if not patience or not (reached_if_running or late.output):
            raise
        return process.communicate(timeout=patience)


def _rest(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What the killed command had written, which is there already.

    The master of a shared connection was handed the pipes and keeps them open for as long as it hangs
    on a dead host: nobody waits for it.
    """
    try:
        return process.communicate(timeout=_REST_SECONDS)
    except subprocess.TimeoutExpired as late:
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return late.stdout or b"", late.stderr or b""


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill ssh and its ProxyCommand. A ControlPersist master is in a session of its own and stays."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_on_all(
    ws: Workspace,
    hosts: Iterable[str],
    command: Sequence[str] | str | Callable[[str], Sequence[str] | str],
    *,
    stdin: str | bytes | None = None,
    timeout: float = 10.0,
) -> dict[str, Result]:
    """Run `command` on all hosts side by side; the answers by host, in the order asked.

    `command` may be a function of the host's name. The whole call takes about as long as its
    slowest host and never much more than `timeout` seconds (32 hosts at once).
    """
    names = list(hosts)
    if not names:
        return {}

    def one(name: str) -> Result:
        return run(ws, name, command(name) if callable(command) else command, stdin=stdin, timeout=timeout)

    with ThreadPoolExecutor(max_workers=min(_MOST_AT_ONCE, len(names))) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))
