"""Which packages the image of lab hosts carries: what the lab needs, and what the roles declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from mirrorforce.errors import BadInputError
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# The way in, what Ansible needs on the far side, systemd itself, and what drills run clocks wild with.
OF_THE_LAB = (
    "ca-certificates", "dbus", "iproute2", "iputils-ping", "libfaketime", "nftables", "openssh-server",
    "procps", "python3", "python3-apt", "sudo", "systemd", "systemd-sysv",
)  # fmt: skip


def declared(roles: Path = ROOT / "roles") -> tuple[str, ...]:
    """What every role lists under `<role>_packages` in its defaults, sorted, each once.

    A host without a route installs nothing: the roles' package tasks find these present.
    """
    found = {package for file in sorted(roles.glob("*/defaults/main.yml")) for package in _of_role(file)}
    return tuple(sorted(found))


def _of_role(file: Path) -> tuple[str, ...]:
    role = file.parent.parent.name
    key = f"{role}_packages"
    document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    packages = document.get(key, [])
    if not isinstance(packages, list) or not all(isinstance(package, str) for package in packages):
        message = f"{file}: {key}: found {packages!r}; allowed is a list of package names"
        raise BadInputError(
            message, "write the names themselves: the image is built before any variable is known"
        )
    return tuple(packages)
