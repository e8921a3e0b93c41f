"""The edge to nftables: a table of our own, which nothing else flushes; and the sockets that are left."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.onhost.commands import output_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TABLE = "inet failover_agent"
PROBE_PORTS = range(20000, 21024)
"""Local ports of the agent's own looks at the primary, which pass the fence; no kernel gives these out."""

_CLOSED = {"06", "07"}  # TIME_WAIT, CLOSE: nothing can leave any more (include/net/tcp_states.h)
_INODE, _ORPHANED = 9, "0"  # the column of the process's file; without a process there is none


def table(streams: int, votes: int, *, members: Iterable[str] = (), booting: Iterable[str] = ()) -> str:
    """The table as a file of nft: it is brought about where it is missing, and who is fenced off stays so.

    fenced: blocked on both ports, each with a timer (rule 9). booting: without streams until etcd says so
    (rule 10); votes pass, or no cell could elect after a cold start. Everything is answered at once by a
    reset, on the way out and in: what waits in a socket is lost for good, not sent when the fence is lifted.
    The resets for what goes out come back over lo, as if from the member that is fenced off.

    held: PostgreSQL's port while clients wait for a switchover, with a timer. What they send is dropped, and
    sent again by their kernels; a new connection is reset, for somewhere else it may be welcome. Members
    (addresses) pass.

    skipped: etcd's voters that nobody here is to wait for, each with a timer.
    """
    own = f"{PROBE_PORTS.start}-{PROBE_PORTS.stop - 1}"
    both = f"{{ {streams}, {votes} }}"
    lines = [
        f"add table {TABLE}",
        f"add set {TABLE} fenced {{ type ipv4_addr; flags timeout; }}",
        f"add set {TABLE} booting {{ type ipv4_addr; }}",
        f"add set {TABLE} held {{ type inet_service; flags timeout; }}",
        f"add set {TABLE} skipped {{ type ipv4_addr . inet_service; flags timeout; }}",
    ]
    for hook, address, port, ours in (
        ("output", "daddr", "dport", "sport"),
        ("input", "saddr", "sport", "dport"),
    ):
        chain = f"{TABLE} {hook}"
        lines += [
            f"add chain {chain} {{ type filter hook {hook} priority -10; policy accept; }}",
            f"flush chain {chain}",
            *([f"add rule {chain} iif lo accept"] if hook == "input" else []),
            f"add rule {chain} tcp {ours} {own} accept",
            f"add rule {chain} ip {address} @fenced tcp {port} {both} reject with tcp reset",
            f"add rule {chain} ip {address} @booting tcp {port} {streams} reject with tcp reset",
        ]
    lines += [f"add rule {TABLE} output ip daddr . tcp dport @skipped reject with tcp reset"]
    if spared := ", ".join(sorted(members)):
        clients = f"{TABLE} input ip saddr != {{ {spared} }} tcp dport @held"
        lines += [
            f"add rule {clients} tcp flags & (syn | ack) == syn reject with tcp reset",
            f"add rule {clients} drop",
        ]
    lines += [f"add element {TABLE} booting {{ {address} }}" for address in booting]
    return "\n".join(lines) + "\n"


class Fence:
    """The fence of this host, by members' names."""

    def __init__(self, addresses: Mapping[str, str], streams: int, votes: int) -> None:
        self._addresses = addresses
        self._names = {address: name for name, address in addresses.items()}
        self._ports = (streams, votes)

    def prepare(self) -> None:
        """Have the table; CommandError."""
        _nft(table(*self._ports, members=self._addresses.values()))

    def hold_clients(self, seconds: float) -> None:
        """Have clients of this host's PostgreSQL wait, for so long at most; CommandError."""
        _nft(f"add element {TABLE} held {{ {self._ports[0]} timeout {seconds:.0f}s }}\n")

    def let_clients_go(self) -> None:
        """No longer; CommandError."""
        element = f"element {TABLE} held {{ {self._ports[0]} }}"
        _nft(f"add {element}\ndelete {element}\n")

    def skip_voter(self, voter: str, seconds: float) -> None:
        """Turn away what goes to this voter (address:port), so that who waits for it asks another one."""
        element = f"{voter.replace(':', ' . ')} timeout {seconds:.0f}s"
        _nft(f"add element {TABLE} skipped {{ {element} }}\n")

    def blocked(self) -> frozenset[str]:
        """Who is fenced off, as the kernel has it; CommandError."""
        return frozenset(self._held("fenced") | self._held("booting"))

    def block(self, names: Iterable[str], seconds: float) -> None:
        """Fence these members off for so long, from now on; CommandError."""
        lines = []
        for address in (self._addresses[name] for name in names):
            # What is there keeps its timer: out and in again, in one step.
            lines += [
                f"add element {TABLE} fenced {{ {address} }}",
                f"delete element {TABLE} fenced {{ {address} }}",
                f"add element {TABLE} fenced {{ {address} timeout {round(seconds)}s }}",
            ]
        _nft("\n".join(lines) + "\n")

    def extend(self, seconds: float) -> None:
        """Begin every timer anew; CommandError."""
        if names := self._held("fenced"):
            self.block(names, seconds)

    def lift(self, names: Iterable[str]) -> None:
        """Let these members pass again; CommandError."""
        lines = []
        for address in (self._addresses[name] for name in names):
            for which in ("fenced", "booting"):
                lines += [f"{verb} element {TABLE} {which} {{ {address} }}" for verb in ("add", "delete")]
        _nft("\n".join(lines) + "\n")

    def linked(self) -> frozenset[str]:
        """Members to whom a process of this host has a connection, but for our own looks at them."""
        remotes = {
            remote
            for path in ("/proc/net/tcp", "/proc/net/tcp6")
            for remote in linked_addresses(_lines(path), self._ports[0])
        }
        return frozenset(self._names[one] for one in remotes if one in self._names)

    def _held(self, which: str) -> set[str]:
        listed = json.loads(output_of(["nft", "-j", "list", "set", *TABLE.split(), which]))
        found = [one["set"].get("elem", []) for one in listed["nftables"] if "set" in one]
        addresses = [each["elem"]["val"] if isinstance(each, dict) else each for one in found for each in one]
        return {self._names[address] for address in addresses if address in self._names}


def linked_addresses(lines: Iterable[str], port: int) -> set[str]:
    """Remote addresses of processes' sockets to `port`, by the kernel's table. Pure.

    A socket whose process is gone may still try to send what waits in it. That is no more than the position
    that is promised, which is read afterwards; and the fence resets it.
    """
    found = set()
    for fields in (line.split() for line in lines):
        if len(fields) <= _INODE or fields[3] in _CLOSED or fields[_INODE] == _ORPHANED:
            continue
        remote, _, remote_port = fields[2].partition(":")
        local_port = int(fields[1].partition(":")[2], 16)
        if int(remote_port, 16) == port and local_port not in PROBE_PORTS:
            # The last four bytes, also of an IPv4 address in IPv6's clothes, in the host's order.
            found.add(socket.inet_ntoa(struct.pack("<I", int(remote[-8:], 16))))
    return found


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()[1:]
    except FileNotFoundError:
        return []


def _nft(text: str) -> None:
    output_of(["nft", "-f", "-"], stdin=text)
