"""The agent's file: who this member is, whom to ask, and how fast. Standard library only."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.onhost.etcd import User
from mirrorforce.onhost.failover_agent.keys import Cell
from mirrorforce.onhost.failover_agent.view import Pace
from mirrorforce.onhost.https_json import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path("/etc/mirrorforce/failover_agent.json")
PASSWORD_FILE = Path("/etc/mirrorforce/etcd_agent_password")


@dataclass(frozen=True)
class Member:
    """A member of the cell. voter: etcd's in its site (address:port); '' where there is none."""

    address: str
    site: str
    voter: str = ""


@dataclass(frozen=True)
class Settings:
    """What the file says. Times in seconds."""

    cell: Cell
    me: str
    members: Mapping[str, Member]
    endpoints: tuple[str, ...]
    user_name: str
    credentials: Credentials
    postgres_port: int
    patroni_port: int
    pace: Pace
    look_limit: float
    stream_limit: float

    @property
    def own(self) -> Member:
        """The member that this host is."""
        return self.members[self.me]

    @property
    def addresses(self) -> Mapping[str, str]:
        """The others' addresses by their names."""
        return {name: one.address for name, one in self.members.items() if name != self.me}

    @property
    def user(self) -> User:
        """The user of etcd; systemd hands the password over, and root reads it itself."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        path = Path(folder) / "etcd_password" if folder else PASSWORD_FILE
        return User(self.user_name, path.read_text(encoding="utf-8").strip())


def load(path: Path = FILE) -> Settings:
    """Read the file that role failover_agent writes; OSError, ValueError or KeyError where it is wrong."""
    given = json.loads(path.read_text(encoding="utf-8"))
    return Settings(
        cell=Cell(given["cell"]),
        me=given["member"],
        members={name: Member(**one) for name, one in given["members"].items()},
        endpoints=tuple(given["endpoints"]),
        user_name=given["user"],
        credentials=Credentials(given["ca"], given["certificate"], given["key"]),
        postgres_port=given["postgres_port"],
        patroni_port=given["patroni_port"],
        pace=Pace.of(float(given["ttl_s"])),
        look_limit=float(given["look_limit_s"]),
        stream_limit=float(given["stream_limit_s"]),
    )
