"""Loop devices: which file backs which, and enough device nodes for many hosts."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import locks, tools

if TYPE_CHECKING:
    from collections.abc import Mapping

# Finding a free loop device and taking it are two steps: whoever does it locks what both steps ask.
LOCK = Path("/dev/loop-control")
_NODES = 128
_MAJOR = 7
_FREE_DEADLINE_SECONDS = 60.0


def backing_files() -> Mapping[str, str]:
    """Loop devices in use, `/dev/loop3`, and the files behind them."""
    found = {}
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            found[f"/dev/{file.parent.parent.name}"] = file.read_text(encoding="utf-8").strip()
    return found


def below(folder: Path) -> Mapping[str, str]:
    """The loop devices whose files lie, or lay, below a folder."""
    return {device: file for device, file in backing_files().items() if file.startswith(f"{folder}/")}


def make_nodes() -> None:
    """Make the device nodes that a static /dev lacks; the kernel makes the devices as they are used."""
    if _kernel_makes_nodes():
        return
    with locks.held(LOCK):
        for number in range(_NODES):
            with suppress(FileExistsError):
                os.mknod(f"/dev/loop{number}", stat.S_IFBLK | 0o660, os.makedev(_MAJOR, number))


def _kernel_makes_nodes() -> bool:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return any(line.split()[4] == "/dev" and " - devtmpfs " in line for line in lines)


def wait_until_free(folder: Path) -> None:
    """Wait until the kernel has let go of every file below the folder.

    Unmounting writes back what the host had not: mounting the same file again before that is done
    would put two file systems on one disk.
    """
    deadline = time.monotonic() + _FREE_DEADLINE_SECONDS
    while used := below(folder):
        if time.monotonic() > deadline:
            text = ", ".join(f"{device} ({file})" for device, file in used.items())
            message = f"still in use after {_FREE_DEADLINE_SECONDS:g} s: {text}"
            raise MirrorforceError(message, "find who mounted it: findmnt --source DEVICE")
        time.sleep(0.02)


def detach(folder: Path) -> None:
    """Detach every loop device whose file lies below the folder."""
    for device in below(folder):
        with suppress(MirrorforceError):
            tools.run(["losetup", "--detach", device])
