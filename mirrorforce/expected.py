"""What a converged host looks like from outside its configuration: units, sockets, rules, files. Pure.

Roles bring a host there, `verify` compares. The two are written apart on purpose: a check that reads the
role's own list cannot find what the list lacks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from mirrorforce import onhost
from mirrorforce.estate import (
    DNS_PORT,
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    PATRONI_PORT,
    POSTGRES_PORT,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mirrorforce.estate import Cell, Estate, Host, Role
    from mirrorforce.flows import Rule

CA_CERTIFICATE = "/etc/mirrorforce/pki/ca.crt"
HOST_CERTIFICATE = "/etc/mirrorforce/pki/host.crt"
HOST_KEY = "/etc/mirrorforce/pki/host.key"

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit that is to be active, and, where `at_boot`, to start by itself."""

    name: str
    at_boot: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Socket:
    """A listening socket: protocol, address, port."""

    protocol: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.protocol} {self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that holds a secret: who may own it, the most its mode may allow, whose group may read it."""

    path: str
    owners: tuple[str, ...]
    mode: int = 0o600
    readers: str | None = None
    optional: bool = False

    def faults(self, shown: Mapping[str, Any] | None) -> list[str]:
        """What is wrong with the file as a probe saw it; None: there is no such file."""
        if shown is None:
            return [] if self.optional else [f"{self.path} is not there"]
        found = []
        if int(shown["mode"], 8) & ~self.mode:
            found.append(f"{self.path} has mode {shown['mode']}, {self.mode:04o} is allowed")
        if shown["owner"] not in self.owners:
            found.append(f"{self.path} is {shown['owner']}'s, not {' or '.join(self.owners)}'s")
        if self.readers and int(shown["mode"], 8) & 0o070 and shown["group"] != self.readers:
            found.append(f"{self.path} is open to group {shown['group']}, not {self.readers}")
        return found


_UNITS: Mapping[Role, tuple[Unit, ...]] = {
    "control": (
        Unit("etcd.service"),
        Unit("gdnsd.service"),
        Unit("leader_watcher.service"),
        Unit("etcd_leader_mover.timer"),
    ),
    "database": (Unit("patroni.service"), Unit("patroni_watch.service")),
    "application": (Unit("unbound.service"),),
}
_AGENT = (Unit("failover_agent_boot.service"), Unit("failover_agent.service"))


def units(host: Host) -> tuple[Unit, ...]:
    """The units that make the host what it is."""
    return (Unit("ssh.service"), Unit("mirrorforce-firewall.service"), *_UNITS[host.role])


def agent_units(estate: Estate, host: Host) -> tuple[Unit, ...]:
    """The units of the failover agent, where the estate has them."""
    return _AGENT if estate.fence_and_release and host.role == "database" else ()


def sockets(host: Host) -> frozenset[Socket]:
    """Every socket that may listen, and must; sshd alone listens on all addresses."""
    own = str(host.address)
    everywhere = {Socket("tcp", address, host.ssh_port) for address in ("0.0.0.0", "::")}  # noqa: S104
    of_role: Mapping[Role, Iterable[Socket]] = {
        "control": (
            Socket("tcp", own, ETCD_CLIENT_PORT),
            Socket("tcp", own, ETCD_PEER_PORT),
            Socket("tcp", own, DNS_PORT),
            Socket("udp", own, DNS_PORT),
        ),
        "database": (
            Socket("tcp", own, PATRONI_PORT),
            Socket("tcp", own, POSTGRES_PORT),
            Socket("tcp", LOOPBACK, POSTGRES_PORT),
        ),
        "application": (Socket("tcp", LOOPBACK, DNS_PORT), Socket("udp", LOOPBACK, DNS_PORT)),
    }
    return frozenset({*everywhere, *of_role[host.role]})


def listening(found: Iterable[Mapping[str, Any]]) -> frozenset[Socket]:
    """The sockets that a probe saw. A resolver asks from random ports: those are no listeners."""
    return frozenset(
        Socket(one["protocol"], one["address"], one["port"])
        for one in found
        if not (one["process"] == "unbound" and one["protocol"] == "udp" and one["port"] != DNS_PORT)
    )


_KEY_OWNERS: Mapping[Role, str] = {"control": "etcd", "database": "postgres", "application": "root"}

_SECRETS: Mapping[Role, tuple[SecretFile, ...]] = {
    "control": (SecretFile("/etc/mirrorforce/etcd_watcher_password", ("root",)),),
    "database": (
        SecretFile("/etc/patroni/config.yml", ("root", "postgres"), 0o640, readers="postgres"),
        SecretFile("/run/postgresql/patroni.pgpass", ("postgres",), optional=True),
        SecretFile("/srv/postgres/data/17", ("postgres",), 0o700),
    ),
    "application": (SecretFile("/home/app/.pgpass", ("app",)),),
}


def secret_files(host: Host) -> tuple[SecretFile, ...]:
    """Files that hold secrets on this host."""
    own_key = SecretFile(HOST_KEY, (_KEY_OWNERS[host.role],))
    ssh_key = SecretFile("/etc/ssh/ssh_host_ed25519_key", ("root",))
    return (own_key, ssh_key, *_SECRETS[host.role])


def secret_folders(host: Host) -> tuple[str, ...]:
    """Folders below which nothing may be written by anyone but its owner and group."""
    del host
    return ("/etc/mirrorforce", onhost.FOLDER)


def certificate_names(estate: Estate, host: Host) -> set[str]:
    """The DNS names under which clients reach the host: its certificate has to bear each."""
    own = {f"{host.name}.{estate.domain}"}
    if host.cell is None:
        return own
    return own | {f"{host.cell}.{estate.domain}", f"{host.cell}-ro.{estate.domain}"}


def tls_ports(host: Host) -> list[dict[str, Any]]:
    """Ports that show the host's certificate, with how TLS begins there."""
    own = str(host.address)
    if host.role == "control":
        return [{"address": own, "port": port} for port in (ETCD_CLIENT_PORT, ETCD_PEER_PORT)]
    if host.role == "database":
        return [
            {"address": own, "port": PATRONI_PORT},
            {"address": own, "port": POSTGRES_PORT, "starttls": "postgres"},
        ]
    return []


def admits(rule: Rule, address: IPv4Address) -> bool:
    """Whether a rule lets this address in."""
    return any(
        address in source if isinstance(source, IPv4Network) else address == source for source in rule.sources
    )


def synchronous_standby_names(cell: Cell, standbys: Sequence[str]) -> tuple[int, frozenset[str]]:
    """How many of which standbys must have a row, with these standbys streaming.

    Patroni's quorum mode: ANY k of all standbys, k the smaller of the declared copies and those there are.
    """
    return min(cell.synchronous_copies, len(standbys)), frozenset(standbys)


SUPERUSERS = frozenset({"postgres"})
REPLICATORS = frozenset({"postgres", "replicator"})
ROLES = frozenset({"postgres", "replicator", "rewinder", "application", "reader"})
"""Who a cell's members know: who may everything, who may replicate, and everybody."""

TAKING_TURNS = {"application_2": "application", "reader_2": "reader"}
"""Users that come into being when a password is rotated for the first time, and the role they work as."""

_BYTES = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "8kB": 8 << 10, "16MB": 16 << 20}
_MILLISECONDS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_VALUE = re.compile(r"(?P<number>-?\d+)(?P<unit>[a-zA-Z]*)")


def same_setting(declared: object, shown: str | None, unit: str | None) -> bool:
    """Whether `pg_settings` shows the declared value: `shown` counts in the parameter's own `unit`.

    A declared value without a unit counts in the parameter's own as well, as PostgreSQL reads it.
    """
    wanted, seen = _VALUE.fullmatch(str(declared)), _VALUE.fullmatch(shown or "")
    if wanted is None or seen is None or unit is None:
        return str(declared) == shown
    for units in (_BYTES, _MILLISECONDS):
        own = units.get(unit)
        meant = units.get(wanted["unit"] or unit)
        if own is not None and meant is not None:
            return int(wanted["number"]) * meant == int(seen["number"]) * own
    return False
