"""Estates for tests: one to start from, and a hypothesis strategy for many."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from mirrorforce.estate import Cell, Estate, Link, Site, Volume

if TYPE_CHECKING:
    from collections.abc import Mapping

SITES = ("east", "west", "legacy", "north", "south")
DOMAINS = ("virginia", "oregon", "california")
VOLUMES = (Volume("data", "/srv/postgres/data", 2048), Volume("wal", "/srv/postgres/wal", 1024))


def site(name: str, number: int, domain: str, *, mirrored: bool = True, application_hosts: int = 0) -> Site:
    cidr = IPv4Network(f"198.18.{number}.0/24")
    return Site(name, "lab", domain, cidr, mirrored=mirrored, application_hosts=application_hosts)


def cell(name: str, members: Mapping[str, int], *, copies: int = 1, domains: int = 2, slot: int = 0) -> Cell:
    return Cell(name, next(iter(members)), members, copies, domains, "app", VOLUMES, slot)


def estate(*sites: Site, cells: tuple[Cell, ...] = (), round_trip_ms: float = 70) -> Estate:
    """An estate of these sites, all of them the same round trip apart."""
    links = tuple(Link((a.name, b.name), round_trip_ms) for a, b in combinations(sites, 2))
    return Estate("lab", "lab.test", "fast", {}, sites, links, cells, (), ())


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """Estates as placement and flows meet them: one to five sites, none to four cells in any slots."""
    sites = tuple(
        site(
            name,
            number,
            draw(st.sampled_from(DOMAINS)),
            mirrored=draw(st.booleans()),
            application_hosts=draw(st.integers(0, 8)),
        )
        for number, name in enumerate(SITES[: draw(st.integers(1, len(SITES)))], start=1)
    )
    slots = draw(st.lists(st.integers(0, 57), unique=True, max_size=4))
    members = st.dictionaries(st.sampled_from([each.name for each in sites]), st.integers(1, 4), min_size=1)
    cells = tuple(cell(f"na{number}", draw(members), slot=slot) for number, slot in enumerate(slots))
    return estate(*sites, cells=cells)
