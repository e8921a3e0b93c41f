"""Network namespaces of sites: made, removed, looked into."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mirrorforce.lab import names, tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FOLDER = Path("/run/netns")
_MOUNT_POINT_FIELD = 4
_KILL_WAIT_SECONDS = 5.0


def path(namespace: str) -> Path:
    """The file that names the namespace."""
    return FOLDER / namespace


def exists(namespace: str) -> bool:
    """Whether the namespace is there, not just the file of one that was never finished."""
    mounted = f"{path(namespace)}"
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return any(line.split()[_MOUNT_POINT_FIELD] == mounted for line in lines)


def of_estate(estate: str) -> tuple[str, ...]:
    """The namespaces of an estate, unfinished ones too."""
    prefix = names.namespace_prefix(estate)
    return tuple(sorted(file.name for file in FOLDER.glob(f"{prefix}*"))) if FOLDER.is_dir() else ()


def create(namespace: str) -> None:
    """Make the namespace where it is missing."""
    if exists(namespace):
        return
    path(namespace).unlink(missing_ok=True)
    tools.run(["ip", "netns", "add", namespace])


def remove(namespace: str) -> None:
    """Remove the namespace and every process in it: each would keep it alive without a name."""
    if exists(namespace):
        _kill_all(inhabitants(namespace))
        tools.run(["ip", "netns", "delete", namespace])
    path(namespace).unlink(missing_ok=True)


def inode(namespace: str) -> int:
    """What tells one namespace from another of the same name."""
    return path(namespace).stat().st_ino


def inode_of(pid: int) -> int | None:
    """The network namespace that a process is in; None where the process is gone."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return None


def inhabitants(namespace: str) -> tuple[int, ...]:
    """The processes in the namespace itself (hosts have their own below it)."""
    wanted = inode(namespace)
    pids = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal())
    return tuple(pid for pid in pids if inode_of(pid) == wanted)


def _kill_all(pids: Iterable[int]) -> None:
    chosen = tuple(pids)
    for pid in chosen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_WAIT_SECONDS
    while time.monotonic() < deadline and any(inode_of(pid) for pid in chosen):
        time.sleep(0.02)


def entering(namespace: str) -> list[str]:
    """The words that make a command run in the namespace, and change nothing else for it."""
    return ["nsenter", f"--net={path(namespace)}"]


def run(namespace: str, argv: Sequence[str]) -> str:
    """Run a command in the namespace; see `tools.run`."""
    return tools.run([*entering(namespace), *argv])


def ip(namespace: str, commands: Sequence[str]) -> None:
    """Run `ip` commands in the namespace, in one process; the first that fails ends it."""
    tools.run([*entering(namespace), "ip", "-batch", "-"], stdin="\n".join(commands) + "\n")


def show(namespace: str, *words: str) -> list[dict[str, Any]]:
    """The answer of an `ip … show` command."""
    return _decoded(run(namespace, ["ip", "-json", *words]))


def show_of(pid: int, *words: str) -> list[dict[str, Any]]:
    """The same, asked in the network of a process."""
    return _decoded(tools.run(["nsenter", f"--target={pid}", "--net", "ip", "-json", *words]))


def _decoded(text: str) -> list[dict[str, Any]]:
    # `ip` prints an empty object for what has no answer.
    rows = cast("list[dict[str, Any]]", json.loads(text or "[]"))
    return [row for row in rows if row]


def addresses(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """IPv4 addresses with their prefix length, `198.18.1.1/24`, of an `ip address show`."""
    return tuple(
        f"{info['local']}/{info['prefixlen']}"
        for row in rows
        for info in row.get("addr_info", ())
        if info.get("family") == "inet"
    )


def set_kernel(namespace: str, settings: Mapping[str, int]) -> None:
    """Set kernel parameters (`net.ipv4.ip_forward`) in the namespace."""
    run(namespace, ["sysctl", "-q", "-w", *(f"{name}={value}" for name, value in settings.items())])


def kernel(namespace: str, setting: str) -> int:
    """The value of a kernel parameter in the namespace."""
    return int(run(namespace, ["sysctl", "-n", setting]))
