"""One DNS question to one server, over UDP or TCP: enough of RFC 1035 to compare answers.

Standard library only: this runs on hosts. The system's resolver is no use here, since it hides
which server answered and how long the answer may be kept.
"""

from __future__ import annotations

import secrets
import socket
import struct
from dataclasses import asdict, dataclass
from typing import Literal

TYPE_A = 1
CLASS_IN = 1
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_RECURSION_DESIRED = 0x0100
_AUTHORITATIVE = 0x0400
_RCODE_MASK = 0x000F
_POINTER = 0xC0
_RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


class DnsError(Exception):
    """No usable answer; the text says why."""


@dataclass(frozen=True)
class Answer:
    """The addresses of an answer, its smallest TTL in seconds (None without addresses), its code."""

    addresses: tuple[str, ...]
    ttl: int | None
    rcode: str
    authoritative: bool

    def to_dict(self) -> dict[str, object]:
        """As JSON-able values."""
        return asdict(self) | {"addresses": list(self.addresses)}


def question(name: str, identity: int) -> bytes:
    """The message that asks for the A records of `name`."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split("."))
    header = _HEADER.pack(identity, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + labels + b"\0" + struct.pack("!HH", TYPE_A, CLASS_IN)


def _after_name(message: bytes, at: int) -> int:
    """The offset behind the (possibly compressed) name that starts at `at`."""
    while True:
        length = message[at]
        if length & _POINTER == _POINTER:
            return at + 2
        if length == 0:
            return at + 1
        at += 1 + length


def parse(message: bytes, identity: int) -> Answer:
    """The answer in a message; DnsError where it is malformed or belongs to another question."""
    try:
        answered, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
        if answered != identity:
            raise DnsError("the answer belongs to another question")
        at = _HEADER.size
        for _ in range(questions):
            at = _after_name(message, at) + 4
        addresses, ttls = [], []
        for _ in range(answers):
            at = _after_name(message, at)
            kind, _klass, ttl, length = _RECORD.unpack_from(message, at)
            at += _RECORD.size
            if kind == TYPE_A:
                addresses.append(socket.inet_ntoa(message[at : at + length]))
                ttls.append(ttl)
            at += length
    except (struct.error, IndexError, OSError) as fault:
        raise DnsError(f"malformed answer of {len(message)} bytes: {fault}") from fault
    rcode = flags & _RCODE_MASK
    return Answer(
        addresses=tuple(addresses),
        ttl=min(ttls, default=None),
        rcode=_RCODES.get(rcode, f"RCODE{rcode}"),
        authoritative=bool(flags & _AUTHORITATIVE),
    )


def ask(
    server: str,
    name: str,
    *,
    transport: Literal["udp", "tcp"] = "udp",
    port: int = 53,
    timeout: float = 1.0,
) -> Answer:
    """Ask `server` for the A records of `name`; `timeout` in seconds. DnsError: no usable answer."""
    identity = secrets.randbelow(1 << 16)
    message = question(name, identity)
    exchange = _over_udp if transport == "udp" else _over_tcp
    try:
        return parse(exchange(server, port, message, timeout), identity)
    except OSError as fault:
        raise DnsError(f"{server}: {fault or type(fault).__name__}") from fault


def _over_udp(server: str, port: int, message: bytes, timeout: float) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(timeout)
        # Connected, so that a datagram from elsewhere is dropped and a closed port is an error.
        channel.connect((server, port))
        channel.send(message)
        return channel.recv(4096)


def _over_tcp(server: str, port: int, message: bytes, timeout: float) -> bytes:
    with socket.create_connection((server, port), timeout=timeout) as channel:
        channel.sendall(struct.pack("!H", len(message)) + message)
        with channel.makefile("rb") as stream:
            (length,) = struct.unpack("!H", stream.read(2))
            return stream.read(length)
