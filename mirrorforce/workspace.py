"""Where an environment's files lie. Paths only: nothing here is opened.

Two places outside the work tree: state (`MIRRORFORCE_HOME`), gone after `down`, and named caches
(`MIRRORFORCE_CACHE`: engine, image), gone after `make distclean`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = "mirrorforce"
ROOT = Path(__file__).resolve().parent.parent


def _place(variable: str, of_root: str, of_user: str) -> Path:
    if chosen := os.environ.get(variable):
        return Path(chosen)
    return Path(of_root) if os.geteuid() == 0 else Path.home() / of_user


def home() -> Path:
    """The folder of all environments' state."""
    return _place("MIRRORFORCE_HOME", f"/var/lib/{PROJECT}", f".local/state/{PROJECT}")


def cache() -> Path:
    """The folder of named caches: `engine/<version>`, `image/<hash>`."""
    return _place("MIRRORFORCE_CACHE", f"/var/cache/{PROJECT}", f".cache/{PROJECT}")


@dataclass(frozen=True, slots=True)
class SharedState:
    """Where the state of an environment is shared: URLs of Pulumi's backend and of its secrets provider."""

    backend: str
    secrets_provider: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files of one environment. `shared` is where its state is, if that is not among them."""

    env: str
    shared: SharedState | None = None

    @property
    def estate_file(self) -> Path:
        """The estate file, `stacks/<env>.yaml`."""
        return ROOT / "stacks" / f"{self.env}.yaml"

    @property
    def state(self) -> Path:
        """Everything of this environment that is not in the work tree; mode 0700."""
        return home() / self.env

    @property
    def backend(self) -> Path:
        """Pulumi's file backend."""
        return self.state / "pulumi"

    @property
    def backend_url(self) -> str:
        """The backend as Pulumi names it.

        Without files beside the state's files: those are not written whole or not at all, and one that an
        engine's end left empty makes every stack unreadable ("EOF").
        """
        return self.shared.backend if self.shared else f"file://{self.backend}?metadata=skip"

    @property
    def passphrase_file(self) -> Path:
        """The passphrase of the stacks' secrets; mode 0600."""
        return self.state / "passphrase"

    @property
    def access(self) -> Path:
        """`ssh_config`, `id_ed25519`, `known_hosts`: how hosts are reached; mode 0700."""
        return self.state / "access"

    @property
    def ssh_config(self) -> Path:
        """The generated ssh_config that Ansible, testinfra and a person share."""
        return self.access / "ssh_config"

    @property
    def control(self) -> Path:
        """The sockets of ssh connections that are kept open, each named as its host."""
        return self.access / "control"

    @property
    def runs(self) -> Path:
        """Artifacts of ansible-runner."""
        return self.state / "runs"

    @property
    def reports(self) -> Path:
        """JSON and HTML reports."""
        return self.state / "reports"

    @property
    def hosts(self) -> Path:
        """Disks of lab hosts."""
        return self.state / "hosts"

    @property
    def lock(self) -> Path:
        """Held (flock) by the command that changes this environment; beside the state."""
        return home() / f"{self.env}.lock"
