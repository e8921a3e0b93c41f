"""Runs playbooks: the only place that drives ansible-runner.

`Account` reads Ansible's events (pure); `run` starts Ansible and returns what the account says.
"""

from __future__ import annotations

import re
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirrorforce.engine_cli import environment
from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mirrorforce.workspace import Workspace

PLAYBOOKS = ROOT / "playbooks"
KEPT_RUNS = 10
_LAST_LINES = 15
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class HostCounts:
    """Tasks of one host in a run. `ok` counts the changed ones too, as Ansible does."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0

    @property
    def done(self) -> bool:
        """True if every task of the host went well."""
        return not self.failed and not self.unreachable


@dataclass(frozen=True, slots=True)
class Change:
    """A task that changed a host, or in check mode would; `diff` is for people, secrets are masked.

    place: the task's file and line, within the tree. answer: what its module answered, {} where it is hidden.
    """

    host: str
    task: str
    diff: str
    place: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed on a host, or a host that was not reached."""

    host: str
    task: str
    message: str
    unreachable: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """The task at work, and how many of its hosts are done."""

    task: str
    done: int
    hosts: int

    def __str__(self) -> str:
        return f"{self.task} ({self.done} of {self.hosts} hosts)"


@dataclass(frozen=True, slots=True)
class PlaybookResult:
    """What a run did: counts by host, every failure, every change; `checked` in check mode."""

    hosts: Mapping[str, HostCounts] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    checked: bool = False


class Account:
    """Reads the events of a run as they come. Each is read in constant time: a slow reader stalls Ansible."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.changes: list[Change] = []
        self.warnings: list[str] = []
        self._stats: dict[str, Any] | None = None
        self._task = ""
        self._started = 0
        self._done = 0

    def take(self, event: Mapping[str, Any]) -> Progress | None:
        """Read one event; the progress where it moved."""
        kind = event.get("event", "")
        data: dict[str, Any] = event.get("event_data") or {}
        if kind == "playbook_on_stats":
            self._stats = data
        elif kind == "playbook_on_task_start":
            self._task, self._started, self._done = _title(data), 0, 0
            return self._progress()
        elif kind == "runner_on_start":
            self._started += 1
            return self._progress()
        elif kind in _OUTCOMES:
            self._done += 1
            self._take_outcome(kind, data)
            return self._progress()
        return None

    def result(self, *, check: bool) -> PlaybookResult | None:
        """What the run did; None where it never came to its end."""
        if self._stats is None:
            return None
        columns: dict[str, dict[str, int]] = {
            ours: self._stats.get(theirs) or {} for theirs, ours in _STATS.items()
        }
        names = sorted(set().union(*columns.values()))
        counts = {
            name: HostCounts(**{column: by_host.get(name, 0) for column, by_host in columns.items()})
            for name in names
        }
        return PlaybookResult(
            counts, tuple(self.failures), tuple(self.changes), tuple(dict.fromkeys(self.warnings)), check
        )

    def _take_outcome(self, kind: str, data: Mapping[str, Any]) -> None:
        answer: dict[str, Any] = data.get("res") or {}
        host = str(data.get("host", ""))
        self.warnings += [f"{host}: {warning}" for warning in answer.get("warnings") or ()]
        if kind in {"runner_on_failed", "runner_on_unreachable"} and not data.get("ignore_errors"):
            message = str(answer.get("msg") or answer.get("censored") or "no reason given").strip()
            self.failures.append(Failure(host, _title(data), message, kind == "runner_on_unreachable"))
        elif answer.get("changed"):
            place = str(data.get("task_path") or "").removeprefix(f"{ROOT}/")
            self.changes.append(Change(host, _title(data), diff_text(answer.get("diff")), place, answer))

    def _progress(self) -> Progress:
        return Progress(self._task, self._done, max(self._started, self._done))


_OUTCOMES = {"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"}
_STATS = {"ok": "ok", "changed": "changed", "failures": "failed", "dark": "unreachable"}


def _title(data: Mapping[str, Any]) -> str:
    """'role: task', or the task alone."""
    name, role = str(data.get("task", "")), data.get("role")
    return f"{role}: {name}" if role else name


def diff_text(diff: object) -> str:
    """A unified difference of what a task's `diff` holds: one entry or several."""
    entries = diff if isinstance(diff, list) else [diff]
    return "\n".join(entry_text(entry) for entry in entries if isinstance(entry, dict) and entry)


def entry_text(entry: Mapping[str, Any]) -> str:
    """A unified difference of one entry of a task's `diff`."""
    from difflib import unified_diff  # noqa: PLC0415 - only where something differs

    if "prepared" in entry:
        return str(entry["prepared"]).rstrip()
    before, after = (_lines(entry.get(side)) for side in ("before", "after"))
    header = str(entry.get("after_header") or entry.get("before_header") or "")
    lines = unified_diff(before, after, header or "before", header or "after", n=2, lineterm="")
    return "\n".join(lines)


def _lines(side: object) -> list[str]:
    if isinstance(side, dict | list):
        import yaml  # noqa: PLC0415 - only where something differs

        return yaml.safe_dump(side).splitlines()
    return str(side or "").splitlines()


def run(  # noqa: PLR0913 - each is an option of ansible-playbook
    ws: Workspace,
    playbook: str,
    *,
    limit: str | None = None,
    tags: str | None = None,
    check: bool = False,
    variables: Mapping[str, object] | None = None,
    on_event: Callable[[Progress], None] | None = None,
) -> PlaybookResult:
    """Run `playbooks/<playbook>` on the environment's hosts.

    `variables` win over all others; never secrets, since they go by the command line. A failed task or host
    is part of the result. MirrorforceError: Ansible could not do its work at all. KeyboardInterrupt: it was
    interrupted, and has ended.
    """
    import ansible_runner  # noqa: PLC0415 - half a second that not every verb needs

    account = Account()

    def take(event: dict[str, Any]) -> bool:
        progress = account.take(event)
        if progress is not None and on_event is not None:
            on_event(progress)
        return False  # nothing reads the files that runner would write: one an event

    ws.runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = ["--check", "--diff"] if check else []
    with _own_signals():
        runner = ansible_runner.run(
            private_data_dir=str(ws.runs),
            project_dir=str(ROOT),
            playbook=str(PLAYBOOKS / playbook),
            limit=limit,
            tags=tags,
            extravars=dict(variables or {}),
            cmdline=" ".join(options) or None,
            envvars={**environment(ws), "ANSIBLE_FORCE_COLOR": "0"},
            event_handler=take,
            quiet=True,
            suppress_env_files=True,
            rotate_artifacts=KEPT_RUNS,
        )
    if runner.status == "canceled":
        raise KeyboardInterrupt
    result = account.result(check=check)
    if result is None:
        output = _last_lines(ws.runs / "artifacts" / str(runner.config.ident) / "stdout")
        raise MirrorforceError(
            f"ansible-playbook {playbook} ended with status {runner.rc} before its end:\n{output}",
            f"mirrorforce env {ws.env} prints the environment to run it by hand",
        )
    if not result.hosts and limit:
        raise MirrorforceError(f"no host of {ws.env} fits '{limit}'", f"mirrorforce inventory {ws.env}")
    return result


@contextmanager
def _own_signals() -> Iterator[None]:
    """Signals end this process as before once it is over: ansible-runner takes them, and keeps them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _last_lines(file: Path) -> str:
    if not file.exists():
        return ""
    lines = _ANSI.sub("", file.read_text(encoding="utf-8", errors="replace")).splitlines()
    return "\n".join([line for line in lines if line.strip()][-_LAST_LINES:])
