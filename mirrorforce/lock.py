"""One command at a time changes an environment: locks that the kernel lets go when their holders die."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mirrorforce.workspace import Workspace


@contextmanager
def only_one(workspace: Workspace, what: str) -> Iterator[None]:
    """Hold the environment's lock while `what` runs; an error at once where another command holds it.

    The holder may remove the lock file (`down` does): whoever opened it meanwhile looks again.
    """
    descriptor = _locked(workspace)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"`{what}` (process {os.getpid()})".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def machine_to_oneself(say: Callable[[str], None]) -> Iterator[None]:
    """Wait for whoever measures in another lab on this machine: they share its processors."""
    home().mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another lab on this machine is being measured; this one waits for its turn")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _locked(workspace: Workspace) -> int:
    workspace.lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(workspace.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_the_file(descriptor, workspace):
                return descriptor
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another command"
            os.close(descriptor)
            message = f"environment {workspace.env} is being changed by {holder}"
            raise MirrorforceError(message, "wait until it has ended, then run this again") from None
        os.close(descriptor)


def _is_the_file(descriptor: int, workspace: Workspace) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), workspace.lock.stat())
    except FileNotFoundError:
        return False
