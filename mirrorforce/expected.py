"""What a converged host looks like from outside its configuration: units, sockets, rules, files. Pure.

Roles bring a host there, `verify` compares. The two are written apart on purpose: a check that reads the
role's own list cannot find what the list lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from mirrorforce.estate import (
    DNS_PORT,
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    PATRONI_PORT,
    POSTGRES_PORT,
    SSH_PORT,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mirrorforce.estate import Cell, Estate, Host, Role
    from mirrorforce.flows import Rule

CA_CERTIFICATE = "/etc/mirrorforce/pki/ca.crt"
HOST_CERTIFICATE = "/etc/mirrorforce/pki/host.crt"
HOST_KEY = "/etc/mirrorforce/pki/host.key"

ANYWHERE = ("0.0.0.0", "::", "*")  # noqa: S104 (what sockets say, not what we bind)
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
    """A file that holds a secret: who may own it, and the most that its mode may allow."""

    path: str
    owners: tuple[str, ...]
    mode: int


_UNITS: Mapping[Role, tuple[Unit, ...]] = {
    "control": (
        Unit("etcd.service"),
        Unit("gdnsd.service"),
        Unit("mirrorforce-leader-watcher.service"),
        Unit("mirrorforce-etcd-leader-mover.timer"),
    ),
    "database": (Unit("patroni.service"),),
    "application": (Unit("unbound.service"),),
}


def units(host: Host) -> tuple[Unit, ...]:
    """The units that make the host what it is."""
    return (Unit("ssh.service"), Unit("mirrorforce-firewall.service"), *_UNITS[host.role])


def sockets(host: Host) -> frozenset[Socket]:
    """Every socket that may listen, and must; sshd alone listens on all addresses."""
    own = str(host.address)
    everywhere = {Socket("tcp", address, SSH_PORT) for address in ("0.0.0.0", "::")}  # noqa: S104
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
