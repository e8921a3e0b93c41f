"""Runs spin over the failover model, and reads what the search came to."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MODELS = Path(__file__).resolve().parents[2] / "models"
MEMORY_MIB = 5500
"""Most that one search may take; it ends there by itself, and says so."""
DEEP = 3_000_000
"""Steps of the longest run that a complete search may follow: fifteen times what one was seen to need."""

_LOOK_S = 0.05
_NICE = 10  # a search saturates its core: whoever works on the machine meanwhile goes first
# What a report says when the search did not see everything it might have.
_CUT_SHORT = (
    "max search depth too small",
    "Search not completed",
    "reached -DMEMLIM bound",
    "Bit statespace",
    "Interrupted",
)


class ModelError(Exception):
    """A tool refused the model, or gave no report."""


@dataclass(frozen=True)
class Search:
    """What one search found.

    `states` counts distinct states, `depth` the steps of the longest run; `seconds` is the CPU time of the
    search alone, `memory` is in MiB. `broken` is the assertion that failed, or None. `complete` says that
    every reachable state was seen; `unreached` counts statements of the model that no run came to.
    """

    states: int
    depth: int
    seconds: float
    memory: float
    broken: str | None
    complete: bool
    unreached: int


def complete(options: Sequence[str], folder: Path, *, depth: int = DEEP) -> Search:
    """Every state that the model with `options` can come to."""
    _compile(options, folder)
    return _searched(["./pan", "-E", f"-m{depth}", "-w26"], folder)


def sampled(options: Sequence[str], folder: Path, seconds: int) -> Search:
    """What can be seen in `seconds` of CPU, in random order; states are told apart by three bits of 2^31."""
    _compile(options, folder, "-DBITSTATE", "-DT_RAND", "-DP_RAND")
    return _searched(["./pan", "-E", "-m20000", "-w31", "-k3", "-RS1"], folder, seconds)


def broken(options: Sequence[str], folder: Path) -> Search:
    """A run that breaks a property, if there is one: first a short one, for people who read it, then any."""
    _compile(options, folder)
    for depth in (60, 90, DEEP):
        found = _searched(["./pan", "-E", f"-m{depth}", "-w24"], folder)
        if found.broken:
            break
    return found


def story(options: Sequence[str], folder: Path) -> str:
    """The counterexample that the last search in `folder` left, a line a step."""
    return _tool(["spin", "-t", "-B", *options, "failover.pml"], folder)


def read(report: str) -> Search:
    """What pan's report says, `seconds` as elapsed. ModelError when it is none."""
    failed = re.search(r"^pan:\d+: assertion violated (.*) \(at depth \d+\)", report, re.MULTILINE)
    return Search(
        states=int(_figure(r"(\d+) states, stored", report)),
        depth=int(_figure(r"depth reached (\d+)", report)),
        seconds=float(_figure(r"elapsed time ([\d.e+]+) seconds", report)),
        memory=float(_figure(r"([\d.]+)\s+total actual memory usage", report)),
        broken=failed[1].strip() if failed else None,
        complete=not failed and not any(text in report for text in _CUT_SHORT),
        unreached=_unreached(report),
    )


def _compile(options: Sequence[str], folder: Path, *flags: str) -> None:
    for file in MODELS.glob("*.pml"):
        shutil.copy(file, folder)
    _tool(["spin", "-a", *options, "failover.pml"], folder)
    # All processes share everything: partial order reduction would reduce nothing. Warnings are spin's own.
    fixed = ["-O2", "-w", "-DSAFETY", "-DNOREDUCE", f"-DMEMLIM={MEMORY_MIB}"]
    _tool(["cc", *fixed, *flags, "-o", "pan", "pan.c"], folder)


def _searched(command: Sequence[str], folder: Path, limit: float = float("inf")) -> Search:
    """What the search reports; interrupted after `limit` seconds of CPU."""
    before = _spent()
    with (folder / "report").open("w+", encoding="utf-8") as report:
        with subprocess.Popen(
            ["nice", "-n", str(_NICE), *command], cwd=folder, stdout=report, stderr=subprocess.STDOUT
        ) as running:
            while running.poll() is None:
                if _spent_by(running.pid) > limit:
                    running.send_signal(signal.SIGINT)
                time.sleep(_LOOK_S)
        report.seek(0)
        return replace(read(report.read()), seconds=_spent() - before)


def _spent() -> float:
    """Seconds of CPU of all processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _spent_by(process: int) -> float:
    """Seconds of CPU of a process of ours that runs (proc_pid_stat(5): utime, stime)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _unreached(report: str) -> int:
    """Statements without a run, but for each process's closing brace: they wait for ever."""
    lines = re.findall(r"^\t\S+:\d+, state \d+, (.*)$", report, re.MULTILINE)
    return sum(statement != '"-end-"' for statement in lines)


def _figure(pattern: str, report: str) -> str:
    found = re.search(pattern, report)
    if found is None:
        raise ModelError(f"no report of a search:\n{report[-2000:]}")
    return found[1]


def _tool(command: Sequence[str], folder: Path) -> str:
    """What it prints. A search's exit code says nothing that its report does not."""
    done = subprocess.run(
        ["nice", "-n", str(_NICE), *command],
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and command[0] in {"spin", "cc"}:
        raise ModelError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr
