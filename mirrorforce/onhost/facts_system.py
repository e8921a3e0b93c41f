"""What the operating system says: units, sockets, packet filter, files; runs on hosts as root."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import socket
import ssl
import stat
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost.commands import output_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_UNIT_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,NRestarts"
_PROCESS = re.compile(r'users:\(\("(?P<name>[^"]+)"')
SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL protocol, message SSLRequest


def services(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """State of the named units, and every unit of the host that failed."""
    failed = output_of(["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"])
    return {
        "units": unit_states(arguments["units"]),
        "failed": [line.split()[0] for line in failed.splitlines() if line.strip()],
    }


def unit_states(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """What systemd says of the named units, by the name that they were asked by."""
    shown = output_of(["systemctl", "show", f"--property={_UNIT_PROPERTIES}", "--", *names])
    blocks = [block for block in shown.strip().split("\n\n") if block]
    units = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    return dict(zip(names, units, strict=True))


def sockets(_arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Every listening TCP socket and every unconnected UDP socket, with the program that owns it."""
    lines = output_of(["ss", "-H", "-l", "-n", "-t", "-u", "-p"]).splitlines()
    return {"listening": [_socket(line) for line in lines if line.strip()]}


def _socket(line: str) -> dict[str, Any]:
    protocol, _state, _received, _sent, local, *_ = line.split()
    address, _, port = local.rpartition(":")
    process = _PROCESS.search(line)
    return {
        "protocol": protocol,
        "address": address.strip("[]").partition("%")[0],
        "port": int(port),
        "process": process["name"] if process else "",
    }


def nftables(_arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The packet filter as it stands in the kernel."""
    return {"ruleset": json.loads(output_of(["nft", "-j", "-n", "list", "ruleset"]))["nftables"]}


def files(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Mode and owner of the paths, and of every file below the folders; None: no such file."""
    found = {path: _mode(Path(path)) for path in arguments.get("paths", ())}
    for folder in arguments.get("folders", ()):
        for entry in sorted(Path(folder).rglob("*")):
            found[str(entry)] = _mode(entry)
    return {"files": found}


def _mode(path: Path) -> dict[str, Any] | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return {
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": _named(pwd.getpwuid, status.st_uid),
        "group": _named(grp.getgrgid, status.st_gid),
        "kind": "folder" if stat.S_ISDIR(status.st_mode) else "file",
    }


def _named(look_up: Callable[[int], Sequence[object]], identity: int) -> str:
    try:
        return str(look_up(identity)[0])
    except KeyError:
        return str(identity)


def certificates(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The certificates in files (`paths`), and those that ports really show (`ports`)."""
    return {
        "files": {path: _text(path) for path in arguments.get("paths", ())},
        "served": {
            f"{port['address']}:{port['port']}": _served(port["address"], port["port"], port.get("starttls"))
            for port in arguments.get("ports", ())
        },
    }


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def _served(address: str, port: int, starttls: str | None) -> str:
    """The certificate a port shows, as PEM. Who it is from is judged by the reader, not here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((address, port), timeout=2.0) as channel:
        if starttls == "postgres":
            channel.sendall(SSL_REQUEST)
            if channel.recv(1) != b"S":
                raise ConnectionError(f"{address}:{port} offers no TLS")
        with context.wrap_socket(channel) as secured:
            der = secured.getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(der or b"")


def sshd(_arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that sshd has in force."""
    lines = output_of(["/usr/sbin/sshd", "-T"]).splitlines()
    return {"settings": dict(line.split(" ", 1) for line in lines if " " in line)}


def mounts(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """For each mount point: whether something is mounted there, its size and use in MiB."""
    table = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="ascii").splitlines()]
    mounted = {fields[1]: fields for fields in table}
    return {"mounts": {point: _mount(point, mounted.get(point)) for point in arguments["points"]}}


def _mount(point: str, fields: list[str] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    usage = os.statvfs(point)
    mib = 1 << 20
    return {
        "device": fields[0],
        "type": fields[2],
        "size_mib": usage.f_blocks * usage.f_frsize // mib,
        "free_mib": usage.f_bavail * usage.f_frsize // mib,
    }


def failover_agent(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the failover agent decided, what it refuses and why, and seconds since it last said so."""
    path = Path(arguments["report"])
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {**report, "age_s": round(time.time() - path.stat().st_mtime, 1)}


def clock(_arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The host's wall clock, in seconds since the epoch."""
    return {"time": time.time()}
