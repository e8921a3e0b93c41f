"""Groups of processes: what runs, killed all at once, waited for. Control groups version 2."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOP = "mirrorforce"
_POLL_SECONDS = 0.02
_EMPTY_DEADLINE_SECONDS = 60.0
_MOUNT_POINT_FIELD = 4


def mount_point_of(mountinfo: str) -> str | None:
    """Where cgroup2 is mounted, by the text of /proc/self/mountinfo: plain, or beside version 1."""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ", 1)[0] == "cgroup2":
            return before.split()[_MOUNT_POINT_FIELD]
    return None


def root() -> Path:
    """The mount point of cgroup2; MirrorforceError where there is none."""
    found = mount_point_of(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    if found is None:
        message = "no cgroup2 file system is mounted"
        raise MirrorforceError(
            message, "mount -t cgroup2 none /sys/fs/cgroup/unified, or boot a current kernel"
        )
    return Path(found)


def of_estate(estate: str) -> Path:
    """The group of everything that runs for an estate."""
    return root() / TOP / estate


def of_host(estate: str, name: str) -> Path:
    """The group of every process of a host."""
    return of_estate(estate) / "hosts" / name


def of_link(estate: str, name: str) -> Path:
    """The group of the processes that carry a link."""
    return of_estate(estate) / "links" / name


def populated(group: Path) -> bool:
    """Whether any process lives in the group or below it."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text(encoding="ascii")
    except OSError:
        return False


def processes(group: Path) -> Iterator[int]:
    """The process ids in the group and below it."""
    for folder in _and_below(group):
        with suppress(OSError):
            yield from [int(word) for word in (folder / "cgroup.procs").read_text(encoding="ascii").split()]


def _and_below(group: Path) -> Iterator[Path]:
    """The group and the groups in it, inner ones last. They come and go while we look."""
    return (Path(folder) for folder, _, _ in os.walk(group))


def kill(groups: Iterable[Path]) -> None:
    """Kill every process of the groups, each group at one stroke, and remove them when they are empty."""
    chosen = tuple(groups)
    for group in chosen:
        with suppress(FileNotFoundError):
            (group / "cgroup.kill").write_text("1", encoding="ascii")
    for group in chosen:
        _wait_until_empty(group)
        _remove(group)


def _wait_until_empty(group: Path) -> None:
    deadline = time.monotonic() + _EMPTY_DEADLINE_SECONDS
    while populated(group):
        if time.monotonic() > deadline:
            left = " ".join(str(pid) for pid in processes(group))
            message = f"processes of {group} did not die within {_EMPTY_DEADLINE_SECONDS:g} s: {left}"
            raise MirrorforceError(message, "look at the machine's disk; a process in state D waits for it")
        time.sleep(_POLL_SECONDS)


def _remove(group: Path) -> None:
    """Remove an empty group; its inner groups first. A dying process may hold one a moment longer."""
    deadline = time.monotonic() + _EMPTY_DEADLINE_SECONDS
    while group.exists():
        with suppress(OSError):
            for path in reversed(tuple(_and_below(group))):
                path.rmdir()
            return
        if time.monotonic() > deadline:
            message = f"{group} cannot be removed"
            raise MirrorforceError(message, "see which process holds it: cat its cgroup.procs")
        time.sleep(_POLL_SECONDS)
