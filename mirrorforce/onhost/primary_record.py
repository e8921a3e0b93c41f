"""What a cell's name answers: the decision of the leader watcher. Pure; standard library only.

A record is the address of one member, or None: the dynamic record, for which gdnsd's own checks choose.
Either way one name has one record, and one record one address.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Record = IPv4Address | None
"""A member's address, or None for the dynamic record."""

TTL_S = 1
"""Seconds for which an answer may be kept."""

_STATIC_FIELDS = 4
_ADDRESS_FIELD = 3


@dataclass(frozen=True)
class Leader:
    """Who holds the leader key, and since which revision of etcd's store."""

    name: str
    revision: int


@dataclass(frozen=True)
class Seen:
    """What is known of one cell.

    leader: as etcd's majority last said it; None where nobody holds the key.
    confirmed: the leader that said itself, over TLS, that it is the primary.
    etcd_lost: no majority of etcd has answered for too long.
    """

    leader: Leader | None = None
    confirmed: Leader | None = None
    etcd_lost: bool = False


def decide(members: Mapping[str, IPv4Address], last: Record, seen: Seen) -> Record:
    """The record of a cell whose record was `last`.

    A leader is answered once it confirmed that it is the primary; its word for an earlier term of office
    does not count. Without one the last answer stays: a name that stops to resolve helps nobody, and the
    last primary refuses writes by itself. An etcd that is lost says nothing of the present; then the
    dynamic record follows what the members say of themselves.
    """
    if seen.etcd_lost:
        return None
    leader = seen.leader
    if leader is not None and leader == seen.confirmed:
        return members.get(leader.name, last)
    return last


def unconfirmed(seen: Seen) -> Leader | None:
    """The leader that is yet to be asked whether it is the primary."""
    return seen.leader if seen.leader != seen.confirmed else None


def zone_line(cell: str, record: Record) -> str:
    """The cell's line in the zone, in gdnsd's words."""
    if record is None:
        return f"{cell} {TTL_S}/{TTL_S} DYNA metafo!{cell}\n"
    return f"{cell} {TTL_S} A {record}\n"


def record_in(line: str) -> Record:
    """The record that `zone_line` wrote; None (dynamic) for anything else."""
    fields = line.split()
    if len(fields) != _STATIC_FIELDS or fields[2] != "A":
        return None
    try:
        return IPv4Address(fields[_ADDRESS_FIELD])
    except ValueError:
        return None
