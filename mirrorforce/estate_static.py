"""Sites of platform static in an estate file: reading their machines, and what can be wrong with them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import TYPE_CHECKING, Any

from mirrorforce import estate_networks, placement
from mirrorforce.estate import Machine, StaticSite
from mirrorforce.estate_reading import mapping, sequence
from mirrorforce.faults import Fault, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mirrorforce.estate import Estate, Site
    from mirrorforce.estate_reading import Reading
    from mirrorforce.faults import FilePath

_KEY_TYPE = "ssh-ed25519"
_KEY_HEAD = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
"""How the binary form of every ed25519 key begins (RFC 8709): its type's name, and that 32 bytes follow."""
_KEY_BYTES = len(_KEY_HEAD) + 32


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a machine is known by, and the place in the file that tells of it."""

    path: FilePath
    name: str
    site: str
    address: IPv4Address
    host_key: str


def read(entry: Mapping[str, Any] | None) -> StaticSite | None:
    """The value of a sound `static` entry, defaults filled in; what a host says of its ssh wins."""
    if entry is None:
        return None
    return StaticSite(
        controllers=tuple(collapse_addresses(IPv4Network(text) for text in entry["controllers"])),
        own_kernel=entry["own_kernel"],
        machines=tuple(
            Machine(
                name=name,
                address=IPv4Address(host["address"]),
                host_key=host["host_key"],
                **{**entry["ssh"], **host.get("ssh", {})},
            )
            for name, host in entry["hosts"].items()
        ),
    )


def value_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Addresses, networks and keys that look like one and are none: needed before they become values."""
    for name, site in mapping(document.get("sites")).items():
        static = mapping(mapping(site).get("static"))
        path: FilePath = ("sites", name, "static")
        for index, network in enumerate(sequence(static.get("controllers"))):
            yield from estate_networks.network_faults((*path, "controllers", index), network)
        for host, entry in mapping(static.get("hosts")).items():
            here = (*path, "hosts", host)
            yield from _address_fault((*here, "address"), mapping(entry).get("address"))
            yield from _key_fault((*here, "host_key"), mapping(entry).get("host_key"))


def _address_fault(path: FilePath, text: object) -> Iterator[Fault]:
    if not isinstance(text, str):
        return
    try:
        IPv4Address(text)
    except ValueError:
        yield Fault(path, f'text "{text}", which is no IPv4 address', "four numbers up to 255")


def _key_fault(path: FilePath, text: object) -> Iterator[Fault]:
    if isinstance(text, str) and not _is_key(text):
        found = f'text "{text}", which is no ed25519 public key'
        yield Fault(path, found, "the first two words of the host's /etc/ssh/ssh_host_ed25519_key.pub")


def _is_key(text: str) -> bool:
    kind, _, encoded = text.partition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    return kind == _KEY_TYPE and blob.startswith(_KEY_HEAD) and len(blob) == _KEY_BYTES


def without_machines(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without any site's `static`: which hosts it needs can be told whatever that part holds."""
    sites = mapping(document.get("sites")).items()
    rest = {
        name: {key: mapping(site)[key] for key in mapping(site) if key != "static"} for name, site in sites
    }
    return {**document, "sites": rest}


def is_of_machines(path: FilePath) -> bool:
    """Whether a path in the file lies in what a site says of its machines."""
    return path[:1] == ("sites",) and path[2:3] == ("static",)


def faults(reading: Reading) -> Iterator[Fault]:
    """Machines that hosts lack, machines that nobody needs, and those that cannot be two hosts.

    The reading's estate is that of the document without machines.
    """
    for site in reading.estate.sites:
        named = mapping(mapping(reading.document["sites"][site.name]).get("static")).get("hosts")
        if site.platform == "static" and isinstance(named, dict):
            yield from _missing(reading.estate, site, named)
            yield from _superfluous(reading, site, named)
    declared = list(_declared(reading))
    for each in declared:
        yield from _outside(reading.estate, each)
    yield from _twice(declared)


def _missing(estate: Estate, site: Site, named: Mapping[str, Any]) -> Iterator[Fault]:
    for place in placement.places(estate, site):
        if place.name not in named:
            what = f"a member of the cell {place.cell}" if place.cell else f"a {place.role} host"
            allowed = f"the address and host_key of the machine that is to be {what}"
            yield Fault((*_hosts(site.name), place.name), "nothing: the key is missing", allowed)


def _superfluous(reading: Reading, site: Site, named: Mapping[str, Any]) -> Iterator[Fault]:
    if not reading.sound("cells"):
        return  # which members the site has cannot be told
    needed = [place.name for place in placement.places(reading.estate, site)]
    for name in named:
        if name not in needed:
            found = f"{name}, a host that the estate does not have"
            allowed = f"the hosts of this site: {', '.join(needed) or 'none'}"
            yield Fault((*_hosts(site.name), name), found, allowed, nearest(name, needed))


def _declared(reading: Reading) -> Iterator[_Declared]:
    """The machines that have no fault of their own, of all static sites."""
    for site, entry in mapping(reading.document.get("sites")).items():
        for name, host in mapping(mapping(mapping(entry).get("static")).get("hosts")).items():
            path = (*_hosts(site), name)
            if reading.sound(*path):
                yield _Declared(path, name, site, IPv4Address(host["address"]), host["host_key"])


def _outside(estate: Estate, declared: _Declared) -> Iterator[Fault]:
    site = next((site for site in estate.sites if site.name == declared.site), None)
    if site is None:
        return
    ends = {site.cidr.network_address, site.cidr.broadcast_address}
    if declared.address not in site.cidr or declared.address in ends:
        allowed = f"an address of a host in the site's network {site.cidr}"
        yield Fault((*declared.path, "address"), str(declared.address), allowed)


def _twice(declared: Iterable[_Declared]) -> Iterator[Fault]:
    """Hosts that are one machine, and clones that have one key: neither can be told from the other."""
    for field, what in (("address", "an address"), ("host_key", "a key")):
        first_of: dict[str, str] = {}
        for each in declared:
            value = str(getattr(each, field))
            first = first_of.setdefault(value, each.name)
            if first != each.name:
                found = f"{value}, which is the {field} of {first} as well"
                yield Fault((*each.path, field), found, f"{what} of its own for each machine")


def _hosts(site: str) -> FilePath:
    return ("sites", site, "static", "hosts")
