"""The leader watcher's file: what to watch, whom to ask, where to write. Standard library only."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.onhost.etcd import User
from mirrorforce.onhost.https_json import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Voter:
    """An etcd member: where it answers, and its round trips to each site in milliseconds."""

    url: str
    site: str
    round_trips_ms: Mapping[str, float]


@dataclass(frozen=True)
class Config:
    """What the file says. Times in seconds.

    endpoints: this host's own etcd member first. cells: each member's address by its name.
    member_sites: each member's site by its name, of every cell. voters: by endpoint.
    """

    endpoints: tuple[str, ...]
    voters: Mapping[str, Voter]
    member_sites: Mapping[str, Mapping[str, str]]
    credentials: Credentials
    user_name: str
    cells: Mapping[str, Mapping[str, IPv4Address]]
    patroni_port: int
    records: Path
    read_every_s: float
    etcd_lost_after_s: float

    @property
    def leader_keys(self) -> Mapping[str, str]:
        """Patroni's leader key of each cell."""
        return {cell: f"/service/{cell}/leader" for cell in self.cells}

    @property
    def user(self) -> User:
        """The user of etcd; systemd hands the password over in a file of its own."""
        return User(self.user_name, _credential("etcd_password").read_text(encoding="utf-8").strip())


def _credential(name: str) -> Path:
    return Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / name


def load(path: Path) -> Config:
    """Read the file that role failover_dns writes; OSError, ValueError or KeyError where it is wrong."""
    given = json.loads(path.read_text(encoding="utf-8"))
    key = str(_credential("host.key"))
    return Config(
        endpoints=tuple(one["url"] for one in given["voters"]),
        voters={one["url"]: Voter(**one) for one in given["voters"]},
        member_sites={
            cell: {name: one["site"] for name, one in members.items()}
            for cell, members in given["cells"].items()
        },
        credentials=Credentials(given["ca"], given["certificate"], key),
        user_name=given["user"],
        cells={
            cell: {name: IPv4Address(one["address"]) for name, one in members.items()}
            for cell, members in given["cells"].items()
        },
        patroni_port=given["patroni_port"],
        records=Path(given["records"]),
        read_every_s=float(given["read_every_s"]),
        etcd_lost_after_s=float(given["etcd_lost_after_s"]),
    )
