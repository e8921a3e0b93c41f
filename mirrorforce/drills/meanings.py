"""What each phrase means on one estate: hosts, sites, links or cells by name. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import placement
from mirrorforce.drills import phrases
from mirrorforce.drills.acts import NEW_PRIMARY
from mirrorforce.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mirrorforce.drills.cast import Cast
    from mirrorforce.estate import Estate


@dataclass(frozen=True, slots=True)
class Meant:
    """What a phrase means; a site means its hosts too. Links are pairs of sites, as in the estate file."""

    hosts: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    cells: tuple[str, ...] = ()


def of(phrase: str, estate: Estate, cast: Cast) -> Meant:
    """What the phrase means; BadInputError where the estate lacks it, KeyError where it is no phrase."""
    return _MEANINGS[phrase](estate, cast)


def _standby(cast: Cast, index: int) -> str:
    """The standby that a drill takes first (0) or second (1), each in a site of its own."""
    if index < len(cast.standbys):
        return cast.standbys[index]
    word = (phrases.STANDBY, phrases.OTHER_STANDBY)[index]
    sites = 1 + len(cast.standbys)
    raise BadInputError(
        f"'{word}' needs {index + 2} sites with members of {cast.cell}; the estate has {sites}",
        "run the drill for a cell with members in more sites, or add one to the estate file",
    )


def _hosts(hosts: Sequence[str]) -> Meant:
    return Meant(hosts=tuple(hosts))


def _members(estate: Estate, cast: Cast) -> Meant:
    del estate
    return _hosts(cast.members)


def _standbys(estate: Estate, cast: Cast) -> Meant:
    del estate
    return _hosts([member for member in cast.members if member != cast.primary])


def _sites(estate: Estate, *names: str) -> Meant:
    hosts = (host.name for host in placement.hosts(estate) if host.site in names)
    return Meant(hosts=tuple(hosts), sites=names)


def _control(estate: Estate, *sites: str) -> Meant:
    hosts = (host for host in placement.hosts(estate) if host.role == "control")
    return _hosts([host.name for host in hosts if host.site in sites])


def _every_mirrored(estate: Estate) -> tuple[str, ...]:
    return tuple(site.name for site in estate.mirrored_sites)


def _between(estate: Estate, cast: Cast, one: str, other: str) -> Meant:
    """The link between the sites of two hosts."""
    ends = {cast.site_of[one], cast.site_of[other]}
    return Meant(links=tuple(link.between for link in estate.links if set(link.between) == ends))


def _links_of(estate: Estate, site: str) -> Meant:
    return Meant(links=tuple(link.between for link in estate.links if site in link.between))


def _other_cells(estate: Estate, cast: Cast) -> Meant:
    return Meant(cells=tuple(cell.name for cell in estate.cells if cell.name != cast.cell))


_MEANINGS: Mapping[str, Callable[[Estate, Cast], Meant]] = {
    phrases.PRIMARY: lambda _, cast: _hosts([cast.primary]),
    phrases.STANDBY: lambda _, cast: _hosts([_standby(cast, 0)]),
    phrases.OTHER_STANDBY: lambda _, cast: _hosts([_standby(cast, 1)]),
    phrases.EVERY_STANDBY: _standbys,
    phrases.EVERY_MEMBER: _members,
    NEW_PRIMARY: lambda *_: _hosts([NEW_PRIMARY]),
    phrases.ETCD_LEADER: lambda _, cast: _hosts([cast.etcd_leader]),
    phrases.PRIMARY_CONTROL: lambda estate, cast: _control(estate, cast.site_of[cast.primary]),
    phrases.EVERY_CONTROL: lambda estate, _: _control(estate, *_every_mirrored(estate)),
    phrases.PRIMARY_SITE: lambda estate, cast: _sites(estate, cast.site_of[cast.primary]),
    phrases.STANDBY_SITE: lambda estate, cast: _sites(estate, cast.site_of[_standby(cast, 0)]),
    phrases.OTHER_STANDBY_SITE: lambda estate, cast: _sites(estate, cast.site_of[_standby(cast, 1)]),
    phrases.EVERY_SITE: lambda estate, _: _sites(estate, *_every_mirrored(estate)),
    phrases.LINK_TO_STANDBY: lambda estate, cast: _between(estate, cast, cast.primary, _standby(cast, 0)),
    phrases.LINK_TO_OTHER: lambda estate, cast: _between(estate, cast, cast.primary, _standby(cast, 1)),
    phrases.LINK_OF_STANDBYS: lambda estate, cast: _between(
        estate, cast, _standby(cast, 0), _standby(cast, 1)
    ),
    phrases.LINKS_OF_PRIMARY: lambda estate, cast: _links_of(estate, cast.site_of[cast.primary]),
    phrases.EVERY_LINK: lambda estate, _: Meant(links=tuple(link.between for link in estate.links)),
    phrases.THE_CELL: lambda _, cast: Meant(cells=(cast.cell,)),
    phrases.OTHER_CELLS: _other_cells,
}
