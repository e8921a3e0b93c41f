"""Slow disks: the kernel holds back accesses to a volume's loop device. Until told otherwise, or power loss.

Control groups version 1 hold back whoever accesses the device, the journal of its file system too;
version 2 (where version 1 has no `blkio`) the processes of the host, not the journal's thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import cgroups, disks, loops

if TYPE_CHECKING:
    from collections.abc import Iterable

_V1_FILES = ("blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device")
_V1_NO_LIMIT = 0
_MOUNT_POINT_FIELD = 4
_LOOP_MAJOR = 7


def accesses_per_second(seconds: float) -> int:
    """How many accesses a disk takes that handles one at a time, each for so long: 1 at least. Pure."""
    return max(1, round(1 / seconds))


def refusal() -> str:
    """Why this machine cannot slow a disk down; '' where it can."""
    group = _v1()
    if group is not None and all((group / name).exists() for name in _V1_FILES):
        return ""
    if group is None and "io" in (cgroups.root() / "cgroup.controllers").read_text("ascii").split():
        return ""
    return "the kernel holds back no accesses to disks: it has neither blkio.throttle nor io.max"


def slow(estate: str, host: str, volume: str, seconds: float) -> None:
    """Let each access to the volume take so many seconds, one after another.

    MirrorforceError where the host has no such volume in use (it is off), or the machine cannot do it.
    """
    file = str(disks.volume_file(disks.folder(estate, host), volume))
    numbers = [_number(device) for device, behind in loops.backing_files().items() if behind == file]
    if not numbers:
        message = f"host {host} has no volume {volume} in use"
        raise MirrorforceError(message, f"give it power: mirrorforce lab power-on {host} --env {estate}")
    if why := refusal():
        raise MirrorforceError(why, "boot a kernel with CONFIG_BLK_DEV_THROTTLING")
    _limit(estate, host, numbers, accesses_per_second(seconds))


def restore(estate: str, host: str) -> None:
    """Let every volume of the host be as fast as it is; nothing to do where none was slow, or it is off."""
    devices = loops.below(disks.folder(estate, host))
    _limit(estate, host, [_number(device) for device in devices], None)


def forget_unused() -> None:
    """Lift the limits of loop devices that nothing uses: the next disk to get one of them is sound."""
    used = {_number(device) for device in loops.backing_files()}
    for group in _v1_groups(None):
        for number in _limited(group) - used:
            if number.startswith(f"{_LOOP_MAJOR}:"):
                _write_v1(group, number, _V1_NO_LIMIT)


def slowed(estate: str, host: str) -> bool:
    """Whether any volume of the host is held back."""
    numbers = {_number(device) for device in loops.below(disks.folder(estate, host))}
    if _v1() is None:
        return bool(numbers & _numbers_in(cgroups.of_host(estate, host) / "io.max"))
    return any(numbers & _limited(group) for group in _v1_groups(None))


def _number(device: str) -> str:
    return f"{_LOOP_MAJOR}:{device.removeprefix('/dev/loop')}"


def _limit(estate: str, host: str, numbers: Iterable[str], per_second: int | None) -> None:
    if _v1() is None:
        _limit_v2(estate, host, numbers, per_second)
        return
    for group in _v1_groups(next(cgroups.processes(cgroups.of_host(estate, host)), None)):
        for number in numbers:
            if per_second is not None or number in _limited(group):
                _write_v1(group, number, per_second or _V1_NO_LIMIT)


def _v1() -> Path | None:
    """Where version 1 of the controller is mounted, if it is."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup" and "blkio" in options.split(","):
            return Path(before.split()[_MOUNT_POINT_FIELD])
    return None


def _v1_groups(process: int | None) -> tuple[Path, ...]:
    """The root group, where the kernel's own threads are, and the group of one of the host's processes."""
    root = _v1()
    if root is None:
        return ()
    if process is None:
        return (root,)
    lines = Path(f"/proc/{process}/cgroup").read_text(encoding="utf-8").splitlines()
    own = next((path for _, names, path in (line.split(":", 2) for line in lines) if "blkio" in names), "/")
    return tuple(dict.fromkeys((root, root / own.lstrip("/"))))


def _limited(group: Path) -> set[str]:
    return {number for name in _V1_FILES for number in _numbers_in(group / name)}


def _numbers_in(file: Path) -> set[str]:
    """The devices, `7:3`, that a file of limits names."""
    if not file.exists():
        return set()
    return {line.split()[0] for line in file.read_text(encoding="ascii").splitlines() if line.strip()}


def _write_v1(group: Path, number: str, per_second: int) -> None:
    for name in _V1_FILES:
        (group / name).write_text(f"{number} {per_second}", encoding="ascii")


def _limit_v2(estate: str, host: str, numbers: Iterable[str], per_second: int | None) -> None:
    group = cgroups.of_host(estate, host)
    if not group.is_dir():
        return
    if per_second is not None:
        for above in reversed(group.parents):
            if above.is_relative_to(cgroups.root()):
                (above / "cgroup.subtree_control").write_text("+io", encoding="ascii")
    limit = "max" if per_second is None else str(per_second)
    for number in numbers:
        (group / "io.max").write_text(f"{number} riops={limit} wiops={limit}", encoding="ascii")
