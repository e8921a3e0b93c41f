"""What is wrong with a machine that is to be a host: what it shows, against what the estate says. Pure.

Every complaint names the place in the estate file, what was found, what is allowed and the next step.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.faults import FilePath, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mirrorforce.estate import Estate, Host, Machine, StaticSite, Volume

SYSTEM = "debian 13"
"""The release that the roles install from (ID and VERSION_ID of os-release)."""

LEAST_SHARE_OF_VOLUME = 0.9
"""Of a volume's declared size: what a file system on it may show, its own records (journal, inodes) aside."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answered at an address: the ed25519 key that it proved to have ('': none), and ssh's last words."""

    key: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A file system: its type, its size in MiB."""

    kind: str
    size_mib: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a machine says of itself. `source`, `address`, `port`: the ends of our connection as it sees them.

    `root` is what sudo answered to `id -u`; `container` 'none' where it has a kernel of its own.
    """

    hostname: str
    source: str
    address: str
    port: str
    home: str
    group: str
    root: str
    system: str
    python: str
    init: str
    container: str
    mounts: Mapping[str, Mounted | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong: where in the estate file, at which address, and what to do about it."""

    path: FilePath
    where: str
    found: str
    allowed: str
    next_step: str


def path_of(host: Host) -> FilePath:
    """The machine's place in the estate file."""
    return ("sites", host.site, "static", "hosts", host.name)


def of_answer(host: Host, machine: Machine, answer: Answer, owners: Mapping[str, str]) -> Complaint | None:
    """What is wrong with who answered; `owners` maps the declared keys to their hosts' names."""
    if answer.key == machine.host_key:
        return None
    console = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on its console"
    if not answer.key:
        return Complaint(
            (*path_of(host), "address"),
            where(machine),
            f"no sshd with an ed25519 key answers: {answer.said or 'it said nothing'}",
            "the machine's own address, and a way there from here",
            "power it on and mend the way to it, or put its right address, ssh port or proxy into the file",
        )
    owner = owners.get(answer.key)
    whose = f", which is declared as that of {owner}" if owner else ""
    swapped = f"give {host.name} and {owner} their own addresses in the file; or " if owner else ""
    return Complaint(
        (*path_of(host), "host_key"),
        where(machine),
        f"{answer.key} ({fingerprint(answer.key)}){whose}",
        f"{machine.host_key} ({fingerprint(machine.host_key)})",
        f"{swapped}compare with {console}: if it shows the key that was found, put that into the file; "
        "if not, another machine answers at this address",
    )


def of_login(host: Host, machine: Machine, reason: str, public_key: str) -> Complaint:
    """The machine is the right one, but does not let us in."""
    return Complaint(
        (*path_of(host), "ssh", "user"),
        where(machine),
        f"{machine.user} is not let in with the estate's key: {reason}",
        "an account with the estate's public key, sudo and no need of a password",
        f"on it, let ~{machine.user}/.ssh/authorized_keys have the line: {public_key.strip()}",
    )


def of_facts(estate: Estate, host: Host, machine: Machine, facts: Facts) -> Iterator[Complaint]:
    """All that is wrong with a machine that let us in."""
    static = estate.site(host.site).static
    at = where(machine)
    yield from _name(estate, host, facts, at)
    yield from _ends(host, machine, facts, at)
    if static is not None:
        yield from _controller(host, static, facts, at)
        yield from _kernel(host, static, facts, at)
    yield from _account(host, machine, facts, at)
    yield from _system(host, facts, at)
    for volume in host.volumes:
        yield from _volume(host, volume, facts.mounts.get(volume.mount), at)


def where(machine: Machine) -> str:
    """Where a machine is reached, for people."""
    return f"{machine.address} port {machine.port}"


def fingerprint(key: str) -> str:
    """A public key's fingerprint, as `ssh-keygen -l` shows it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def error(env: str, complaints: Sequence[Complaint], machines: int) -> MirrorforceError:
    """The error that tells every complaint; nothing was created or changed."""
    wrong = len({complaint.path[:5] for complaint in complaints})
    head = (
        f"{wrong} of {machines} machines are not as stacks/{env}.yaml says; nothing was created or changed."
    )
    return MirrorforceError(head + "\n" + text(complaints), f"then: mirrorforce adopt {env}")


def text(complaints: Iterable[Complaint]) -> str:
    """The complaints as people read them."""
    return "\n".join(_block(complaint) for complaint in complaints)


def _block(complaint: Complaint) -> str:
    return f"""
  {shown(complaint.path)} ({complaint.where})
    found:   {complaint.found}
    allowed: {complaint.allowed}
    next:    {complaint.next_step}"""


def _name(estate: Estate, host: Host, facts: Facts, at: str) -> Iterator[Complaint]:
    full = f"{host.name}.{estate.domain}"
    if facts.hostname not in {host.name, full}:
        yield Complaint(
            path_of(host),
            at,
            f"a machine that calls itself {facts.hostname}",
            f"{host.name} or {full}",
            f"if it is the right one: sudo hostnamectl set-hostname {host.name} on it; if not, put the right "
            "address and host_key into the file",
        )


def _ends(host: Host, machine: Machine, facts: Facts, at: str) -> Iterator[Complaint]:
    """Other hosts are told the same address and port: something that translates them is in their way."""
    if (facts.address, facts.port) != (str(machine.address), str(machine.port)):
        yield Complaint(
            (*path_of(host), "address"),
            at,
            f"its sshd was reached at {facts.address} port {facts.port}: an address on the way is translated",
            "an address and a port of its own",
            "put its own address and port into the file; a proxy_command may lead there",
        )


def _controller(host: Host, static: StaticSite, facts: Facts, at: str) -> Iterator[Complaint]:
    networks = ", ".join(map(str, static.controllers))
    try:
        declared = any(IPv4Address(facts.source) in network for network in static.controllers)
    except AddressValueError:
        declared = False
    if not declared:
        yield Complaint(
            ("sites", host.site, "static", "controllers"),
            at,
            f"we come from {facts.source}, outside {networks}: its packet filter would shut us out",
            "networks that hold the controller, or its jump host, as the machine sees them",
            f"add {facts.source}/32, or the network around it",
        )


def _kernel(host: Host, static: StaticSite, facts: Facts, at: str) -> Iterator[Complaint]:
    own = facts.container == "none"
    if own != static.own_kernel:
        yield Complaint(
            ("sites", host.site, "static", "own_kernel"),
            at,
            f"{str(static.own_kernel).lower()}, while the machine "
            + ("has a kernel of its own" if own else f"is a container ({facts.container})"),
            str(own).lower(),
            "put that into the file; containers and others stand in sites of their own",
        )


def _account(host: Host, machine: Machine, facts: Facts, at: str) -> Iterator[Complaint]:
    path = (*path_of(host), "ssh", "user")
    if facts.root != "0":
        yield Complaint(
            path,
            at,
            f"sudo says to {machine.user}: {facts.root or 'nothing'}",
            "sudo that asks for no password",
            f"echo '{machine.user} ALL=(ALL:ALL) NOPASSWD: ALL' in a file of its /etc/sudoers.d",
        )
    home = f"/home/{machine.user}"
    if (facts.home, facts.group) != (home, machine.user):
        yield Complaint(
            path,
            at,
            f"{machine.user} has the home {facts.home} and the group {facts.group}",
            f"the home {home} and the group {machine.user}, where converge keeps its key",
            "make an account for this alone: sudo useradd --create-home --user-group mirrorforce",
        )


def _system(host: Host, facts: Facts, at: str) -> Iterator[Complaint]:
    if facts.system != SYSTEM or facts.init != "systemd":
        yield Complaint(
            path_of(host),
            at,
            f"{facts.system or 'an unknown system'}, started by {facts.init}",
            f"{SYSTEM}, started by systemd: the roles install its packages",
            "install Debian 13 on it",
        )
    if not facts.python:
        yield Complaint(
            path_of(host),
            at,
            "no python3",
            "python3, by which Ansible works",
            "sudo apt-get install python3 on it",
        )


def _volume(host: Host, volume: Volume, mounted: Mounted | None, at: str) -> Iterator[Complaint]:
    least = LEAST_SHARE_OF_VOLUME * volume.size_mib
    if mounted is not None and mounted.size_mib >= least:
        return
    found = f"{mounted.size_mib} MiB ({mounted.kind})" if mounted else "no file system of its own"
    yield Complaint(
        path_of(host),
        at,
        f"{found} at {volume.mount}",
        f"a file system of its own on {volume.size_mib} MiB or more, as cells.{host.cell}.volumes says",
        f"mount a volume of that size at {volume.mount}, by its /etc/fstab",
    )
