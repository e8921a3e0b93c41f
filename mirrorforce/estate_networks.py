"""Checks of an estate's sites as places in a network: CIDRs, the lab's range, the mesh of links."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING, Any

from mirrorforce import placement
from mirrorforce.estate_reading import mapping, sequence
from mirrorforce.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mirrorforce.estate import Estate, Site
    from mirrorforce.estate_reading import Reading
    from mirrorforce.faults import FilePath

LAB_RANGE = IPv4Network("198.18.0.0/15")
"""Benchmarking addresses (RFC 2544): nothing on the internet has one."""
LAB_LINK_RANGE = IPv4Network("198.19.255.0/24")
"""What of the lab's range is kept for its links."""


def cidr_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """CIDRs that look like one and are none. Needed before the document can become an estate."""
    for name, site in mapping(document.get("sites")).items():
        yield from network_faults(("sites", name, "cidr"), mapping(site).get("cidr"))


def network_faults(path: FilePath, value: object) -> Iterator[Fault]:
    """What is wrong with a text that is to be an IPv4 network; of another value its schema tells."""
    if not isinstance(value, str):
        return
    try:
        network = IPv4Network(value, strict=False)
    except ValueError:
        found = f'text "{value}", which is no IPv4 network'
        yield Fault(path, found, "four numbers up to 255 and a prefix length up to 32")
        return
    if str(network) != value:
        found = f"{value}, an address inside the network {network}"
        yield Fault(path, found, "the network itself", str(network))


def faults(reading: Reading) -> Iterator[Fault]:
    """Overlaps, networks too small, lab sites outside the lab's range, links missing or told twice."""
    estate = reading.estate
    for one, other in combinations(estate.sites, 2):
        if one.cidr.overlaps(other.cidr):
            found = f"{other.cidr}, which overlaps {one.cidr} of the site {one.name}"
            yield Fault(("sites", other.name, "cidr"), found, "a network that no other site has a part of")
    for site in estate.sites:
        if site.static is None:
            yield from _too_small(estate, site)
        if site.platform == "lab":
            yield from _outside_lab(site)
    yield from _mixed_platforms(estate)
    yield from _twice_linked(reading)
    if reading.sound("sites") and reading.sound("links"):
        yield from _unlinked(estate)


def _too_small(estate: Estate, site: Site) -> Iterator[Fault]:
    places = placement.places(estate, site)
    if not places:
        return
    last = max(places, key=lambda place: place.offset)
    of_hosts = placement.zone_network(site, 0)
    if last.offset <= of_hosts.num_addresses - 2:
        return
    fitting = (last.offset + 1).bit_length() + of_hosts.prefixlen - site.cidr.prefixlen
    found = f"{site.cidr}, too small for {last.name}, at offset {last.offset} of the address plan"
    yield Fault(("sites", site.name, "cidr"), found, f"a network of /{32 - fitting} or larger")


def _outside_lab(site: Site) -> Iterator[Fault]:
    path = ("sites", site.name, "cidr")
    allowed = f"a network inside {LAB_RANGE} (benchmarking, RFC 2544), without {LAB_LINK_RANGE}"
    if not site.cidr.subnet_of(LAB_RANGE):
        yield Fault(path, f"{site.cidr}, outside the lab's range", allowed)
    elif site.cidr.overlaps(LAB_LINK_RANGE):
        yield Fault(path, f"{site.cidr}, part of which is kept for the lab's links", allowed)


def _mixed_platforms(estate: Estate) -> Iterator[Fault]:
    """Nothing of the lab can send a packet off the machine, so no link leads from it elsewhere.

    A static site beside the lab's stands on this machine too: hosts somebody made in the lab's range.
    """
    lab = next((site for site in estate.sites if site.platform == "lab"), None)
    for site in estate.sites if lab else ():
        if site.platform == "static":
            yield from _outside_lab(site)
        elif site.platform != "lab" and lab:
            found = f"{site.platform}, while the site {lab.name} is on lab"
            allowed = "lab, or static for hosts on this machine: no packet leaves the lab"
            yield Fault(("sites", site.name, "platform"), found, allowed)


def _twice_linked(reading: Reading) -> Iterator[Fault]:
    first_of: dict[frozenset[str], int] = {}
    for index, entry in enumerate(sequence(reading.document.get("links"))):
        if not reading.sound("links", index, "between"):
            continue
        pair = frozenset(entry["between"])
        first = first_of.setdefault(pair, index)
        if first != index:
            found = f"{' and '.join(entry['between'])} once more; links[{first}] is their link"
            yield Fault(("links", index, "between"), found, "one link for each pair of sites")


def _unlinked(estate: Estate) -> Iterator[Fault]:
    linked = {frozenset(link.between) for link in estate.links}
    for one, other in combinations([site.name for site in estate.sites], 2):
        if frozenset((one, other)) not in linked:
            allowed = f"one link for each pair of sites: - {{between: [{one}, {other}], round_trip_ms: …}}"
            yield Fault(("links",), f"no link between {one} and {other}", allowed)
