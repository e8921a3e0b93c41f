"""Locks between processes: resources of one estate are made side by side by several engines."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNTIME = Path("/run/mirrorforce")

Held: TypeAlias = AbstractContextManager[int]


def runtime(estate: str) -> Path:
    """Sockets and locks of an estate: gone with the machine's reboot, as what they belong to is."""
    return RUNTIME / estate


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on a file, made where it is missing; the kernel frees it on any death.

    Gives the file descriptor, so that a child can go on holding it. A lock whose file somebody
    removed while we waited protects nothing any more, so we look again.
    """
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def forget(estate: str) -> None:
    """Remove the sockets and locks of an estate, and the folder above them when it was the last."""
    shutil.rmtree(runtime(estate), ignore_errors=True)
    with suppress(OSError):
        RUNTIME.rmdir()


def of(estate: str, kind: str, name: str) -> Path:
    """The lock file of one thing of an estate."""
    return runtime(estate) / "locks" / f"{kind}-{name}"
