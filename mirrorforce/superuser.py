"""Going on as root, or as another program, in this process's place. The only place that asks for sudo."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn

from mirrorforce.errors import MirrorforceError

ROOTED = (
    "MIRRORFORCE_ENV", "MIRRORFORCE_HOME", "MIRRORFORCE_CACHE", "MIRRORFORCE_PULUMI_SOURCE",
    "MIRRORFORCE_DEBIAN_MIRROR",
)  # fmt: skip
"""The environment variables that a command takes along when it becomes root."""


def become_root() -> None:
    """Go on as root by sudo: a lab's namespaces and hosts are root's.

    The command begins anew, so this comes before anything is done. MirrorforceError without sudo.
    """
    if os.geteuid() == 0:
        return
    sudo = shutil.which("sudo")
    if sudo is None:
        raise MirrorforceError("a lab needs root, and there is no sudo", "run this as root")
    keep = f"--preserve-env={','.join(ROOTED)}"
    become([sudo, keep, sys.executable, "-m", "mirrorforce", *sys.argv[1:]])


def become(line: list[str]) -> NoReturn:
    """Let another program take this process's place, terminal and all."""
    sys.stdout.flush()
    os.execvp(line[0], line)  # noqa: S606  (a list, no shell: the terminal is handed over)
