"""What a name on the command line means: a host, a site or a link of the lab that stands."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from mirrorforce.errors import BadInputError
from mirrorforce.lab import disks, links, networks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorforce.workspace import Workspace


def host_or_site(env: str, name: str) -> Literal["host", "site"]:
    """Which of the two the name is; BadInputError with the nearest right spelling where it is none."""
    sites, hosts = _sites(env), [spec.name for spec in disks.all_recorded(env)]
    if name in sites:
        return "site"
    if name in hosts:
        return "host"
    raise unknown(name, "host or site", (*sites, *hosts))


def site_or_link(env: str, name: str) -> str | tuple[str, str]:
    """The site of that name, or the two sites of the link; either of them may be named first."""
    sites = _sites(env)
    if name in sites:
        return name
    both_ways = _both_ways(env)
    if name in both_ways:
        return both_ways[name]
    raise unknown(name, "site or link", (*sites, *_links(env)))


def link(env: str, name: str) -> tuple[str, str]:
    """The two sites of the link; either of them may be named first."""
    both_ways = _both_ways(env)
    if name in both_ways:
        return both_ways[name]
    raise unknown(name, "link", _links(env))


def direction(env: str, start: str, end: str) -> tuple[str, str]:
    """The two sites, joined by a link; BadInputError with the right spelling where they are not."""
    sites = _sites(env)
    for site in (start, end):
        if site not in sites:
            raise unknown(site, "site", sites)
    return link(env, f"{start}-{end}")


def _both_ways(env: str) -> dict[str, tuple[str, str]]:
    pairs = ((spec.a, spec.b) for spec in links.all_recorded(env))
    return {f"{one}-{other}": (one, other) for a, b in pairs for one, other in ((a, b), (b, a))}


def _links(env: str) -> tuple[str, ...]:
    return tuple(spec.name for spec in links.all_recorded(env))


def _sites(env: str) -> tuple[str, ...]:
    return tuple(spec.site for spec in networks.all_recorded(env))


def unknown(name: str, kind: str, known: Iterable[str]) -> BadInputError:
    """The error for a name that nothing has. Pure."""
    names = tuple(known)
    if not names:
        return BadInputError(f"there is no {kind} {name}: nothing of the lab stands", "mirrorforce up")
    nearest = get_close_matches(name, names, n=1)
    step = f"did you mean {nearest[0]}?" if nearest else "choose one of these"
    return BadInputError(f"there is no {kind} {name}; there is: {', '.join(names)}", step)


def unfinished_hosts(ws: Workspace) -> tuple[str, ...]:
    """Hosts whose making or removing was interrupted; the next `up` or `down` finishes it."""
    whole = {spec.name for spec in disks.all_recorded(ws.env)}
    found = {
        folder.name.strip(".").removesuffix(".new").removesuffix(".gone") for folder in ws.hosts.glob("*")
    }
    return tuple(sorted(found - whole))
